"""Batches gathered in a graph are those that NumPy prepares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from helpers.small_data import SPECS, build_options, draw_split
from lengthwise.data.batching import take_batch
from lengthwise.models.targets import prepare_batch
from lengthwise.models.wiring import resolve_wiring
from lengthwise.training.batch_shapes import BatchShape
from lengthwise.training.held_split import hold_split
from lengthwise.training.held_split import take_batch as take_held


@pytest.mark.parametrize("kind", ["tokens", "features"])
@pytest.mark.parametrize("length", ["fixed", "stop", "oracle"])
@pytest.mark.parametrize("reverse_target", [False, True])
def test_a_batch_is_what_numpy_prepares(kind: str, length: str, reverse_target: bool) -> None:
    changes: dict[str, Any] = {"length": length, "reverse_target": reverse_target, "feedback": "teacher"}
    wiring = resolve_wiring(build_options(**changes, head="dense"), 8, SPECS[kind])
    split = draw_split(kind, num_examples=23)
    held = hold_split(split)
    take = tf.function(lambda rows: take_held(held, wiring, rows), reduce_retracing=True)
    rng = np.random.default_rng(0)
    for size in (1, 5, 23):
        rows = rng.permutation(23)[:size]
        expected = prepare_batch(take_batch(split, rows), wiring)
        found = take(tf.constant(rows.astype(np.int32)))
        for part, wanted in zip(found, expected, strict=True):
            assert part.keys() == wanted.keys()
            for name, values in wanted.items():
                np.testing.assert_array_equal(part[name].numpy(), values)
                assert part[name].dtype == values.dtype


@pytest.mark.parametrize("kind", ["tokens", "features"])
@pytest.mark.parametrize("length", ["fixed", "stop", "oracle"])
def test_a_batch_of_a_planned_shape_has_only_more_padding(kind: str, length: str) -> None:
    changes: dict[str, Any] = {"length": length, "feedback": "teacher", "head": "dense"}
    wiring = resolve_wiring(build_options(**changes), 8, SPECS[kind])
    split, rows = draw_split(kind, num_examples=23), np.array([4, 17, 9])
    expected = prepare_batch(take_batch(split, rows), wiring)
    shape = BatchShape(source_steps=9, target_steps=5 if length == "fixed" else 8)
    filled_up = tf.constant([*rows, -1, -1], tf.int32)
    found = take_held(hold_split(split, is_rounded=True), wiring, filled_up, shape)
    for part, wanted in zip(found, expected, strict=True):
        for name, values in wanted.items():
            inner = tuple(slice(size) for size in values.shape)
            if name not in ("previous", "source_length"):
                assert part[name].shape[1] == (shape.source_steps if name == "source" else shape.target_steps)
            if name != "previous":  # its stop symbols go on to the step after the target
                np.testing.assert_array_equal(part[name][inner], values)
            assert part[name].shape[0] == 5
    scored = found[2]["values"].numpy()
    assert scored.sum() == expected.weights["values"].sum()
    np.testing.assert_array_equal(
        found[0]["previous"].numpy()[:3][scored[:3] == 1], expected.inputs["previous"][expected.weights["values"] == 1]
    )


def test_rows_that_fill_a_batch_up_are_not_longer_than_the_batch() -> None:
    """They stand for the first example, which is the longest here."""
    wiring = resolve_wiring(build_options(head="dense"), 8, SPECS["features"])
    split = draw_split("features", num_examples=23)
    short = int(split.source.length.argmin())
    shape = BatchShape(source_steps=int(split.source.length[short]), target_steps=5)
    assert split.source.length[0] > shape.source_steps
    inputs, _, weights = take_held(hold_split(split), wiring, tf.constant([short, -1]), shape)
    assert inputs["source_length"].numpy().tolist() == [shape.source_steps] * 2
    assert not weights["values"][1].numpy().any()
