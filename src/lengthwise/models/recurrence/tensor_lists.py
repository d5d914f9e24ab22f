"""TensorFlow's tensor lists: what a loop writes step by step and hands over without a copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

STEPS_PER_ITERATION = 4
"""Steps written out in a loop's body: an iteration costs about as much as three of a small step's operations."""


def reserve(length: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Make a list, a scalar of dtype variant, with room for `length` tensors."""
    return tf.raw_ops.TensorListReserve(element_shape=-1, num_elements=length, element_dtype=dtype)


def write(values: tf.Tensor, index: tf.Tensor | int, value: tf.Tensor) -> tf.Tensor:
    """Return the list with `value` at `index`."""
    return tf.raw_ops.TensorListSetItem(input_handle=values, index=index, item=value)


def take(values: tf.Tensor, index: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Return the matrix at `index`."""
    return tf.raw_ops.TensorListGetItem(input_handle=values, index=index, element_shape=(-1, -1), element_dtype=dtype)


def stack(values: tf.Tensor, shape: tuple[tf.Tensor | int, tf.Tensor | int], dtype: tf.DType) -> tf.Tensor:
    """Return all matrices of a list as one tensor `(steps, *shape)`; -1 stands for a length that is not known."""
    stacked = tf.raw_ops.TensorListStack(input_handle=values, element_shape=shape, element_dtype=dtype)
    stacked.set_shape((None, None, None))
    return stacked


def swap_rows_and_steps(tensor: tf.Tensor) -> tf.Tensor:
    """Turn `(rows, steps, ...)` into `(steps, rows, ...)`, where a step is no copy, or the other way round."""
    return tf.transpose(tensor, (1, 0, *range(2, len(tensor.shape))))


def repeat(step: Callable[..., Any], num_steps: tf.Tensor, start: tuple[Any, ...]) -> tuple[Any, ...]:
    """Make `num_steps` steps: several in each iteration, then those left over one by one.

    Args:
        step: From the step's number, from 0, and the loop's values to the next values.
        num_steps: A scalar.
        start: The loop's values before the first step.

    Returns:
        The loop's values after the last step.
    """

    def make_steps(count: int) -> Callable[..., Any]:
        def body(index: tf.Tensor, *values: Any) -> tuple[Any, ...]:
            for offset in range(count):
                values = step(index + offset, *values)
            return (index + count, *values)

        return body

    many, values = STEPS_PER_ITERATION, (tf.constant(0), *start)
    values = tf.while_loop(lambda index, *_: index + many <= num_steps, make_steps(many), values)
    values = tf.while_loop(lambda index, *_: index < num_steps, make_steps(1), values)
    return tuple(values[1:])
