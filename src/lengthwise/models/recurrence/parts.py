"""The rows of a batch, cut into parts that run side by side.

A step's operations are small: spread over threads they wait for each other longer than they work. So the rows of the
batch are cut into parts; each part runs its whole loop on one thread, and the parts run at the same time (`MapDefun`,
the operation behind vectorised `tf.data` pipelines).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from lengthwise.models.recurrence.plan import call

PART_SIZE = 8192
"""Values of a state, rows times units, that a part of the batch has at least; half of that where there are two."""


class Parts:
    """The rows of a batch, cut into parts that run side by side.

    Args:
        batch: Number of rows, a scalar.
        units: Width of a state.
    """

    def __init__(self, batch: tf.Tensor, units: int | tf.Tensor) -> None:
        self._batch = batch
        # MapDefun has no kernel for a GPU; there the whole batch is one part, called as a function.
        self._is_whole = bool(tf.config.list_physical_devices("GPU"))
        # Independent of the number of threads, so that the order in which the parts are summed is, too.
        size = batch * units
        count = tf.maximum(size // PART_SIZE, tf.minimum(2 * size // PART_SIZE, 2))
        self._count = tf.clip_by_value(count, 1, tf.maximum(batch, 1))
        self._rows = (batch + self._count - 1) // self._count  # rounded up

    def split(self, tensor: tf.Tensor) -> tf.Tensor:
        """Cut `(batch, ...)` into `(parts, rows, ...)`, with rows of zeros where the parts are uneven."""
        if self._is_whole:
            return tensor
        missing = self._count * self._rows - self._batch
        padded = tf.pad(tensor, [(0, missing)] + [(0, 0)] * (len(tensor.shape) - 1))
        return tf.reshape(padded, tf.concat(((self._count, self._rows), tf.shape(tensor)[1:]), axis=0))

    def merge(self, tensor: tf.Tensor) -> tf.Tensor:
        """Undo `split`: `(parts, rows, ...)` becomes `(batch, ...)`."""
        if self._is_whole:
            return tensor
        shape = tf.concat(((self._count * self._rows,), tf.shape(tensor)[2:]), axis=0)
        return tf.reshape(tensor, shape)[: self._batch]

    def add_up(self, tensor: tf.Tensor) -> tf.Tensor:
        """Sum what each part contributes: `(parts, ...)` becomes `(...)`."""
        return tensor if self._is_whole else tf.reduce_sum(tensor, axis=0)

    def run(
        self, function: Any, of_parts: Sequence[tf.Tensor], shared: Sequence[tf.Tensor], *, training: bool
    ) -> list[tf.Tensor]:
        """Run a traced function on every part: arguments split by part, then those that all parts share.

        Args:
            function: A concrete function of tensors, first those of the part.
            of_parts: Results of `split`, `(parts, rows, ...)` each.
            shared: Given whole to every part.
            training: Whether the sums must not depend on the number of threads, in any bit.

        Returns:
            The function's results, `(parts, ...)` each.
        """
        if self._is_whole:
            return call(function, *of_parts, *shared)

        def map_parts() -> list[tf.Tensor]:
            return list(
                tf.raw_ops.MapDefun(
                    arguments=list(of_parts),
                    captured_inputs=[*shared, *function.captured_inputs],
                    output_types=[output.dtype for output in function.outputs],
                    output_shapes=[output.shape for output in function.outputs],
                    f=function,
                    max_intra_op_parallelism=1,
                )
            )

        def call_once() -> list[tf.Tensor]:
            return [result[None] for result in call(function, *(tensor[0] for tensor in of_parts), *shared)]

        if training:
            return map_parts()
        # Handing a single part to another thread takes longer than a short loop over few rows.
        result: list[tf.Tensor] = tf.cond(tf.equal(self._count, 1), call_once, map_parts)
        return result
