"""The server: what it answers, what it refuses, and many clients at once, slow ones among them."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from helpers.small_models import draw_texts
from lengthwise.errors import LengthwiseError
from lengthwise.serving.http import connection as connection_module
from lengthwise.serving.http import decode_queue, requests
from lengthwise.serving.http.decode_queue import DecodeQueue
from lengthwise.serving.http.errors import BusyError
from lengthwise.serving.http.requests import MAX_BODY_BYTES, MAX_REQUEST_STEPS, MAX_SOURCES, BodyBudget, DecodeRequest
from lengthwise.serving.http.server import PredictionServer
from lengthwise.serving.predictor import MOST_STEPS, Prediction, Predictor

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(letters: Predictor) -> Iterator[PredictionServer]:
    with PredictionServer(letters, "drawn", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
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
    assert content["max_sources"] == MAX_SOURCES
    with pytest.raises(OSError, match="refused"):  # it listens on this machine's own address only
        socket.create_connection(("127.0.0.2", server.server_port), timeout=5)


def test_it_describes_itself_to_programs_and_people(server: PredictionServer) -> None:
    status, schema = ask(server, "GET", "/openapi.json")
    assert status == 200
    assert {(path, method) for path, methods in schema["paths"].items() for method in methods} == {
        ("/", "get"),
        ("/decode", "post"),
    }
    with closing(http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)) as connection:
        connection.request("GET", "/docs")
        page = connection.getresponse().read().decode()
    assert "POST /decode" in page
    assert "https://" not in page, "the page must not need a network"


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "words"),
    [
        ("POST", "/decode", "nonsense", JSON, 400, "not JSON"),
        ("POST", "/decode", b"\xff\xfe{", JSON, 400, "not JSON"),
        ("POST", "/decode", "[" * 100_000, JSON, 400, "not JSON"),
        ("POST", "/decode", '{"sources": ["a"], "sources": ["b"]}', JSON, 400, "a key is given twice in one object"),
        ("POST", "/decode", '{"sources": [' + "9" * 9_999 + "]}", JSON, 400, "value has 9999 digits)."),
        ("POST", "/decode", [], JSON, 400, "JSON object"),
        ("POST", "/decode", {"sources": "abc"}, JSON, 400, "not understood"),
        ("POST", "/decode", {"source": ["abc"]}, JSON, 400, "not understood"),
        ("POST", "/decode", {"sources": ["a"], "probabilities": 1}, JSON, 400, "not understood"),
        ("POST", "/decode", {"sources": [1]}, JSON, 400, "reads text; got int"),
        ("POST", "/decode", {"sources": [None]}, JSON, 400, "reads text; got NoneType"),
        ("POST", "/decode", {"sources": ["a"]}, {"Content-Type": "text/plain"}, 415, "application/json"),
        ("POST", "/decode", {"sources": ["a"]}, JSON | {"Host": "evil.example"}, 403, "this machine"),
        ("POST", "/decode", None, JSON | {"Content-Length": str(10**12)}, 413, "bytes"),
        ("POST", "/decode", {"sources": ["a"] * (MAX_SOURCES + 1)}, JSON, 413, "1,000 sources"),
        ("POST", "/decode", {"sources": ["a" * (MOST_STEPS + 1)]}, JSON, 413, "10,000 are read"),
        ("POST", "/decode", {"sources": ["a" * 9_000] * 12}, JSON, 413, "At most 100,000 steps"),
        ("POST", "/decode", {"sources": ["a"]}, JSON | {"Origin": "http://evil.example"}, 403, "this machine"),
        ("POST", "/decode", {"sources": ["a"]}, JSON | {"Origin": "null"}, 403, "this machine"),
        ("POST", "/decode", b'{"sources": ["' + b"a" * (2 * MAX_BODY_BYTES) + b'"]}', JSON, 413, "bytes"),
        ("POST", "/decode", {"sources": ["a"]}, JSON | {"Host": "127.0.0.1.evil.example"}, 403, "this machine"),
        ("POST", "/elsewhere", {"sources": ["a"]}, JSON, 404, "POST /decode"),
        ("GET", "/decode", None, {}, 405, "POST /decode"),
    ],
)
def test_what_cannot_be_answered_is_refused_and_the_server_continues(
    server: PredictionServer, method: str, path: str, body: Any, headers: dict[str, str], status: int, words: str
) -> None:
    found, content = ask(server, method, path, body, headers)
    assert found == status
    assert words in content["error"]
    assert ask(server, "POST", "/decode", {"sources": [""]})[0] == 200


def test_a_body_without_a_length_is_bounded_too(server: PredictionServer) -> None:
    chunks = iter([b" " * 2**20] * (MAX_BODY_BYTES // 2**20 + 1))
    with closing(http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)) as connection:
        connection.request("POST", "/decode", chunks, JSON, encode_chunked=True)
        assert connection.getresponse().status == 413


@pytest.mark.parametrize("head", [b"POST /decode HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"nonsense\r\n\r\n"])
def test_what_is_not_http_is_refused(server: PredictionServer, head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as connection:
        connection.sendall(head)
        status, answer = connection.makefile("rb").read().split(b"\r\n", 1)
        assert status.startswith(b"HTTP/1.1 400 ")
        assert json.loads(answer.split(b"\r\n\r\n")[1])["error"]


def test_four_hundred_requests_of_a_hundred_clients_are_answered(server: PredictionServer, letters: Predictor) -> None:
    texts = draw_texts(400)
    wanted = [prediction.value for prediction in letters.decode(texts)]
    with ThreadPoolExecutor(100) as clients:
        answers = list(clients.map(lambda text: ask(server, "POST", "/decode", {"sources": [text]}), texts))
    assert [status for status, _ in answers] == [200] * 400
    assert [content["predictions"][0]["prediction"] for _, content in answers] == wanted


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "[::1]", "[::1]:80"])
def test_names_of_this_machine_are_answered(server: PredictionServer, host: str) -> None:
    assert ask(server, "GET", "/", None, {"Host": host, "Origin": f"http://{host}"})[0] == 200


def test_probabilities_are_bounded_by_the_size_of_the_answer(
    server: PredictionServer, letters: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        requests, "MAX_PROBABILITIES", 2 * 10 * 8
    )  # 6 words and 4 special symbols, at most 7 and an end
    assert ask(server, "GET", "/")[1]["max_sources_with_probabilities"] == 2
    assert ask(server, "POST", "/decode", {"sources": ["a", "b"], "probabilities": True})[0] == 200
    status, content = ask(server, "POST", "/decode", {"sources": ["a", "b", "c"], "probabilities": True})
    assert (status, content["error"][:60]) == (
        413,
        "At most 2 sources in a request with probabilities of this model"[:60],
    )
    assert ask(server, "POST", "/decode", {"sources": ["a", "b", "c"]})[0] == 200


def test_slow_clients_are_cut_off(
    server: PredictionServer, letters: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "CHECK_SECONDS", 0.1)
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as connection:
        began = time.monotonic()
        connection.sendall(b"POST /decode HTT")
        assert connection.recv(100) == b""
        assert time.monotonic() - began < 5
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as connection:
        head = f"POST /decode HTTP/1.1\r\nHost: localhost:{server.server_port}\r\nContent-Length: 100\r\n"
        connection.sendall(f"{head}Content-Type: application/json\r\n\r\n{{".encode())
        assert b"408" in connection.recv(100)


class SlowPredictor:
    """Stands for a model that answers when it is let to, and fails on the source `bad`."""

    def __init__(self, letters: Predictor) -> None:
        self.decoding, self.calls, self.may_answer = letters.decoding, [], threading.Event()

    def decode(self, sources: Sequence[Any], *, probabilities: bool) -> list[Prediction]:
        self.may_answer.wait(10)
        self.calls.append(list(sources))
        if "bad" in sources:
            raise LengthwiseError("bad")
        return [Prediction(value=source.upper(), stopped=True, log_probability=0.0) for source in sources]


def make_request(*sources: str, num_steps: int = 1) -> DecodeRequest:
    return DecodeRequest(sources=sources, probabilities=False, num_steps=num_steps)


async def is_there() -> bool:
    return False


async def is_gone() -> bool:
    return True


def test_requests_that_wait_are_joined_and_fail_for_themselves(letters: Predictor) -> None:
    predictor = SlowPredictor(letters)

    async def ask_all() -> list[Any]:
        queue = DecodeQueue(predictor)  # type: ignore[arg-type]
        asked = (["a"], ["b", "c"], ["bad"], ["d"])
        tasks = [asyncio.create_task(queue.decode(make_request(*sources), is_there)) for sources in asked]
        await asyncio.sleep(0.05)
        predictor.may_answer.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        queue.close()
        return answers

    answers = asyncio.run(ask_all())
    assert [[each.value for each in answers[index]] for index in (0, 1, 3)] == [["A"], ["B", "C"], ["D"]]
    assert str(answers[2]) == "bad"
    assert predictor.calls[0] in (["a"], ["a", "b", "c", "bad", "d"])


def test_a_full_queue_refuses_and_says_when_to_come_again(letters: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = SlowPredictor(letters)

    async def overfill() -> tuple[int, int]:
        queue = DecodeQueue(predictor, max_waiting=3)  # type: ignore[arg-type]
        tasks = [asyncio.create_task(queue.decode(make_request("a"), is_there)) for _ in range(20)]
        await asyncio.sleep(0.05)
        predictor.may_answer.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        queue.close()
        return sum(isinstance(each, list) for each in answers), sum(isinstance(each, BusyError) for each in answers)

    answered, refused = asyncio.run(overfill())
    assert (answered, refused) in ((3, 17), (4, 16))

    async def refuse(*_: Any, **__: Any) -> Any:
        raise BusyError("3 requests are waiting already.")

    monkeypatch.setattr(DecodeQueue, "decode", refuse)
    with PredictionServer(letters, "drawn", 0) as full:
        thread = threading.Thread(target=full.serve_forever)
        thread.start()
        with closing(http.client.HTTPConnection("127.0.0.1", full.server_port, timeout=20)) as connection:
            connection.request("POST", "/decode", json.dumps({"sources": ["a"]}), JSON)
            response = connection.getresponse()
            assert (response.status, response.headers["Retry-After"]) == (503, "1")
            assert "waiting" in json.loads(response.read())["error"]
        full.shutdown()
        thread.join()


def test_long_sources_that_wait_do_not_share_a_batch_and_fill_the_queue(
    letters: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode_queue, "MAX_WAITING_STEPS", 2 * MAX_REQUEST_STEPS)
    predictor = SlowPredictor(letters)

    async def ask_all() -> list[Any]:
        queue = DecodeQueue(predictor)  # type: ignore[arg-type]
        tasks = []
        for name in "abcd":  # the first is at work while the others wait, of which the last is one too many
            request = make_request(name, num_steps=MAX_REQUEST_STEPS)
            tasks.append(asyncio.create_task(queue.decode(request, is_there)))
            await asyncio.sleep(0.02)
        predictor.may_answer.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        queue.close()
        return answers

    answers = asyncio.run(ask_all())
    assert predictor.calls == [["a"], ["b"], ["c"]]
    assert "200,000 steps are waiting" in str(answers[3])


def test_a_request_whose_client_has_gone_is_not_decoded(letters: Predictor) -> None:
    predictor = SlowPredictor(letters)
    predictor.may_answer.set()

    async def ask_all() -> list[Any]:
        queue = DecodeQueue(predictor)  # type: ignore[arg-type]
        asked = [queue.decode(make_request("a"), is_gone), queue.decode(make_request("b"), is_there)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        queue.close()
        return answers

    gone, answered = asyncio.run(ask_all())
    assert isinstance(gone, ClientDisconnect)
    assert answered[0].value == "B"
    assert predictor.calls == [["b"]]


def test_the_bodies_of_all_requests_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MAX_ALL_BODY_BYTES", 100)
    budget = BodyBudget()
    with budget.open_account() as one:
        one.take(60)
        with budget.open_account() as other, pytest.raises(BusyError, match="60 of 100 bytes"):
            other.take(50)
    with budget.open_account() as account:
        account.take(100)


class Transport:
    """Stands for a connection whose unread bytes are as given, check by check."""

    def __init__(self, *unread: int) -> None:
        self.unread, self.is_aborted = list(unread), False

    def get_write_buffer_size(self) -> int:
        return self.unread.pop(0)

    def abort(self) -> None:
        self.is_aborted = True


@pytest.mark.parametrize(
    ("unread", "is_cut_off"),
    [((0, 0, 0), False), ((900, 500, 100), False), ((900, 900), True), ((900, 500, 500), True)],
)
def test_a_client_that_does_not_read_its_answer_is_cut_off(unread: tuple[int, ...], is_cut_off: bool) -> None:
    connection: Any = connection_module.ImpatientConnection.__new__(connection_module.ImpatientConnection)
    connection.loop = SimpleNamespace(call_later=lambda *_: None)
    connection.cycle = SimpleNamespace(response_complete=False)
    connection.transport = Transport(*unread)
    connection._was_idle, connection._num_unread = False, 0
    for _ in unread:
        connection._close_if_stuck()
    assert connection.transport.is_aborted == is_cut_off
