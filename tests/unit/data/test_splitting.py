from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lengthwise.data.splitting import draw_parts


def _draw(seed, count, validation, test):
    return draw_parts(np.random.default_rng(seed), count, validation_fraction=validation, test_fraction=test)


@given(st.integers(0, 99), st.integers(1, 60), st.floats(0.01, 0.9), st.floats(0.01, 0.9))
def test_parts_hold_every_index_once_or_there_are_too_few(seed, count, validation, test):
    parts = _draw(seed, count, validation, test)
    num_held_out = max(1, round(count * validation)) + max(1, round(count * test))
    if num_held_out >= count:
        assert parts is None
        return
    assert sorted(np.concatenate(parts).tolist()) == list(range(count))
    assert len(parts.train) == count - num_held_out
    assert len(parts.test) == max(1, round(count * test))


def test_the_test_does_not_move_when_the_validation_share_does():
    small, large = _draw(3, 100, 0.1, 0.2), _draw(3, 100, 0.4, 0.2)
    assert small.test.tolist() == large.test.tolist()
    assert small.test.tolist() != _draw(4, 100, 0.1, 0.2).test.tolist()
