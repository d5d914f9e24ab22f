"""A study as a grid: its runs sorted into cells by the options in which they differ, and what is missing."""

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

from lengthwise.errors import LengthwiseError
from lengthwise.evaluation.metrics import find_metric
from lengthwise.evaluation.tables import Table
from lengthwise.studies.effects import Estimate, estimate_mean

Value = str | int | float | bool | None
Levels = tuple[Value, ...]

_NO_AXES = ("config_version", "seed", "study", "output_dir", "training.num_threads", "decoding.batch_size")
_PRESETS = ("model.name", "dataset.name", "training.name", "decoding.name")
_REFINING = ("model.sampling_", "training.plateau_")
_HELD_OUT = ("test", "longer", "val")

MISSING = "not run"
_SMALL_GRID, _MOST_MISSING = 64, 4
"""A larger table than this with so many combinations for each that was run is no grid."""


class Course(NamedTuple):
    """A metric over the epochs of a run, as `(points,)` each."""

    epochs: Sequence[int]
    values: Sequence[float]


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyRun:
    """A run as a report needs it.

    Args:
        name: of its directory.
        study: it belongs to.
        status: FINISHED, FAILED, KILLED or RUNNING.
        reason: why it did not finish; None where it did.
        started: UTC, ISO 8601.
        seconds: it took; None while it runs.
        seed: None where it has none.
        params: every option under its dotted name.
        summary: its scores, `split/metric` -> value.
        metric: name of the score by which runs are compared; None where there is none.
        higher_is_better: whether more of that is better.
        data: name and hash of the data; None where there are none.
        split_sizes: examples of each split.
        courses: `split/metric` -> its course.
        by_length: split -> scores by target length.
        samples: split -> decoded examples.
        reconstructions: its figure of originals beside what was made of them; None where it has none.
    """

    name: str
    study: str
    status: str
    reason: str | None
    started: str
    seconds: float | None
    seed: int | None
    params: Mapping[str, Value]
    summary: Mapping[str, float]
    metric: str | None
    higher_is_better: bool
    data: tuple[str, str] | None
    split_sizes: Mapping[str, int]
    courses: Mapping[str, Course]
    by_length: Mapping[str, Table]
    samples: Mapping[str, Table]
    reconstructions: Path | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """An option in which the runs of a study differ.

    Args:
        option: its dotted name.
        levels: its values, the first being what others are compared with.
        together: options that change with it, each with its value at every level.
    """

    option: str
    levels: Levels
    together: Mapping[str, Levels]

    @property
    def label(self) -> str:
        """A short name: `model` for `model.name`, else its last part."""
        section, _, name = self.option.rpartition(".")
        return section if name == "name" else name

    @property
    def confounded(self) -> tuple[str, ...]:
        """The options that change with it and cannot be told apart from it; not those that only refine a level."""
        return tuple(option for option in self.together if not option.startswith(_REFINING))

    @property
    def is_numeric(self) -> bool:
        """Whether its levels are numbers, in growing order."""
        return all(isinstance(level, int | float) and not isinstance(level, bool) for level in self.levels)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One combination of levels with its runs.

    Args:
        place: of each axis the place of the level.
        name: the levels in words.
        runs: seed -> the run that counts: the latest that finished, else the latest.
    """

    place: tuple[int, ...]
    name: str
    runs: Mapping[int | None, StudyRun]

    @property
    def finished(self) -> list[StudyRun]:
        """The runs that finished, by seed."""
        return [run for run in self.runs.values() if run.status == "FINISHED"]

    def collect(self, metric: str) -> NDArray[np.float64]:
        """Return the finite values of a metric, `(values,)`."""
        values = np.array([run.summary.get(metric, np.nan) for run in self.finished], np.float64)
        return values[np.isfinite(values)]

    def estimate(self, metric: str) -> Estimate:
        """Return the mean of a metric over the seeds, with its interval, cut where the metric cannot go."""
        found = estimate_mean(self.collect(metric))
        known = find_metric(metric.partition("/")[2])
        if known is None or not np.isfinite(found.low):
            return found
        top = 1.0 if known.unit.startswith("share") else found.high
        return found._replace(low=max(0.0, found.low), high=min(top, found.high))

    def average(self, metric: str) -> float:
        """Return the mean of a metric over the seeds; NaN where there is none."""
        return self.estimate(metric).mean


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """The runs of one or more studies, as a grid.

    Args:
        names: of the studies.
        axes: in which the runs differ.
        seeds: all seeds that occur or were planned.
        cells: every combination of levels, those without a run included, in the order of the axes; of a study that is
            no grid, those that were run.
        metric: name of the score by which cells are compared, such as `test/exact_match`.
        higher_is_better: whether more of it is better.
        runs: all runs, those that a later one stands for included.
        unstarted: option -> planned values, of options in which the runs do not differ yet, as text.
        is_grid: whether most combinations of levels were run; not so after a search, whose effects cannot be measured.
    """

    names: tuple[str, ...]
    axes: tuple[Axis, ...]
    seeds: tuple[int | None, ...]
    cells: tuple[Cell, ...]
    metric: str
    higher_is_better: bool
    runs: tuple[StudyRun, ...]
    unstarted: Mapping[str, tuple[str, ...]]
    is_grid: bool

    def is_yardstick(self, baseline: float) -> bool:
        """Tell whether a baseline's score is one to compare with.

        One without any error is no yardstick but the task itself, as copying is of the dataset `copy`.
        """
        return math.isfinite(baseline) and baseline != (1.0 if self.higher_is_better else 0.0)

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
    def other_metrics(self) -> tuple[str, ...]:
        """The same metric on other held-out splits, such as `longer/exact_match`."""
        names = (f"{split}/{self.metric_name}" for split in _HELD_OUT[:2])
        return tuple(name for name in names if name != self.metric and any(name in run.summary for run in self.runs))

    def tabulate(self, metric: str) -> NDArray[np.float64]:
        """Return a metric as `(levels of axis 0, ..., seeds)`, NaN where there is none; of a grid alone."""
        return self.tabulate_cells(metric).reshape(*(len(axis.levels) for axis in self.axes), len(self.seeds))

    def tabulate_cells(self, metric: str) -> NDArray[np.float64]:
        """Return a metric as `(cells, seeds)`, NaN where there is none."""
        values = np.full((len(self.cells), len(self.seeds)), np.nan)
        for place, cell in enumerate(self.cells):
            for seed, run in cell.runs.items():
                if run.status == "FINISHED":
                    values[place, self.seeds.index(seed)] = run.summary.get(metric, np.nan)
        return np.where(np.isfinite(values), values, np.nan)

    def rank(self) -> list[Cell]:
        """Return the cells, the best first, those without a score last."""
        sign = -1 if self.higher_is_better else 1
        return sorted(self.cells, key=lambda cell: _last_if_nan(sign * cell.average(self.metric)))

    def list_unfinished(self) -> list[tuple[Cell, int | None, str, str]]:
        """Return cell, seed, status and reason of everything in the grid that did not finish."""
        found = []
        for cell, seed in itertools.product(self.cells, self.seeds):
            run = cell.runs.get(seed)
            if run is None:
                found.append((cell, seed, MISSING, ""))
            elif run.status != "FINISHED":
                found.append((cell, seed, run.status, run.reason or ""))
            elif not np.isfinite(run.summary.get(self.metric, np.nan)):
                found.append((cell, seed, run.status, f"no {self.metric}, or not finite"))
        return found


def build_study(
    names: Sequence[str], runs: Sequence[StudyRun], *, planned: Mapping[str, Sequence[str]] | None = None
) -> Study:
    """Sort runs into a grid.

    Args:
        names: of the studies.
        runs: theirs, sweeps left out.
        planned: option -> every value its sweeps were to take, as text, so that what never started is missed too.

    Raises:
        LengthwiseError: there is no run, or the runs are compared by different metrics.
    """
    if not runs:
        raise LengthwiseError(f"There are no runs in study {' + '.join(names)}. `lengthwise runs` lists what there is.")
    ordered = sorted(runs, key=lambda run: run.started)
    metric, higher_is_better = _find_metric(ordered)
    axes = _find_axes(ordered, planned or {})
    seeds = _find_seeds(ordered, planned or {})
    found = _sort_runs(ordered, axes)
    size = math.prod(len(axis.levels) for axis in axes)
    is_grid = size <= max(_SMALL_GRID, _MOST_MISSING * len(found))
    places = itertools.product(*(range(len(axis.levels)) for axis in axes)) if is_grid else sorted(found)
    cells = []
    for place in places:
        latest = found.get(place, {})
        by_seed = {seed: latest[seed] for seed in seeds if seed in latest}
        cells.append(Cell(place=place, name=_name_cell(axes, place), runs=by_seed))
    return Study(
        names=tuple(names),
        axes=axes,
        seeds=seeds,
        cells=tuple(cells),
        metric=metric,
        higher_is_better=higher_is_better,
        runs=tuple(ordered),
        unstarted=_find_unstarted(ordered, axes, planned or {}),
        is_grid=is_grid,
    )


def _sort_runs(runs: Sequence[StudyRun], axes: Sequence[Axis]) -> dict[tuple[int, ...], dict[int | None, StudyRun]]:
    """Return the place of each cell that has runs -> seed -> the run that counts."""
    levels = [{level: place for place, level in enumerate(axis.levels)} for axis in axes]
    found: dict[tuple[int, ...], dict[int | None, StudyRun]] = {}
    for run in sorted(runs, key=lambda run: (run.status == "FINISHED", run.started)):
        place = tuple(known[run.params.get(axis.option)] for known, axis in zip(levels, axes, strict=True))
        found.setdefault(place, {})[run.seed] = run
    return found


def show_value(value: Value) -> str:
    """Write a value of an option as on the command line."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _name_cell(axes: Sequence[Axis], place: Sequence[int]) -> str:
    parts = [f"{axis.label}={show_value(axis.levels[level])}" for axis, level in zip(axes, place, strict=True)]
    return ", ".join(parts) or "the one cell"


