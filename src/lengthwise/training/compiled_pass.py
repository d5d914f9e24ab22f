"""Run a pass over planned batches as one compiled loop, in chunks of about half a second."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lengthwise.models.recurrence.formulation import formulate_for_xla
from lengthwise.training.batch_shapes import BatchShape

Tensor: TypeAlias = tf.Tensor
Step = Callable[["BatchPlan", Any, BatchShape | None], Tensor]
"""Handles one batch: from its plan, the pass's data and the shape that it is padded to, None for that of its longest
sequences, to the mean loss so far, a scalar."""

CHUNK_SECONDS = 0.5
"""Time between two returns to Python, where signals are handled and progress is shown. It changes no number."""

MOST_GROWTH = 8
"""Largest ratio of a chunk's batches to those of the chunk before, since one that was measured fast may be an
exception."""

NO_ROW = -1
"""Stands for the rows that a batch lacks where all batches have the same number of rows."""


class BatchPlan(NamedTuple):
    """What a step is given of one batch, or a pass of all its batches.

    Args:
        rows: `(batches, B)` int32, the examples, then `NO_ROW`.
        count: `(batches,)` int32, number of examples.
        shape: `(batches,)` int32, index of the shape that the batch is padded to; 0 where no shapes are planned.
        sampling_rate: `(batches,)` float32, from 0 to 1.
        learning_rate: `(batches,)` float32.
    """

    rows: Tensor
    count: Tensor
    shape: Tensor
    sampling_rate: Tensor
    learning_rate: Tensor


class CompiledPass:
    """Runs batches one after another through a step, without a return to Python between them.

    Args:
        step: Traced once; the pass ends early at the first batch after which the loss is not finite.
        data: Describes the data that the step is given: a structure of `tf.TensorSpec`.
        batch_size: Most examples of a batch.
        shapes: Shapes that batches are padded to; with them XLA compiles the loop, and each shape apart.
    """

    def __init__(self, step: Step, data: Any, *, batch_size: int, shapes: Sequence[BatchShape] = ()) -> None:
        def run(plan: BatchPlan, data: Any, first: Tensor, last: Tensor) -> Any:
            def body(index: Tensor, _loss: Tensor) -> tuple[Tensor, Tensor]:
                batch = BatchPlan(*(tensor[index] for tensor in plan))
                if not shapes:
                    return index + 1, step(batch._replace(rows=batch.rows[: batch.count]), data, None)
                branches = [partial(step, batch, data, shape) for shape in shapes]
                return index + 1, branches[0]() if len(branches) == 1 else tf.switch_case(batch.shape, branches)

            def is_unfinished(index: Tensor, loss: Tensor) -> Tensor:
                return (index < last) & tf.math.is_finite(loss)

            with formulate_for_xla() if shapes else contextlib.nullcontext():
                return tf.while_loop(is_unfinished, body, (first, tf.constant(0.0)), parallel_iterations=1)

        integers, numbers = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None,), tf.float32)
        plan = BatchPlan(tf.TensorSpec((None, batch_size), tf.int32), integers, integers, numbers, numbers)
        scalar = tf.TensorSpec((), tf.int32)
        self._run = tf.function(
            run, input_signature=[plan, data, scalar, scalar], autograph=False, jit_compile=bool(shapes)
        )
        self._chunk = 1

    def run(self, plan: BatchPlan, data: Any, *, on_progress: Callable[[int], None]) -> tuple[int, float]:
        """Run batches until the last, or until the loss is not finite.

        Args:
            plan: Of all batches.
            data: What the step is given beside a batch's plan, as described when the pass was made.
            on_progress: Called after each chunk with the number of batches done.

        Returns:
            The number of batches done, and the mean loss after the last of them.
        """
        num_batches, done, loss = len(plan.count), 0, 0.0
        while done < num_batches and math.isfinite(loss):
            began, first = time.perf_counter(), done
            last = min(first + self._chunk, num_batches)
            results = self._run(plan, data, tf.constant(first), tf.constant(last))
            done, loss = (tensor.numpy().item() for tensor in results)
            on_progress(done)
            seconds_per_batch = (time.perf_counter() - began) / (done - first)
            self._chunk = max(1, min(int(CHUNK_SECONDS / seconds_per_batch), self._chunk * MOST_GROWTH))
        return done, loss


def plan_pass(
    batches: Sequence[NDArray[np.int64]],
    *,
    batch_size: int,
    shapes: Sequence[int] | None = None,
    sampling_rates: Sequence[float] | None = None,
    learning_rates: Sequence[float] | None = None,
) -> BatchPlan:
    """Describe the batches of a pass to its step.

    Args:
        batches: The rows of each batch, at most `batch_size`.
        batch_size: Rows that every batch is filled up to.
        shapes: Index of each batch's shape; None where no shapes are planned.
        sampling_rates: Of each batch; None: 0.
        learning_rates: Of each batch; None: 0, where nothing is learnt.
    """
    rows = np.full((len(batches), batch_size), NO_ROW, np.int32)
    for index, batch in enumerate(batches):
        rows[index, : len(batch)] = batch
    nothing = np.zeros(len(batches))
    return BatchPlan(
        rows=tf.constant(rows),
        count=tf.constant([len(batch) for batch in batches], tf.int32),
        shape=tf.constant(nothing if shapes is None else shapes, tf.int32),
        sampling_rate=tf.constant(nothing if sampling_rates is None else sampling_rates, tf.float32),
        learning_rate=tf.constant(nothing if learning_rates is None else learning_rates, tf.float32),
    )
