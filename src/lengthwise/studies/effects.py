"""Effects of a study's axes on a score: contrasts over paired seeds, averaged or at each combination of the other axes.

A study is a grid: every level of every axis crossed, each condition run with the same seeds. The effect of a change
from one level of an axis to another is the difference of the two, taken within each seed: at one combination of the
other axes' levels (a simple effect), or averaged over all of them (a main effect). An interaction is a difference of
two such differences. That gives one number a seed. Its interval is Student's t over the seeds, which holds whatever the
conditions of one seed have in common, and for conditions of unequal variance; a linear model with an error shared by
all conditions, as in an analysis of variance, has more degrees of freedom and narrower intervals, but is wrong where
one corner is unstable and another is not, as is common here. Where the seeds share their test examples, the noise of
these is added (`intervals`, `examples`). Effects by averaging are those of a balanced factorial design (Fisher 1935;
Montgomery, Design and Analysis of Experiments, chapter 5).

Where runs are missing, a contrast uses only those seeds and conditions that are complete for it, and says how many.
Where no condition has both levels, a linear model of main effects with the seed as a block is used instead, and named.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lengthwise.studies.examples import NO_NOISE, ExampleNoise
from lengthwise.studies.intervals import Estimate, estimate_mean, estimate_student, find_quantile

Method = Literal["paired seeds", "linear model"]

MOST_LEVELS = 24
"""Levels of an axis whose pairs are all compared: 276 pairs."""


class Grid(NamedTuple):
    """The scores of a study.

    Args:
        values: `(levels of axis 0, levels of axis 1, ..., seeds)`, the score of each run; NaN where it is missing.
        noise: Of the examples that they were measured on, for weights of the same shape.
    """

    values: NDArray[np.float64]
    noise: ExampleNoise = NO_NOISE


class Contrast(NamedTuple):
    """One change on one axis: from one of its levels to another.

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
        contrasts: One for a main or simple effect, two for an interaction.
        context: Index of the level on every axis at which it is a simple effect, that of its own axis counting for
            nothing; None: averaged over all combinations.
        estimate: Its mean over the seeds.
        seeds_used, seeds_total: Seeds with all runs it needs, and all seeds.
        contexts_used, contexts_total: Conditions of the other axes over which it is averaged.
        method: How it was estimated.
    """

    contrasts: tuple[Contrast, ...]
    context: tuple[int, ...] | None = None
    estimate: Estimate
    seeds_used: int
    seeds_total: int
    contexts_used: int
    contexts_total: int
    method: Method


def list_contrasts(values: NDArray[np.float64]) -> list[Contrast]:
    """List every pair of levels of every axis, the later one against the earlier, of values as in `Grid`.

    Of an axis of very many levels each is compared with the first only.
    """
    return [
        Contrast(axis, level, reference)
        for axis, size in enumerate(values.shape[:-1])
        for reference, level in itertools.combinations(range(size), 2)
        if reference == 0 or size <= MOST_LEVELS
    ]


def measure_main_effects(grid: Grid) -> list[Effect]:
    """Measure the difference of each pair of levels of each axis, averaged over the other axes, in order."""
    return [_measure(grid, (contrast,)) for contrast in list_contrasts(grid.values)]


def measure_simple_effects(grid: Grid) -> list[list[Effect]]:
    """Measure the difference of each pair of levels at each combination of the other axes' levels.

    Returns:
        For each main effect, in their order, the effects in the order of the combinations; empty lists of one axis.
    """
    if grid.values.ndim < 3:
        return [[] for _ in list_contrasts(grid.values)]
    found = []
    for contrast in list_contrasts(grid.values):
        others = [range(1 if axis == contrast.axis else size) for axis, size in enumerate(grid.values.shape[:-1])]
        found.append([_measure(grid, (contrast,), context=context) for context in itertools.product(*others)])
    return found


def measure_interactions(grid: Grid) -> list[Effect]:
    """Measure the effect of each pair of changes, on two axes, beyond the sum of the two effects.

    Returns:
        One for each pair of levels, neither the first, of each pair of axes. Its estimate is the effect of the first
        change at the second's level, less that at the second's reference.
    """
    shape, effects = grid.values.shape, []
    for first, second in itertools.combinations(range(len(shape) - 1), 2):
        for level, other in itertools.product(range(1, shape[first]), range(1, shape[second])):
            effects.append(_measure(grid, (Contrast(first, level, 0), Contrast(second, other, 0))))
    return effects


def measure_change(grid: Grid, contrasts: Sequence[Contrast], context: tuple[int, ...]) -> Effect:
    """Measure a change at one combination of the other axes' levels; of two changes, one beyond the other.

    Args:
        grid: The scores.
        contrasts: One for each axis that changes.
        context: Index of the level on every axis, those of the axes that change counting for nothing.
    """
    return _measure(grid, contrasts, context=context)


def compare_with(grid: Grid, best: int) -> list[Effect | None]:
    """Compare every condition with one, over the seeds that both have.

    Args:
        grid: Scores `(conditions, seeds)`.
        best: Index of the condition to compare with.

    Returns:
        For each condition its difference from that one; None for that one itself.
    """
    return [None if index == best else _measure(grid, (Contrast(0, index, best),)) for index in range(len(grid.values))]


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
        width = find_quantile(count - 1) / math.sqrt(count * len(rows)) if count > 1 and len(rows) else math.inf
        if len(rows) and (count == 1 or width < narrowest):
            chosen, narrowest = (rows, np.sort(order[:count])), width
    return chosen


def _measure(grid: Grid, contrasts: Sequence[Contrast], *, context: tuple[int, ...] | None = None) -> Effect:
    own = tuple(contrasts)
    differences = _subtract(grid.values, own)
    num_seeds = differences.shape[-1]
    if context is None:
        table = differences.reshape(-1, num_seeds)
    else:
        changed = {contrast.axis for contrast in own}
        table = differences[tuple(level for axis, level in enumerate(context) if axis not in changed)][None]
    rows, seeds = choose_complete(np.isfinite(table))
    used = len(seeds)
    method: Method = "paired seeds"
    weights = _weigh(grid.values.shape, own, context=context, rows=rows, seeds=seeds)
    noise = grid.noise.measure(weights)
    estimate = estimate_mean(table[np.ix_(rows, seeds)].mean(axis=0) if used else np.empty(0), noise)
    if not used and len(own) == 1 and context is None:
        estimate, method = _fit_linear_model(grid, own[0]), "linear model"
        used = estimate.num_values
    return Effect(
        contrasts=own,
        context=context,
        estimate=estimate,
        seeds_used=used,
        seeds_total=num_seeds,
        contexts_used=len(rows),
        contexts_total=len(table),
        method=method,
    )


def _subtract(values: NDArray[np.float64], contrasts: Sequence[Contrast]) -> NDArray[np.float64]:
    """Return the differences `(levels of the other axes, ..., seeds)`."""
    for contrast in sorted(contrasts, reverse=True):  # from the last axis on, so that the indices before it stay
        level, reference = (np.take(values, index, axis=contrast.axis) for index in contrast[1:])
        values = level - reference
    return values


def _weigh(
    shape: tuple[int, ...],
    contrasts: Sequence[Contrast],
    *,
    context: tuple[int, ...] | None,
    rows: NDArray[np.int64],
    seeds: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the weight of each run in the mean of the chosen differences, in the shape of the grid."""
    axes = {contrast.axis for contrast in contrasts}
    others = [axis for axis in range(len(shape) - 1) if axis not in axes]
    weights = np.zeros([*(shape[axis] for axis in others), shape[-1]])
    if context is None:
        flat = weights.reshape(-1, shape[-1])
        flat[np.ix_(rows, seeds)] = 1 / max(1, len(rows) * len(seeds))
    elif len(rows):
        weights[tuple(context[axis] for axis in others)][seeds] = 1 / len(seeds)
    for contrast in sorted(contrasts):
        spread = np.zeros(shape[contrast.axis])
        spread[contrast.level], spread[contrast.reference] = 1.0, -1.0
        weights = np.expand_dims(weights, contrast.axis)
        weights = weights * spread.reshape(-1, *[1] * (weights.ndim - contrast.axis - 1))
    return weights


