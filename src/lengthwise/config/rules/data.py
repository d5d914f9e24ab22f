"""Rules between options of the data."""

from __future__ import annotations

from lengthwise.config.options import (
    CAPITALS_EVERY,
    DIGITS_ROWS,
    AdditionOptions,
    DigitsOptions,
    ForecastOptions,
    PairsOptions,
    RunOptions,
    ScanOptions,
    SequencesOptions,
    SeriesOptions,
    SymbolTaskOptions,
)
from lengthwise.config.paths import find_ending
from lengthwise.config.rules.refusals import Refusals, Rule, forbid, require
from lengthwise.errors import ConfigError

OwnOptions = PairsOptions | SequencesOptions | ForecastOptions | SeriesOptions
"""Options of datasets that read a file of the user's."""

TABLE_ENDINGS = (".csv", ".tsv", ".txt")
"""Ends of the names of files that hold tables as text."""


def reads_features(options: RunOptions) -> bool:
    """Return whether the data are real-valued steps, not symbols.

    Args:
        options: The options of one run.
    """
    is_own = isinstance(options.dataset, DigitsOptions | SequencesOptions | ForecastOptions | SeriesOptions)
    return is_own or getattr(options.dataset, "KIND", None) == "features"


def _check_scan(options: RunOptions) -> Refusals:
    scan = options.dataset
    if not isinstance(scan, ScanOptions):
        return
    if scan.split != "length":
        yield from forbid("dataset", scan, ("length_cut",), without="dataset.split=length")
    if scan.split != "simple":
        yield from forbid("dataset", scan, ("train_fraction",), without="dataset.split=simple")


def _check_symbols(options: RunOptions) -> Refusals:
    task = options.dataset
    if not isinstance(task, SymbolTaskOptions):
        return
    if task.max_length < task.min_length:
        rule, remedy = f"must be at least dataset.min_length={task.min_length}", "Raise it, or lower dataset.min_length"
        yield ConfigError("dataset.max_length", rule, received=str(task.max_length), remedy=remedy)
    if task.name == "ambiguous" and task.min_length < CAPITALS_EVERY:
        rule = f"must be at least {CAPITALS_EVERY} with dataset=ambiguous: each right answer has a capital"
        remedy = f"Set dataset.min_length={CAPITALS_EVERY} or more"
        yield ConfigError("dataset.min_length", rule, received=str(task.min_length), remedy=remedy)
    if task.longer_length <= task.max_length:
        rule = f"must be more than dataset.max_length={task.max_length}: the split `longer` starts there"
        remedy = f"Set dataset.longer_length={2 * task.max_length}, or lower dataset.max_length"
        yield ConfigError("dataset.longer_length", rule, received=str(task.longer_length), remedy=remedy)


def _check_addition(options: RunOptions) -> Refusals:
    task = options.dataset
    if isinstance(task, AdditionOptions) and task.longer_digits <= task.num_digits:
        rule = f"must be more than dataset.num_digits={task.num_digits}: the split `longer` starts there"
        remedy = f"Set dataset.longer_digits={task.num_digits + 1}, or lower dataset.num_digits"
        yield ConfigError("dataset.longer_digits", rule, received=str(task.longer_digits), remedy=remedy)


def _check_path(options: RunOptions) -> Refusals:
    data = options.dataset
    if isinstance(data, OwnOptions) and data.path is None:
        yield refuse_no_path(data)


def _check_tags(options: RunOptions) -> Refusals:
    data = options.dataset
    if isinstance(data, PairsOptions) and data.tags_column is None:
        yield from forbid("dataset", data, ("tags_separator",), without="dataset.tags_column=COLUMN")


def refuse_no_path(data: OwnOptions) -> ConfigError:
    """Build the refusal of a dataset of the user's without its file.

    Args:
        data: Its options.
    """
    rule = f"must name a file with dataset={data.name}"
    return ConfigError("dataset.path", rule, received="null", remedy="Add dataset.path=FILE")


def _check_fractions(options: RunOptions) -> Refusals:
    data = options.dataset
    if not isinstance(data, DigitsOptions | PairsOptions | SequencesOptions | ForecastOptions | SeriesOptions):
        return
    if isinstance(data, PairsOptions) and not (data.validation_path is None and data.test_path is None):
        return
    if isinstance(data, SequencesOptions) and data.split_column is not None:
        return
    held_out = data.validation_fraction + data.test_fraction
    if held_out >= 1:
        rule = f"and dataset.test_fraction={data.test_fraction:g} must leave something to train on"
        remedy = "Lower one of them until their sum is below 1"
        yield ConfigError("dataset.validation_fraction", rule, received=f"{data.validation_fraction:g}", remedy=remedy)


def _check_sequences(options: RunOptions) -> Refusals:
    data = options.dataset
    if not isinstance(data, SequencesOptions) or data.path is None:
        return
    table = ("time_column", "split_column", "columns")
    if find_ending(data.path) in TABLE_ENDINGS:
        yield from require("dataset", data, ("id_column",), because=f"dataset.path={data.path}")
    else:
        yield from forbid("dataset", data, ("id_column", *table), without="a .csv as dataset.path")
    if find_ending(data.path) != ".npy":
        yield from forbid("dataset", data, ("lengths_path",), without="a .npy as dataset.path")


def _check_forecast(options: RunOptions) -> Refusals:
    data = options.dataset
    if not isinstance(data, ForecastOptions):
        return
    for name in sorted(set(data.target_columns or ()) & set(data.known_columns or ())):
        rule = "must not name a column that is known ahead: there is nothing to forecast"
        remedy = "Take it out of one of dataset.target_columns and dataset.known_columns"
        yield ConfigError("dataset.target_columns", rule, received=repr(name), remedy=remedy)
    if data.period is not None and data.period > data.history:
        rule = f"must be at most dataset.history={data.history}: the season before the forecast is read from there"
        yield ConfigError(
            "dataset.period", rule, received=str(data.period), remedy="Raise dataset.history, or lower it"
        )


def _check_timesteps(options: RunOptions) -> Refusals:
    if isinstance(options.dataset, SeriesOptions | ForecastOptions) and options.timesteps == "auto":
        yield refuse_no_window(options.dataset)
    if options.dataset.name == "digits" and options.timesteps not in ("auto", DIGITS_ROWS):
        rule = f"must be auto or {DIGITS_ROWS} with dataset=digits, whose images have {DIGITS_ROWS} rows"
        yield ConfigError("timesteps", rule, received=str(options.timesteps), remedy="Leave timesteps=auto")


def refuse_no_window(data: SeriesOptions | ForecastOptions) -> ConfigError:
    """Build the refusal of data that are cut into windows without the length of these.

    Args:
        data: Their options.
    """
    what = "of a window" if data.name == "series" else "to forecast"
    rule = f"must be a number with dataset={data.name}: the rows {what}"
    return ConfigError("timesteps", rule, received="auto", remedy="Choose one, such as timesteps=24")


DATA_RULES: tuple[Rule, ...] = (
    _check_scan,
    _check_symbols,
    _check_addition,
    _check_path,
    _check_tags,
    _check_fractions,
    _check_sequences,
    _check_forecast,
    _check_timesteps,
)
"""Rules for every run."""
