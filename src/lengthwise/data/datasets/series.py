"""Load the user's own numbers, cut into windows."""

from __future__ import annotations

import math
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.options import SeriesOptions
from lengthwise.config.rules import refuse_no_path, refuse_no_window
from lengthwise.data.assembly import Timesteps, assemble_features, autoencoder_split
from lengthwise.data.dataset import Dataset, Skipped
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.data.learnability import check_columns
from lengthwise.data.number_file import Table, read_table
from lengthwise.data.scaler import fit_scaler
from lengthwise.data.sequences import Sequences
from lengthwise.data.splitting import count_share
from lengthwise.errors import DataError, count_noun

Number = TypeVar("Number", bound=np.floating)


class WindowPlan(NamedTuple):
    """The windows of each split, as slices of all windows in time order, and how many straddle two splits."""

    train: slice
    val: slice
    test: slice
    num_straddling: int


@load_dataset.register
def load_series(options: SeriesOptions, timesteps: Timesteps) -> Dataset:
    """Load a table of numbers, one step per row and one feature per column, cut into windows of `timesteps` rows.

    A window starts every `stride` rows. In time, training comes first, then validation, then the test. No row is in
    windows of two splits: windows across the borders are left out. The scaler is fitted on the rows of the training
    windows only; later values may lie outside 0..1.

    Args:
        options: File, stride, scaling and shares.
        timesteps: Rows of a window; must be a number.

    Returns:
        A dataset for autoencoders. Its sequences are slices of one scaled table: overlapping windows take no memory.

    Raises:
        ConfigError: No path is given, or `timesteps` is `auto`.
        DataError: The file cannot be read as finite numbers, has too few rows, or no column that changes.
    """
    path = options.path
    if path is None:
        raise refuse_no_path(options)
    if timesteps == "auto":
        raise refuse_no_window()
    table = read_table(path)
    plan = plan_windows(len(table.rows), timesteps, options)
    if plan is None:
        rows = count_noun(len(table.rows), "row")
        problem = f"has {rows}, too few for windows of timesteps={timesteps} in each of three splits"
        enough = count_enough_rows(timesteps, options)
        remedy = f"Add rows ({enough} are enough), or choose a smaller timesteps, stride or share"
        raise DataError(path, None, problem, remedy=remedy)
    windows = cut_windows(table.rows, timesteps, options.stride)
    train_rows = _rows_of(windows[plan.train], table.rows, options.stride)
    warnings = check_columns(path, train_rows, table.header)
    scaler = fit_scaler(train_rows, options.scaling)
    start = np.arange(len(windows), dtype=np.int64) * options.stride
    scaled = Sequences(scaler.encode(table.rows), start, np.full(len(windows), timesteps, np.int32))
    splits = {
        "train": autoencoder_split(scaled.take(plan.train)),
        "val": autoencoder_split(scaled.take(plan.val)),
        "test": autoencoder_split(scaled.take(plan.test)),
    }
    skipped = _count_skipped(table, len(windows), timesteps, options.stride, plan)
    return assemble_features("series", splits, codec=scaler, timesteps=timesteps, skipped=skipped, warnings=warnings)


def cut_windows(rows: NDArray[Number], timesteps: int, stride: int) -> NDArray[Number]:
    """Return the windows of `(rows, features)` as `(windows, timesteps, features)`, a read-only view."""
    return np.lib.stride_tricks.sliding_window_view(rows, timesteps, axis=0)[::stride].transpose(0, 2, 1)


def count_overlap(timesteps: int, stride: int) -> int:
    """Return how many of the windows after a window share rows with it."""
    return (timesteps - 1) // stride


def plan_windows(num_rows: int, timesteps: int, options: SeriesOptions) -> WindowPlan | None:
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


def count_enough_rows(timesteps: int, options: SeriesOptions) -> int:
    """Return a number of rows that `plan_windows` can split, close to the fewest."""
    left = max(1 - options.validation_fraction - options.test_fraction, 1e-6)
    num_windows = math.ceil((3 + 2 * count_overlap(timesteps, options.stride)) / left)
    return (num_windows - 1) * options.stride + timesteps


def _rows_of(windows: NDArray[np.float64], rows: NDArray[np.float64], stride: int) -> NDArray[np.float64]:
    """Return the rows that the windows cover, each row once: `(rows, features)`."""
    num_windows, timesteps, num_features = windows.shape
    if stride >= timesteps:
        return windows.reshape(-1, num_features)
    return rows[: (num_windows - 1) * stride + timesteps]


def _count_skipped(table: Table, num_windows: int, timesteps: int, stride: int, plan: WindowPlan) -> list[Skipped]:
    num_covered = (num_windows - 1) * stride + timesteps
    header = ", ".join(table.header or ())
    return [
        Skipped(reason=f"line 1, read as the names of the columns: {header}", count=int(table.header is not None)),
        Skipped(reason="windows across the borders between splits", count=plan.num_straddling),
        Skipped(reason="rows at the end, too few for another window", count=len(table.rows) - num_covered),
    ]
