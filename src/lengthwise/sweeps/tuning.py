"""A tuned grid: each condition finds its own values of some options, on seeds of its own, before it is reported.

The tuning runs are a study of their own, `STUDY_tuning`, so that no reported number holds a run that was chosen.
"""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from lengthwise.files import write_whole
from lengthwise.sweeps.jobs import JobResult
from lengthwise.sweeps.parent_run import find_study
from lengthwise.tracking.runs.layout import TUNING_NAME
from lengthwise.tracking.runs.manifest import read_manifest

Overrides = tuple[str, ...]

TUNING_SHARE = 0.5
"""Share of a time budget that tuning may take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TunedGrid:
    """What a tuned sweep runs.

    Args:
        fixed: Overrides that all jobs share.
        conditions: Overrides of each condition.
        candidates: Overrides of each combination of the values that are tried.
        seeds: Overrides of each seed that is reported.
        tuning_seeds: Overrides of each seed that is tuned on; none of them is reported.
    """

    fixed: Overrides
    conditions: tuple[Overrides, ...]
    candidates: tuple[Overrides, ...]
    seeds: tuple[Overrides, ...]
    tuning_seeds: tuple[Overrides, ...]

    def list_tuning(self, candidate: Overrides, study: str) -> list[Overrides]:
        """Return the overrides of the tuning jobs of one candidate: each condition with each tuning seed."""
        fixed = (*(each for each in self.fixed if not each.startswith("study=")), f"study={study}")
        pairs = itertools.product(self.conditions, self.tuning_seeds)
        return [(*fixed, *condition, *candidate, *seed) for condition, seed in pairs]

    def list_reported(self, chosen: Mapping[Overrides, Overrides], seed: Overrides) -> list[Overrides]:
        """Return the overrides of the reported jobs of one seed, each condition with what was chosen for it."""
        return [(*self.fixed, *condition, *chosen[condition], *seed) for condition in self.conditions]

    def order_candidates(self) -> list[Overrides]:
        """Return the candidates from the middle of their list outwards, since the best is seldom at its ends."""
        middle = (len(self.candidates) - 1) / 2
        order = sorted(range(len(self.candidates)), key=lambda index: (abs(index - middle), index))
        return [self.candidates[index] for index in order]


def double_epochs(overrides: Overrides, epochs: int, study: str) -> Overrides:
    """Return the overrides of a job with twice its epochs, so that it makes twice the updates, in another study.

    Args:
        overrides: Of the job.
        epochs: That it has with them.
        study: Name of the other study.
    """
    kept = (each for each in overrides if each.partition("=")[0] not in ("study", "training.epochs"))
    return (*kept, f"training.epochs={2 * epochs}", f"study={study}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What one candidate reached in one condition.

    Args:
        candidate: Its overrides.
        values: Primary metric on validation of each tuning seed; None where the run failed.
        losses: Validation loss of each, which decides between equal values; None where it is not known.
    """

    candidate: Overrides
    values: tuple[float | None, ...]
    losses: tuple[float | None, ...]

    def rank(self, *, higher_is_better: bool) -> tuple[float, float]:
        """Return what candidates are sorted by, the best lowest; a failed run counts as infinitely bad."""
        sign = -1 if higher_is_better else 1
        value = math.inf if None in self.values else fmean(sign * (value or 0.0) for value in self.values)
        known = [math.inf if loss is None else loss for loss in self.losses]
        return value, fmean(known)


def collect_trials(
    grid: TunedGrid, found: Mapping[Overrides, Sequence[JobResult]]
) -> tuple[dict[Overrides, list[Trial]], bool]:
    """Sort the results of the tuning jobs by condition and candidate.

    Args:
        grid: What was run.
        found: Candidate -> the results of its jobs, in the order of `TunedGrid.list_tuning`.

    Returns:
        Condition -> what each candidate reached, in the order of the candidates; and whether more is better.
    """
    trials: dict[Overrides, list[Trial]] = {condition: [] for condition in grid.conditions}
    higher_is_better = True
    num_seeds = len(grid.tuning_seeds)
    for candidate in (each for each in grid.candidates if each in found):
        for index, condition in enumerate(grid.conditions):
            own = found[candidate][index * num_seeds : (index + 1) * num_seeds]
            losses = []
            for result in own:
                loss, higher_is_better = _read_loss(result, higher_is_better)
                losses.append(loss)
            values = tuple(None if result.has_failed else result.attempt.value for result in own)
            trials[condition].append(Trial(candidate=candidate, values=values, losses=tuple(losses)))
    return trials, higher_is_better


