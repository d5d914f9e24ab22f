"""Load the user's own numbers, cut into windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.options import SeriesOptions
from lengthwise.config.rules.data import refuse_no_path, refuse_no_window
from lengthwise.data.assembly import Timesteps, assemble_features, autoencoder_split
from lengthwise.data.dataset import Dataset, Origin, Skipped
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.data.learnability import check_columns
from lengthwise.data.numbers.columns import ValueTable, find_columns, read_values
from lengthwise.data.numbers.number_file import open_table
from lengthwise.data.scaler import fit_scaler
from lengthwise.data.splitting import WindowPlan, count_covered, cut_windows, mark_covered, require_windows
from lengthwise.errors import DataError


@load_dataset.register
def load_series(options: SeriesOptions, timesteps: Timesteps) -> Dataset:
    """Load a table of numbers, one step per row and one feature per column, cut into windows of `timesteps` rows.

    A window starts every `stride` rows. In time, training comes first, then validation, then the test. No row is in
    windows of two splits: windows across the borders are left out, and windows with a labelled anomaly are left out of
    training. The scaler is fitted on the rows of the training windows only; later values may lie outside 0..1.

    Args:
        options: File, columns, stride, scaling and shares.
        timesteps: Rows of a window; must be a number.

    Returns:
        A dataset for autoencoders with the place of each window in the file. Its sequences are slices of one scaled
        table: overlapping windows take no memory.

    Raises:
        ConfigError: No path is given, `timesteps` is `auto`, or a column does not exist.
        DataError: The file cannot be read as finite numbers, has too few rows, no column that changes, or labels other
            than 0 and 1.
    """
    path, stride = options.path, options.stride
    if path is None:
        raise refuse_no_path(options)
    if timesteps == "auto":
        raise refuse_no_window(options)
    table, is_anomalous = read_series(path, options)
    plan = require_windows(path, len(table.rows), timesteps, options, words=f"windows of timesteps={timesteps}")
    starts = np.arange(0, len(table.rows) - timesteps + 1, stride)
    places = {"train": starts[plan.train], "val": starts[plan.val], "test": starts[plan.test]}
    places["train"] = _leave_out_anomalies(path, places["train"], is_anomalous, timesteps)
    train_rows = table.rows[mark_covered(len(table.rows), places["train"], timesteps)]
    warnings = [*table.warnings, *check_columns(path, train_rows, table.names or None)]
    scaler = fit_scaler(train_rows, options.scaling, table.names)
    scaled = scaler.encode(table.rows)
    splits = {name: autoencoder_split(cut_windows(scaled, chosen, timesteps)) for name, chosen in places.items()}
    skipped = _count_skipped(table, len(starts), timesteps, stride, plan)
    num_anomalous = plan.train.stop - len(places["train"])
    skipped.append(Skipped(reason="train: left out, windows with a labelled anomaly", count=num_anomalous))
    dataset = assemble_features(
        "series", splits, codecs=(scaler, scaler), timesteps=timesteps, skipped=skipped, warnings=warnings
    )
    return replace(dataset, origin=Origin(rows=places, dates=table.dates, is_anomalous=is_anomalous))


def read_series(path: str, options: SeriesOptions) -> tuple[ValueTable, NDArray[np.bool_] | None]:
    """Read a file: the features, and which rows are anomalies where there are labels.

    Args:
        path: The file.
        options: The columns.

    Raises:
        ConfigError: A column does not exist.
        DataError: The file cannot be read as finite numbers, or has labels other than 0 and 1.
    """
    table = open_table(path)
    if options.label_column is None:
        return read_values(table, options.columns), None
    column = find_columns(table, [options.label_column], option="dataset.label_column")[0]
    labels = table.read_numbers([column])[:, 0]
    wrong = np.flatnonzero((labels != 0) & (labels != 1))
    if len(wrong):
        problem = f"the label {labels[wrong[0]]:g} is neither 0 nor 1"
        table.refuse_row(int(wrong[0]), problem, remedy="Write 1 in rows that are anomalies and 0 in others")
    return read_values(table, options.columns, others=(column,)), labels == 1


def _leave_out_anomalies(
    path: str, starts: NDArray[np.int64], is_anomalous: NDArray[np.bool_] | None, timesteps: int
) -> NDArray[np.int64]:
    """Return the first rows of the training windows without an anomaly."""
    if is_anomalous is None:
        return starts
    count = np.concatenate([[0], np.cumsum(is_anomalous)])
    normal: NDArray[np.int64] = starts[count[starts + timesteps] == count[starts]]
    if not len(normal):
        problem = "has an anomaly in every window of the training rows, so there is nothing normal to learn"
        raise DataError(path, None, problem, remedy="Choose a smaller timesteps, or put normal rows first")
    return normal


def _count_skipped(table: ValueTable, num_windows: int, timesteps: int, stride: int, plan: WindowPlan) -> list[Skipped]:
    num_left = len(table.rows) - count_covered(num_windows, timesteps, stride)
    return [
        *table.count_header(),
        Skipped(reason="windows across the borders between splits", count=plan.num_straddling),
        Skipped(reason="rows at the end, too few for another window", count=num_left),
    ]
