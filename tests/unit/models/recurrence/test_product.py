"""A matrix product of one thread, against TensorFlow's own."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from lengthwise.models.recurrence.product import multiply_on_one_thread


def test_a_product_and_its_gradients_are_those_of_matmul() -> None:
    rng = np.random.default_rng(0)
    left, right, weights = (tf.constant(rng.normal(size=shape), tf.float64) for shape in ((5, 3), (3, 4), (5, 4)))
    results = []
    for multiply in (multiply_on_one_thread, tf.matmul):
        with tf.GradientTape() as tape:
            tape.watch([left, right])
            product = multiply(left, right)
            loss = tf.reduce_sum(product * weights)
        results.append([product, *tape.gradient(loss, [left, right])])
    for own, expected in zip(*results, strict=True):
        np.testing.assert_allclose(own.numpy(), expected.numpy(), rtol=1e-14)
