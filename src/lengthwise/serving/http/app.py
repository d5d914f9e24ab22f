"""The application: what is asked over HTTP, and how it is answered.

GET  /              what the model reads and makes, and the bounds of a request
POST /decode        {"sources": ["text", ...]}, and "probabilities": true to have each step's distribution;
                    the answer is {"predictions": [{"prediction": ..., "unknown_symbols": ..., ...}, ...]}
GET  /openapi.json  the same, for programs; GET /docs for people
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Sequence
from html import escape
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from lengthwise import __version__
from lengthwise.data.vocabulary import Vocabulary
from lengthwise.files import dump_json
from lengthwise.serving.http.decode_queue import DecodeQueue
from lengthwise.serving.http.errors import RequestError, answer_errors, refuse
from lengthwise.serving.http.requests import (
    MAX_BODY_BYTES,
    MAX_REQUEST_STEPS,
    MAX_SOURCES,
    BodyBudget,
    count_max_sources,
    read_request,
)
from lengthwise.serving.predictor import MOST_STEPS, Prediction, Predictor
from lengthwise.serving.stream import describe_prediction

_HOSTS = ("127.0.0.1", "localhost", "[::1]")

_EXAMPLE = {"sources": ["a text"]}
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
            "example": _EXAMPLE,
        }
    },
}


class LocalOnly:
    """Refuses requests that a page of another site makes.

    Such a page may have its own name resolved to this machine; then the browser names that host.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have the application answer it."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            hosts = [headers.get("host", ""), *([] if origin is None else [urlsplit(origin).netloc])]
            if any(re.sub(r":\d*$", "", host.lower()) not in _HOSTS for host in hosts):
                error = RequestError(HTTPStatus.FORBIDDEN, "This server only answers requests for this machine.")
                await refuse(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def build_app(predictor: Predictor, name: str) -> FastAPI:
    """Build the application that answers with a predictor.

    Args:
        predictor: The model.
        name: Of the run.
    """
    queue, budget = DecodeQueue(predictor), BodyBudget()

    @contextlib.asynccontextmanager
    async def live(_app: FastAPI) -> AsyncIterator[None]:
        yield
        queue.close()

    # FastAPI's own pages load their scripts from another site, which is not there without a network.
    app = FastAPI(title=f"lengthwise: {name}", version=__version__, docs_url=None, redoc_url=None, lifespan=live)
    app.add_middleware(LocalOnly)
    answer_errors(app)

    @app.get("/", summary="What the model reads and makes, and the bounds of a request")
    async def describe() -> dict[str, Any]:
        return describe_model(predictor, name)

    @app.post("/decode", summary="Decode sources", openapi_extra={"requestBody": _REQUEST_BODY})
    async def decode(request: Request) -> Response:
        queue.check_room()
        with budget.open_account() as account:
            asked = await read_request(request, account, predictor)
            predictions = await queue.decode(asked, request.is_disconnected)
        # In a thread, since distributions make megabytes of text and other clients wait meanwhile.
        return Response(await asyncio.to_thread(_write_answer, predictions), media_type="application/json")

    @app.get("/docs", include_in_schema=False)
    async def document() -> HTMLResponse:
        return HTMLResponse(_write_page(app.openapi()))

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
        "reads": f"text, cut into {source.unit_text}" if isinstance(source, Vocabulary) else f"{source.size} features",
        "makes": f"text, made of {target.unit_text}" if isinstance(target, Vocabulary) else f"{target.size} features",
        "most_steps_made": artifact.models.wiring.spec.timesteps,
        "unknown_symbols": "read as <unknown> and counted",
        "empty_source": "gives an empty prediction",
        "max_body_bytes": MAX_BODY_BYTES,
        "max_sources": MAX_SOURCES,
        "max_sources_with_probabilities": count_max_sources(predictor) if predictor.is_tokens else 0,
        "max_source_steps": MOST_STEPS,
        "max_request_steps": MAX_REQUEST_STEPS,
    }


def _write_answer(predictions: Sequence[Prediction]) -> str:
    return dump_json({"predictions": [describe_prediction(prediction) for prediction in predictions]})


def _write_page(schema: dict[str, Any]) -> str:
    """Write the page of what can be asked, from the application's OpenAPI description."""
    title, example = escape(schema["info"]["title"]), escape(json.dumps(_EXAMPLE))
    rows = [
        f"<tr><td><code>{method.upper()} {escape(path)}</code></td><td>{escape(operation['summary'])}</td></tr>"
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    ]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        f"<body style='font-family: sans-serif; margin: 2em auto; max-width: 50em'>"
        f"<h1>{title}</h1><table cellpadding=8>{''.join(rows)}</table>"
        f"<pre>curl -H 'Content-Type: application/json' -d '{example}' http://HOST:PORT/decode</pre>"
        "<p>For programs: <a href=/openapi.json>openapi.json</a>.</p>"
    )
