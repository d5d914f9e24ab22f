"""Read a new file for a trained model by its own vocabularies or scalers: examples, or sources only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.compose import change_files
from lengthwise.config.options import (
    DatasetOptions,
    ForecastOptions,
    PairsOptions,
    RunOptions,
    SequencesOptions,
    SeriesOptions,
)
from lengthwise.config.parse import Scalar
from lengthwise.config.rules.data import refuse_no_path
from lengthwise.config.values import format_value
from lengthwise.data.assembly import NewSplit, autoencoder_split, check_split, keep_shorter
from lengthwise.data.codec import Codec
from lengthwise.data.dataset import DataSpec, Origin, Skipped, Sources
from lengthwise.data.datasets.forecast import build_split as build_forecasts
from lengthwise.data.datasets.forecast import find_places
from lengthwise.data.datasets.pairs import find_source_unit, read_examples, read_source_texts
from lengthwise.data.datasets.sequences import build_split as build_sequences
from lengthwise.data.datasets.sequences import describe_origin
from lengthwise.data.datasets.series import read_series
from lengthwise.data.numbers.columns import ValueTable, read_values
from lengthwise.data.numbers.number_file import open_table
from lengthwise.data.numbers.sequence_file import match_targets, read_sequences
from lengthwise.data.scaler import Scaler
from lengthwise.data.sequences import Sequences
from lengthwise.data.splitting import count_covered, cut_windows
from lengthwise.data.vocabulary import Vocabulary
from lengthwise.errors import ConfigError, DataError, count_noun


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedData:
    """What a trained model knows about its data.

    Args:
        spec: Sizes and lengths.
        source_codec: Turns what a person writes into the numbers of a source.
        target_codec: The same for the target.
    """

    spec: DataSpec
    source_codec: Codec
    target_codec: Codec


def choose_file(
    options: RunOptions, data: TrainedData, overrides: Sequence[str], *, path: str | None = None
) -> RunOptions:
    """Return the options of a run with a new file instead of its own.

    A run on generated text reads files of pairs, whose units are those of its vocabularies; one on images, sequences.

    Args:
        options: Of the run.
        data: What its model knows.
        overrides: `dataset.path=FILE`, and where the examples stand in it.
        path: The file, where no override names it.

    Raises:
        ConfigError: An override is refused.
    """
    source, target = data.source_codec, data.target_codec
    form, fixed = str(options.dataset.name), dict[str, Scalar]()
    if isinstance(source, Vocabulary) and isinstance(target, Vocabulary) and form != "pairs":
        form, fixed = "pairs", {"source_unit": source.unit, "target_unit": target.unit}
    if form == "digits":
        form = "sequences"
    if path is not None:
        fixed |= {"path": path}
    return change_files(options, overrides, form=form, fixed=fixed)


@singledispatch
def read_split(options: DatasetOptions, data: TrainedData, name: str) -> NewSplit:  # noqa: ARG001
    """Read the examples of a file as a split of the data that a model was trained on.

    Args:
        options: The file as `path`, and its columns.
        data: What the model knows.
        name: Of the split, for counts and messages.

    Returns:
        The split, and what was skipped.

    Raises:
        ConfigError: No file is named, or the dataset has none.
        DataError: The file cannot be read, or is of another form than the data trained on.
    """
    rule = f"cannot be evaluated on a file: dataset={options.name} reads none"
    raise ConfigError("dataset.path", rule, received=None, remedy="Name a run of another dataset")


@read_split.register
def read_pairs_split(options: PairsOptions, data: TrainedData, name: str) -> NewSplit:
    """Read pairs of texts; every target of a source is a reference, as in a test split."""
    source, target = data.source_codec, data.target_codec
    if options.path is None:
        raise refuse_no_path(options)
    if not isinstance(source, Vocabulary) or not isinstance(target, Vocabulary):
        problem = f"holds texts, and the model reads steps of {source.size} numbers"
        raise DataError(options.path, None, problem, remedy="Name a file of numbers")
    _check_unit(options, source)
    examples, skipped, warnings = read_examples(options.path, options, name, (source, target))
    checked = check_split(examples, name, data.spec.timesteps)
    counts = tuple(each for each in (*skipped, *checked.skipped) if each.count)
    return NewSplit(split=checked.split, skipped=counts, warnings=(*warnings, *checked.warnings))


def _check_unit(options: PairsOptions, codec: Vocabulary) -> None:
    """Refuse columns that give sources in another unit than the model's, such as without tags."""
    if find_source_unit(options) != codec.unit:
        rule = f"must give sources as {codec.unit_text}, which the model was trained on"
        remedy = "Name dataset.tags_column as in training"
        raise ConfigError("dataset.tags_column", rule, received=format_value(options.tags_column), remedy=remedy)


