"""A trained model over HTTP, on this machine alone: JSON in, JSON out.

The standard library's server, since what is slow here is the model, which answers one request at a time anyway, and a
start in a second is worth more than workers. For many users: `mlflow models serve`, or TensorFlow Serving on the
directory of `lengthwise export`.

    GET  /         what the model reads and makes
    POST /decode   {"sources": ["text", ...]}, and "probabilities": true to have each step's distribution
                   answered by {"predictions": [{"prediction": ..., "log_probability": ..., ...}, ...]}
"""

from __future__ import annotations

import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lengthwise import __version__
from lengthwise.data.vocabulary import Vocabulary
from lengthwise.errors import LengthwiseError
from lengthwise.serving.predictor import Predictor
from lengthwise.serving.stream import describe_prediction

ADDRESS = "127.0.0.1"
MOST_BYTES = 16 * 2**20
_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_TIMEOUT_SECONDS = 30


class RequestError(LengthwiseError):
    """A request that cannot be answered.

    Args:
        status: of HTTP.
        message: what is wrong and what to do.
    """

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class PredictionServer(ThreadingHTTPServer):
    """Answers with a predictor.

    Args:
        predictor: the model.
        name: of the run, shown to who asks.
        port: where it listens; 0 takes a free one.
    """

    daemon_threads = True

    def __init__(self, predictor: Predictor, name: str, port: int) -> None:
        self.predictor = predictor
        self.name = name
        self.one_at_a_time = threading.Lock()
        super().__init__((ADDRESS, port), _Handler)

    def describe(self) -> dict[str, Any]:
        """Return what the model reads and makes, and how."""
        artifact = self.predictor.artifact
        source, target = artifact.source_codec, artifact.target_codec
        return {
            "run": self.name,
            "model": artifact.options.model.name,
            "dataset": artifact.options.dataset.name,
            "decoding": self.predictor.decoding.name,
            "reads": f"text, cut into {source.unit}" if isinstance(source, Vocabulary) else f"{source.size} features",
            "makes": f"text, made of {target.unit}" if isinstance(target, Vocabulary) else f"{target.size} features",
            "most_steps_made": artifact.models.wiring.spec.timesteps,
            "unknown_symbols": "read as <unknown> and counted",
            "empty_source": "gives an empty prediction",
        }


class _Handler(BaseHTTPRequestHandler):
    server: PredictionServer
    server_version = f"lengthwise/{__version__}"
    protocol_version = "HTTP/1.1"
    timeout = _TIMEOUT_SECONDS

    def do_GET(self) -> None:
        self._answer(self._describe)

    def do_POST(self) -> None:
        self._answer(self._decode)

    def _answer(self, make: Any) -> None:
        try:
            self._check_host()
            status, content = HTTPStatus.OK, make()
        except RequestError as error:
            status, content = error.status, {"error": str(error)}
        except LengthwiseError as error:
            status, content = HTTPStatus.BAD_REQUEST, {"error": str(error)}
        except Exception as error:  # the server goes on, and the client is told
            self.log_error("%s: %s", type(error).__name__, error)
            status, content = (
                HTTPStatus.INTERNAL_SERVER_ERROR,
                {"error": "The model failed; the server's log says how."},
            )
        body = json.dumps(content, ensure_ascii=False).encode("utf-8", errors="replace")
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if status != HTTPStatus.OK:  # what was not read of the body would be taken for the next request
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def _check_host(self) -> None:
        """Refuse pages of other sites that have their name resolved to this machine."""
        host = (self.headers.get("Host") or "").rsplit(":", 1)[0]
        if host not in _HOSTS:
            raise RequestError(HTTPStatus.FORBIDDEN, "This server answers requests for this machine alone.")

    def _describe(self) -> dict[str, Any]:
        if self.path != "/":
            raise RequestError(HTTPStatus.NOT_FOUND, "There is GET / and POST /decode.")
        return self.server.describe()

    def _decode(self) -> dict[str, Any]:
        if self.path != "/decode":
            raise RequestError(HTTPStatus.NOT_FOUND, "There is GET / and POST /decode.")
        request = self._read_request()
        sources, probabilities = request.get("sources"), request.get("probabilities", False)
        unknown = request.keys() - {"sources", "probabilities"}
        if unknown or not isinstance(sources, list) or not isinstance(probabilities, bool):
            remedy = 'Send {"sources": [...]}, and "probabilities": true where they are wanted.'
            raise RequestError(HTTPStatus.BAD_REQUEST, f"The request is not understood. {remedy}")
        with self.server.one_at_a_time:
            predictions = self.server.predictor.decode(sources, probabilities=probabilities)
        return {"predictions": [describe_prediction(prediction) for prediction in predictions]}

    def _read_request(self) -> dict[str, Any]:
        if self.headers.get_content_type() != "application/json":  # which no page of another site can send unasked
            raise RequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send JSON, with Content-Type: application/json.")
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            raise RequestError(HTTPStatus.LENGTH_REQUIRED, "Say the length of the request in Content-Length.")
        if int(length) > MOST_BYTES:
            raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"At most {MOST_BYTES:,} bytes at a time.")
        try:
            request = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise RequestError(HTTPStatus.BAD_REQUEST, f"The request is not JSON ({error}).") from error
        if not isinstance(request, dict):
            raise RequestError(HTTPStatus.BAD_REQUEST, 'Send a JSON object, as in {"sources": ["text"]}.')
        return request