def _last_if_nan(value: float) -> tuple[bool, float]:
    return (value != value, 0.0 if value != value else value)


def _find_metric(runs: Sequence[StudyRun]) -> tuple[str, bool]:
    counts = Counter((run.metric, run.higher_is_better) for run in runs if run.metric is not None)
    if not counts:
        raise LengthwiseError("None of the runs says by which score it is compared. Report runs of lengthwise alone.")
    if len(counts) > 1:
        metrics = ", ".join(f"{metric} ({count} runs)" for (metric, _), count in counts.items())
        raise LengthwiseError(f"The runs are compared by different scores: {metrics}. Report them as studies apart.")
    ((metric, higher_is_better),) = counts
    return str(metric), higher_is_better


def _find_seeds(runs: Sequence[StudyRun], planned: Mapping[str, Sequence[str]]) -> tuple[int | None, ...]:
    seeds = {run.seed for run in runs} | {int(text) for text in planned.get("seed", ()) if text.isdecimal()}
    return tuple(sorted(seeds, key=lambda seed: (seed is None, seed or 0)))


def _find_axes(runs: Sequence[StudyRun], planned: Mapping[str, Sequence[str]]) -> tuple[Axis, ...]:
    """Find the options that vary by themselves; those that only follow others are named with them."""
    options = list(dict.fromkeys(option for run in runs for option in run.params))
    columns = {option: tuple(run.params.get(option) for run in runs) for option in options if _may_vary(option)}
    varied = [option for option, column in columns.items() if len(set(column)) > 1]
    # A preset stands for the options it sets; of others the finer first, which the coarser may follow.
    varied.sort(key=lambda option: (option not in _PRESETS, -len(set(columns[option]))))
    chosen: list[str] = []
    together: dict[str, list[str]] = {}
    for option in varied:
        owner = next((axis for axis in chosen if _follows(columns[option], [columns[axis]])), None)
        if owner is not None:
            together[owner].append(option)
        elif not chosen or not _follows(columns[option], [columns[axis] for axis in chosen]):
            chosen.append(option)
            together[option] = []
    chosen.sort(key=options.index)
    return tuple(_build_axis(option, columns, together[option], planned.get(option, ())) for option in chosen)


