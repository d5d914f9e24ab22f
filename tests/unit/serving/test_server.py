from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from helpers.small_models import draw_texts
from lengthwise.serving.predictor import Predictor
from lengthwise.serving.server import MOST_BYTES, PredictionServer

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(letters: Predictor) -> Iterator[PredictionServer]:
    with PredictionServer(letters, "drawn", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(
    server: PredictionServer, method: str, path: str, body: Any = None, headers: dict[str, str] = JSON
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    text = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
    connection.request(method, path, text, headers)
    response = connection.getresponse()
    content = json.loads(response.read())
    connection.close()
    return response.status, content


def test_texts_are_decoded(server: PredictionServer, letters: Predictor) -> None:
    texts = draw_texts(30)
    status, content = ask(server, "POST", "/decode", {"sources": texts})
    assert status == 200
    assert [each["prediction"] for each in content["predictions"]] == [each.value for each in letters.decode(texts)]
    assert ask(server, "POST", "/decode", {"sources": []}) == (200, {"predictions": []})
    status, content = ask(server, "POST", "/decode", {"sources": ["abc"], "probabilities": True})
    assert content["predictions"][0]["probabilities"]


def test_it_says_what_it_reads(server: PredictionServer) -> None:
    status, content = ask(server, "GET", "/")
    assert status == 200
    assert content["reads"] == "text, cut into characters"
    assert content["makes"] == "text, made of words"
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "words"),
    [
        ("POST", "/decode", "nonsense", JSON, 400, "not JSON"),
        ("POST", "/decode", b"\xff\xfe{", JSON, 400, "not JSON"),
        ("POST", "/decode", "[" * 100_000, JSON, 400, "not JSON"),
        ("POST", "/decode", [], JSON, 400, "JSON object"),
        ("POST", "/decode", {"sources": "abc"}, JSON, 400, "not understood"),
        ("POST", "/decode", {"source": ["abc"]}, JSON, 400, "not understood"),
        ("POST", "/decode", {"sources": ["a"], "probabilities": 1}, JSON, 400, "not understood"),
        ("POST", "/decode", {"sources": [1]}, JSON, 400, "reads text; got int"),
        ("POST", "/decode", {"sources": [None]}, JSON, 400, "reads text; got NoneType"),
        ("POST", "/decode", {"sources": ["a"]}, {"Content-Type": "text/plain"}, 415, "application/json"),
        ("POST", "/decode", {"sources": ["a"]}, JSON | {"Host": "evil.example"}, 403, "this machine"),
        ("POST", "/decode", None, JSON | {"Content-Length": str(MOST_BYTES + 1)}, 413, "bytes"),
        ("POST", "/decode", None, JSON | {"Content-Length": "-1"}, 411, "Content-Length"),
        ("POST", "/elsewhere", {"sources": ["a"]}, JSON, 404, "POST /decode"),
        ("GET", "/decode", None, {}, 404, "POST /decode"),
    ],
)
def test_what_cannot_be_answered_is_told_and_the_server_goes_on(
    server: PredictionServer, method: str, path: str, body: Any, headers: dict[str, str], status: int, words: str
) -> None:
    found, content = ask(server, method, path, body, headers)
    assert found == status
    assert words in content["error"]
    assert ask(server, "POST", "/decode", {"sources": [""]})[0] == 200
