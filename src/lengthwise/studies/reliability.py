"""How many seeds of a condition work at all, and what seeds that may fail unseen would do to its mean.

A seed works that reaches a score half way from the baseline to the best. Student's interval knows only the failures
that were seen: of a condition that fails in one seed of ten, five seeds show none in 59 % of studies, and the interval
is narrow and wrong. What is not excluded then is stated beside it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from lengthwise.studies.baselines import find_baseline
from lengthwise.studies.condition import Condition
from lengthwise.studies.intervals import bound_failures, estimate_mean
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
        most_reaching: Largest share of seeds that may reach it, likewise.
        worst_mean: The mean over all seeds if that share failed and the others were at the worse end of their own
            interval; NaN where no seed works, or failed runs are left out.
    """

    num_reaching: int
    num_seeds: int
    most_failing: float
    most_reaching: float
    worst_mean: float


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
    most_failing, most_reaching = (bound_failures(seeds, len(values)) for seeds in (len(values) - count, count))
    own = estimate_mean(values[reaching])
    end = own.low if study.higher_is_better else own.high
    end = own.mean if math.isnan(end) else max(0.0, end)
    worst = condition.worst.get(study.metric, math.nan)
    worst_mean = (1 - most_failing) * end + most_failing * worst
    return Reliability(count, len(values), most_failing, most_reaching, worst_mean)


def spreads_widely(study: Study, condition: Condition) -> bool:
    """Tell whether the seeds of a condition are so far apart that their mean describes none of them."""
    values = condition.collect(study.metric)
    if len(values) < 2:
        return False
    spread = float(values.max() - values.min())
    if find_unit(study.metric_name).is_share:
        return spread > _WIDE_SHARE
    return spread > _WIDE_ERROR * condition.find_median(study.metric)


def list_mixed(study: Study) -> list[Condition]:
    """List the conditions of which some seeds work and others do not: far apart, on both sides of half way."""
    threshold, found = find_threshold(study), []
    for condition in study.conditions:
        values = condition.collect(study.metric)
        if spreads_widely(study, condition) and values.min() < threshold <= values.max():
            found.append(condition)
    return found
