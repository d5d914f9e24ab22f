"""The server: FastAPI's application on Uvicorn, listening on this machine's own address.

Uvicorn and FastAPI do the HTTP: many clients at once, none of which can keep a thread. For many users there are `mlflow
models serve`, and TensorFlow Serving on the directory of `lengthwise export`.
"""

from __future__ import annotations

import socket

import uvicorn

from lengthwise.serving.http.app import build_app
from lengthwise.serving.http.connection import ImpatientConnection
from lengthwise.serving.predictor import Predictor

ADDRESS = "127.0.0.1"

_BACKLOG = 2_048
"""Connections that may wait to be accepted; more are reset by the system."""


class PredictionServer:
    """Answers with a predictor, from `serve_forever` to `shutdown`, Ctrl-C or SIGTERM.

    Args:
        predictor: The model.
        name: Of the run, shown to clients.
        port: Where it listens; 0 takes a free one.

    Raises:
        OSError: The port is taken.
    """

    def __init__(self, predictor: Predictor, name: str, port: int) -> None:
        self._socket = socket.create_server((ADDRESS, port), backlog=_BACKLOG)
        self.server_port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            build_app(predictor, name),
            http=ImpatientConnection,
            ws="none",
            backlog=_BACKLOG,
            log_config=None,
            access_log=False,
            log_level="error",
            lifespan="on",
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        self._server = uvicorn.Server(config)

    def __enter__(self) -> PredictionServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def serve_forever(self) -> None:
        """Answer requests until the server is stopped."""
        self._server.run(sockets=[self._socket])

    def shutdown(self) -> None:
        """Stop, from another thread."""
        self._server.should_exit = True
