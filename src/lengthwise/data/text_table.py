"""Read a user's table of texts: tab-separated lines, quoted CSV, or the lines of SCAN's published files."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from lengthwise.config.paths import find_ending
from lengthwise.data.text_file import iterate_lines
from lengthwise.errors import DataError, count_noun

SCAN_LINE = re.compile(r"\s*IN: (.*?) OUT: (.*)")

_DELIMITERS = (",", ";", "\t")
_LINES_LOOKED_AT = 100
_SHOWN_NAMES = 20


class Row(NamedTuple):
    """The line number, from 1, and the cells of one line."""

    number: int
    cells: list[str]


def read_rows(path: str) -> Iterator[Row]:
    """Yield the lines of a file cut into cells; a blank line yields no cells.

    `.csv` is CSV with quotes, its delimiter the first of comma, semicolon and tab that gives all of the first lines the
    same number of cells. Elsewhere cells stand between tabs, and quotes are text. A file whose first line is SCAN's
    `IN: ... OUT: ...` has two cells a line. Any of them may be compressed (`.gz`).

    Raises:
        DataError: The file cannot be read; a line of CSV has a wrong quote or another number of cells than the first;
            or a line is not SCAN's in a file that begins so.
    """
    lines = iterate_lines(path)
    suffix = find_ending(path)
    head = list(islice(lines, _LINES_LOOKED_AT))
    while not any(map(str.strip, head)):
        head.append(next(lines))
    first = next(line for line in head if line.strip())
    lines = chain(head, lines)
    if suffix == ".csv":
        return _read_csv(path, lines, _find_delimiter(head))
    if "\t" not in first and SCAN_LINE.fullmatch(first):
        return _read_scan(path, lines)
    return (Row(number, line.split("\t") if line.strip() else []) for number, line in enumerate(lines, start=1))


def _read_scan(path: str, lines: Iterable[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        found = SCAN_LINE.fullmatch(line)
        if found is None and line.strip():
            remedy = "Write IN: SOURCE OUT: TARGET on each line, as on the first"
            raise DataError(path, number, "is not of the form IN: ... OUT: ...", remedy=remedy)
        yield Row(number, list(found.groups()) if found else [])


def _read_csv(path: str, lines: Iterable[str], delimiter: str) -> Iterator[Row]:
    width: int | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            yield Row(number, [])
            continue
        try:
            cells = _parse(line, delimiter)
        except csv.Error as error:
            problem = f"cannot be read as CSV ({error})"
            remedy = "Close each quote on its line, and write a quote within quotes twice"
            raise DataError(path, number, problem, remedy=remedy) from None
        width = len(cells) if width is None else width
        if len(cells) != width:
            problem = f"has {count_noun(len(cells), 'column')}, the first line {width}"
            remedy = f"Give every line {count_noun(width, 'column')}, and put a text that holds {delimiter!r} in quotes"
            raise DataError(path, number, problem, remedy=remedy)
        yield Row(number, cells)


def _find_delimiter(lines: Sequence[str]) -> str:
    some = [line for line in lines if line.strip()]
    for delimiter in _DELIMITERS:
        try:
            widths = {len(_parse(line, delimiter)) for line in some}
        except csv.Error:
            continue
        if len(widths) == 1 and widths != {1}:
            return delimiter
    return _DELIMITERS[0]


def _parse(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, strict=True))


def find_column(path: str, column: int | str, header: Row | None) -> int:
    """Return the position, from 0, of a column given by its number from 1 or by its name.

    Raises:
        DataError: The header does not have the name, or has it twice.
    """
    if isinstance(column, int):
        return column - 1
    names = [] if header is None else [name.strip() for name in header.cells]
    if names.count(column) != 1:
        shown = ", ".join(names[:_SHOWN_NAMES]) + (", ..." if len(names) > _SHOWN_NAMES else "")
        count = "no column" if column not in names else f"{names.count(column)} columns"
        problem = f"has {count} of the name {column!r} in its header ({shown})"
        raise DataError(path, header.number if header else None, problem, remedy="Name one of them, or give its number")
    return names.index(column)
