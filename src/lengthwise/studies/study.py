"""A study as a grid: its runs by condition and seed, and what is missing."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.values import format_value
from lengthwise.errors import LengthwiseError
from lengthwise.evaluation.metrics import find_metric
from lengthwise.evaluation.tables import Table
from lengthwise.studies.axes import Axis, find_axes, find_unstarted
from lengthwise.studies.effects import Estimate, estimate_mean
from lengthwise.tracking.runs.manifest import Manifest

MISSING = "not run"
_HELD_OUT = ("test", "longer")
_SMALL_GRID, _MOST_MISSING = 64, 4
"""A larger table than this, with that many combinations for each one that was run, is no grid."""


class LearningCurve(NamedTuple):
    """A metric over the epochs of a run, as `(points,)` each."""

    epochs: Sequence[int]
    values: Sequence[float]


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyRun:
    """A run as a report needs it.

    Args:
        manifest: Its options, status and scores.
        curves: `split/metric` -> its learning curve.
        by_length: Split -> scores by target length.
        samples: Split -> decoded examples.
        reconstructions: Its figure of originals beside their reconstructions; None where it has none.
    """

    manifest: Manifest
    curves: Mapping[str, LearningCurve]
    by_length: Mapping[str, Table]
    samples: Mapping[str, Table]
    reconstructions: Path | None

    @property
    def is_finished(self) -> bool:
        """Whether it ended without a failure."""
        return self.manifest.status == "FINISHED"

    def score(self, metric: str) -> float:
        """Return a metric of its summary; NaN where it has none, or none that is finite."""
        value = self.manifest.summary.get(metric, math.nan)
        return value if math.isfinite(value) else math.nan


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One combination of levels with its runs.

    Args:
        levels: Index of the level on each axis.
        name: The levels in words.
        runs: Seed -> the run that counts: the latest that finished, else the latest.
    """

    levels: tuple[int, ...]
    name: str
    runs: Mapping[int | None, StudyRun]

    @property
    def finished(self) -> list[StudyRun]:
        """The runs that finished, by seed."""
        return [run for run in self.runs.values() if run.is_finished]

    def collect(self, metric: str) -> NDArray[np.float64]:
        """Return the finite values of a metric, `(values,)`."""
        values = np.array([run.score(metric) for run in self.finished], np.float64)
        return values[np.isfinite(values)]

    def estimate(self, metric: str) -> Estimate:
        """Return the mean of a metric over the seeds, with its interval, cut at the ends of the metric's range."""
        found = estimate_mean(self.collect(metric))
        known = find_metric(metric.partition("/")[2])
        if known is None or not math.isfinite(found.low):
            return found
        top = 1.0 if known.unit.startswith("share") else found.high
        return found._replace(low=max(0.0, found.low), high=min(top, found.high))

    def average(self, metric: str) -> float:
        """Return the mean of a metric over the seeds; NaN where there is none."""
        return self.estimate(metric).mean


