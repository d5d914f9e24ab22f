"""Split examples into training, validation and test: at random, or windows of a series in time."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.options import ForecastOptions, SeriesOptions
from lengthwise.data.sequences import Sequences
from lengthwise.errors import DataError, count_noun

WindowOptions = SeriesOptions | ForecastOptions


class Parts(NamedTuple):
    """Indices of the training, validation and test examples, each in random order."""

    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]


def count_share(num_examples: int, fraction: float) -> int:
    """Return the number of examples in a share: rounded, at least one."""
    return max(1, round(num_examples * fraction))


def draw_parts(
    rng: np.random.Generator, num_examples: int, *, validation_fraction: float | None, test_fraction: float | None
) -> Parts | None:
    """Split indices at random.

    The test examples come first in the random order, so that the test stays the same when only the validation share
    changes.

    Args:
        rng: Generator of the random order.
        num_examples: Number of examples to split.
        validation_fraction: Share of all examples, above 0; None: the part has none.
        test_fraction: The same for the test.

    Returns:
        The indices of the three parts; None where there are too few examples for one in each.
    """
    num_test = 0 if test_fraction is None else count_share(num_examples, test_fraction)
    num_held_out = num_test + (0 if validation_fraction is None else count_share(num_examples, validation_fraction))
    if num_held_out >= num_examples:
        return None
    order = rng.permutation(num_examples)
    return Parts(train=order[num_held_out:], val=order[num_test:num_held_out], test=order[:num_test])


class WindowPlan(NamedTuple):
    """The windows of each split, as slices of all windows in time order, and how many straddle two splits."""

    train: slice
    val: slice
    test: slice
    num_straddling: int


def cut_windows(rows: NDArray[np.float32], starts: NDArray[np.int64], timesteps: int) -> Sequences:
    """Return windows of `(rows, features)`, which share the rows.

    Args:
        rows: The table.
        starts: `(windows,)` first row of each window.
        timesteps: Rows of a window.
    """
    return Sequences(rows, starts, np.full(len(starts), timesteps, np.int32))


def count_overlap(timesteps: int, stride: int) -> int:
    """Return how many of the windows after a window share rows with it."""
    return (timesteps - 1) // stride


def plan_windows(num_rows: int, timesteps: int, options: WindowOptions) -> WindowPlan | None:
    """Split windows in time so that no row is in two splits.

    Args:
        num_rows: Rows of the table.
        timesteps: Rows of a window.
        options: Stride and shares; shares are of all windows, before those across borders are left out.

    Returns:
        The plan; None where a split would have no window or fewer than its share.
    """
    num_windows = max(0, (num_rows - timesteps) // options.stride + 1)
    overlap = count_overlap(timesteps, options.stride)
    test_start = num_windows - count_share(num_windows, options.test_fraction)
    val_end = test_start - overlap
    val_start = val_end - count_share(num_windows, options.validation_fraction)
    train_end = val_start - overlap
    if train_end < 1:
        return None
    return WindowPlan(
        train=slice(0, train_end),
        val=slice(val_start, val_end),
        test=slice(test_start, num_windows),
        num_straddling=2 * overlap,
    )


def require_windows(path: str, num_rows: int, timesteps: int, options: WindowOptions, *, words: str) -> WindowPlan:
    """Split windows in time as `plan_windows`.

    Args:
        path: The file as the user wrote it.
        num_rows: Rows of the table.
        timesteps: Rows of a window.
        options: Stride and shares.
        words: What makes the length of a window, such as `windows of timesteps=24`.

    Raises:
        DataError: There are too few rows.
    """
    plan = plan_windows(num_rows, timesteps, options)
    if plan is None:
        problem = f"has {count_noun(num_rows, 'row')}, too few for {words} in each of three splits"
        enough = count_enough_rows(timesteps, options)
        remedy = f"Add rows ({enough} are enough), or choose a smaller timesteps, stride or share"
        raise DataError(path, None, problem, remedy=remedy)
    return plan


def count_enough_rows(timesteps: int, options: WindowOptions) -> int:
    """Return a number of rows that `plan_windows` can split, close to the fewest."""
    left = max(1 - options.validation_fraction - options.test_fraction, 1e-6)
    num_windows = math.ceil((3 + 2 * count_overlap(timesteps, options.stride)) / left)
    return (num_windows - 1) * options.stride + timesteps


def count_covered(num_windows: int, timesteps: int, stride: int) -> int:
    """Return the rows from the start of the first window to the end of the last."""
    return (num_windows - 1) * stride + timesteps


def mark_covered(num_rows: int, starts: NDArray[np.int64], timesteps: int) -> NDArray[np.bool_]:
    """Return `(rows,)`, True where a row is in a window.

    Args:
        num_rows: Rows of the table.
        starts: `(windows,)` first row of each window.
        timesteps: Rows of a window.
    """
    changes = np.zeros(num_rows + 1, np.int64)
    np.add.at(changes, starts, 1)
    np.add.at(changes, starts + timesteps, -1)
    return np.asarray(np.cumsum(changes)[:-1] > 0)