def read_texts(options: DatasetOptions, data: TrainedData) -> list[str]:
    """Read the sources of a file of texts by its columns, for a model on texts.

    Args:
        options: The file as `path`, and its columns; of pairs.
        data: What the model knows.

    Returns:
        The sources as a person writes them, one for each line that is not blank and no header.

    Raises:
        ConfigError: The columns give sources in another unit than the model's.
        DataError: The file cannot be read.
    """
    if not isinstance(options, PairsOptions) or options.path is None or not isinstance(data.source_codec, Vocabulary):
        raise ValueError("texts are read from a file of pairs, by a model on texts")
    _check_unit(options, data.source_codec)
    return list(read_source_texts(options.path, options))


@read_split.register
def read_windows(options: SeriesOptions, data: TrainedData, name: str) -> NewSplit:
    """Read a table of numbers, cut into windows as for training."""
    scaler = _find_scaler(options, data.source_codec)
    table, is_anomalous = read_series(_find_path(options), options)
    _check_features(_find_path(options), table.rows.shape[1], table.names, scaler)
    starts = _find_starts(_find_path(options), len(table.rows), data.spec.timesteps, options.stride)
    windows = cut_windows(scaler.encode(table.rows), starts, data.spec.timesteps)
    skipped = _count_rows(table, len(starts), data.spec.timesteps, options.stride)
    origin = Origin(rows={name: starts}, dates=table.dates, is_anomalous=is_anomalous)
    return NewSplit(split=autoencoder_split(windows), skipped=skipped, warnings=table.warnings, origin=origin)


@read_split.register
def read_sequences_split(options: SequencesOptions, data: TrainedData, name: str) -> NewSplit:
    """Read sequences of numbers, each with its target where the run has a file of targets."""
    path = _find_path(options)
    sources = read_sequences(path, options, columns=options.columns)
    scalers = (_find_scaler(options, data.source_codec), _find_scaler(options, data.target_codec))
    _check_features(path, sources.steps[0].shape[1], sources.names, scalers[0])
    targets = None
    if options.target_path is not None:
        targets = match_targets(sources, read_sequences(options.target_path, options, columns=None))
        _check_features(options.target_path, targets.steps[0].shape[1], targets.names, scalers[1])
    split = build_sequences(sources, targets, scalers, np.arange(len(sources.ids)))
    kept, skipped = keep_shorter(split, name, data.spec.timesteps)
    places = np.flatnonzero(split.target.length <= data.spec.timesteps)
    return NewSplit(split=kept, skipped=tuple(skipped), origin=describe_origin(targets or sources, {name: places}))


@read_split.register
def read_forecasts(options: ForecastOptions, data: TrainedData, name: str) -> NewSplit:
    """Read a table of numbers, cut into histories and what follows them as for training."""
    path, timesteps = _find_path(options), data.spec.timesteps
    scaler = _find_scaler(options, data.source_codec)
    opened = open_table(path)
    table = read_values(opened, options.columns)
    places = find_places(opened, options, table.columns)
    if places.known:  # the last feature is not one of the file
        scaler = Scaler(scaler.shift[:-1], scaler.scale[:-1], scaler.names[:-1])
    _check_features(path, table.rows.shape[1], table.names, scaler)
    size = options.history + timesteps
    starts = _find_starts(path, len(table.rows), size, options.stride)
    split = build_forecasts(scaler.encode(table.rows), starts, (options.history, timesteps), places)
    skipped = _count_rows(table, len(starts), size, options.stride)
    origin = Origin(rows={name: starts + options.history}, dates=table.dates)
    return NewSplit(split=split, skipped=skipped, warnings=table.warnings, origin=origin)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSources:
    """Sources of a file for a model on numbers, without targets.

    Args:
        sources: Scaled as the model reads them.
        names: Of each: its id, or the number of its first row in the file, from 1.
        target_labels: Names of the features that the model makes.
        skipped: Counts of what was left out.
    """

    sources: Sources
    names: tuple[str, ...]
    target_labels: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()


