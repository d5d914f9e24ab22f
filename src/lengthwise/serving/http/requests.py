"""Reading a request to decode: its bounds, its time, its form."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import Request

from lengthwise.data.vocabulary import Vocabulary
from lengthwise.serving.http.errors import BusyError, RequestError, TooLargeError
from lengthwise.serving.predictor import MOST_STEPS, Predictor

MAX_BODY_BYTES = 4 * 2**20
MAX_ALL_BODY_BYTES = 64 * 2**20
"""Bytes that the bodies of all requests may take at the same time, from the first byte read to the answer."""

_MAX_DISCARDED_BYTES = 16 * MAX_BODY_BYTES
"""Bytes that are read of a body that is too large: a client that is cut off while it sends does not see the answer."""

_TOO_MANY_BYTES = f"At most {MAX_BODY_BYTES:,} bytes in a request. Send several requests."

MAX_SOURCES = 1_000
MAX_REQUEST_STEPS = 100_000
"""Steps of all sources of a request: about a second's work for a model of a few hundred units."""

MAX_PROBABILITIES = 1_000_000
"""Numbers in the distributions of an answer: some ten megabytes of JSON."""

BODY_SECONDS = 30.0
"""Time that a client has to send the body of a request."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodeRequest:
    """A request to decode, within the bounds.

    Args:
        sources: As `Predictor.decode` takes them, which checks each.
        probabilities: Whether each step's distribution is wanted.
        num_steps: Of all sources together.
    """

    sources: Sequence[Any]
    probabilities: bool
    num_steps: int


class BodyBudget:
    """Memory for the bodies of all requests that are being read or answered."""

    def __init__(self) -> None:
        self._num_bytes = 0

    @contextlib.contextmanager
    def open_account(self) -> Iterator[BodyAccount]:
        """Yield an account for a request's body, given back at the end."""
        account = BodyAccount(self)
        try:
            yield account
        finally:
            self._num_bytes -= account.num_bytes

    def take(self, num_bytes: int) -> None:
        """Take bytes from the budget.

        Raises:
            BusyError: The requests at work hold the rest.
        """
        if self._num_bytes + num_bytes > MAX_ALL_BODY_BYTES:
            raise BusyError(f"The requests at work hold {self._num_bytes:,} of {MAX_ALL_BODY_BYTES:,} bytes.")
        self._num_bytes += num_bytes


class BodyAccount:
    """The bytes that one request holds."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self.num_bytes = 0

    def take(self, num_bytes: int) -> None:
        """Take bytes for the request; raises as `BodyBudget.take`."""
        self._budget.take(num_bytes)
        self.num_bytes += num_bytes


def count_max_sources(predictor: Predictor) -> int:
    """Return how many sources a request for probabilities may hold, from the size of a model's distributions."""
    spec = predictor.artifact.models.wiring.spec
    return max(1, min(MAX_SOURCES, MAX_PROBABILITIES // (spec.target_size * (spec.timesteps + 1))))


async def read_request(request: Request, account: BodyAccount, predictor: Predictor) -> DecodeRequest:
    """Read a request to decode.

    Raises:
        RequestError: It is too slow, no JSON, not understood, or beyond a bound.
    """
    # No page of another site can send this type without asking first.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send JSON, with Content-Type: application/json.")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _read_body(request, account)
    except TimeoutError as error:
        message = f"The request was not complete after {BODY_SECONDS:.0f} seconds."
        raise RequestError(HTTPStatus.REQUEST_TIMEOUT, message) from error
    sources, probabilities = _parse_body(body)
    return DecodeRequest(
        sources=sources, probabilities=probabilities, num_steps=_check_bounds(sources, probabilities, predictor)
    )


async def _read_body(request: Request, account: BodyAccount) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > _MAX_DISCARDED_BYTES:
        raise TooLargeError(_TOO_MANY_BYTES)
    body, num_read = bytearray(), 0
    async for chunk in request.stream():
        num_read += len(chunk)
        if num_read <= MAX_BODY_BYTES:
            account.take(len(chunk))
            body += chunk
        elif num_read > _MAX_DISCARDED_BYTES:
            break
    if num_read > MAX_BODY_BYTES:
        raise TooLargeError(_TOO_MANY_BYTES)
    return bytes(body)


def _parse_body(body: bytes) -> tuple[list[Any], bool]:
    """Return the sources, and whether probabilities are wanted."""
    try:
        content = json.loads(body, object_pairs_hook=_read_object)
    except (ValueError, RecursionError) as error:
        reason = str(error).partition(";")[0]  # what follows speaks to the programmer of the server
        raise RequestError(HTTPStatus.BAD_REQUEST, f"The request is not JSON ({reason}).") from error
    if not isinstance(content, dict):
        raise RequestError(HTTPStatus.BAD_REQUEST, 'Send a JSON object, as in {"sources": ["text"]}.')
    sources, probabilities = content.get("sources"), content.get("probabilities", False)
    unknown = content.keys() - {"sources", "probabilities"}
    if unknown or not isinstance(sources, list) or not isinstance(probabilities, bool):
        remedy = 'Send {"sources": [...]}, and "probabilities": true where they are wanted.'
        raise RequestError(HTTPStatus.BAD_REQUEST, f"The request is not understood. {remedy}")
    return sources, probabilities


def _read_object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object with a key given twice, of which Python's reader takes the last."""
    read = dict(pairs)
    if len(read) < len(pairs):
        raise ValueError("a key is given twice in one object")
    return read


def _check_bounds(sources: Sequence[Any], probabilities: bool, predictor: Predictor) -> int:
    """Return the steps of all sources of a request.

    Raises:
        TooLargeError: A bound is exceeded.
    """
    remedy = "Send several requests."
    most = count_max_sources(predictor) if probabilities else MAX_SOURCES
    if len(sources) > most:
        what = " with probabilities of this model" if probabilities else ""
        raise TooLargeError(f"At most {most:,} sources in a request{what}; got {len(sources):,}. {remedy}")
    lengths = [_count_steps(source, predictor) for source in sources]
    longest = max(lengths, default=0)
    if longest > MOST_STEPS:
        place = lengths.index(longest) + 1
        raise TooLargeError(f"Source {place} has {longest:,} steps; at most {MOST_STEPS:,} are read. Shorten it.")
    total = sum(lengths)
    if total > MAX_REQUEST_STEPS:
        raise TooLargeError(f"At most {MAX_REQUEST_STEPS:,} steps of all sources together; got {total:,}. {remedy}")
    return total


def _count_steps(source: Any, predictor: Predictor) -> int:
    """Return the steps of a source; 0 for what is no source, which the predictor refuses."""
    codec = predictor.artifact.source_codec
    if isinstance(source, str) and isinstance(codec, Vocabulary):
        return len(codec.split(source))
    return len(source) if isinstance(source, list) else 0
