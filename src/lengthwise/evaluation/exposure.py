"""Measure the exposure gap: how much worse a model is when fed its own outputs (Ranzato et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lengthwise.data.dataset import Forecast, Kind, Split
from lengthwise.decoding.predictions import Predictions
from lengthwise.evaluation.metrics import describe_metric, score_predictions


@dataclass(frozen=True, kw_only=True, slots=True)
class Exposure:
    """Teacher-forced and free-running scores, and the gap between them.

    Args:
        teacher_forced: Name of the metric -> score when every step is fed the true previous output.
        free_running: Name of the metric -> score when every step is fed the model's own previous output.
        gap: Name of the metric -> how much worse free-running is, in the metric's unit; positive where it is worse,
            also for metrics of which lower is better.
    """

    teacher_forced: Mapping[str, float]
    free_running: Mapping[str, float]
    gap: Mapping[str, float]


def measure_exposure(
    *,
    teacher_forced: Predictions,
    free_running: Predictions,
    split: Split,
    kind: Kind,
    forecast: Forecast | None = None,
) -> Exposure:
    """Score teacher-forced and free-running predictions and take the difference, metric by metric.

    Args:
        teacher_forced: Predictions of each step from the true previous ones, values `(examples, steps)` or
            `(examples, steps, features)`.
        free_running: Decoded with the same weights, of the same shapes.
        split: The targets of both.
        kind: Kind of the data.
        forecast: What a forecast is measured by; None for other data.

    Raises:
        ValueError: The predictions do not belong to the split.
    """
    forced = score_predictions(teacher_forced, split, kind, forecast=forecast).summary
    free = score_predictions(free_running, split, kind, forecast=forecast).summary
    gap = {name: _measure_gap(name, forced[name], free[name]) for name in forced if name in free}
    return Exposure(teacher_forced=forced, free_running=free, gap=gap)


def _measure_gap(name: str, forced: float, free: float) -> float:
    return forced - free if describe_metric(name).higher_is_better else free - forced