def _fit_linear_model(grid: Grid, contrast: Contrast) -> Estimate:
    """Estimate a main effect by least squares on all runs: axes and seed as factors, no interactions."""
    values, nan = grid.values, math.nan
    indices = np.argwhere(np.isfinite(values))
    response = values[np.isfinite(values)]
    columns, wanted = [np.ones(len(indices))], [0.0]
    for factor, size in enumerate(values.shape):
        for level in range(1, size):
            columns.append((indices[:, factor] == level).astype(np.float64))
            sign = float(level == contrast.level) - float(level == contrast.reference)
            wanted.append(sign if factor == contrast.axis else 0.0)
    design, weights = np.stack(columns, axis=1), np.array(wanted)
    inverse = np.linalg.pinv(design.T @ design) if len(indices) else np.zeros((len(wanted), len(wanted)))
    if not np.allclose(weights @ inverse @ (design.T @ design), weights):  # the levels always change together
        return Estimate(nan, nan, nan, nan, nan, nan, nan, 0)
    solution = inverse @ design.T @ response
    freedom = len(response) - int(np.linalg.matrix_rank(design))
    mean, count = float(weights @ solution), len(np.unique(indices[:, -1]))
    if freedom < 1:
        return Estimate(mean, nan, nan, nan, nan, nan, nan, count)
    residual = float(np.square(response - design @ solution).sum()) / freedom
    by_run = np.zeros(values.shape)
    by_run[tuple(indices.T)] = weights @ inverse @ design.T
    variance = residual * float(weights @ inverse @ weights)
    noise = grid.noise.measure(by_run)
    return estimate_student(mean, variance, freedom, noise, count=count, deviation=math.sqrt(count * variance))
