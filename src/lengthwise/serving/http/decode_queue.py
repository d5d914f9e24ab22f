"""Decodes the sources of many requests in one thread; requests that wait together share a batch."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from starlette.requests import ClientDisconnect

from lengthwise.config.options import SampleOptions
from lengthwise.errors import LengthwiseError
from lengthwise.serving.http.errors import BusyError
from lengthwise.serving.http.requests import MAX_REQUEST_STEPS, DecodeRequest
from lengthwise.serving.predictor import Prediction, Predictor

IsGone = Callable[[], Awaitable[bool]]
"""Whether the client of a request has closed its connection."""

MAX_WAITING = 1_024
"""Requests that may wait for the model; more are refused with the time after which to try again."""

MAX_WAITING_STEPS = 2_000_000
"""Steps of the sources of all waiting requests together, which bounds the time that they wait."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    request: DecodeRequest
    is_gone: IsGone
    answer: asyncio.Future[list[Prediction]]


class DecodeQueue:
    """Requests that wait for the model, which answers one batch at a time, in the order of their arrival.

    Args:
        predictor: The model.
        max_waiting: Requests that may wait at the same time.
    """

    def __init__(self, predictor: Predictor, *, max_waiting: int = MAX_WAITING) -> None:
        self._predictor, self._max_waiting = predictor, max_waiting
        # Samples depend on a source's index in its request, so these requests do not share a batch.
        self._shares = not isinstance(predictor.decoding, SampleOptions)
        self._waiting: deque[_Waiting] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="decode")

    def check_room(self, num_steps: int = 0) -> None:
        """Refuse a request for which there is no room.

        Raises:
            BusyError: Too many requests wait, or too many steps with those of the request.
        """
        if len(self._waiting) >= self._max_waiting:
            raise BusyError(f"{len(self._waiting):,} requests are waiting already.")
        waiting_steps = sum(waiting.request.num_steps for waiting in self._waiting)
        if waiting_steps + num_steps > MAX_WAITING_STEPS:
            raise BusyError(f"Sources of {waiting_steps:,} steps are waiting already.")

    async def decode(self, request: DecodeRequest, is_gone: IsGone) -> list[Prediction]:
        """Decode the sources of one request, in their order.

        Raises:
            BusyError: There is no room.
            ClientDisconnect: The client has gone while the request waited; it was not decoded.
            LengthwiseError: As `Predictor.decode`.
        """
        self.check_room(request.num_steps)
        answer: asyncio.Future[list[Prediction]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(request, is_gone, answer))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await answer

    def close(self) -> None:
        """End the thread as soon as the present batch is done."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        while self._waiting:
            batch = await self._take_batch()
            try:
                await self._answer(batch)
            except LengthwiseError as error:
                if len(batch) == 1:
                    _fail(batch[0], error)
                    continue
                for waiting in batch:  # one of them cannot be decoded: find out which
                    try:
                        await self._answer([waiting])
                    except Exception as own_error:
                        _fail(waiting, own_error)
            except Exception as error:
                for waiting in batch:
                    _fail(waiting, error)

    async def _take_batch(self) -> list[_Waiting]:
        """Take the first request that waits, and those behind it that fit into the same batch."""
        batch: list[_Waiting] = []
        num_sources = num_steps = 0
        while self._waiting:
            request = self._waiting[0].request
            num_sources, num_steps = num_sources + len(request.sources), num_steps + request.num_steps
            is_fitting = (
                self._shares
                and num_sources <= self._predictor.decoding.batch_size
                and num_steps <= MAX_REQUEST_STEPS
                and (not batch or request.probabilities == batch[0].request.probabilities)
            )
            if batch and not is_fitting:
                break
            waiting = self._waiting.popleft()
            if await waiting.is_gone():
                num_sources, num_steps = num_sources - len(request.sources), num_steps - request.num_steps
                _fail(waiting, ClientDisconnect())
            else:
                batch.append(waiting)
        return batch

    async def _answer(self, batch: Sequence[_Waiting]) -> None:
        if not batch:
            return
        sources = [source for waiting in batch for source in waiting.request.sources]
        probabilities = batch[0].request.probabilities

        def decode() -> list[Prediction]:
            return self._predictor.decode(sources, probabilities=probabilities)

        predictions = iter(await asyncio.get_running_loop().run_in_executor(self._thread, decode))
        for waiting in batch:
            found = [next(predictions) for _ in waiting.request.sources]
            if not waiting.answer.done():
                waiting.answer.set_result(found)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(error)
