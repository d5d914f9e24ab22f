"""Read a user's real-valued sequences of any length from .npz, .npy or .csv, or say in one message what is wrong."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.options import SequencesOptions
from lengthwise.config.paths import find_ending
from lengthwise.config.rules.data import TABLE_ENDINGS
from lengthwise.data.numbers.columns import choose_features, find_columns, name_columns
from lengthwise.data.numbers.number_file import (
    NumberTable,
    check_finite,
    check_layout,
    open_table,
    read_array,
)
from lengthwise.data.numbers.times import Times, find_step_back
from lengthwise.data.text_file import count_most_bytes, read_bytes, refuse_size
from lengthwise.errors import ConfigError, DataError, count_noun

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True, slots=True)
class NumberSequences:
    """The sequences of a file.

    Args:
        path: The file as the user wrote it.
        ids: Name of each sequence, all different.
        steps: Each sequence, `(steps, features)` float64, finite, at least one step.
        names: Names of the features; empty where the file has none.
        rows: First row of each sequence in the file, from 0; 0 where each is an array of its own.
        dates: `(rows,)` datetime64[s] of all rows of the file; None where it has none.
        splits: Split of each sequence; None where the file does not say.
    """

    path: str
    ids: tuple[str, ...]
    steps: tuple[NDArray[np.float64], ...]
    names: tuple[str, ...] = ()
    rows: tuple[int, ...]
    dates: Times | None = None
    splits: tuple[str, ...] | None = None


def read_sequences(
    path: str, options: SequencesOptions, *, columns: Sequence[str] | None, has_splits: bool = False
) -> NumberSequences:
    """Read the sequences of a file.

    Args:
        path: The file: of `options.path` or `options.target_path`.
        options: Which columns of a .csv hold ids, times and splits; the lengths of a .npy.
        columns: Features of a .csv; None: all other columns.
        has_splits: Whether `split_column` says the split of each sequence; otherwise a column of splits is not read.

    Raises:
        ConfigError: A column does not exist or has two roles.
        DataError: The file cannot be read as finite numbers; a sequence's rows are apart, not in the order of time, or
            in two splits; the lengths do not fit.
    """
    ending = find_ending(path)
    if ending == ".npz":
        return _read_npz(path)
    if ending == ".npy":
        return _read_npy(path, options.lengths_path if path == options.path else None)
    if ending in TABLE_ENDINGS:
        return _read_table(path, options, columns, has_splits=has_splits)
    remedy = "Store one array for each sequence with numpy.savez, or one step a row with a column of ids as .csv"
    raise DataError(path, None, "is none of .npz, .npy and .csv", remedy=remedy)


def match_targets(sources: NumberSequences, targets: NumberSequences) -> NumberSequences:
    """Return the targets in the order of their sources.

    Raises:
        DataError: A source has no target, or a target no source.
    """
    places = {name: place for place, name in enumerate(targets.ids)}
    for one, other, kind in ((sources, targets, "target"), (targets, sources, "source")):
        missing = sorted(set(one.ids) - set(other.ids), key=one.ids.index)
        if missing:
            problem = f"has no sequence {missing[0]!r}, so {count_noun(len(missing), 'sequence')} of {one.path} "
            problem += f"{'has' if len(missing) == 1 else 'have'} no {kind}"
            raise DataError(other.path, None, problem, remedy="Give both files the same ids")
    order = [places[name] for name in sources.ids]
    return NumberSequences(
        path=targets.path,
        ids=sources.ids,
        steps=tuple(targets.steps[place] for place in order),
        names=targets.names,
        rows=tuple(targets.rows[place] for place in order),
        dates=targets.dates,
    )


def _read_npz(path: str) -> NumberSequences:
    content = read_bytes(path)
    remedy = "Store it with numpy.savez, one array of numbers for each sequence"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            if sum(info.file_size for info in infos) > count_most_bytes(len(content)):
                raise refuse_size(path, len(content))
            members = [info.filename for info in infos]
            steps = tuple(_read_member(path, archive, member) for member in members)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise DataError(path, None, f"cannot be read as .npz: {error}", remedy=remedy) from None
    if not steps:
        raise DataError(path, None, "holds no array", remedy=remedy)
    ids = tuple(member.removesuffix(".npy") for member in members)
    _check_ids(path, ids)
    for name, values in zip(ids, steps, strict=True):
        if values.shape[1] != steps[0].shape[1]:
            problem = f"array {name} has {count_noun(values.shape[1], 'feature')}, {ids[0]} {steps[0].shape[1]}"
            raise DataError(path, None, problem, remedy="Give every sequence the same features")
    return NumberSequences(path=path, ids=ids, steps=steps, rows=(0,) * len(ids))


def _read_member(path: str, archive: zipfile.ZipFile, member: str) -> NDArray[np.float64]:
    name = f"{path}, array {member.removesuffix('.npy')}"
    with archive.open(member) as stream:
        head = stream.read(1 << 16)
        check_layout(name, head)  # before the rest is unpacked, which may be a hundred times as large as the file
        content = head + stream.read()
    array = read_array(name, content, num_dimensions=(1, 2), words="(steps,) or (steps, features)")
    values = array.astype(np.float64).reshape(len(array), -1)
    check_finite(name, values)
    return values


def _read_npy(path: str, lengths_path: str | None) -> NumberSequences:
    words = "(sequences, steps, features)"
    array = read_array(path, read_bytes(path), num_dimensions=(3,), words=words).astype(np.float64)
    lengths = np.full(len(array), array.shape[1]) if lengths_path is None else _read_lengths(lengths_path, array.shape)
    steps = tuple(values[:length] for values, length in zip(array, lengths.tolist(), strict=True))
    remedy = "Fill in such steps, or give the real lengths in dataset.lengths_path"
    for number, values in enumerate(steps, start=1):
        check_finite(f"{path}, sequence {number}", values, remedy=remedy)
    ids = tuple(str(number) for number in range(1, len(steps) + 1))
    return NumberSequences(path=path, ids=ids, steps=steps, rows=(0,) * len(ids))


def _read_lengths(path: str, shape: tuple[int, ...]) -> NDArray[np.int64]:
    remedy = f"Store one whole number from 1 to {shape[1]} for each of the {shape[0]:,} sequences"
    array = read_array(path, read_bytes(path), num_dimensions=(1,), words="(sequences,)")
    if array.dtype.kind not in "iu" or len(array) != shape[0]:
        raise DataError(path, None, f"holds {array.dtype} of shape {array.shape}", remedy=remedy)
    lengths = array.astype(np.int64)
    wrong = np.flatnonzero((lengths < 1) | (lengths > shape[1]))
    if len(wrong):
        problem = f"row {wrong[0] + 1}: {lengths[wrong[0]]} is no length of {shape[1]} steps at most"
        raise DataError(path, None, problem, remedy=remedy)
    return lengths


def _read_table(
    path: str, options: SequencesOptions, columns: Sequence[str] | None, *, has_splits: bool
) -> NumberSequences:
    table = open_table(path)
    roles = {
        option: find_columns(table, [name], option=f"dataset.{option}")[0]
        for option in ("id_column", "time_column", *(("split_column",) if has_splits else ()))
        if (name := getattr(options, option)) is not None
    }
    dates = table.find_dates()
    others = {*roles.values(), *(() if dates is None else (dates.column,))}
    if options.split_column is not None and not has_splits:
        others |= _find_unread_splits(table, options.split_column)
    features = choose_features(table, columns, option="dataset.columns", others=others)
    ids = table.read_texts(roles["id_column"])
    starts = _find_starts(table, ids)
    if dates is not None and roles.get("time_column", dates.column) == dates.column:
        _check_times(table, dates.values, ids)
    elif "time_column" in roles:
        _check_times(table, table.read_numbers([roles["time_column"]])[:, 0], ids)
    numbers = table.read_numbers(features)
    return NumberSequences(
        path=path,
        ids=tuple(ids[start] for start in starts),
        steps=tuple(np.split(numbers, starts[1:])),
        names=name_columns(table, features),
        rows=tuple(starts),
        dates=None if dates is None else dates.values,
        splits=_read_splits(table, roles["split_column"], starts) if "split_column" in roles else None,
    )


def _find_unread_splits(table: NumberTable, name: int | str) -> set[int]:
    """Return the column of splits, if a file that is read whole has one too."""
    try:
        (column,) = find_columns(table, [name], option="dataset.split_column")
    except ConfigError:
        return set()
    return {column} if table.read_texts(column)[0] in SPLITS else set()


def _find_starts(table: NumberTable, ids: Sequence[str]) -> list[int]:
    """Return the first row of each sequence."""
    starts = [row for row, name in enumerate(ids) if row == 0 or name != ids[row - 1]]
    known: set[str] = set()
    for row in starts:
        if ids[row] in known:
            problem = f"the sequence {ids[row]!r} goes on after rows of others"
            table.refuse_row(row, problem, remedy="Sort the file by dataset.id_column")
        known.add(ids[row])
    return starts


def _check_times(table: NumberTable, times: Times | NDArray[np.float64], ids: Sequence[str]) -> None:
    """Refuse a row whose time is not above that of the row before it in the same sequence."""
    first = 0
    while (place := find_step_back(times[first:])) is not None:
        row = first + place
        if ids[row] == ids[row - 1]:
            problem = f"the time {times[row]} is not after {times[row - 1]}, that of the row before it"
            table.refuse_row(row, problem, remedy="Sort each sequence by time, one row for each time")
        first = row


def _read_splits(table: NumberTable, column: int, starts: Sequence[int]) -> tuple[str, ...]:
    words = table.read_texts(column)
    for row, (word, start) in enumerate(zip(words, np.repeat(starts, np.diff([*starts, len(words)])), strict=True)):
        if word not in SPLITS:
            table.refuse_row(row, f"the split {word!r} is none of {', '.join(SPLITS)}", remedy="Write one of them")
        if word != words[start]:
            problem = f"one sequence is in two splits, {words[start]} and {word}"
            table.refuse_row(row, problem, remedy="Give all rows of a sequence the same split")
    missing = [split for split in SPLITS if split not in words]
    if missing:
        raise DataError(table.path, None, f"has no sequence of the split {missing[0]}", remedy="Add some")
    return tuple(words[start] for start in starts)


def _check_ids(path: str, ids: Sequence[str]) -> None:
    repeated = next((name for name in ids if ids.count(name) > 1), None) if len(set(ids)) < len(ids) else None
    if repeated is not None:
        raise DataError(path, None, f"holds two arrays {repeated}", remedy="Give every sequence a name of its own")
