"""Summarise the times of repeated measurements."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def take_quartiles(seconds: Sequence[float]) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper quartile, all the same of a single measurement."""
    if len(seconds) == 1:
        return (seconds[0],) * 3
    low, middle, high = statistics.quantiles(seconds, n=4)
    return low, middle, high
