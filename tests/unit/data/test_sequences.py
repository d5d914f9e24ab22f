from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lengthwise.data.sequences import Sequences, real_steps

LISTS = st.lists(st.lists(st.integers(1, 9), max_size=5), max_size=8)


@given(LISTS)
def test_padding_puts_zeros_on_the_right(lists):
    padded = Sequences.from_lists(lists).padded()
    width = max((len(ids) for ids in lists), default=0)
    assert padded.dtype == np.int32
    assert padded.tolist() == [ids + [0] * (width - len(ids)) for ids in lists]


@given(LISTS.filter(bool), st.data())
def test_take_and_arrays_agree_with_lists(lists, data):
    sequences = Sequences.from_lists(lists)
    indices = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=10))
    taken = sequences.take(np.array(indices, np.int64))
    assert [array.tolist() for array in taken.arrays()] == [lists[index] for index in indices]


@given(LISTS.filter(bool))
def test_from_padded_undoes_padding(lists):
    sequences = Sequences.from_lists(lists)
    again = Sequences.from_padded(sequences.padded(), sequences.lengths)
    assert again.values.tolist() == sequences.values.tolist()


def test_real_steps():
    assert real_steps(np.array([0, 2], np.int32), 3).tolist() == [[False] * 3, [True, True, False]]
