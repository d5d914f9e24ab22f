"""Load the user's own numbers as forecasts: rows of the past in, the next rows out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.options import ForecastOptions
from lengthwise.config.rules.data import refuse_no_path, refuse_no_window
from lengthwise.data.assembly import Timesteps, assemble_features
from lengthwise.data.dataset import Dataset, Forecast, Origin, Skipped, Split
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.data.learnability import check_columns
from lengthwise.data.numbers.columns import find_columns, find_row_numbers, read_values
from lengthwise.data.numbers.number_file import NumberTable, open_table
from lengthwise.data.scaler import Scaler, fit_scaler
from lengthwise.data.sequences import Sequences
from lengthwise.data.splitting import count_covered, cut_windows, mark_covered, require_windows
from lengthwise.errors import ConfigError

AHEAD = "ahead"
"""Name of the feature that is 1 at the steps of a source that lie ahead of its history."""


class Places(NamedTuple):
    """Places of the features read that are forecast, and of those that are known ahead."""

    target: list[int]
    known: list[int]


@load_dataset.register
def load_forecast(options: ForecastOptions, timesteps: Timesteps) -> Dataset:
    """Load a table of numbers, one step per row, as examples of `history` rows and the `timesteps` rows after them.

    An example starts every `stride` rows. In time, training comes first, then validation, then the test. No row is in
    examples of two splits: those across the borders are left out. The scaler is fitted on the rows of training only.

    Args:
        options: File, columns, history, period, stride, scaling and shares.
        timesteps: Rows to forecast; must be a number.

    Returns:
        A dataset with what its baselines and scaled errors need. A source has `history` steps, and with columns known
        ahead `history + timesteps`. Without these, overlapping examples share one table and take no memory.

    Raises:
        ConfigError: No path is given, `timesteps` is `auto`, or columns do not exist or do not fit together.
        DataError: The file cannot be read as finite numbers, has too few rows, or no column that changes.
    """
    path, stride = options.path, options.stride
    if path is None:
        raise refuse_no_path(options)
    if timesteps == "auto":
        raise refuse_no_window(options)
    opened = open_table(path)
    table = read_values(opened, options.columns)
    places = find_places(opened, options, table.columns)
    size = options.history + timesteps
    words = f"examples of dataset.history={options.history} and timesteps={timesteps}"
    plan = require_windows(path, len(table.rows), size, options, words=words)
    starts = np.arange(0, len(table.rows) - size + 1, stride)
    train_rows = table.rows[mark_covered(len(table.rows), starts[plan.train], size)]
    warnings = [*table.warnings, *find_row_numbers(table), *check_columns(path, train_rows, table.names or None)]
    scaler = fit_scaler(train_rows, options.scaling, table.names)
    chosen = {"train": starts[plan.train], "val": starts[plan.val], "test": starts[plan.test]}
    scaled = scaler.encode(table.rows)
    splits = {name: build_split(scaled, part, (options.history, timesteps), places) for name, part in chosen.items()}
    num_left = len(table.rows) - count_covered(len(starts), size, stride)
    skipped = [
        *table.count_header(),
        Skipped(reason="examples across the borders between splits", count=plan.num_straddling),
        Skipped(reason="rows at the end, too few for another example", count=num_left),
    ]
    codecs = (_add_ahead(scaler) if places.known else scaler, _choose(scaler, places.target))
    dataset = assemble_features(
        "forecast", splits, codecs=codecs, timesteps=timesteps, skipped=skipped, warnings=warnings
    )
    seen = table.rows[: int(starts[plan.train][-1]) + size, places.target]
    forecast = _describe_forecast(options, places.target, seen=seen, scaler=codecs[1])
    rows = {name: part + options.history for name, part in chosen.items()}
    return replace(dataset, forecast=forecast, origin=Origin(rows=rows, dates=table.dates))


def find_places(table: NumberTable, options: ForecastOptions, read: Sequence[int]) -> Places:
    """Return which of the columns read are forecast and which are known ahead, as places among them."""
    known = _find_among(table, options.known_columns or (), read, option="dataset.known_columns")
    if options.target_columns is not None:
        return Places(_find_among(table, options.target_columns, read, option="dataset.target_columns"), known)
    target = [place for place in range(len(read)) if place not in known]
    if not target:
        rule = "must leave a column to forecast"
        received = str(list(options.known_columns or ()))
        raise ConfigError("dataset.known_columns", rule, received=received, remedy="Leave one of them out")
    return Places(target, known)


def _find_among(table: NumberTable, names: Sequence[str], read: Sequence[int], *, option: str) -> list[int]:
    """Return the places of columns among those read."""
    found = find_columns(table, names, option=option)
    for name, column in zip(names, found, strict=True):
        if column not in read:
            rule = "must name columns that are read"
            raise ConfigError(option, rule, received=repr(name), remedy="Add it to dataset.columns, or leave it out")
    return [read.index(column) for column in found]


def build_split(rows: NDArray[np.float32], starts: NDArray[np.int64], sizes: tuple[int, int], places: Places) -> Split:
    """Return sources and targets.

    Args:
        rows: `(rows, features)`, scaled.
        starts: `(examples,)` first row of each example.
        sizes: Rows of the history, and rows to forecast.
        places: Features to forecast and features known ahead.
    """
    (history, timesteps), num_features = sizes, rows.shape[1]
    is_all = places.target == list(range(num_features))
    target = cut_windows(rows if is_all else rows[:, places.target], starts + history, timesteps)
    if not places.known:
        return Split(source=cut_windows(rows, starts, history), target=target)
    windows = cut_windows(rows, starts, history + timesteps)
    read = windows.pad()
    source = np.zeros((*read.shape[:2], num_features + 1), np.float32)
    source[:, :history, :num_features] = read[:, :history]
    source[:, history:, places.known] = read[:, history:, places.known]
    source[:, history:, num_features] = 1
    return Split(source=Sequences.join(source.reshape(-1, num_features + 1), windows.length), target=target)


def _choose(scaler: Scaler, places: Sequence[int]) -> Scaler:
    """Return the scaler of some features."""
    names = tuple(scaler.names[place] for place in places) if scaler.names else ()
    return Scaler(tuple(scaler.shift[place] for place in places), tuple(scaler.scale[place] for place in places), names)


def _add_ahead(scaler: Scaler) -> Scaler:
    return Scaler((*scaler.shift, 0.0), (*scaler.scale, 1.0), (*scaler.names, AHEAD) if scaler.names else ())


def _describe_forecast(
    options: ForecastOptions, target: Sequence[int], *, seen: NDArray[np.float64], scaler: Scaler
) -> Forecast:
    """Return what baselines and scaled errors need.

    Args:
        options: Gives history and period.
        target: Places of the features to forecast among those read.
        seen: `(rows, target features)`, all rows up to the last of training, more than a period since an example has at
            least one season of history.
        scaler: That of the target.
    """
    lag = options.period or 1
    differences = np.abs(seen[lag:] - seen[:-lag]).mean(axis=0)
    return Forecast(
        history=options.history,
        columns=tuple(target),
        period=options.period,
        naive_error=tuple(differences.tolist()),
        scaler=scaler,
    )
