"""Dynamic time warping against the textbook recursion."""

from __future__ import annotations

from functools import cache

import numpy as np

from lengthwise.evaluation import warping
from lengthwise.evaluation.warping import warp_distances


def warp_by_hand(first, second):
    @cache
    def best(i, j):
        cost = float(np.mean(np.abs(first[i] - second[j])))
        if i == 0 and j == 0:
            return cost
        ways = [(i - 1, j), (i, j - 1), (i - 1, j - 1)]
        return cost + min(best(*way) for way in ways if min(way) >= 0)

    return best(len(first) - 1, len(second) - 1)


def test_distances_agree_with_the_recursion_whatever_the_padding_and_chunks(monkeypatch):
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(120, 7, 2)), rng.normal(size=(120, 9, 2))
    first_length, second_length = rng.integers(1, 8, 120), rng.integers(1, 10, 120)
    expected = [
        warp_by_hand(one[:length], two[:other])
        for one, two, length, other in zip(first, second, first_length, second_length, strict=True)
    ]
    got = warp_distances(first, first_length, second=second, second_length=second_length)
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    monkeypatch.setattr(warping, "_CHUNK_NUMBERS", 50)
    chunked = warp_distances(first, first_length, second=second, second_length=second_length)
    np.testing.assert_array_equal(chunked, got)


def test_a_sequence_at_half_the_pace_is_no_distance_away():
    steps = np.arange(5.0)[None, :, None]
    slow = np.repeat(steps, 2, axis=1)
    distance = warp_distances(steps, np.array([5]), second=slow, second_length=np.array([10]))
    assert distance.tolist() == [0]


def test_warping_never_costs_more_than_step_by_step():
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=(2, 50, 6, 3))
    length = rng.integers(1, 7, 50)
    distance = warp_distances(first, length, second=second, second_length=length)
    real = np.arange(6) < length[:, None]
    straight = (np.abs(first - second).mean(axis=2) * real).sum(axis=1)
    assert (distance <= straight + 1e-12).all()
    assert (distance < straight - 1e-6).any()


def test_an_empty_sequence_is_one_step_of_zeros():
    steps = np.array([[[2.0], [3.0]]])
    distance = warp_distances(np.full((1, 2, 1), 9.0), np.array([0]), second=steps, second_length=np.array([2]))
    assert distance.tolist() == [5]
    assert warp_distances(np.zeros((1, 0, 1)), np.array([0]), second=steps, second_length=np.array([2])) == 5
