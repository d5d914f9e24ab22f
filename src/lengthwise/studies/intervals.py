"""Intervals of a mean over seeds and test examples (Student, Satterthwaite), of a share of seeds (Clopper, Pearson).

A score varies for two reasons: with the seed, and with the examples of the test split. Where all seeds are scored on
the same examples, the spread over the seeds shows only the first. The squared standard error of a mean is therefore
s^2 / n + v, where s is the standard deviation over n seeds and v the variance that the choice of the examples gives the
mean; the degrees of freedom are Satterthwaite's (1946, "An approximate distribution of estimates of variance
components"): those of the two parts, weighted by their size. The noise of single decisions is in both parts, so that
the interval is a little too wide, never too narrow.

Equal seeds are no certainty. No standard error of a share is smaller than that of one example that is right instead of
wrong, and where the number of examples is not known either, equal values have no interval.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, stdtr, stdtrit  # scipy.stats wraps them at a hundred times their cost

LEVEL = 0.95
"""Of every interval."""

_EQUAL = 1e-9
"""Differences this close, relative to their size, are the same: scores are quotients of floats."""


class Noise(NamedTuple):
    """What the choice of the examples adds to the variance of a mean.

    Args:
        variance: Of the mean.
        freedom: Its degrees of freedom.
        smallest: Least variance that the mean can be known to, that of one example.
    """

    variance: float
    freedom: float
    smallest: float


SILENCE = Noise(0.0, math.inf, 0.0)
"""Of values that are not averages over a sample of examples."""


class Estimate(NamedTuple):
    """A mean with its interval.

    Args:
        mean: NaN where there is no value.
        low, high: Ends of the 95 % interval; NaN where there is none.
        error: Standard error of the mean; NaN where there is no interval.
        freedom: Degrees of freedom of the interval; NaN where there is none.
        deviation: Standard deviation of the values; NaN where there is one value.
        p_value: Two-sided, of the mean being 0; NaN where it is not known.
        num_values: Independent values, the seeds.
    """

    mean: float
    low: float
    high: float
    error: float
    freedom: float
    deviation: float
    p_value: float
    num_values: int


def estimate_mean(values: NDArray[np.float64], noise: Noise = SILENCE) -> Estimate:
    """Return the mean of independent values with its interval.

    Args:
        values: `(values,)`, finite, one for each seed.
        noise: Of the examples that all of them were measured on.
    """
    count, nan = len(values), math.nan
    mean = float(values.mean()) if count else nan
    if count < 2:
        return Estimate(mean, nan, nan, nan, nan, nan, nan, count)
    deviation = float(values.std(ddof=1))
    if deviation <= _EQUAL * max(1.0, abs(mean)):
        deviation = 0.0
    return estimate_student(mean, deviation**2 / count, count - 1, noise, count=count, deviation=deviation)


def estimate_student(
    mean: float, variance: float, freedom: int, noise: Noise, *, count: int, deviation: float
) -> Estimate:
    """Return a mean with its interval and test.

    Args:
        mean: The mean.
        variance: Of the mean over seeds.
        freedom: Degrees of freedom of that variance, at least 1.
        noise: Of the examples.
        count: Number of seeds.
        deviation: Standard deviation over the seeds.
    """
    of_examples = max(noise.variance, noise.smallest - variance, 0.0)
    total = variance + of_examples
    if not total:
        is_zero = abs(mean) <= _EQUAL
        return Estimate(mean, math.nan, math.nan, math.nan, math.nan, 0.0, 1.0 if is_zero else math.nan, count)
    weighted = variance**2 / freedom + of_examples**2 / noise.freedom
    combined = total**2 / weighted if weighted else math.inf
    error = math.sqrt(total)
    half = find_quantile(combined) * error
    p_value = 2 * float(stdtr(combined, -abs(mean) / error))
    return Estimate(mean, mean - half, mean + half, error, combined, deviation, p_value, count)


def find_quantile(freedom: float, level: float = LEVEL) -> float:
    """Return Student's t that the middle `level` of the distribution lies within."""
    return _find_quantile(round(freedom, 6), level)


@functools.lru_cache(maxsize=4096)
def _find_quantile(freedom: float, level: float) -> float:
    return float(stdtrit(min(freedom, 1e9), (1 + level) / 2))


def bound_failures(num_failed: int, num_seeds: int) -> float:
    """Return the largest share of failing seeds that is not excluded at the 5 % level.

    The one-sided bound of Clopper and Pearson 1934, "The use of confidence or fiducial limits illustrated in the case
    of the binomial". It holds whatever the true share is.

    >>> [round(bound_failures(0, num_seeds), 2) for num_seeds in (3, 5, 10)]
    [0.63, 0.45, 0.26]

    Args:
        num_failed: Seeds that failed.
        num_seeds: All seeds, at least 1.
    """
    if num_failed == num_seeds:
        return 1.0
    return float(betaincinv(num_failed + 1, num_seeds - num_failed, LEVEL))
