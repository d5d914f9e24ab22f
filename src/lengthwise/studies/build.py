"""Builds a study from its runs: finds axes and seeds, and sorts the runs into a grid."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from lengthwise.config.values import format_value
from lengthwise.errors import LengthwiseError
from lengthwise.studies.axes import DATA_SEED, Axis, find_axes, find_unstarted
from lengthwise.studies.baselines import choose_baseline
from lengthwise.studies.condition import Condition, Replicate, StudyRun
from lengthwise.studies.study import Study

_SMALL_GRID, _MOST_MISSING = 64, 4
"""A larger table than this, with that many combinations for each one that was run, is no grid."""

_SCORED_SPLITS = ("val", "test", "longer")

Sorted = dict[tuple[int, ...], dict[Replicate, StudyRun]]
"""Levels of a condition -> seed -> the run that counts."""


def build_study(
    names: Sequence[str],
    runs: Sequence[StudyRun],
    *,
    planned: Mapping[str, Sequence[str]] | None = None,
    tuned: Collection[str] = (),
    leave_out_failed: bool = False,
) -> Study:
    """Sort runs into a grid.

    Args:
        names: Names of the studies.
        runs: Their runs, sweeps left out.
        planned: Option -> every value its sweeps were to take, as text, so that what never started is missed too.
        tuned: Options that were tuned for each condition, and are no axes.
        leave_out_failed: Whether runs that failed by their own doing are left out; else they count with the worst
            score.

    Raises:
        LengthwiseError: There is no run, or the runs are compared by different metrics.
    """
    if not runs:
        raise LengthwiseError(f"There are no runs in study {' + '.join(names)}. `lengthwise runs` lists the runs.")
    ordered = sorted(runs, key=lambda run: run.manifest.started)
    metric, higher_is_better = _find_metric(ordered)
    params = [run.manifest.record.params for run in ordered]
    axes = find_axes(params, planned or {}, tuned=tuned)
    found, seeds = _sort_runs(ordered, axes, planned or {})
    size = math.prod(len(axis.levels) for axis in axes)
    is_grid = size <= max(_SMALL_GRID, _MOST_MISSING * len(found))
    combinations = itertools.product(*(range(len(axis.levels)) for axis in axes)) if is_grid else sorted(found)
    worst = {} if leave_out_failed else _find_worst(ordered, metric, higher_is_better=higher_is_better)
    conditions = []
    for levels in combinations:
        latest = found.get(levels, {})
        by_seed = {seed: latest[seed] for seed in seeds if seed in latest}
        name = _name_condition(axes, levels)
        conditions.append(Condition(levels=levels, name=name, runs=by_seed, metric=metric, worst=worst))
    return Study(
        names=tuple(names),
        axes=axes,
        seeds=seeds,
        conditions=tuple(conditions),
        metric=metric,
        higher_is_better=higher_is_better,
        runs=tuple(ordered),
        unstarted=find_unstarted(params, axes, planned or {}),
        is_grid=is_grid,
        leaves_out_failed=leave_out_failed,
    )


def _sort_runs(
    runs: Sequence[StudyRun], axes: Sequence[Axis], planned: Mapping[str, Sequence[str]]
) -> tuple[Sorted, tuple[Replicate, ...]]:
    """Return the runs by condition and seed, and all seeds that occur or were planned, in order.

    Where the seed of the data varies beside the seed, each pair of the two is a repetition of its own.
    """
    known = [{level: index for index, level in enumerate(axis.levels)} for axis in axes]
    placed = []
    for run in sorted(runs, key=lambda run: (run.is_finished, run.manifest.started)):
        params = run.manifest.record.params
        levels = tuple(own[params.get(axis.option)] for own, axis in zip(known, axes, strict=True))
        placed.append((levels, run.manifest.record.seed, params.get(DATA_SEED), run))
    pairs = {(levels, seed, data_seed) for levels, seed, data_seed, _ in placed}
    has_data_seeds = len(pairs) > len({(levels, seed) for levels, seed, _ in pairs})
    found: Sorted = {}
    order: dict[Replicate, tuple[int, ...]] = {}
    for levels, seed, data_seed, run in placed:
        label: Replicate = f"{seed} with data {data_seed}" if has_data_seeds else seed
        found.setdefault(levels, {})[label] = run
        order[label] = _order_seed(seed, data_seed if has_data_seeds else None)
    if not has_data_seeds:
        wanted = [int(text) for text in planned.get("seed", ()) if text.isdecimal()]
        order |= {seed: _order_seed(seed, None) for seed in wanted}
    return found, tuple(sorted(order, key=lambda label: order[label]))


def _order_seed(seed: int | None, data_seed: object) -> tuple[int, ...]:
    return (int(seed is None), seed or 0, data_seed if isinstance(data_seed, int) else 0)


def _find_worst(runs: Sequence[StudyRun], metric: str, *, higher_is_better: bool) -> dict[str, float]:
    """Return what a run counts with that failed by its own doing: no share at all, or the error without learning.

    Empty where no run has a score, so that there is nothing to compare it with.
    """
    name, found = metric.partition("/")[2], {}
    for split in _SCORED_SPLITS:
        own = f"{split}/{name}"
        scores = [score for run in runs if math.isfinite(score := run.score(own))]
        if scores:
            baseline = choose_baseline(runs, own, higher_is_better=higher_is_better)
            found[own] = 0.0 if higher_is_better else max(scores) if baseline is None else baseline.score
    return found


def _name_condition(axes: Sequence[Axis], levels: Sequence[int]) -> str:
    parts = [f"{axis.label}={format_value(axis.levels[level])}" for axis, level in zip(axes, levels, strict=True)]
    return ", ".join(parts) or "the only condition"


def _find_metric(runs: Sequence[StudyRun]) -> tuple[str, bool]:
    named = [run.manifest.record.primary_metric for run in runs]
    counts = Counter((metric.name, metric.greater_is_better) for metric in named if metric is not None)
    if not counts:
        raise LengthwiseError("None of the runs names the score to compare it by. Report only runs of lengthwise.")
    if len(counts) > 1:
        metrics = ", ".join(f"{metric} ({count} runs)" for (metric, _), count in counts.items())
        raise LengthwiseError(f"The runs are compared by different scores: {metrics}. Report them as separate studies.")
    ((metric, higher_is_better),) = counts
    return metric, higher_is_better
