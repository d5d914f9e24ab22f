"""Read the columns of a user's file of numbers, or say in one message where it is wrong.

Written by hand: `pandas.read_csv` fills short rows with NaN and does not say on which line a wrong value stands. NumPy
parses files without mistakes; only a file that NumPy refuses is read line by line, to name the line and the column.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.paths import find_ending
from lengthwise.data.numbers.times import Dates, has_day_first, is_date, parse_dates
from lengthwise.data.text_file import read_bytes, read_lines
from lengthwise.errors import DataError, count_noun

DELIMITERS = (";", "\t", ",")
"""Tried in this order, so that `1,5;2,5` is read as two columns and its decimal commas are reported as the mistake."""

LARGEST = 1e100
"""Largest number accepted: the squares of larger numbers may overflow float64."""

MOST_COLUMNS = 65_536
"""Most columns of a file, as many as the widest model has units."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArrayTable:
    """A table from a .npy file.

    Args:
        path: The file as the user wrote it.
        array: `(rows, columns)` float64, finite.
    """

    path: str
    array: NDArray[np.float64]
    header: tuple[str, ...] | None = None

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return len(self.array)

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.array.shape[1])

    def read_numbers(self, columns: Sequence[int]) -> NDArray[np.float64]:
        """Return the numbers `(rows, columns)` float64 of some columns, in the order given."""
        return self.array[:, list(columns)]

    def read_texts(self, column: int) -> list[str]:
        """Return a column as texts."""
        return [f"{number:.15g}" for number in self.array[:, column].tolist()]

    def find_dates(self) -> Dates | None:
        """Return the column of dates: none."""
        return None

    def refuse_row(self, row: int, problem: str, *, remedy: str) -> NoReturn:
        """Refuse a row, counted from 0.

        Raises:
            DataError: Always.
        """
        raise DataError(self.path, None, f"row {row + 1}: {problem}", remedy=remedy)


