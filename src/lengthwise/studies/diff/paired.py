"""Differences between two models that were scored on the same examples, with intervals over these examples.

Of a share of examples the interval is the wider of two: Newcombe's score interval (1998, "Improved confidence intervals
for the difference between binomial proportions based on paired data", method 10), and the one that belongs to McNemar's
exact test (1947): the interval of Clopper and Pearson for the share of the second model among the examples that only
one of the two gets right. So an interval without 0 never contradicts the test.

Of any other score it is the bootstrap's, which draws examples with both their scores (Efron and Tibshirani 1993,
chapter 13): its expanded percentiles (Hesterberg 2015, "What teachers should know about the bootstrap", section 4.2),
since plain percentiles are too narrow where examples are few.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit
from scipy.stats import binomtest, bootstrap

from lengthwise.evaluation.metrics import ExampleScores
from lengthwise.studies.intervals import LEVEL, Estimate

_NUM_RESAMPLES = 1999
_BATCH_NUMBERS = 2_000_000
"""Numbers that are drawn at once, which bounds the memory."""


class Difference(NamedTuple):
    """The scores of two models in one metric.

    Args:
        metric: Its name, without the split.
        first, second: Scores of the two.
        estimate: Of the second less the first, with its interval; without one where the examples are not the same. The
            p-value is that of McNemar's exact test, NaN for other metrics than shares.
    """

    metric: str
    first: float
    second: float
    estimate: Estimate

    @property
    def is_significant(self) -> bool:
        """Whether the interval excludes 0."""
        return self.estimate.low > 0 or self.estimate.high < 0


def subtract(metric: str, first: float, second: float) -> Difference:
    """Return the difference of two scores that were not measured on the same examples: without an interval."""
    nan = math.nan
    return Difference(metric, first, second, Estimate(second - first, nan, nan, nan, nan, nan, nan, 0))


def compare_scores(
    metric: str, first: ExampleScores, second: ExampleScores, *, is_share: bool, level: float = LEVEL
) -> Difference:
    """Compare two models in one metric over the same examples.

    Args:
        metric: Its name.
        first: Scores of every example.
        second: The same of the other model, in the same order.
        is_share: Whether each example is right (1) or not (0).
        level: Of the interval.
    """
    before, after = first.average(), second.average()
    if is_share:
        return Difference(metric, before, after, compare_shares(first.amount > 0, second.amount > 0, level=level))
    low, high = _bootstrap(first, second, level)
    nan = math.nan
    estimate = Estimate(after - before, low, high, nan, nan, nan, nan, len(first.amount))
    return Difference(metric, before, after, estimate)


def compare_shares(first: NDArray[np.bool_], second: NDArray[np.bool_], *, level: float = LEVEL) -> Estimate:
    """Compare which of the same examples two models get right.

    >>> right = np.arange(100) < 50
    >>> compare_shares(right, right | (np.arange(100) < 60)).p_value
    0.001953125

    Args:
        first: `(examples,)`.
        second: The same of the other model.
        level: Of the interval.

    Returns:
        The share of the second less that of the first, with the p-value of McNemar's exact test.
    """
    num_examples = len(first)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    num_split, nan = only_first + only_second, math.nan
    difference = (only_second - only_first) / num_examples
    low, high = _find_newcombe(first, second, level)
    p_value = 1.0
    if num_split:
        test = binomtest(only_second, num_split)
        p_value, exact = float(test.pvalue), test.proportion_ci(level, method="exact")
        low = min(low, (2 * exact.low - 1) * num_split / num_examples)
        high = max(high, (2 * exact.high - 1) * num_split / num_examples)
    return Estimate(difference, float(low), float(high), nan, nan, nan, p_value, num_examples)


def _find_newcombe(first: NDArray[np.bool_], second: NDArray[np.bool_], level: float) -> tuple[float, float]:
    """Return Newcombe's interval, whose correlation is corrected for continuity."""
    count = len(first)
    right = [int(second.sum()), int(first.sum())]
    both, neither = int((first & second).sum()), int((~first & ~second).sum())
    only_first, only_second = right[1] - both, right[0] - both
    determinant = float(both * neither - only_first * only_second)
    if determinant > 0:
        determinant = max(determinant - count / 2, 0.0)
    margins = math.sqrt(right[0] * (count - right[0]) * right[1] * (count - right[1]))
    correlation = determinant / margins if margins else 0.0
    limits = [binomtest(number, count).proportion_ci(level, method="wilson") for number in right]
    share, other = (number / count for number in right)
    below, above = share - limits[0].low, limits[1].high - other
    difference = share - other
    low = difference - math.sqrt(below**2 - 2 * correlation * below * above + above**2)
    above, below = limits[0].high - share, other - limits[1].low
    return low, difference + math.sqrt(above**2 - 2 * correlation * above * below + below**2)


def _bootstrap(first: ExampleScores, second: ExampleScores, level: float) -> tuple[float, float]:
    """Return the interval of the difference of two quotients of sums; NaN for fewer than two examples."""
    count = len(first.amount)
    if count < 2:
        return math.nan, math.nan
    parts = (first.amount, first.weight, second.amount, second.weight)
    if all((part == part[0]).all() for part in parts):
        difference = second.average() - first.average()
        return difference, difference
    quantile = float(stdtrit(count - 1, (1 + level) / 2)) * math.sqrt(count / (count - 1))
    found = bootstrap(
        parts,
        _subtract_quotients,
        paired=True,
        vectorized=True,
        n_resamples=_NUM_RESAMPLES,
        batch=max(1, _BATCH_NUMBERS // count),
        confidence_level=2 * float(ndtr(quantile)) - 1,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _subtract_quotients(
    first: NDArray[np.float64],
    first_weight: NDArray[np.float64],
    second: NDArray[np.float64],
    second_weight: NDArray[np.float64],
    axis: int,
) -> NDArray[np.float64]:
    before = first.sum(axis) / first_weight.sum(axis)
    after = second.sum(axis) / second_weight.sum(axis)
    return np.asarray(after - before, np.float64)
