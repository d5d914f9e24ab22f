"""A trained model over HTTP, on this machine only: JSON in, JSON out.

FastAPI and Uvicorn do the HTTP: many clients at once, none of which can keep a thread. The model answers one batch at a
time; requests that wait are decoded together. For many users: `mlflow models serve`, or TensorFlow Serving on the
directory of `lengthwise export`.

    GET  /              what the model reads and makes, and the bounds of a request
    POST /decode        {"sources": ["text", ...]}, and "probabilities": true to have each step's distribution;
                        the answer is {"predictions": [{"prediction": ..., "unknown_symbols": ..., ...}, ...]}
    GET  /openapi.json  the same, for programs; GET /docs for people
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException

from lengthwise import __version__
from lengthwise.data.vocabulary import Vocabulary
from lengthwise.errors import LengthwiseError
from lengthwise.serving.decode_queue import DecodeQueue, QueueFullError
from lengthwise.serving.http_connection import ImpatientConnection
from lengthwise.serving.predictor import MOST_STEPS, Predictor
from lengthwise.serving.stream import describe_prediction

ADDRESS = "127.0.0.1"
MAX_BODY_BYTES = 4 * 2**20
MAX_SOURCES = 1_000
MAX_WAITING = 1_024
"""Requests that may wait for the model; more are refused with the time after which to try again."""

BODY_SECONDS = 30.0
"""Time that a client has to send the body of a request."""

_BACKLOG = 2_048
_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_log = logging.getLogger(__name__)

_REQUEST_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["sources"],
                "additionalProperties": False,
                "properties": {
                    "sources": {
                        "type": "array",
                        "maxItems": MAX_SOURCES,
                        "items": {},
                        "description": "Texts, or arrays of steps, each a list of features.",
                    },
                    "probabilities": {
                        "type": "boolean",
                        "default": False,
                        "description": "Whether each step's distribution over the symbols is returned.",
                    },
                },
            },
            "example": {"sources": ["a text"]},
        }
    },
}


class RequestError(LengthwiseError):
    """A request that cannot be answered.

    Args:
        status: Of HTTP.
        message: What is wrong and what to do.
    """

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class PredictionServer:
    """Answers with a predictor, from `serve_forever` to `shutdown`, Ctrl-C or SIGTERM.

    Args:
        predictor: The model.
        name: Of the run, shown to who asks.
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
            backlog=_BACKLOG,
            log_config=None,
            access_log=False,
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


def build_app(predictor: Predictor, name: str) -> FastAPI:
    """Build the application that answers with a predictor.

    Args:
        predictor: The model.
        name: Of the run.
    """
    queue = DecodeQueue(predictor, max_waiting=MAX_WAITING)

    @contextlib.asynccontextmanager
    async def live(_app: FastAPI) -> AsyncIterator[None]:
        yield
        queue.close()

    # FastAPI's own pages load their scripts from another site, which is not there without a network.
    app = FastAPI(title=f"lengthwise: {name}", version=__version__, docs_url=None, redoc_url=None, lifespan=live)

    @app.get("/", summary="What the model reads and makes, and the bounds of a request")
    async def describe() -> dict[str, Any]:
        return describe_model(predictor, name)

    @app.post("/decode", summary="Decode sources", openapi_extra={"requestBody": _REQUEST_BODY})
    async def decode(request: Request) -> dict[str, Any]:
        asked = await _read_request(request)
        predictions = await queue.decode(asked.sources, probabilities=asked.probabilities)
        return {"predictions": [describe_prediction(prediction) for prediction in predictions]}

    @app.get("/docs", include_in_schema=False)
    async def document() -> HTMLResponse:
        return HTMLResponse(_write_page(app.openapi()))

    _answer_errors(app)
    return app


