"""Decode the sources of many requests in one thread, those that wait together in one batch."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lengthwise.config.options import SampleOptions
from lengthwise.errors import LengthwiseError
from lengthwise.serving.predictor import Prediction, Predictor, Source


class QueueFullError(LengthwiseError):
    """More requests wait than the queue takes."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    sources: Sequence[Source]
    probabilities: bool
    answer: asyncio.Future[list[Prediction]]


class DecodeQueue:
    """Requests that wait for the model, which answers one batch at a time.

    Args:
        predictor: The model.
        max_waiting: Requests that may wait at the same time.
    """

    def __init__(self, predictor: Predictor, *, max_waiting: int) -> None:
        self._predictor, self._max_waiting = predictor, max_waiting
        # Samples depend on a source's index in its request, so these requests are not joined.
        self._joins = not isinstance(predictor.decoding, SampleOptions)
        self._waiting: deque[_Waiting] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="decode")

    async def decode(self, sources: Sequence[Source], *, probabilities: bool) -> list[Prediction]:
        """Decode the sources of one request, in their order.

        Raises:
            QueueFullError: Too many requests wait already.
            LengthwiseError: As `Predictor.decode`.
        """
        if len(self._waiting) >= self._max_waiting:
            raise QueueFullError(f"{len(self._waiting):,} requests are waiting already. Try again later.")
        answer: asyncio.Future[list[Prediction]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(sources, probabilities, answer))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await answer

    def close(self) -> None:
        """End the thread, when the batch at work is done."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        while self._waiting:
            joined = self._take()
            try:
                await self._answer(joined)
            except LengthwiseError as error:
                if len(joined) == 1:
                    _fail(joined[0], error)
                    continue
                for waiting in joined:  # one of them cannot be decoded: find out which
                    try:
                        await self._answer([waiting])
                    except Exception as own_error:
                        _fail(waiting, own_error)
            except Exception as error:
                for waiting in joined:
                    _fail(waiting, error)

    def _take(self) -> list[_Waiting]:
        """Take the first request that waits, and those behind it that fit into the same batch."""
        joined = [self._waiting.popleft()]
        size = len(joined[0].sources)
        while self._joins and self._waiting and self._waiting[0].probabilities == joined[0].probabilities:
            size += len(self._waiting[0].sources)
            if size > self._predictor.decoding.batch_size:
                break
            joined.append(self._waiting.popleft())
        return joined

    async def _answer(self, joined: Sequence[_Waiting]) -> None:
        sources = [source for waiting in joined for source in waiting.sources]

        def decode() -> list[Prediction]:
            return self._predictor.decode(sources, probabilities=joined[0].probabilities)

        predictions = iter(await asyncio.get_running_loop().run_in_executor(self._thread, decode))
        for waiting in joined:
            found = [next(predictions) for _ in waiting.sources]
            if not waiting.answer.done():  # the client may have gone
                waiting.answer.set_result(found)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(error)
