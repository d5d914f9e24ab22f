"""When a sweep is looked at whose seeds stop where the answer is clear: at 5 seeds, and whenever they have doubled."""

from __future__ import annotations

import json
from pathlib import Path

from lengthwise.files import write_whole
from lengthwise.tracking.runs.layout import LOOKS_NAME

FIRST_LOOK = 5
"""Seeds at the first look; with fewer nothing is called better or worse."""


def plan_looks(num_seeds: int) -> tuple[int, ...]:
    """Return the number of seeds at each look, the last with all of them.

    Few looks cost little: each has an equal part of the level of the page.

    >>> plan_looks(10), plan_looks(12), plan_looks(5)
    ((5, 10), (5, 10, 12), (5,))

    Args:
        num_seeds: All seeds, at least 1.
    """
    found, count = [], FIRST_LOOK
    while count < num_seeds:
        found.append(count)
        count *= 2
    return (*found, num_seeds)


def write_looks(directory: Path, looks: tuple[int, ...], *, stopped: int | None = None) -> None:
    """Write into the directory of a sweep when it is looked at, and after how many seeds it stopped."""
    content = {"looks": list(looks), "stopped": stopped}
    write_whole(directory / LOOKS_NAME, json.dumps(content).encode())