@dataclass(frozen=True, kw_only=True, slots=True)
class TextTable:
    """A table from a text file, whose columns are read when they are asked for.

    Args:
        path: The file as the user wrote it.
        lines: All lines, without line ends.
        delimiter: What separates columns.
        header: Names of the columns; None where the file has none.
        width: Number of columns.
    """

    path: str
    lines: list[str]
    delimiter: str
    header: tuple[str, ...] | None
    width: int

    @property
    def num_header_lines(self) -> int:
        """Lines above the first row."""
        return 0 if self.header is None else 1

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return len(self.lines) - self.num_header_lines

    def read_numbers(self, columns: Sequence[int]) -> NDArray[np.float64]:
        """Return the numbers `(rows, columns)` float64 of some columns, in the order given; all are finite.

        Raises:
            DataError: A row is empty or has another number of columns; a value is not a number, NaN, infinite or
                beyond 1e100. Names the line and the column.
        """
        rows = self._parse_quickly(columns)
        if rows is None or not (np.abs(rows) <= LARGEST).all():
            rows = self._parse_slowly(columns)
        return rows

    def read_texts(self, column: int) -> list[str]:
        """Return a column as texts, none of them empty.

        Raises:
            DataError: A row is empty or has another number of columns, or the column is empty there.
        """
        texts = [self._split_row(row)[column] for row in range(self.num_rows)]
        if "" in texts:
            remedy = "Fill in or remove such rows"
            self.refuse_row(texts.index(""), f"column {self._name(column)} is empty", remedy=remedy)
        return texts

    def find_dates(self) -> Dates | None:
        """Return the column whose first entry is a date; None where there is none.

        Raises:
            DataError: Two columns begin with a date, or an entry of the column is no date.
        """
        entries = self._split_row(0)
        found = [column for column, entry in enumerate(entries) if is_date(entry)]
        if not found:
            return None
        if len(found) > 1:
            names = " and ".join(self._name(column) for column in found)
            self.refuse_row(0, f"columns {names} are both dates", remedy="Keep one column of dates")
        values = parse_dates(self.read_texts(found[0]))
        if isinstance(values, int):
            entry = self._split_row(values)[found[0]]
            remedy = "Write every date of a column as 2024-01-31 or 2024-01-31 12:00"
            self.refuse_row(values, f"column {self._name(found[0])}: {entry!r} is not a date", remedy=remedy)
        return Dates(found[0], values)

    def refuse_row(self, row: int, problem: str, *, remedy: str) -> NoReturn:
        """Refuse a row, counted from 0, by the number of its line.

        Raises:
            DataError: Always.
        """
        raise DataError(self.path, row + 1 + self.num_header_lines, problem, remedy=remedy)

    def _name(self, column: int) -> str:
        return str(column + 1)

    def _split_row(self, row: int) -> list[str]:
        line = self.lines[row + self.num_header_lines]
        if not line.strip():
            self.refuse_row(row, "is empty", remedy="Fill in the missing step or remove the line")
        entries = split_entries(line, self.delimiter)
        if len(entries) != self.width:
            problem = f"has {count_noun(len(entries), 'column')}, the rows before {self.width}"
            if row == 0 and self.header is not None:
                problem = f"has {count_noun(len(entries), 'column')}, the header {len(self.header)}"
            self.refuse_row(row, problem, remedy="Give every row one value for each column")
        return entries

    def _parse_quickly(self, columns: Sequence[int]) -> NDArray[np.float64] | None:
        lines = self.lines[self.num_header_lines :]
        is_whole = len(columns) == self.width
        if not is_whole and any(len(split_entries(line, self.delimiter)) != self.width for line in lines):
            return None
        chosen = None if is_whole else list(columns)
        try:
            rows = np.loadtxt(
                lines, np.float64, comments=None, delimiter=self.delimiter, quotechar='"', ndmin=2, usecols=chosen
            )
        except ValueError:
            return None
        # NumPy skips empty lines, which would move the steps after them in time.
        if len(rows) != len(lines) or (is_whole and rows.shape[1] != self.width):
            return None
        return rows[:, list(columns)] if is_whole else rows

    def _parse_slowly(self, columns: Sequence[int]) -> NDArray[np.float64]:
        """Parse line by line, to name the first wrong line."""
        rows = []
        for row in range(self.num_rows):
            entries = self._split_row(row)
            rows.append([self._check_entry(row, column, entries[column]) for column in columns])
        return np.array(rows, np.float64)

    def _check_entry(self, row: int, column: int, entry: str) -> float:
        name, remedy = self._name(column), "Fill in or remove such rows"
        if not entry:
            self.refuse_row(row, f"column {name} is empty", remedy=remedy)
        value = _parse_number(entry)
        if value is None:
            remedy = "Keep only numbers with a decimal point, between commas, semicolons or tabs"
            if has_day_first(entry):
                remedy = "Write dates with the year first, as 2024-01-31, from the first row on"
            elif is_date(entry):
                remedy = "Begin a column of dates with a date in its first row, and put no date among numbers"
            self.refuse_row(row, f"column {name}: {entry!r} is not a number", remedy=remedy)
        if not abs(value) <= LARGEST:
            self.refuse_row(row, f"column {name}: {entry} {_refusal(value)}", remedy=remedy)
        return value


NumberTable = ArrayTable | TextTable


def open_table(path: str) -> NumberTable:
    """Open a .csv or .npy file, whose columns can then be read.

    Text (.csv, .tsv, .txt) is UTF-8. Columns are separated by commas, semicolons or tabs, whichever the first row
    contains. A first row in which any entry is neither a number nor empty nor a date is a header. From .npy only real
    numbers in one or two dimensions are read, never pickled objects.

    Raises:
        DataError: The file is missing, a directory, empty, of another kind, too wide or not UTF-8, or has a header and
            no rows. Of .npy also: a value is NaN, infinite or beyond 1e100.
    """
    reader = READERS.get(find_ending(path))
    if reader is None:
        raise DataError(
            path, None, "is neither a .csv nor a .npy file", remedy="Store one step a row and one feature a column"
        )
    return reader(path)