def read_sources(options: DatasetOptions, data: TrainedData) -> NewSources:
    """Read the sources of a file for a model on numbers.

    Args:
        options: The file as `path`, and its columns.
        data: What the model knows.

    Returns:
        Windows of a table as for training; those of a forecast up to the last row, after which it begins. Or all
        sequences of a file.

    Raises:
        ConfigError: The dataset reads no file.
        DataError: The file cannot be read, or is of another form than the data trained on.
    """
    labels = data.target_codec.labels if isinstance(data.target_codec, Scaler) else ()
    if isinstance(options, SequencesOptions):
        path, scaler = _find_path(options), _find_scaler(options, data.source_codec)
        found = read_sequences(path, options, columns=options.columns)
        _check_features(path, found.steps[0].shape[1], found.names, scaler)
        sequences = Sequences.from_arrays([scaler.encode(steps) for steps in found.steps])
        return NewSources(sources=Sources(source=sequences), names=found.ids, target_labels=labels)
    if isinstance(options, ForecastOptions) and not options.known_columns:
        path, scaler = _find_path(options), _find_scaler(options, data.source_codec)
        table = read_values(open_table(path), options.columns)
        _check_features(path, table.rows.shape[1], table.names, scaler)
        last = int(_find_starts(path, len(table.rows), options.history, 1)[-1])
        starts = np.arange(last % options.stride, last + 1, options.stride)
        windows = cut_windows(scaler.encode(table.rows), starts, options.history)
        header = tuple(table.count_header())
        sources = Sources(source=windows)
        return NewSources(sources=sources, names=_number(starts), target_labels=labels, skipped=header)
    new = read_split(options, data, "new")
    starts = np.arange(len(new.split)) * getattr(options, "stride", 1)
    sources = Sources(source=new.split.source)
    return NewSources(sources=sources, names=_number(starts), target_labels=labels, skipped=new.skipped)


def _number(starts: NDArray[np.int64]) -> tuple[str, ...]:
    """Return the numbers, from 1, of first rows as names."""
    return tuple(str(start + 1) for start in starts.tolist())


def _find_path(options: SeriesOptions | SequencesOptions | ForecastOptions) -> str:
    if options.path is None:
        raise refuse_no_path(options)
    return options.path


def _find_scaler(options: SeriesOptions | SequencesOptions | ForecastOptions, codec: Codec) -> Scaler:
    if not isinstance(codec, Scaler):
        problem = f"holds numbers, and the model reads {codec.unit_text}"
        raise DataError(_find_path(options), None, problem, remedy="Name a file of texts")
    return codec


def _check_features(path: str, num_features: int, names: Sequence[str], scaler: Scaler) -> None:
    """Refuse a file whose features are not those that the model was trained on."""
    wanted = f"{count_noun(scaler.size, 'column')} of numbers" + (
        f": {', '.join(scaler.names)}" if scaler.names else ""
    )
    if num_features != scaler.size:
        problem = f"has {count_noun(num_features, 'feature')} a step, and the model reads {wanted}"
        raise DataError(path, None, problem, remedy="Choose them with dataset.columns")
    if names and scaler.names and tuple(names) != scaler.names:
        problem = f"has the columns {', '.join(names)}, and the model reads {wanted}"
        remedy = "Choose them in this order with dataset.columns, or correct the header"
        raise DataError(path, None, problem, remedy=remedy)


def _find_starts(path: str, num_rows: int, size: int, stride: int) -> NDArray[np.int64]:
    """Return the first row of each window of `size` rows."""
    if num_rows < size:
        problem = f"has {count_noun(num_rows, 'row')}, and the model reads windows of {size}"
        raise DataError(path, None, problem, remedy="Name a longer file")
    return np.arange(0, num_rows - size + 1, stride)


def _count_rows(table: ValueTable, num_windows: int, size: int, stride: int) -> tuple[Skipped, ...]:
    num_left = len(table.rows) - count_covered(num_windows, size, stride)
    left = [Skipped(reason="rows at the end, too few for another window", count=num_left)] if num_left else []
    return (*table.count_header(), *left)
