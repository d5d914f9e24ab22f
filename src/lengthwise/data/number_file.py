"""Read a user's table of numbers, or say in one message where it is wrong.

Written by hand: `pandas.read_csv` fills short rows with NaN and does not say on which line a wrong value stands. NumPy
parses files without mistakes; only a file that NumPy refuses is read line by line, to name the line and the column.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.text_file import read_bytes, read_lines
from lengthwise.errors import DataError, count_noun

DELIMITERS = (";", "\t", ",")
"""Tried in this order, so that `1,5;2,5` is read as two columns and its decimal commas are reported as the mistake."""

LARGEST = 1e100
"""Largest number accepted: the squares of larger numbers may overflow float64."""


class Table(NamedTuple):
    """The numbers of a file.

    Args:
        rows: `(rows, columns)` float64, finite.
        header: Names of the columns; None where the file has none.
    """

    rows: NDArray[np.float64]
    header: tuple[str, ...] | None


def read_table(path: str) -> Table:
    """Read a .csv or .npy file of finite numbers.

    Text (.csv, .tsv, .txt) is UTF-8. Columns are separated by commas, semicolons or tabs, whichever the first row
    contains. A first row in which any entry is neither a number nor empty is a header. From .npy only real numbers in
    one or two dimensions are read, never pickled objects.

    Raises:
        DataError: The file is missing, a directory, empty, of another kind or not UTF-8; a row is empty or has another
            number of columns; a value is not a number, NaN, infinite or beyond 1e100. Names the line and the column.
    """
    reader = READERS.get(Path(path).suffix.lower())
    if reader is None:
        raise DataError(
            path, None, "is neither a .csv nor a .npy file", remedy="Store one step a row and one feature a column"
        )
    return reader(path)


def _read_npy(path: str) -> Table:
    content = read_bytes(path)
    try:
        array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        problem = f"cannot be read as .npy: {error}"
        raise DataError(path, None, problem, remedy="Store it with numpy.save, numbers only") from None
    if array.dtype.kind not in "biuf" or array.ndim not in (1, 2) or array.size == 0:
        problem = f"holds {array.dtype} of shape {array.shape}"
        raise DataError(path, None, problem, remedy="Store real numbers of shape (steps,) or (steps, features)")
    rows = array.astype(np.float64).reshape(len(array), -1)
    bad = np.argwhere(~(np.abs(rows) <= LARGEST))
    if len(bad):
        row, column = bad[0]
        problem = f"row {row + 1}, column {column + 1}: {rows[row, column]} {_refusal(rows[row, column])}"
        raise DataError(path, None, problem, remedy="Fill in or remove such rows")
    return Table(rows, None)


def _read_text(path: str) -> Table:
    lines = read_lines(path)
    delimiter = next((mark for mark in DELIMITERS if mark in lines[0]), ",")
    header = _find_header(lines[0], delimiter)
    first = 0 if header is None else 1
    if len(lines) == first:
        raise DataError(path, None, "holds a header and no rows", remedy="Add rows of numbers")
    rows = _parse_quickly(lines[first:], delimiter)
    if rows is None or not (np.abs(rows) <= LARGEST).all():
        rows = _parse_slowly(path, lines, delimiter, first)
    if header is not None and len(header) != rows.shape[1]:
        problem = f"has {count_noun(rows.shape[1], 'column')}, the header {len(header)}"
        raise DataError(path, 2, problem, remedy="Give every row one value for each column")
    return Table(rows, header)


READERS: dict[str, Callable[[str], Table]] = {
    ".csv": _read_text,
    ".tsv": _read_text,
    ".txt": _read_text,
    ".npy": _read_npy,
}


def _find_header(line: str, delimiter: str) -> tuple[str, ...] | None:
    entries = _split_entries(line, delimiter)
    return tuple(entries) if any(entry and _parse_number(entry) is None for entry in entries) else None


def _split_entries(line: str, delimiter: str) -> list[str]:
    try:
        entries = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        entries = line.split(delimiter)
    return [entry.strip() for entry in entries] or [""]


def _parse_number(entry: str) -> float | None:
    try:
        return None if "_" in entry else float(entry)
    except ValueError:
        return None


def _parse_quickly(lines: list[str], delimiter: str) -> NDArray[np.float64] | None:
    try:
        rows = np.loadtxt(lines, np.float64, comments=None, delimiter=delimiter, quotechar='"', ndmin=2)
    except ValueError:
        return None
    # NumPy skips empty lines, which would move the steps after them in time.
    return rows if len(rows) == len(lines) else None


def _parse_slowly(path: str, lines: list[str], delimiter: str, first: int) -> NDArray[np.float64]:
    """Parse line by line, to name the first wrong line."""
    width = len(_split_entries(lines[first], delimiter))
    rows = []
    for number, line in enumerate(lines[first:], start=first + 1):
        if not line.strip():
            raise DataError(path, number, "is empty", remedy="Fill in the missing step or remove the line")
        entries = _split_entries(line, delimiter)
        if len(entries) != width:
            problem = f"has {count_noun(len(entries), 'column')}, the rows before {width}"
            raise DataError(path, number, problem, remedy="Give every row one value for each column")
        rows.append([_check_entry(path, number, column, entry) for column, entry in enumerate(entries, start=1)])
    return np.array(rows, np.float64)


def _check_entry(path: str, line: int, column: int, entry: str) -> float:
    if not entry:
        raise DataError(path, line, f"column {column} is empty", remedy="Fill in or remove such rows")
    value = _parse_number(entry)
    if value is None:
        raise DataError(
            path,
            line,
            f"column {column}: {entry!r} is not a number",
            remedy="Keep only numbers with a decimal point, between commas, semicolons or tabs",
        )
    if not abs(value) <= LARGEST:
        problem = f"column {column}: {entry} {_refusal(value)}"
        raise DataError(path, line, problem, remedy="Fill in or remove such rows")
    return value


def _refusal(value: float) -> str:
    return f"is beyond {LARGEST:g}" if np.isfinite(value) else "is not a finite number"
