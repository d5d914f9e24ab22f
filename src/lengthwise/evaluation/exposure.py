"""Exposure gap: what a model loses when it must live with its own outputs (Ranzato et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lengthwise.data.dataset import Kind, Split
from lengthwise.decoding.predictions import Predictions
from lengthwise.evaluation.metrics import describe_metric, score_predictions


@dataclass(frozen=True, kw_only=True, slots=True)
class Exposure:
    """Scores with the true previous outputs told, without, and how much worse the latter are.

    Args:
        teacher_forced: name of the metric -> score when every step was told the true previous output.
        free_running: name of the metric -> score when it was told the model's own.
        gap: name of the metric -> how much worse free-running is, in the metric's unit: positive where it is worse,
            whichever way the metric counts.
    """

    teacher_forced: Mapping[str, float]
    free_running: Mapping[str, float]
    gap: Mapping[str, float]


def measure_exposure(*, teacher_forced: Predictions, free_running: Predictions, split: Split, kind: Kind) -> Exposure:
    """Score both and take the difference, metric by metric.

    Args:
        teacher_forced: at each step the model's choice given the true ones before.
        free_running: the same weights decoded.
        split: the targets of both.
        kind: kind of the data.

    Raises:
        ValueError: predictions that do not belong to the split.
    """
    told = score_predictions(teacher_forced, split, kind).summary
    free = score_predictions(free_running, split, kind).summary
    shared = [name for name in told if name in free]
    gap = {name: _worsening(name, told[name], free[name]) for name in shared}
    return Exposure(teacher_forced=told, free_running=free, gap=gap)


def _worsening(name: str, told: float, free: float) -> float:
    return told - free if describe_metric(name).higher_is_better else free - told
