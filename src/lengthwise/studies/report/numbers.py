"""Numbers of a report as text: scores, differences with their intervals, durations."""

from __future__ import annotations

import math

from lengthwise.studies.intervals import Estimate
from lengthwise.studies.units import Unit

MINUS, UNKNOWN = "\N{MINUS SIGN}", "\N{EN DASH}"


def format_number(value: float, unit: Unit, *, like: float | None = None, sign: bool = False) -> str:
    """Write a score or a difference, shares with one decimal, others with three digits.

    Args:
        value: The number, unscaled.
        unit: Unit of the metric.
        like: The number whose size decides the decimals; None: the value itself.
        sign: Whether a plus is written.
    """
    if not math.isfinite(value):
        return "not known" if math.isnan(value) else str(value)
    scaled, size = value * unit.scale, abs(value if like is None else like)
    if unit.is_share:
        decimals = 1
    elif size == 0:
        decimals = 3
    else:
        decimals = min(6, max(0, 2 - math.floor(math.log10(size))))
    text = f"{scaled:+.{decimals}f}" if sign else f"{scaled:.{decimals}f}"
    return text.replace("-", MINUS)


def format_score(value: float, unit: Unit) -> str:
    """Write a score with its unit, such as `10.0 %`."""
    return f"{format_number(value, unit)} {unit.score}".strip()


def format_known(value: float, unit: Unit) -> str:
    """Write a score without its unit; a dash where it is not known."""
    return format_number(value, unit) if math.isfinite(value) else UNKNOWN


def format_estimate(estimate: Estimate, unit: Unit, *, difference: bool = False) -> str:
    """Write a mean with its interval and unit, such as `+4.1 [1.0, 7.2] points`.

    Args:
        estimate: The mean, unscaled.
        unit: Unit of the metric.
        difference: Whether it is a difference.
    """
    estimate = _cut_difference(estimate, unit) if difference else estimate
    like = max(abs(estimate.mean), abs(estimate.low) if math.isfinite(estimate.low) else 0.0)
    mean = format_number(estimate.mean, unit, like=like, sign=difference)
    name = unit.difference if difference else unit.score
    if not math.isfinite(estimate.low):
        return f"{mean} {name}".strip()
    low, high = (format_number(end, unit, like=like) for end in (estimate.low, estimate.high))
    return f"{mean} [{low}, {high}] {name}".strip()


def format_not_excluded(estimate: Estimate, unit: Unit) -> str:
    """Say which differences an interval does not exclude, such as `a decrease of only 0.3 points is not excluded`.

    Args:
        estimate: A difference with a finite interval.
        unit: Unit of the metric.
    """
    estimate = _cut_difference(estimate, unit)
    like = max(abs(estimate.mean), abs(estimate.low))
    low, high = (format_number(abs(end), unit, like=like) for end in (estimate.low, estimate.high))
    if estimate.low < 0 < estimate.high:
        ends = f"an increase of up to {high} and a decrease of up to {low} {unit.difference}".strip()
        return f"{ends} are not excluded"
    end = f"an increase of only {low}" if estimate.low >= 0 else f"a decrease of only {high}"
    return f"{end} {unit.difference}".strip() + " is not excluded"


def _cut_difference(estimate: Estimate, unit: Unit) -> Estimate:
    """Cut the interval of a difference of shares at 100 points each way: it cannot be larger."""
    if not unit.is_share or not math.isfinite(estimate.low):
        return estimate
    return estimate._replace(low=max(-1.0, estimate.low), high=min(1.0, estimate.high))


def format_seconds(seconds: float) -> str:
    """Write a duration: seconds up to two minutes, then minutes.

    >>> format_seconds(4.26), format_seconds(61.0), format_seconds(600.0)
    ('4.3 s', '61 s', '10 min')
    """
    if seconds >= 120:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def format_count(number: int, noun: str, plural: str | None = None) -> str:
    """Write a count with its noun.

    >>> format_count(1, "seed"), format_count(2, "seed"), format_count(2, "batch", "batches")
    ('1 seed', '2 seeds', '2 batches')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"
