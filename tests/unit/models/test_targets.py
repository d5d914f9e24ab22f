"""Training batches, against targets written out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from helpers.small_data import SPECS, build_options
from lengthwise.data.batching import Batch
from lengthwise.models.targets import prepare_batch, reverse_rows
from lengthwise.models.wiring import Wiring, resolve_wiring

TOKENS = Batch(
    source=np.array([[4, 5], [6, 0]], np.int32),
    source_length=np.array([2, 1], np.int32),
    target=np.array([[5, 6, 7], [8, 0, 0]], np.int32),
    target_length=np.array([3, 1], np.int32),
)
FEATURES = replace(
    TOKENS,
    source=np.ones((2, 2, 2), np.float32),
    target=np.array([[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [0, 0, 0]]], np.float32),
    target_length=np.array([2, 1], np.int32),
)


def wire(kind: str, **changes: object) -> Wiring:
    return resolve_wiring(build_options(**changes), 8, SPECS[kind])


def test_tokens_with_a_stop_have_one_step_more() -> None:
    batch = prepare_batch(TOKENS, wire("tokens", length="stop"))
    assert batch.targets["values"].tolist() == [[5, 6, 7, 2], [8, 2, 0, 0]]
    assert batch.inputs["previous"].tolist() == [[1, 5, 6, 7], [1, 8, 2, 0]]
    assert batch.weights["values"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]


def test_tokens_of_fixed_length_learn_their_padding() -> None:
    batch = prepare_batch(TOKENS, wire("tokens", length="fixed"))
    assert batch.targets["values"].tolist() == [[5, 6, 7, 0, 0], [8, 0, 0, 0, 0]]
    assert batch.inputs["previous"].tolist() == [[1, 5, 6, 7, 0], [1, 8, 0, 0, 0]]
    assert batch.weights["values"].min() == 1


def test_tokens_without_an_end_count_only_their_real_steps() -> None:
    batch = prepare_batch(TOKENS, wire("tokens", length="oracle"))
    assert batch.targets["values"].tolist() == [[5, 6, 7], [8, 0, 0]]
    assert batch.weights["values"].tolist() == [[1, 1, 1], [1, 0, 0]]


def test_features_with_a_stop_learn_its_probability() -> None:
    batch = prepare_batch(FEATURES, wire("features", length="stop"))
    assert batch.targets["stop"][..., 0].tolist() == [[0, 1], [1, 0]]
    assert batch.weights["stop"].tolist() == [[1, 1], [1, 0]]
    assert batch.inputs["previous"][0].tolist() == [[0, 0, 0], [1, 2, 3]]


def test_features_of_fixed_length_are_filled_with_zeros() -> None:
    batch = prepare_batch(FEATURES, wire("features", length="fixed"))
    assert batch.targets["values"].shape == (2, 5, 3)
    assert set(batch.targets) == {"values"}
    np.testing.assert_array_equal(batch.targets["values"][:, 2:], 0)


def test_a_reversed_target_begins_at_its_end() -> None:
    batch = prepare_batch(TOKENS, wire("tokens", length="stop", reverse_target=True))
    assert batch.targets["values"].tolist() == [[7, 6, 5, 2], [8, 2, 0, 0]]


def test_the_batch_itself_is_not_changed() -> None:
    before = TOKENS.target.copy()
    prepare_batch(TOKENS, wire("tokens", length="stop", reverse_target=True))
    np.testing.assert_array_equal(TOKENS.target, before)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5))
def test_reversing_twice_gives_the_rows_back(lengths: list[int]) -> None:
    values = np.arange(len(lengths) * 6).reshape(len(lengths), 6)
    length = np.array(lengths, np.int32)
    once = reverse_rows(values, length)
    assert all(row[:n].tolist() == list(full[:n][::-1]) for row, full, n in zip(once, values, lengths, strict=True))
    np.testing.assert_array_equal(reverse_rows(once, length), values)
