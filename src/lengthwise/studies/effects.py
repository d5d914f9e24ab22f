"""Effects of a study's axes on a score: contrasts over paired seeds, their intervals and their significance.

A study is a grid: every level of every axis crossed, each condition run with the same seeds on the same data. The
effect of a level is its difference from the axis' first level, taken within each seed and averaged over the conditions
of the other axes; an interaction is a difference of two such differences. That gives one number a seed. The seeds are
the only independent repetitions of a study, so the interval is Student's t over these numbers, with seeds - 1 degrees
of freedom. It holds whatever the conditions of one seed have in common, and for conditions of unequal variance; a
linear model with an error shared by all conditions, as in an analysis of variance, has more degrees of freedom and
narrower intervals, but is wrong where one corner is unstable and another is not, as is common here. Main effects and
interactions by averaging are those of a balanced factorial design (Fisher 1935; Montgomery, Design and Analysis of
Experiments, chapter 5).

Where runs are missing, a contrast uses only those seeds and conditions that are complete for it, and says how many.
Where no condition has both levels, a linear model of main effects with the seed as a block is used instead, and named.

Many contrasts of one study are a family: one is called significant where its p-value, corrected by Holm (1979), is
below 5 %, so that in a study without effects 95 of 100 reports call nothing significant. The intervals are each at
95 %, uncorrected. Holm's correction is written here, because SciPy has none.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit  # scipy.stats wraps them at a hundred times their cost

LEVEL = 0.95
"""Of every interval."""

_EQUAL = 1e-9
"""Differences this close, relative to their size, are the same: scores are quotients of floats."""

Method = Literal["paired seeds", "linear model"]


class Estimate(NamedTuple):
    """A mean with its interval.

    Args:
        mean: NaN where there is no value.
        low, high: Ends of the 95 % interval; NaN where there is one value.
        deviation: Standard deviation of the values; NaN where there is one.
        p_value: Two-sided, of the mean being 0; NaN where there is one value.
        num_values: Independent values, the seeds.
    """

    mean: float
    low: float
    high: float
    deviation: float
    p_value: float
    num_values: int

    @property
    def standard_error(self) -> float:
        """Standard error of the mean; NaN where there is one value."""
        return self.deviation / self.num_values**0.5 if self.num_values else float("nan")


class Contrast(NamedTuple):
    """One change on one axis: from its first level to another.

    Args:
        axis: Index of the axis.
        level, reference: Indices of the two levels on it.
    """

    axis: int
    level: int
    reference: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """The effect of a change on one axis on the score, or of a second change on the effect of the first.

    Args:
        contrasts: One for a main effect, two for an interaction.
        estimate: Its mean over the seeds.
        corrected_p: The p-value, corrected for all effects of its family (Holm 1979); NaN without an interval.
        seeds_used, seeds_total: Seeds with all runs it needs, and all seeds.
        contexts_used, contexts_total: Conditions of the other axes over which it is averaged.
        method: How it was estimated.
    """

    contrasts: tuple[Contrast, ...]
    estimate: Estimate
    corrected_p: float
    seeds_used: int
    seeds_total: int
    contexts_used: int
    contexts_total: int
    method: Method

    @property
    def is_significant(self) -> bool:
        """Whether it differs from 0 after the correction."""
        return bool(self.corrected_p < 1 - LEVEL)


def estimate_mean(values: NDArray[np.float64]) -> Estimate:
    """Return the mean of independent values with its Student interval.

    Equal values have an interval of no width, and a p-value of 0, or 1 where all are 0.

    Args:
        values: `(values,)`, finite.
    """
    count = len(values)
    nan = float("nan")
    mean = float(values.mean()) if count else nan
    if count < 2:
        return Estimate(mean, nan, nan, nan, nan, count)
    deviation = float(values.std(ddof=1))
    if deviation <= _EQUAL * max(1.0, abs(mean)):
        return Estimate(mean, mean, mean, 0.0, 1.0 if abs(mean) <= _EQUAL else 0.0, count)
    return _estimate_student(mean, deviation / count**0.5, freedom=count - 1, count=count)


def _estimate_student(mean: float, error: float, *, freedom: int, count: int) -> Estimate:
    """Return a mean with Student's interval and test, from its standard error and degrees of freedom."""
    half = _quantile(freedom) * error
    p_value = 2 * float(stdtr(freedom, -abs(mean) / error)) if error else float(mean == 0)
    return Estimate(mean, mean - half, mean + half, error * count**0.5, p_value, count)


def correct_holm(p_values: Sequence[float]) -> list[float]:
    """Correct the p-values of a family so that the chance of any false one below a level is at most that level.

    Holm 1979, "A simple sequentially rejective multiple test procedure". NaN stays NaN and is not counted.

    >>> correct_holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected = [float("nan")] * len(p_values)
    known = sorted((p, index) for index, p in enumerate(p_values) if not math.isnan(p))
    highest = 0.0
    for rank, (p_value, index) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p_value))
        corrected[index] = highest
    return corrected


def choose_complete(present: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose rows (conditions) and columns (seeds) of a table so that none of its entries is missing.

    The most complete seeds come first; each number of seeds leaves the conditions that all of them have. The number is
    chosen for which the interval can be expected to be narrowest, t(seeds - 1) / sqrt(seeds x conditions): a condition
    that failed under one seed is left out, and so is a seed that was hardly begun.

    Args:
        present: `(rows, columns)`.

    Returns:
        The indices of the rows and of the columns kept; both empty where nothing is present.
    """
    if present.all():
        return np.arange(present.shape[0]), np.arange(present.shape[1])
    order = np.argsort(-present.sum(axis=0), kind="stable")
    chosen, narrowest = (np.arange(0), np.arange(0)), math.inf
    for count in range(1, present.shape[1] + 1):
        rows = np.flatnonzero(present[:, order[:count]].all(axis=1))
        width = _quantile(count - 1) / math.sqrt(count * len(rows)) if count > 1 and len(rows) else math.inf
        if len(rows) and (count == 1 or width < narrowest):
            chosen, narrowest = (rows, np.sort(order[:count])), width
    return chosen


