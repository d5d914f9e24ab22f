"""Recognise dates in a column of texts, and check that they increase."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.datetime64]

_DATE = re.compile(r"\d{4}[-/]\d{1,2}([-/]\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?)?")

_DAY_FIRST = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{2}(\d{2})?([ T].*)?")


class Dates(NamedTuple):
    """A column of dates: its index, and `(rows,)` datetime64[s], in UTC where the file gives offsets."""

    column: int
    values: Times


def is_date(entry: str) -> bool:
    """Return whether an entry is a date that begins with its year, such as `2024-01-31` or `2024-01-31 12:00`."""
    return _DATE.fullmatch(entry) is not None


def has_day_first(entry: str) -> bool:
    """Return whether an entry looks like a date whose year is not first, such as `31/01/2024`."""
    return _DAY_FIRST.fullmatch(entry) is not None


def parse_dates(entries: Sequence[str]) -> Times | int:
    """Parse dates.

    Args:
        entries: The texts.

    Returns:
        `(entries,)` datetime64[s]; or the index of the first entry that is no date.
    """
    values = []
    for index, entry in enumerate(entries):
        value = _parse_date(entry)
        if value is None:
            return index
        values.append(value)
    return np.array(values, "datetime64[s]")


def find_step_back(times: Times | NDArray[np.float64]) -> int | None:
    """Return the index of the first of `(rows,)` dates or numbers that is not above the one before it; None: none."""
    places = np.flatnonzero(np.less_equal(times[1:], times[:-1]))
    return int(places[0]) + 1 if len(places) else None


def describe_gaps(times: Times) -> str | None:
    """Describe the steps of increasing dates `(rows,)` that are longer than the usual one.

    Months and years are not equally long: a step counts only where it is above 1.5 times the median.

    Returns:
        A sentence; None where there is no such step.
    """
    steps = np.diff(times).astype(np.int64)
    if not len(steps):
        return None
    usual = float(np.median(steps))
    num_longer = int((steps > 1.5 * usual).sum())
    if not num_longer:
        return None
    first = times[int(np.argmax(steps > 1.5 * usual))]
    return (
        f"the dates have gaps: {num_longer:,} of {len(steps):,} steps are longer than the usual "
        f"{datetime.timedelta(seconds=usual)}, the first after {first}. Windows count rows, not time: fill the gaps "
        "in, or split the file there."
    )


def _parse_date(entry: str) -> datetime.datetime | None:
    if not is_date(entry):
        return None
    day, mark, clock = entry.replace("/", "-").replace("T", " ").partition(" ")
    day = "-".join(part.zfill(2) for part in day.split("-"))
    day = f"{day}-01" if day.count("-") == 1 else day
    clock = clock.replace(",", ".")
    clock = clock.zfill(len(clock) + (clock.find(":") == 1))
    try:
        value = datetime.datetime.fromisoformat(f"{day}{mark}{clock}")
    except ValueError:
        return None
    return value if value.tzinfo is None else value.astimezone(datetime.UTC).replace(tzinfo=None)
