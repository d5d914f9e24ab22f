"""A pass in chunks: every batch once, in order, until the last or until the loss is not finite."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from lengthwise.training import compiled_pass
from lengthwise.training.compiled_pass import CompiledPass

BATCHES = [np.array(rows) for rows in ([3, 1], [0], [2, 4, 5], [6], [9, 8], [7])]


def write_down(seen: tf.Variable, *, bad_row: int = -1) -> CompiledPass:
    """Make a pass whose step appends its rows, then -1 - rate, to a variable, and loses its way at a row."""

    def step(rows: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        marks = tf.concat((rows, [-1 - tf.cast(rate, tf.int32)]), axis=0)
        seen.assign(tf.concat((seen, marks), axis=0))
        return tf.where(tf.reduce_any(rows == bad_row), math.nan, tf.cast(tf.reduce_max(rows), tf.float32))

    return CompiledPass(step)


@pytest.mark.parametrize("seconds", [0.0, 0.5, 60.0])
def test_every_batch_is_seen_once_in_order_whatever_the_chunks(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(compiled_pass, "CHUNK_SECONDS", seconds)
    seen, progress = tf.Variable(np.zeros(0, np.int32), shape=(None,)), []
    run = write_down(seen)
    for _ in range(2):
        assert run.run(BATCHES, rates=[float(rate) for rate in range(6)], on_progress=progress.append) == (6, 7.0)
    once = [mark for rate, rows in enumerate(BATCHES) for mark in (*rows.tolist(), -1 - rate)]
    assert seen.numpy().tolist() == once * 2
    assert progress[-1] == 6
    if seconds == 0:
        assert progress == [1, 2, 3, 4, 5, 6] * 2


def test_it_ends_at_the_first_loss_that_is_not_finite() -> None:
    seen: tf.Variable = tf.Variable(np.zeros(0, np.int32), shape=(None,))
    done, loss = write_down(seen, bad_row=4).run(BATCHES, rates=[0.0] * 6, on_progress=lambda _done: None)
    assert done == 3
    assert math.isnan(loss)
    assert seen.numpy().tolist() == [3, 1, -1, 0, -1, 2, 4, 5, -1]