@functools.cache
def _quantile(freedom: int) -> float:
    return float(stdtrit(freedom, (1 + LEVEL) / 2))


def measure_main_effects(values: NDArray[np.float64]) -> list[Effect]:
    """Measure the effect of each level of each axis, against the axis' first level.

    Args:
        values: `(levels of axis 0, levels of axis 1, ..., seeds)`, the score of each run; NaN where it is missing.

    Returns:
        One for each level but the first of each axis, in order, corrected as one family.
    """
    contrasts = [Contrast(axis, level, 0) for axis, size in enumerate(values.shape[:-1]) for level in range(1, size)]
    return _correct(_measure(values, (contrast,)) for contrast in contrasts)


def measure_interactions(values: NDArray[np.float64]) -> list[Effect]:
    """Measure the effect of each pair of changes, on two axes, beyond the sum of the two effects.

    Args:
        values: Scores as for the main effects.

    Returns:
        One for each pair of levels, neither the first, of each pair of axes, corrected as one family. Its estimate is
        the effect of the first change at the second's level, less that at the second's reference.
    """
    effects = []
    for first, second in itertools.combinations(range(values.ndim - 1), 2):
        for level, other in itertools.product(range(1, values.shape[first]), range(1, values.shape[second])):
            effects.append(_measure(values, (Contrast(first, level, 0), Contrast(second, other, 0))))
    return _correct(effects)


def measure_at_levels(values: NDArray[np.float64], axis: int) -> list[list[Effect]]:
    """Measure the main effects of the other axes separately at each level of one.

    Args:
        values: Scores as for the main effects, of two axes at least.
        axis: Index of the axis whose levels are kept apart.

    Returns:
        For each of its levels the effects, numbered as if it were not there; all of them corrected as one family.
    """
    by_level = [measure_main_effects(np.take(values, level, axis=axis)) for level in range(values.shape[axis])]
    corrected = iter(_correct(itertools.chain.from_iterable(by_level)))
    return [[next(corrected) for _ in effects] for effects in by_level]


def compare_conditions(values: NDArray[np.float64], best: int) -> list[Effect | None]:
    """Compare every condition with one, over the seeds that both have.

    Args:
        values: `(conditions, seeds)`; NaN where a run is missing.
        best: Index of the condition to compare with.

    Returns:
        For each condition its difference from that one, uncorrected; None for that one itself.
    """
    return [
        None if index == best else _measure(values[[best, index]], (Contrast(0, 1, 0),)) for index in range(len(values))
    ]


def _correct(effects: Iterable[Effect]) -> list[Effect]:
    family = list(effects)
    corrected = correct_holm([effect.estimate.p_value for effect in family])
    return [replace(effect, corrected_p=p) for effect, p in zip(family, corrected, strict=True)]


def _measure(values: NDArray[np.float64], contrasts: tuple[Contrast, ...]) -> Effect:
    differences = values
    for contrast in sorted(contrasts, reverse=True):  # from the last axis on, so that the indices before it stay
        level, reference = (np.take(differences, index, axis=contrast.axis) for index in contrast[1:])
        differences = level - reference
    num_seeds = values.shape[-1]
    table = differences.reshape(-1, num_seeds)
    contexts, seeds = choose_complete(np.isfinite(table))
    used = len(seeds)
    estimate = estimate_mean(table[np.ix_(contexts, seeds)].mean(axis=0) if used else np.empty(0))
    method: Method = "paired seeds"
    if not used and len(contrasts) == 1:
        estimate = _fit_linear_model(values, contrasts[0])
        method, used = "linear model", estimate.num_values
    return Effect(
        contrasts=contrasts,
        estimate=estimate,
        corrected_p=estimate.p_value,
        seeds_used=used,
        seeds_total=num_seeds,
        contexts_used=len(contexts),
        contexts_total=len(table),
        method=method,
    )


def _fit_linear_model(values: NDArray[np.float64], contrast: Contrast) -> Estimate:
    """Estimate a main effect by least squares on all runs: axes and seed as factors, no interactions."""
    indices = np.argwhere(np.isfinite(values))
    response = values[np.isfinite(values)]
    columns = [np.ones(len(indices))]
    wanted = [0.0]
    for factor, size in enumerate(values.shape):
        for level in range(1, size):
            columns.append((indices[:, factor] == level).astype(np.float64))
            wanted.append(float(factor == contrast.axis and level == contrast.level))
    design, weights = np.stack(columns, axis=1), np.array(wanted)
    inverse = np.linalg.pinv(design.T @ design) if len(indices) else np.zeros((len(wanted), len(wanted)))
    nan = float("nan")
    if not np.allclose(weights @ inverse @ (design.T @ design), weights):  # the levels always change together
        return Estimate(nan, nan, nan, nan, nan, 0)
    solution = inverse @ design.T @ response
    freedom = len(response) - int(np.linalg.matrix_rank(design))
    mean, count = float(weights @ solution), len(np.unique(indices[:, -1]))
    if freedom < 1:
        return Estimate(mean, nan, nan, nan, nan, count)
    variance = float(np.square(response - design @ solution).sum()) / freedom
    error = float(np.sqrt(variance * (weights @ inverse @ weights)))
    return _estimate_student(mean, error, freedom=freedom, count=count)
