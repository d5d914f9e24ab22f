"""A study as a grid: its runs by condition and seed, and what is missing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lengthwise.studies.axes import Axis
from lengthwise.studies.condition import Condition, Replicate, StudyRun, measure_noise
from lengthwise.studies.effects import Grid

MISSING = "not run"
_HELD_OUT = ("test", "longer")


class Unfinished(NamedTuple):
    """A combination of condition and seed without a score of its own.

    Args:
        condition, seed: The combination.
        status: Status of its run; `MISSING` where it has none.
        reason: Why it has no score; empty where it was not run.
        counts_as: The score that it counts with; NaN where it is missing.
    """

    condition: Condition
    seed: Replicate
    status: str
    reason: str
    counts_as: float


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
        leaves_out_failed: Whether runs that failed by their own doing are left out instead of counting with the worst
            score.
        num_looks: How many times it may be looked at before it has all its seeds, and then once; more than 1 where its
            seeds stop as soon as the answer is clear.
    """

    names: tuple[str, ...]
    axes: tuple[Axis, ...]
    seeds: tuple[Replicate, ...]
    conditions: tuple[Condition, ...]
    metric: str
    higher_is_better: bool
    runs: tuple[StudyRun, ...]
    unstarted: Mapping[str, tuple[str, ...]]
    is_grid: bool
    leaves_out_failed: bool = False
    num_looks: int = 1

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
    def selection_metric(self) -> str:
        """The score by which the best condition is chosen: on validation, where all that have a score have that."""
        chosen = f"val/{self.metric_name}"
        scored = [each for each in self.conditions if len(each.collect(self.metric))]
        is_known = scored and all(len(each.collect(chosen)) == len(each.collect(self.metric)) for each in scored)
        return chosen if is_known else self.metric

    @property
    def num_seeds(self) -> int:
        """The seeds of the condition with most scores."""
        return max((len(condition.collect(self.metric)) for condition in self.conditions), default=0)

    @property
    def other_metrics(self) -> tuple[str, ...]:
        """The same metric on other held-out splits, such as `longer/exact_match`."""
        names = [f"{split}/{self.metric_name}" for split in _HELD_OUT]
        known = {name for run in self.runs for name in run.manifest.summary}
        return tuple(name for name in names if name != self.metric and name in known)

    @property
    def other_decodings(self) -> tuple[str, ...]:
        """Labels of the decodings beside their own under which runs were scored, such as `greedy_oracle`.

        By length rules at the end of a run, or by `lengthwise evaluate`.
        """
        keys = (key.split("/") for run in self.runs for key in run.manifest.summary)
        labels = (key[1] for key in keys if len(key) == 3 and (key[0], key[2]) == (self.split, self.metric_name))
        return tuple(dict.fromkeys(labels))

    def tabulate(self, metric: str) -> NDArray[np.float64]:
        """Return a metric of a grid as `(levels of axis 0, ..., seeds)`, NaN where there is none."""
        return self.tabulate_conditions(metric).reshape(*(len(axis.levels) for axis in self.axes), len(self.seeds))

    def tabulate_conditions(self, metric: str) -> NDArray[np.float64]:
        """Return a metric as `(conditions, seeds)`, NaN where there is none."""
        rows = [[condition.score(seed, metric) for seed in self.seeds] for condition in self.conditions]
        return np.array(rows, np.float64)

    def arrange(self, metric: str) -> Grid:
        """Return a metric of a grid with the noise of its examples."""
        found = self.arrange_conditions(metric)
        return Grid(self.tabulate(metric), found.noise)

    def arrange_conditions(self, metric: str) -> Grid:
        """Return a metric of all conditions, `(conditions, seeds)`, with the noise of its examples."""
        values = self.tabulate_conditions(metric)
        runs = [
            (row * len(self.seeds) + column, column, condition, seed)
            for row, condition in enumerate(self.conditions)
            for column, seed in enumerate(self.seeds)
            if math.isfinite(values[row, column])
        ]
        return Grid(values, measure_noise(runs, metric))

    def rank(self) -> list[Condition]:
        """Return the conditions, the best by `selection_metric` first, those without a score last."""
        sign, metric = -1 if self.higher_is_better else 1, self.selection_metric
        return sorted(self.conditions, key=lambda condition: _last_if_nan(sign * condition.average(metric)))

    def list_unfinished(self) -> list[Unfinished]:
        """Return every condition and seed of the grid without a score of its own."""
        found = []
        for condition, seed in itertools.product(self.conditions, self.seeds):
            run = condition.runs.get(seed)
            if run is not None and run.is_finished and not math.isnan(run.score(self.metric)):
                continue
            status, reason = MISSING, ""
            if run is not None and run.is_finished:
                status, reason = run.manifest.status, f"no {self.metric}, or not finite"
            elif run is not None:
                failure = run.manifest.failure
                status, reason = run.manifest.status, "" if failure is None else failure.reason
            found.append(Unfinished(condition, seed, status, reason, condition.score(seed, self.metric)))
        return found

    def list_missing(self) -> list[Unfinished]:
        """Return every condition and seed of the grid that counts with no score at all."""
        return [each for each in self.list_unfinished() if math.isnan(each.counts_as)]

    def list_failed(self) -> list[tuple[Condition, StudyRun]]:
        """Return the runs of the grid that failed by their own doing, with their conditions."""
        return [(each, run) for each in self.conditions for run in each.runs.values() if run.has_failed_by_itself]

    def list_incomplete(self) -> list[tuple[Condition, StudyRun]]:
        """Return the finished runs of the grid of which parts could not be written, with their conditions."""
        return [(each, run) for each in self.conditions for run in each.finished if run.manifest.missing]


def _last_if_nan(value: float) -> tuple[bool, float]:
    return (True, 0.0) if math.isnan(value) else (False, value)
