"""Compute dynamic time warping distances, which align sequences that differ in pace."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CHUNK_NUMBERS = 32_768
"""Values of one diagonal computed at a time: few enough that all arrays needed stay in a processor's cache."""


def warp_distances(
    first: NDArray[np.float64],
    first_length: NDArray[np.int64],
    *,
    second: NDArray[np.float64],
    second_length: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the cost of the cheapest alignment of each pair of sequences.

    An alignment goes from the pair of first steps to the pair of last steps, advancing by one step in either sequence
    or in both at a time (Sakoe and Chiba 1978, symmetric form without slope weights or window). Its cost is the sum,
    over the pairs of steps it passes, of the mean absolute difference of their features. A sequence without steps
    counts as one step of zeros.

    Args:
        first: `(examples, steps, features)`, padded on the right.
        first_length: `(examples,)` steps.
        second: `(examples, other steps, features)`.
        second_length: `(examples,)` steps.

    Returns:
        `(examples,)` float64 costs, in the unit of the features.
    """
    first, first_length = _fill_empty(first, first_length)
    second, second_length = _fill_empty(second, second_length)
    size = max(1, _CHUNK_NUMBERS // first.shape[1])
    chunks = [slice(start, start + size) for start in range(0, len(first), size)]
    parts = [_warp_chunk(first[c], first_length[c], second[c], second_length[c]) for c in chunks]
    return np.concatenate(parts) if parts else np.zeros(0)


def _fill_empty(
    values: NDArray[np.float64], length: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return values `(examples, steps, features)` and lengths `(examples,)`, empty sequences as one step of zeros."""
    if values.shape[1] == 0:
        values = np.zeros((values.shape[0], 1, values.shape[2]))
    empty = length == 0
    if empty.any():
        values = np.where(empty[:, None, None], 0.0, values)
    return values, np.maximum(length, 1)


def _warp_chunk(
    first: NDArray[np.float64],
    first_length: NDArray[np.int64],
    second: NDArray[np.float64],
    second_length: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Fill the table of costs D(i, j) = |x_i - y_j| + min(D(i-1, j), D(i, j-1), D(i-1, j-1)), all examples at once.

    Entries with the same i + j form a diagonal; they depend only on the two diagonals before and are computed together.
    """
    num_first, num_second = int(first_length.max()), int(second_length.max())
    result = np.zeros(len(first))
    rows = np.arange(len(first))
    # Axes (features, steps, examples): the examples last, so that a diagonal of all examples is contiguous. The second
    # sequence is reversed, because j falls as i grows along a diagonal.
    forward = np.ascontiguousarray(first[:, :num_first].T)
    backward = np.ascontiguousarray(second[:, :num_second].T[:, ::-1])
    # Three diagonals `(steps of the first + 1, examples)`: row i + 1 belongs to step i of the first sequence, and row 0
    # lies outside the table and stays infinite.
    before, last, current = (np.full((num_first + 1, len(first)), np.inf) for _ in range(3))
    for diagonal in range(num_first + num_second - 1):
        # The steps i of the first sequence on this diagonal; j = diagonal - i is at offset + i of the reversed second.
        low, high = max(0, diagonal - num_second + 1), min(diagonal, num_first - 1)
        offset = num_second - 1 - diagonal
        current.fill(np.inf)
        cost = np.abs(forward[:, low : high + 1] - backward[:, offset + low : offset + high + 1]).mean(axis=0)
        if diagonal > 0:
            # D(i, j-1) and D(i-1, j) are on the last diagonal, D(i-1, j-1) on the one before it.
            cost += np.minimum(np.minimum(last[low + 1 : high + 2], last[low : high + 1]), before[low : high + 1])
        current[low + 1 : high + 2] = cost
        # Examples whose last pair of steps lies on this diagonal are finished.
        done = rows[first_length + second_length - 2 == diagonal]
        result[done] = current[first_length[done], done]
        before, last, current = last, current, before
    return result