def read_array(path: str, content: bytes, *, num_dimensions: tuple[int, ...], words: str) -> NDArray[np.generic]:
    """Read real numbers from the bytes of a .npy file, never pickled objects.

    Args:
        path: The file as the user wrote it, and the array's name where the file holds several.
        content: The bytes.
        num_dimensions: Numbers of dimensions that are allowed.
        words: The shapes that are allowed, in words.

    Raises:
        DataError: The bytes are no array, or one of another type or shape, without values, or with too many features.
    """
    shape, dtype = check_layout(path, content)
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize > len(content):  # before memory is asked for
        raise _refuse_array(path, ValueError(f"it is too short for {dtype} of shape {shape}"))
    try:
        array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise _refuse_array(path, error) from None
    if dtype.kind not in "biuf" or len(shape) not in num_dimensions or array.size == 0:
        problem = f"holds {dtype} of shape {shape}"
        raise DataError(path, None, problem, remedy=f"Store real numbers of shape {words}")
    return array


def check_finite(path: str, rows: NDArray[np.float64], *, remedy: str = "Fill in or remove such rows") -> None:
    """Refuse numbers `(rows, columns)` that are NaN, infinite or beyond 1e100.

    Raises:
        DataError: Names the first such row and column.
    """
    bad = np.argwhere(~(np.abs(rows) <= LARGEST))
    if len(bad):
        row, column = bad[0]
        problem = f"row {row + 1}, column {column + 1}: {rows[row, column]} {_refusal(rows[row, column])}"
        raise DataError(path, None, problem, remedy=remedy)


def check_layout(path: str, content: bytes) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Read the shape and the type that a .npy file declares, before any of its values.

    Args:
        path: The file as the user wrote it, and the array's name where the file holds several.
        content: The bytes, or the first of them.

    Raises:
        DataError: The bytes do not begin a .npy file, or it has too many features.
    """
    stream = io.BytesIO(content)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        version = np.lib.format.read_magic(stream)
        if version not in read_header:
            raise ValueError(f"version {version[0]}.{version[1]} of the format")
        shape, _, dtype = read_header[version](stream)
    except (ValueError, EOFError, OSError) as error:
        raise _refuse_array(path, error) from None
    if len(shape) > 1 and shape[-1] > MOST_COLUMNS:
        raise DataError(path, None, _describe_width(shape[-1]), remedy="Store one step a row")
    return shape, dtype


def _refuse_array(path: str, error: Exception) -> DataError:
    problem = f"cannot be read as .npy: {error}"
    return DataError(path, None, problem, remedy="Store it with numpy.save, numbers only")


def _read_npy(path: str) -> ArrayTable:
    words = "(steps,) or (steps, features)"
    array = read_array(path, read_bytes(path), num_dimensions=(1, 2), words=words)
    rows = array.astype(np.float64).reshape(len(array), -1)
    check_finite(path, rows)
    return ArrayTable(path=path, array=rows)


def _read_text(path: str) -> TextTable:
    lines = read_lines(path)
    delimiter = next((mark for mark in DELIMITERS if mark in lines[0]), ",")
    width = lines[0].count(delimiter) + 1
    if width > MOST_COLUMNS:
        raise DataError(path, 1, _describe_width(width), remedy="Store one step a row")
    header = _find_header(lines[0], delimiter)
    if header is not None and len(lines) == 1:
        raise DataError(path, None, "holds a header and no rows", remedy="Add rows of numbers")
    width = len(split_entries(lines[0], delimiter))
    return TextTable(path=path, lines=lines, delimiter=delimiter, header=header, width=width)


READERS: dict[str, Callable[[str], NumberTable]] = {
    ".csv": _read_text,
    ".tsv": _read_text,
    ".txt": _read_text,
    ".npy": _read_npy,
}


def split_entries(line: str, delimiter: str) -> list[str]:
    """Return the entries of a line, quotes and spaces around them removed."""
    if '"' not in line:
        return [entry.strip() for entry in line.split(delimiter)]
    try:
        entries = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        entries = line.split(delimiter)
    return [entry.strip() for entry in entries] or [""]


def _find_header(line: str, delimiter: str) -> tuple[str, ...] | None:
    entries = split_entries(line, delimiter)
    is_named = any(entry and _parse_number(entry) is None and not is_date(entry) for entry in entries)
    return tuple(entries) if is_named else None


def _parse_number(entry: str) -> float | None:
    try:
        return None if "_" in entry else float(entry)
    except ValueError:
        return None


def _describe_width(width: int) -> str:
    return f"has {width:,} columns, more than the {MOST_COLUMNS:,} that can be read"


def _refusal(value: float) -> str:
    return f"is beyond {LARGEST:g}" if np.isfinite(value) else "is not a finite number"
