"""Baselines of a study: the scores reached without learning, and whether any condition beats them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from lengthwise.studies.condition import Condition, StudyRun
from lengthwise.studies.study import Study


class Baseline(NamedTuple):
    """A score reached without learning, such as that of the majority target.

    Args:
        name: Its name in words.
        score: Its mean over the runs.
    """

    name: str
    score: float


def choose_baseline(runs: Iterable[StudyRun], metric: str, *, higher_is_better: bool) -> Baseline | None:
    """Find the best baseline of runs.

    Args:
        runs: The runs.
        metric: `split/metric`.
        higher_is_better: Whether more of it is better.

    Returns:
        The best one; None where none is known. One without any error is left out: it is no baseline but the task
        itself, as copying is of the dataset `copy`.
    """
    split, _, name = metric.partition("/")
    start, end = f"{split}/baseline_", f"_{name}"
    perfect = 1.0 if higher_is_better else 0.0
    found: dict[str, list[float]] = {}
    for run in runs:
        for key, value in run.manifest.summary.items():
            if key.startswith(start) and key.endswith(end) and math.isfinite(value) and value != perfect:
                found.setdefault(key[len(start) : -len(end)], []).append(value)
    if not found:
        return None
    means = {key: sum(values) / len(values) for key, values in found.items()}
    best = (max if higher_is_better else min)(means, key=lambda key: means[key])
    return Baseline(best.replace("_", " "), means[best])


def find_baseline(study: Study, metric: str, condition: Condition | None = None) -> Baseline | None:
    """Find the best baseline of a study, or of one of its conditions.

    Args:
        study: The study.
        metric: `split/metric`.
        condition: The condition whose runs are considered; None: all runs.

    Returns:
        The best one; None where none is known.
    """
    runs: Iterable[StudyRun] = study.runs if condition is None else condition.finished
    return choose_baseline(runs, metric, higher_is_better=study.higher_is_better)


def beats_baseline(study: Study, condition: Condition) -> bool:
    """Tell whether the mean score of a condition is better than the best baseline of its own runs.

    Without a baseline, a share has to be above 0, and any error counts as better.
    """
    score = condition.average(study.metric)
    baseline = find_baseline(study, study.metric, condition) or find_baseline(study, study.metric)
    if study.higher_is_better:
        floor = 0.0 if baseline is None else baseline.score
        return score > floor and not math.isclose(score, floor)
    floor = math.inf if baseline is None else baseline.score
    return score < floor and not math.isclose(score, floor)
