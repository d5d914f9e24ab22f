"""Units in which the metrics of a study are shown."""

from __future__ import annotations

from typing import NamedTuple

from lengthwise.evaluation.metrics import find_metric


class Unit(NamedTuple):
    """The units of a metric.

    Args:
        label: Name of the metric.
        scale: Factor by which scores are multiplied in text: 100 for shares.
        score: Unit of a score in text, such as `%`.
        difference: Unit of a difference in text, such as `points`.
        counted: The unscaled unit, such as `share of the sequences`; empty where the metric is not known.
    """

    label: str
    scale: float
    score: str
    difference: str
    counted: str

    @property
    def is_share(self) -> bool:
        """Whether scores are shares from 0 to 1."""
        return self.scale == 100


def find_unit(metric: str) -> Unit:
    """Return the units of a metric, given by its name without the split."""
    known = find_metric(metric)
    if known is None:
        return Unit(metric.replace("_", " "), 1.0, "", "", "")
    if known.unit.startswith("share"):
        return Unit(known.label, 100.0, "%", "points", known.unit)
    return Unit(known.label, 1.0, known.unit, known.unit, known.unit)