def describe_model(predictor: Predictor, name: str) -> dict[str, Any]:
    """Return what a model reads and makes, how, and what a request may hold."""
    artifact = predictor.artifact
    source, target = artifact.source_codec, artifact.target_codec
    return {
        "run": name,
        "model": artifact.options.model.name,
        "dataset": artifact.options.dataset.name,
        "decoding": predictor.decoding.name,
        "reads": f"text, cut into {source.unit}" if isinstance(source, Vocabulary) else f"{source.size} features",
        "makes": f"text, made of {target.unit}" if isinstance(target, Vocabulary) else f"{target.size} features",
        "most_steps_made": artifact.models.wiring.spec.timesteps,
        "unknown_symbols": "read as <unknown> and counted",
        "empty_source": "gives an empty prediction",
        "max_body_bytes": MAX_BODY_BYTES,
        "max_sources": MAX_SOURCES,
        "max_source_steps": MOST_STEPS,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    sources: list[Any]
    probabilities: bool


async def _read_request(request: Request) -> _Asked:
    # No page of another site can send this type without asking first.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send JSON, with Content-Type: application/json.")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _read_body(request)
    except TimeoutError as error:
        message = f"The request was not complete after {BODY_SECONDS:.0f} seconds."
        raise RequestError(HTTPStatus.REQUEST_TIMEOUT, message) from error
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"The request is not JSON ({error}).") from error
    if not isinstance(content, dict):
        raise RequestError(HTTPStatus.BAD_REQUEST, 'Send a JSON object, as in {"sources": ["text"]}.')
    sources, probabilities = content.get("sources"), content.get("probabilities", False)
    unknown = content.keys() - {"sources", "probabilities"}
    if unknown or not isinstance(sources, list) or not isinstance(probabilities, bool):
        remedy = 'Send {"sources": [...]}, and "probabilities": true where they are wanted.'
        raise RequestError(HTTPStatus.BAD_REQUEST, f"The request is not understood. {remedy}")
    if len(sources) > MAX_SOURCES:
        message = f"At most {MAX_SOURCES:,} sources in a request; got {len(sources):,}. Send several requests."
        raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
    return _Asked(sources=sources, probabilities=probabilities)


async def _read_body(request: Request) -> bytes:
    message = f"At most {MAX_BODY_BYTES:,} bytes in a request. Send several requests."
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
    return bytes(body)


def _answer_errors(app: FastAPI) -> None:
    """Answer every error in JSON, and requests that are not for this machine with a refusal."""

    @app.middleware("http")
    async def check_host(request: Request, proceed: Any) -> Any:
        # A page of another site may have its name resolved to this machine.
        if request.headers.get("host", "").rsplit(":", 1)[0] not in _HOSTS:
            return _refuse(HTTPStatus.FORBIDDEN, "This server only answers requests for this machine.")
        return await proceed(request)

    @app.exception_handler(LengthwiseError)
    async def answer_refusal(_request: Request, error: LengthwiseError) -> JSONResponse:
        if isinstance(error, QueueFullError):
            return _refuse(HTTPStatus.SERVICE_UNAVAILABLE, str(error), {"Retry-After": "1"})
        return _refuse(error.status if isinstance(error, RequestError) else HTTPStatus.BAD_REQUEST, str(error))

    @app.exception_handler(HTTPException)
    async def answer_unknown(_request: Request, error: HTTPException) -> JSONResponse:
        return _refuse(HTTPStatus(error.status_code), "There is GET /, GET /docs, GET /openapi.json and POST /decode.")

    @app.exception_handler(Exception)
    async def answer_failure(_request: Request, error: Exception) -> JSONResponse:
        _log.error("%s: %s", type(error).__name__, error)
        return _refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "The model failed; the server's log says how.")


def _refuse(status: HTTPStatus, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    # What was not read of the body would be taken for the next request.
    return JSONResponse({"error": message}, status, {"Connection": "close", **(headers or {})})


def _write_page(schema: dict[str, Any]) -> str:
    """Write the page of what can be asked, from the application's OpenAPI description."""
    example = json.dumps(_REQUEST_BODY["content"]["application/json"]["example"])  # type: ignore[index]
    rows = [
        f"<tr><td><code>{method.upper()} {escape(path)}</code></td><td>{escape(operation['summary'])}</td></tr>"
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    ]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(schema['info']['title'])}</title>"
        f"<body style='font-family: sans-serif; margin: 2em auto; max-width: 50em'>"
        f"<h1>{escape(schema['info']['title'])}</h1><table cellpadding=8>{''.join(rows)}</table>"
        f"<pre>curl -H 'Content-Type: application/json' -d '{escape(example)}' http://HOST:PORT/decode</pre>"
        "<p>For programs: <a href=/openapi.json>openapi.json</a>.</p>"
    )
