"""Choose the columns of a user's table: features, dates, ids and labels."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.documentation import suggest
from lengthwise.data.dataset import Skipped
from lengthwise.data.numbers.number_file import NumberTable
from lengthwise.data.numbers.times import Times, describe_gaps, find_step_back
from lengthwise.errors import ConfigError, DataError, count_noun, printable

SHOWN_COLUMNS = 20
"""Most names of a header in a message."""

FEWEST_COUNTED = 8
"""In fewer rows a column may grow evenly by chance."""


class ValueTable(NamedTuple):
    """The chosen features of a file, one step a row.

    Args:
        rows: `(rows, features)` float64, finite.
        columns: Place of each feature among the columns of the file, from 0.
        names: Names of the features; empty where the file has no header.
        dates: `(rows,)` datetime64[s], increasing; None where no column holds dates.
        warnings: What is doubtful about the rows, each with its remedy.
    """

    rows: NDArray[np.float64]
    columns: list[int]
    names: tuple[str, ...]
    dates: Times | None
    warnings: tuple[str, ...]

    def count_header(self) -> list[Skipped]:
        """Return the header as a line that was not read as numbers; nothing where there is none."""
        if not self.names:
            return []
        return [Skipped(reason=f"line 1, read as the names of the columns: {', '.join(self.names)}", count=1)]


def read_values(table: NumberTable, names: Sequence[str] | None, *, others: Sequence[int] = ()) -> ValueTable:
    """Read a table as one series: features over the rows, in the order of time.

    Args:
        table: The file, opened.
        names: The features, as the option `dataset.columns` names them; None: all columns but dates and `others`.
        others: Columns with another role.

    Raises:
        ConfigError: A column does not exist or has another role.
        DataError: A row or a value of the columns cannot be read, or the dates do not increase.
    """
    dates, warnings = table.find_dates(), []
    if dates is not None:
        row = find_step_back(dates.values)
        if row is not None:
            problem = f"the date {dates.values[row]} is not after {dates.values[row - 1]}, that of the row before it"
            table.refuse_row(row, problem, remedy="Sort the rows by date, one row for each date")
        warnings += [line for line in (describe_gaps(dates.values),) if line is not None]
    others = (*others, *(() if dates is None else (dates.column,)))
    columns = choose_features(table, names, option="dataset.columns", others=others)
    rows = table.read_numbers(columns)
    return ValueTable(
        rows=rows,
        columns=columns,
        names=name_columns(table, columns),
        dates=None if dates is None else dates.values,
        warnings=tuple(warnings),
    )


def find_row_numbers(values: ValueTable) -> list[str]:
    """Warn of columns beside others that grow by the same step from row to row, as row numbers and years do."""
    rows, num_columns = values.rows, len(values.columns)
    if len(rows) < FEWEST_COUNTED or num_columns < 2:
        return []
    steps = np.diff(rows, axis=0)
    is_number = (steps[0] > 0) & (steps == steps[0]).all(axis=0)
    names = values.names or [str(column + 1) for column in values.columns]
    return [
        f"column {printable(name)} grows by {step:g} from each row to the next, as row numbers and years do. If it is "
        "one, leave it out of dataset.columns."
        for name, step, found in zip(names, steps[0], is_number, strict=True)
        if found
    ]


def find_columns(table: NumberTable, names: Sequence[str | int], *, option: str) -> list[int]:
    """Return the indices of the columns that an option names, by their names or by their numbers from 1.

    Args:
        table: The file.
        names: The columns, at least one.
        option: Name of the option.

    Raises:
        ConfigError: The file has no such column.
    """
    header = table.header or ()
    found = []
    for name in map(str, names):
        if name in header:
            found.append(header.index(name))
        elif name.isascii() and name.isdecimal() and 1 <= int(name) <= table.width:
            found.append(int(name) - 1)
        else:
            shown = ", ".join(header[:SHOWN_COLUMNS]) + (", ..." if len(header) > SHOWN_COLUMNS else "")
            rule = f"must name columns of {table.path}, which has {count_noun(table.width, 'column')}"
            rule += f": {shown}" if header else " and no header"
            remedy = f"{suggest(name, header)}Write a name of the header, or a number from 1 to {table.width}"
            raise ConfigError(option, rule, received=repr(name), remedy=remedy)
    return found


def choose_features(
    table: NumberTable, names: Sequence[str] | None, *, option: str, others: Collection[int]
) -> list[int]:
    """Return the indices of the columns that are features: those named, or all but those with another role.

    Args:
        table: The file.
        names: The columns that an option names; None: all.
        option: Name of the option.
        others: Columns with another role, such as that of the dates.

    Raises:
        ConfigError: A column does not exist or has another role, or no column is left.
    """
    if names is None:
        found = [column for column in range(table.width) if column not in others]
        if not found:
            raise DataError(table.path, None, "has no column of numbers", remedy="Add one column for each feature")
        return found
    found = find_columns(table, names, option=option)
    for name, column in zip(names, found, strict=True):
        if column in others:
            rule = f"must name columns of numbers, and {name!r} of {table.path} is already the dates, ids or labels"
            raise ConfigError(option, rule, received=repr(name), remedy="Leave it out")
    return found


def name_columns(table: NumberTable, columns: Sequence[int]) -> tuple[str, ...]:
    """Return the names of columns in the header; none where the file has no header."""
    return () if table.header is None else tuple(table.header[column] for column in columns)
