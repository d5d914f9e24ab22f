"""How many seeds of a condition work at all: those that reach a score half way from the baseline to the best."""

from __future__ import annotations

import math
from typing import NamedTuple

from lengthwise.studies.baselines import find_baseline
from lengthwise.studies.condition import Condition
from lengthwise.studies.intervals import bound_failures
from lengthwise.studies.study import Study
from lengthwise.studies.units import find_unit

_WIDE_SHARE, _WIDE_ERROR = 0.1, 0.25
"""Spread of the seeds beyond which each is shown: 10 points of a share, or a quarter of the median error."""


class Reliability(NamedTuple):
    """How many seeds of a condition reach a score.

    Args:
        num_reaching: Seeds that reach it.
        num_seeds: All its seeds with a score.
        most_failing: Largest share of seeds that may miss it, not excluded at the 5 % level (Clopper and Pearson 1934).
    """

    num_reaching: int
    num_seeds: int
    most_failing: float


def find_threshold(study: Study) -> float:
    """Return the score half way from the baseline to the best median of the conditions; NaN where there is none.

    A share without a baseline is counted from 0; an error without one has no threshold.
    """
    medians = [each.find_median(study.metric) for each in study.conditions if len(each.collect(study.metric))]
    baseline = find_baseline(study, study.metric)
    if not medians or (baseline is None and not study.higher_is_better):
        return math.nan
    floor = 0.0 if baseline is None else baseline.score
    return (floor + (max if study.higher_is_better else min)(medians)) / 2


def count_reaching(study: Study, condition: Condition, threshold: float) -> Reliability:
    """Count the seeds of a condition that reach a score; it has at least one score."""
    values = condition.collect(study.metric)
    reaching = values >= threshold if study.higher_is_better else values <= threshold
    count = int(reaching.sum())
    return Reliability(count, len(values), bound_failures(len(values) - count, len(values)))


def spreads_widely(study: Study, condition: Condition) -> bool:
    """Tell whether the seeds of a condition are so far apart that their mean describes none of them."""
    values = condition.collect(study.metric)
    if len(values) < 2:
        return False
    spread = float(values.max() - values.min())
    if find_unit(study.metric_name).is_share:
        return spread > _WIDE_SHARE
    return spread > _WIDE_ERROR * condition.find_median(study.metric)