def _find_unstarted(
    runs: Sequence[StudyRun], axes: Sequence[Axis], planned: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    known = {option for axis in axes for option in (axis.option, *axis.together)}
    found = {
        option: tuple(text for text in values if all(text != str(run.params.get(option)) for run in runs))
        for option, values in planned.items()
        if option not in known and _may_vary(option)
    }
    return {option: values for option, values in found.items() if values}


def _may_vary(option: str) -> bool:
    return option not in _NO_AXES and not option.startswith("tracking.")


def _follows(column: Levels, owners: Sequence[Levels]) -> bool:
    """Tell whether an option has one value wherever the owners have theirs."""
    keys = list(zip(*owners, strict=True))
    return len(set(zip(keys, column, strict=True))) == len(set(keys))


def _build_axis(option: str, columns: Mapping[str, Levels], together: Sequence[str], planned: Sequence[str]) -> Axis:
    seen = {str(level): level for level in columns[option]}
    example = next(iter(seen.values()))
    order = dict.fromkeys([*planned, *seen])  # as the sweep has them, whichever were run first
    levels: list[Value] = [seen[text] if text in seen else _read_like(example, text) for text in order]
    if all(isinstance(level, int | float) for level in levels):
        levels.sort(key=lambda level: float(level or 0))
    values = {name: dict(zip(columns[option], columns[name], strict=True)) for name in together}
    return Axis(
        option=option,
        levels=tuple(levels),
        together={name: tuple(found.get(level) for level in levels) for name, found in values.items()},
    )


def _read_like(example: Value, text: str) -> Value:
    if isinstance(example, bool):
        return text == "True"
    try:
        return type(example)(text) if isinstance(example, int | float) else text
    except ValueError:
        return text
