"""A matrix product that takes one thread, so that its bits, and those of its gradients, are the same on any number."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import tensorflow as tf

from lengthwise.models.recurrence.formulation import is_for_xla
from lengthwise.models.recurrence.plan import trace


def multiply_on_one_thread(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Multiply `(a, b)` by `(b, c)`, which gives `(a, c)`."""
    if is_for_xla():
        return tf.matmul(left, right)

    @tf.custom_gradient
    def multiply(left: tf.Tensor, right: tf.Tensor) -> tuple[tf.Tensor, Any]:
        def backward(arriving: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            d_left = _multiply(arriving, right, transpose_b=True)
            return d_left, _multiply(left, arriving, transpose_a=True)

        return _multiply(left, right), backward

    product = multiply(left, right)
    return tf.ensure_shape(product, (left.shape[0], right.shape[1]))


def _multiply(left: tf.Tensor, right: tf.Tensor, *, transpose_a: bool = False, transpose_b: bool = False) -> tf.Tensor:
    function = _trace(left.dtype, transpose_a, transpose_b)
    (product,) = tf.raw_ops.MapDefun(
        arguments=[left[None]],
        captured_inputs=[right],
        output_types=[left.dtype],
        output_shapes=[tf.TensorShape((None, None))],
        f=function,
        max_intra_op_parallelism=1,
    )
    return product[0]


@cache
def _trace(dtype: tf.DType, transpose_a: bool, transpose_b: bool) -> Any:
    matrix = tf.TensorSpec((None, None), dtype)
    return trace(partial(tf.matmul, transpose_a=transpose_a, transpose_b=transpose_b), matrix, matrix)
