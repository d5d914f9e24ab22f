"""Run a pass over planned batches as one compiled loop, in chunks of about half a second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Tensor: TypeAlias = tf.Tensor
Step = Callable[[Tensor, Tensor], Tensor]
"""Handles one batch: from its rows `(B,)` int32 and the sampling rate, a scalar, to the mean loss so far, a scalar."""

CHUNK_SECONDS = 0.5
"""Time between two returns to Python, where signals are handled and progress is shown. It changes no number."""

MOST_GROWTH = 8
"""Largest ratio of a chunk's batches to those of the chunk before, since one that was measured fast may be an
exception."""


class CompiledPass:
    """Runs batches one after another through a step, without a return to Python between them.

    Args:
        step: Traced once; the pass ends early at the first batch after which the loss is not finite.
    """

    def __init__(self, step: Step) -> None:
        def run(order: Tensor, starts: Tensor, rates: Tensor, first: Tensor, last: Tensor) -> Any:
            def body(index: Tensor, _loss: Tensor) -> tuple[Tensor, Tensor]:
                rows = order[starts[index] : starts[index + 1]]
                return index + 1, tf.cast(step(rows, rates[index]), tf.float32)

            def is_unfinished(index: Tensor, loss: Tensor) -> Tensor:
                return (index < last) & tf.math.is_finite(loss)

            return tf.while_loop(is_unfinished, body, (first, tf.constant(0.0)), parallel_iterations=1)

        vector, scalar = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((), tf.int32)
        signature = [vector, vector, tf.TensorSpec((None,), tf.float32), scalar, scalar]
        self._run = tf.function(run, input_signature=signature, autograph=False)
        self._chunk = 1

    def run(
        self, batches: Sequence[NDArray[np.int64]], *, rates: Sequence[float], on_progress: Callable[[int], None]
    ) -> tuple[int, float]:
        """Run batches until the last, or until the loss is not finite.

        Args:
            batches: The rows of each batch.
            rates: The sampling rate of each batch, from 0 to 1.
            on_progress: Called after each chunk with the number of batches done.

        Returns:
            The number of batches done, and the mean loss after the last of them.
        """
        order = tf.constant(np.concatenate(batches).astype(np.int32))
        starts = tf.constant(np.cumsum([0, *map(len, batches)]).astype(np.int32))
        done, loss, rates = 0, 0.0, tf.constant(rates, tf.float32)
        while done < len(batches) and math.isfinite(loss):
            began, first = time.perf_counter(), done
            done, loss = (
                tensor.numpy().item()
                for tensor in self._run(order, starts, rates, first, min(first + self._chunk, len(batches)))
            )
            on_progress(done)
            seconds_per_batch = (time.perf_counter() - began) / (done - first)
            self._chunk = max(1, min(int(CHUNK_SECONDS / seconds_per_batch), self._chunk * MOST_GROWTH))
        return done, loss
