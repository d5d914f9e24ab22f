"""A pass in chunks: every batch once, in order, until the last or until the loss is not finite."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from lengthwise.training import compiled_pass
from lengthwise.training.batch_shapes import BatchShape
from lengthwise.training.compiled_pass import NO_ROW, BatchPlan, CompiledPass, plan_pass

BATCHES = [np.array(rows) for rows in ([3, 1], [0], [2, 4, 5], [6], [9, 8], [7])]


PLAN = plan_pass(BATCHES, batch_size=3, sampling_rates=range(6), learning_rates=[0.5] * 6)


def write_down(seen: tf.Variable, *, bad_row: int = -1) -> CompiledPass:
    """Make a pass whose step appends its rows, then -1 - rate, to a variable, and loses its way at a row."""

    def step(plan: BatchPlan, data: tf.Tensor, shape: BatchShape | None) -> tf.Tensor:
        assert shape is None
        marks = tf.concat((plan.rows + data, [-1 - tf.cast(plan.sampling_rate, tf.int32)]), axis=0)
        seen.assign(tf.concat((seen, marks), axis=0))
        return tf.where(tf.reduce_any(plan.rows == bad_row), math.nan, tf.cast(tf.reduce_max(plan.rows), tf.float32))

    return CompiledPass(step, tf.TensorSpec((), tf.int32), batch_size=3)


@pytest.mark.parametrize("seconds", [0.0, 0.5, 60.0])
def test_every_batch_is_seen_once_in_order_whatever_the_chunks(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(compiled_pass, "CHUNK_SECONDS", seconds)
    seen, progress = tf.Variable(np.zeros(0, np.int32), shape=(None,)), []
    run = write_down(seen)
    for _ in range(2):
        assert run.run(PLAN, tf.constant(0), on_progress=progress.append) == (6, 7.0)
    once = [mark for rate, rows in enumerate(BATCHES) for mark in (*rows.tolist(), -1 - rate)]
    assert seen.numpy().tolist() == once * 2
    assert progress[-1] == 6
    if seconds == 0:
        assert progress == [1, 2, 3, 4, 5, 6] * 2


def test_it_ends_at_the_first_loss_that_is_not_finite() -> None:
    seen: tf.Variable = tf.Variable(np.zeros(0, np.int32), shape=(None,))
    plan = plan_pass(BATCHES, batch_size=3)
    done, loss = write_down(seen, bad_row=4).run(plan, tf.constant(0), on_progress=lambda _done: None)
    assert done == 3
    assert math.isnan(loss)
    assert seen.numpy().tolist() == [3, 1, -1, 0, -1, 2, 4, 5, -1]


@pytest.mark.slow
def test_with_shapes_a_step_is_given_full_batches_and_their_shape() -> None:
    shapes = (BatchShape(2, 3), BatchShape(5, 7))
    plan = plan_pass(BATCHES, batch_size=3, shapes=[0, 1, 0, 1, 1, 0], learning_rates=[0.5] * 6)
    total: tf.Variable = tf.Variable(np.zeros(5, np.int32))

    def step(plan: BatchPlan, data: tf.Tensor, shape: BatchShape | None) -> tf.Tensor:
        assert shape is not None
        assert plan.rows.shape == (3,)
        real = tf.where(plan.rows == NO_ROW, 0, plan.rows + data)
        total.assign_add(
            [tf.reduce_sum(real), plan.count, tf.reduce_sum(tf.cast(plan.rows == NO_ROW, tf.int32)), *shape]
        )
        return plan.learning_rate

    run = CompiledPass(step, tf.TensorSpec((), tf.int32), batch_size=3, shapes=shapes)
    assert run.run(plan, tf.constant(10), on_progress=lambda _done: None) == (6, 0.5)
    assert total.numpy().tolist() == [sum(map(sum, BATCHES)) + 10 * 10, 10, 18 - 10, 3 * 2 + 3 * 5, 3 * 3 + 3 * 7]
