from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lengthwise.data.sequences import Sequences, smallest_integer

LISTS = st.lists(st.lists(st.integers(1, 9), max_size=5), max_size=8)


def to_lists(sequences: Sequences) -> list[list[int]]:
    return [sequences[index].tolist() for index in range(len(sequences))]


def choose(lists: list[list[int]], data: st.DataObject) -> tuple[Sequences, list[list[int]]]:
    """Some of the sequences, which share the values of all, and the same as lists."""
    indices = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=10))
    chosen = Sequences.from_lists(lists).take(np.array(indices, np.int64))
    return chosen, [lists[index] for index in indices]


@given(LISTS)
def test_padding_puts_zeros_on_the_right(lists):
    padded = Sequences.from_lists(lists).pad()
    width = max((len(ids) for ids in lists), default=0)
    assert padded.dtype == np.int32
    assert padded.tolist() == [ids + [0] * (width - len(ids)) for ids in lists]


@given(LISTS.filter(bool), st.data())
def test_chosen_sequences_agree_with_lists(lists, data):
    chosen, expected = choose(lists, data)
    assert to_lists(chosen) == expected
    assert chosen.longest == max(map(len, expected), default=0)
    assert chosen.pad(width=7).tolist() == [ids + [0] * (7 - len(ids)) for ids in expected]
    assert chosen.flatten().tolist() == [symbol for ids in expected for symbol in ids]
    assert chosen.at_step(1).tolist() == [ids[1] for ids in expected if len(ids) > 1]
    assert chosen.contain(3).tolist() == [3 in ids for ids in expected]
    assert to_lists(chosen.compact()) == expected
    assert to_lists(chosen.concatenate(Sequences.from_lists(lists))) == expected + lists


@given(LISTS.filter(bool))
def test_from_padded_undoes_padding(lists):
    sequences = Sequences.from_lists(lists)
    again = Sequences.from_padded(sequences.pad(), sequences.length)
    assert again.values.tolist() == sequences.values.tolist()


def test_few_of_many_values_are_copied_and_many_are_shared():
    sequences = Sequences.from_lists([[1, 2, 3], [4], [5, 6, 7]])
    assert sequences.take(np.array([1])).compact().values.tolist() == [4]
    assert sequences.take(np.array([2, 0])).compact().values is sequences.values
    assert sequences.flatten() is sequences.values


def test_windows_that_overlap_share_their_values():
    values = np.arange(10, dtype=np.float32).reshape(5, 2)
    windows = Sequences(values, np.arange(3), np.full(3, 3, np.int32))
    assert windows.compact().values is values
    np.testing.assert_array_equal(windows.pad(), [values[start : start + 3] for start in range(3)])
    np.testing.assert_array_equal(windows.pad(np.array([2]), width=4)[0], [*values[2:], [0, 0]])


@pytest.mark.parametrize(
    ("size", "dtype"), [(256, np.uint8), (257, np.uint16), (65_536, np.uint16), (65_537, np.int32)]
)
def test_the_smallest_type_holds_the_highest_id(size, dtype):
    assert smallest_integer(size) == dtype
    assert np.iinfo(dtype).max >= size - 1


@given(LISTS.filter(bool), st.data(), st.integers(1, 6))
def test_parts_are_all_sequences_in_their_order(lists, data, num_steps):
    chosen, expected = choose(lists, data)
    parts = [to_lists(part) for part in chosen.split(num_steps)]
    assert [ids for part in parts for ids in part] == expected
    assert all(len(part) == 1 or sum(map(len, part)) <= num_steps for part in parts)


@given(LISTS.filter(bool), st.data())
def test_symbols_are_counted_and_the_first_equal_sequence_is_found(lists, data):
    chosen, expected = choose(lists, data)
    symbols = [symbol for ids in expected for symbol in ids]
    assert chosen.count_symbols(10).tolist() == [symbols.count(symbol) for symbol in range(10)]
    assert chosen.find_first_equal().tolist() == [expected.index(ids) for ids in expected]


def test_sequences_with_one_hash_are_told_apart(monkeypatch):
    sequences = Sequences.from_lists([[1, 2], [2, 1], [1, 2]])
    hashes = iter([np.array([0, 0, 0]), np.array([0, 1, 0])])  # the first takes all for equal
    monkeypatch.setattr(Sequences, "_find_first_hash", lambda _self, _rng: next(hashes))
    assert sequences.find_first_equal().tolist() == [0, 1, 0]