class Unfinished(NamedTuple):
    """A combination of condition and seed without a score.

    Args:
        condition, seed: The combination.
        status: Status of its run; `MISSING` where it has none.
        reason: Why it has no score; empty where it was not run.
    """

    condition: Condition
    seed: int | None
    status: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """The runs of one or more studies, as a grid.

    Args:
        names: Names of the studies.
        axes: The options in which the runs differ.
        seeds: All seeds that occur or were planned.
        conditions: Every combination of levels, those without a run included, in the order of the axes; of a study
            that is no grid, those that were run.
        metric: Name of the score by which conditions are compared, such as `test/exact_match`.
        higher_is_better: Whether more of it is better.
        runs: All runs, those that a later one replaces included.
        unstarted: Option -> planned values, of options in which the runs do not differ yet, as text.
        is_grid: Whether most combinations of levels were run; not so after a search, whose effects cannot be measured.
    """

    names: tuple[str, ...]
    axes: tuple[Axis, ...]
    seeds: tuple[int | None, ...]
    conditions: tuple[Condition, ...]
    metric: str
    higher_is_better: bool
    runs: tuple[StudyRun, ...]
    unstarted: Mapping[str, tuple[str, ...]]
    is_grid: bool

    @property
    def title(self) -> str:
        """The names of the studies."""
        return " + ".join(self.names)

    @property
    def metric_name(self) -> str:
        """The metric without its split."""
        return self.metric.partition("/")[2]

    @property
    def split(self) -> str:
        """The split of the metric."""
        return self.metric.partition("/")[0]

    @property
    def num_seeds(self) -> int:
        """The seeds of the condition with most finished runs."""
        return max((len(condition.finished) for condition in self.conditions), default=0)

    @property
    def other_metrics(self) -> tuple[str, ...]:
        """The same metric on other held-out splits, such as `longer/exact_match`."""
        names = [f"{split}/{self.metric_name}" for split in _HELD_OUT]
        known = {name for run in self.runs for name in run.manifest.summary}
        return tuple(name for name in names if name != self.metric and name in known)

    def tabulate(self, metric: str) -> NDArray[np.float64]:
        """Return a metric of a grid as `(levels of axis 0, ..., seeds)`, NaN where there is none."""
        return self.tabulate_conditions(metric).reshape(*(len(axis.levels) for axis in self.axes), len(self.seeds))

    def tabulate_conditions(self, metric: str) -> NDArray[np.float64]:
        """Return a metric as `(conditions, seeds)`, NaN where there is none."""
        values = np.full((len(self.conditions), len(self.seeds)), np.nan)
        for row, condition in enumerate(self.conditions):
            for seed, run in condition.runs.items():
                if run.is_finished:
                    values[row, self.seeds.index(seed)] = run.score(metric)
        return values

    def rank(self) -> list[Condition]:
        """Return the conditions, the best first, those without a score last."""
        sign = -1 if self.higher_is_better else 1
        return sorted(self.conditions, key=lambda condition: _last_if_nan(sign * condition.average(self.metric)))

    def list_unfinished(self) -> list[Unfinished]:
        """Return every condition and seed of the grid without a score."""
        found = []
        for condition, seed in itertools.product(self.conditions, self.seeds):
            run = condition.runs.get(seed)
            if run is None:
                found.append(Unfinished(condition, seed, MISSING, ""))
            elif not run.is_finished:
                failure = run.manifest.failure
                found.append(
                    Unfinished(condition, seed, run.manifest.status, "" if failure is None else failure.reason)
                )
            elif math.isnan(run.score(self.metric)):
                found.append(Unfinished(condition, seed, run.manifest.status, f"no {self.metric}, or not finite"))
        return found

    def list_incomplete(self) -> list[tuple[Condition, StudyRun]]:
        """Return the finished runs of the grid of which parts could not be written, with their conditions."""
        return [(each, run) for each in self.conditions for run in each.finished if run.manifest.missing]


def build_study(
    names: Sequence[str], runs: Sequence[StudyRun], *, planned: Mapping[str, Sequence[str]] | None = None
) -> Study:
    """Sort runs into a grid.

    Args:
        names: Names of the studies.
        runs: Their runs, sweeps left out.
        planned: Option -> every value its sweeps were to take, as text, so that what never started is missed too.

    Raises:
        LengthwiseError: There is no run, or the runs are compared by different metrics.
    """
    if not runs:
        raise LengthwiseError(f"There are no runs in study {' + '.join(names)}. `lengthwise runs` lists the runs.")
    ordered = sorted(runs, key=lambda run: run.manifest.started)
    metric, higher_is_better = _find_metric(ordered)
    params = [run.manifest.record.params for run in ordered]
    axes = find_axes(params, planned or {})
    seeds = _find_seeds(ordered, planned or {})
    found = _sort_runs(ordered, axes)
    size = math.prod(len(axis.levels) for axis in axes)
    is_grid = size <= max(_SMALL_GRID, _MOST_MISSING * len(found))
    combinations = itertools.product(*(range(len(axis.levels)) for axis in axes)) if is_grid else sorted(found)
    conditions = []
    for levels in combinations:
        latest = found.get(levels, {})
        by_seed = {seed: latest[seed] for seed in seeds if seed in latest}
        conditions.append(Condition(levels=levels, name=_name_condition(axes, levels), runs=by_seed))
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
    )


def _sort_runs(runs: Sequence[StudyRun], axes: Sequence[Axis]) -> dict[tuple[int, ...], dict[int | None, StudyRun]]:
    """Return the levels of each condition that has runs -> seed -> the run that counts."""
    known = [{level: index for index, level in enumerate(axis.levels)} for axis in axes]
    found: dict[tuple[int, ...], dict[int | None, StudyRun]] = {}
    for run in sorted(runs, key=lambda run: (run.is_finished, run.manifest.started)):
        levels = tuple(own[run.manifest.record.params.get(axis.option)] for own, axis in zip(known, axes, strict=True))
        found.setdefault(levels, {})[run.manifest.record.seed] = run
    return found


def _name_condition(axes: Sequence[Axis], levels: Sequence[int]) -> str:
    parts = [f"{axis.label}={format_value(axis.levels[level])}" for axis, level in zip(axes, levels, strict=True)]
    return ", ".join(parts) or "the only condition"


def _last_if_nan(value: float) -> tuple[bool, float]:
    return (True, 0.0) if math.isnan(value) else (False, value)


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


def _find_seeds(runs: Sequence[StudyRun], planned: Mapping[str, Sequence[str]]) -> tuple[int | None, ...]:
    seeds = {run.manifest.record.seed for run in runs}
    seeds |= {int(text) for text in planned.get("seed", ()) if text.isdecimal()}
    return tuple(sorted(seeds, key=lambda seed: (seed is None, seed or 0)))