def _read_loss(result: JobResult, higher_is_better: bool) -> tuple[float | None, bool]:
    """Return the validation loss of a run, and whether more of its primary metric is better."""
    if result.run is None:
        return None, higher_is_better
    manifest = read_manifest(find_study(result.job) / result.run)
    primary = manifest.record.primary_metric
    return manifest.summary.get("best/val_loss"), higher_is_better if primary is None else primary.greater_is_better


def choose_candidates(
    trials: Mapping[Overrides, Sequence[Trial]], *, higher_is_better: bool
) -> dict[Overrides, Overrides]:
    """Choose for each condition the candidate with the best mean on validation; of equal ones the lower loss.

    Args:
        trials: Condition -> what each candidate reached.
        higher_is_better: Whether more of the primary metric is better.
    """
    return {
        condition: min(own, key=lambda trial: trial.rank(higher_is_better=higher_is_better)).candidate
        for condition, own in trials.items()
    }


def describe_tuning(
    grid: TunedGrid,
    trials: Mapping[Overrides, Sequence[Trial]],
    chosen: Mapping[Overrides, Overrides],
    *,
    higher_is_better: bool,
) -> str:
    """Write what was tuned and chosen as JSON, as a report reads it.

    Args:
        grid: What was run.
        trials: Condition -> what each candidate reached.
        chosen: Condition -> the candidate chosen.
        higher_is_better: Whether more of the primary metric is better.
    """
    rows: list[dict[str, Any]] = [
        {
            "condition": list(condition),
            "chosen": list(chosen[condition]),
            "trials": [{"candidate": list(each.candidate), "values": list(each.values)} for each in own],
        }
        for condition, own in trials.items()
    ]
    tried = [list(each) for each in grid.candidates]
    return json.dumps({"higher_is_better": higher_is_better, "candidates": tried, "conditions": rows}, indent=1)


def list_edges(grid: TunedGrid, chosen: Mapping[Overrides, Overrides]) -> list[Overrides]:
    """Return the conditions whose choice is the first or the last of one option's values: others may be better.

    Args:
        grid: What was run.
        chosen: Condition -> the candidate chosen.
    """
    if len(grid.candidates) < 3:
        return []
    ends = (grid.candidates[0], grid.candidates[-1])
    return [condition for condition, candidate in chosen.items() if candidate in ends]


class Budget:
    """Decides which rounds of jobs fit into the time that a user gives.

    Args:
        minutes: Of all rounds; None: no limit.
    """

    def __init__(self, minutes: float | None) -> None:
        self._seconds = math.inf if minutes is None else 60 * minutes
        self._started = time.monotonic()
        self._seconds_per_job = 0.0

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit."""
        return math.isfinite(self._seconds)

    def note(self, num_jobs: int, seconds: float) -> None:
        """Note how long a round of jobs took; one whose jobs had all finished before teaches nothing."""
        if num_jobs:
            self._seconds_per_job = max(self._seconds_per_job, seconds / num_jobs)

    def allows(self, num_jobs: int, *, share: float = 1.0) -> bool:
        """Tell whether a round fits into a share of the budget, judged by the slowest round so far."""
        elapsed = time.monotonic() - self._started
        return elapsed + num_jobs * self._seconds_per_job <= share * self._seconds


def write_tuning(directory: Path, text: str) -> None:
    """Write what was tuned into the directory of a sweep."""
    write_whole(directory / TUNING_NAME, text.encode())
