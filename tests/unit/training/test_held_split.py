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
from lengthwise.training.held_split import HeldSplit


@pytest.mark.parametrize("kind", ["tokens", "features"])
@pytest.mark.parametrize("length", ["fixed", "stop", "oracle"])
@pytest.mark.parametrize("reverse_target", [False, True])
def test_a_batch_is_what_numpy_prepares(kind: str, length: str, reverse_target: bool) -> None:
    changes: dict[str, Any] = {"length": length, "reverse_target": reverse_target, "feedback": "teacher"}
    wiring = resolve_wiring(build_options(**changes, head="dense"), 8, SPECS[kind])
    split = draw_split(kind, num_examples=23)
    take = tf.function(HeldSplit(split, wiring).take)
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
