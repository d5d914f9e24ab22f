"""Runs a decode loop on parts of the batch in parallel, each part on one thread.

The operations of a step are small: spread over threads, they would wait for each other longer than they compute.
Training runs its recurrences in the same way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeAlias, TypeVar

import tensorflow as tf

from lengthwise.models.recurrence.parts import PART_SIZE, Parts
from lengthwise.models.recurrent_layer import has_gpu

MANY_ROWS, FEWEST_ROWS = 256, 128
"""Batches of so many rows are cut into parts of at least so many, unless that would leave cores without work."""

Result = TypeVar("Result")
Arguments: TypeAlias = dict[str, tf.Tensor] | tf.Tensor


def run_in_parts(
    loop: Callable[..., Result], rows: tuple[Arguments, ...], shared: tf.Tensor, *, values_per_row: int
) -> Result:
    """Run a loop on parts of the rows in parallel; called while a graph is traced.

    Args:
        loop: From arguments as in `rows`, of some rows, and `shared` to a nest of tensors, batch first, whose other
            sizes are the same for all parts.
        rows: Tensors or dictionaries of tensors, batch first, all sizes known but those that vary.
        shared: A scalar that every part is given.
        values_per_row: Size of a row's state, which decides the number of parts.

    Returns:
        The loop's results for all rows, in their order.
    """
    if has_gpu():  # where the operation behind `Parts` has no kernel
        return loop(*rows, shared)
    flat = tf.nest.flatten(rows)
    specs = [tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype) for tensor in flat]
    with tf.init_scope():  # otherwise static shapes of the graph under construction would enter the part's graph
        traced = tf.function(
            lambda *tensors: loop(*tf.nest.pack_sequence_as(rows, tensors[:-1]), tensors[-1]), autograph=False
        ).get_concrete_function(*specs, tf.TensorSpec((), shared.dtype))
    num_rows = tf.shape(flat[0])[0]
    parts = Parts(num_rows, _limit_values(num_rows, values_per_row))
    results = parts.run(traced, [*map(parts.split, flat)], [shared], training=False)
    merged: Result = tf.nest.pack_sequence_as(traced.structured_outputs, [*map(parts.merge, results)])
    return merged


def _limit_values(num_rows: tf.Tensor, values_per_row: int) -> tf.Tensor:
    """Return the size of a row's state as `Parts` is to take it: in large batches less, for fewer and larger parts.

    Nothing is summed over the parts, and a row's result does not depend on the rows beside it, so that other parts give
    the same bits.
    """
    num_cores = os.cpu_count() or 1
    enough = tf.maximum(PART_SIZE // FEWEST_ROWS, PART_SIZE * num_cores // tf.maximum(num_rows, 1))
    return tf.where(num_rows < MANY_ROWS, values_per_row, tf.minimum(values_per_row, enough))
