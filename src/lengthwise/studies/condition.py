"""The runs of a study, and its conditions: combinations of levels with their runs by seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lengthwise.evaluation.metrics import find_metric
from lengthwise.evaluation.tables import Table
from lengthwise.studies.examples import NO_NOISE, ExampleNoise, Scored
from lengthwise.studies.failures import has_failed_by_itself
from lengthwise.studies.intervals import Estimate, estimate_mean
from lengthwise.tracking.runs.manifest import Manifest

Replicate = int | str | None
"""What makes a repetition independent: the seed, with the seed of its data where that varies by itself."""


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
        examples: Split -> what each example adds to the primary metric, `(examples,)`; splits not kept are left out.
    """

    manifest: Manifest
    curves: Mapping[str, LearningCurve]
    by_length: Mapping[str, Table]
    samples: Mapping[str, Table]
    reconstructions: Path | None
    examples: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        """Whether it ended without a failure."""
        return self.manifest.status == "FINISHED"

    @property
    def has_failed_by_itself(self) -> bool:
        """Whether it has no score because training it went wrong."""
        primary = self.manifest.record.primary_metric
        return primary is not None and has_failed_by_itself(self.manifest, primary.name)

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
        metric: The score by which conditions are compared, `split/metric`.
        worst: Score -> what a run counts with that failed by its own doing; empty where such runs are left out.
    """

    levels: tuple[int, ...]
    name: str
    runs: Mapping[Replicate, StudyRun]
    metric: str
    worst: Mapping[str, float]

    @property
    def finished(self) -> list[StudyRun]:
        """The runs that finished, by seed."""
        return [run for run in self.runs.values() if run.is_finished]

    def score(self, seed: Replicate, metric: str) -> float:
        """Return what the run of a seed counts with; NaN where it is missing."""
        run = self.runs.get(seed)
        if run is None:
            return math.nan
        measured = run.score(metric) if run.is_finished else math.nan
        if math.isnan(measured) and run.has_failed_by_itself:
            split, name = metric.partition("/")[0], metric.rpartition("/")[2]  # between them may be a decoding
            return self.worst.get(f"{split}/{name}", math.nan)
        return measured

    def collect(self, metric: str) -> NDArray[np.float64]:
        """Return what its runs count with, `(values,)`, those that are missing left out."""
        values = np.array([self.score(seed, metric) for seed in self.runs], np.float64)
        return values[np.isfinite(values)]

    def estimate(self, metric: str) -> Estimate:
        """Return the mean of a metric over the seeds, with its interval, cut at the ends of the metric's range."""
        scored = [(place, seed) for place, seed in enumerate(self.runs) if math.isfinite(self.score(seed, metric))]
        noise = measure_noise([(place, place, self, seed) for place, seed in scored], metric)
        weights = np.zeros(len(self.runs))
        weights[[place for place, _ in scored]] = 1 / max(1, len(scored))
        found = estimate_mean(self.collect(metric), noise.measure(weights))
        known = find_metric(metric.rpartition("/")[2])
        if known is None or not math.isfinite(found.low):
            return found
        top = 1.0 if known.unit.startswith("share") else found.high
        return found._replace(low=max(0.0, found.low), high=min(top, found.high))

    def average(self, metric: str) -> float:
        """Return the mean of a metric over the seeds; NaN where there is none."""
        values = self.collect(metric)
        return float(values.mean()) if len(values) else math.nan

    def find_median(self, metric: str) -> float:
        """Return the median of a metric over the seeds; NaN where there is none."""
        values = self.collect(metric)
        return float(np.median(values)) if len(values) else math.nan


def measure_noise(runs: Iterable[tuple[int, int, Condition, Replicate]], metric: str) -> ExampleNoise:
    """Find the noise of the test examples that sums of runs have.

    Args:
        runs: Of each run its place among the weights, the index of its seed, its condition and its seed.
        metric: `split/metric`; only of the primary metric each example's part is kept.

    Returns:
        The noise of any weighted sum of the runs' scores.
    """
    split, _, name = metric.partition("/")
    scored, known = [], find_metric(name)
    for place, replicate, condition, seed in runs:
        if name != condition.metric.partition("/")[2]:
            return NO_NOISE
        run, score = condition.runs[seed], condition.score(seed, metric)
        data = run.manifest.record.dataset
        parts = run.examples.get(split)
        count = len(parts) if parts is not None else (0 if data is None else data.split_sizes.get(split, 0))
        if parts is None and not math.isfinite(run.score(metric)):
            parts = np.full(count, score, np.float32)  # it failed, and counts with the same score in every example
        key = place if data is None else data.sha256
        scored.append(Scored(place, replicate, key, count, score, parts if count else None))
    return ExampleNoise(scored, is_share=known is not None and known.unit.startswith("share"))
