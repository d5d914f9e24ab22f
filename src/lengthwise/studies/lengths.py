"""Scores of a study by target length, averaged over its seeds and held-out splits."""

from __future__ import annotations

import math
from typing import NamedTuple

from lengthwise.evaluation.tables import Table
from lengthwise.studies.condition import Condition, StudyRun
from lengthwise.studies.study import Study

_TRAINED_ON = ("train", "val")


class _Lengths(NamedTuple):
    low: int
    high: int
    is_beyond: bool


def find_lengths(study: Study) -> tuple[int, int]:
    """Return the longest target length trained on and the longest scored, steps; 0 where nothing is known."""
    rows = [row for run in study.runs for table in run.by_length.values() for row in _read_lengths(table)]
    trained = max((row.high for row in rows if not row.is_beyond), default=0)
    return trained, max((row.high for row in rows), default=0)


def average_by_length(condition: Condition, metric: str) -> dict[tuple[int, int], float]:
    """Average a metric over the seeds and held-out splits of a condition, weighted by the examples.

    Args:
        condition: The condition.
        metric: Name without split.

    Returns:
        `(lowest, highest)` length of each group -> score, from short to long.
    """
    sums: dict[tuple[int, int], list[float]] = {}
    for run in condition.finished:
        for split, table in run.by_length.items():
            if split not in _TRAINED_ON and metric in table.columns:
                score, count = table.columns.index(metric), table.columns.index("examples")
                for row, lengths in zip(table.rows, _read_lengths(table), strict=True):
                    found = sums.setdefault((lengths.low, lengths.high), [0.0, 0.0])
                    found[0] += float(row[score]) * float(row[count])
                    found[1] += float(row[count])
    return {lengths: total / count for lengths, (total, count) in sorted(sums.items()) if count}


def score_beyond(run: StudyRun, metric: str, steps: int) -> float:
    """Average a metric over the targets that are longer than any trained on, weighted by the examples.

    Args:
        run: A run.
        metric: `split/metric`.
        steps: How many steps longer they are at least.

    Returns:
        The score; NaN where there are no such targets.
    """
    split, _, name = metric.partition("/")
    rows = [row for table in run.by_length.values() for row in _read_lengths(table)]
    trained = max((row.high for row in rows if not row.is_beyond), default=0)
    total = count = 0.0
    table = run.by_length.get(split)
    if table is not None and name in table.columns:
        score, examples = table.columns.index(name), table.columns.index("examples")
        for row, lengths in zip(table.rows, _read_lengths(table), strict=True):
            if lengths.low >= trained + steps:
                total += float(row[score]) * float(row[examples])
                count += float(row[examples])
    return total / count if count else math.nan


def has_several_lengths(study: Study) -> bool:
    """Tell whether any condition has scores of more than one length."""
    return any(len(average_by_length(condition, study.metric_name)) > 1 for condition in study.conditions)


def _read_lengths(table: Table) -> list[_Lengths]:
    label, beyond = table.columns.index("target_length"), table.columns.index("beyond_trained")
    rows = []
    for row in table.rows:
        low, _, high = str(row[label]).partition("-")
        rows.append(_Lengths(int(low), int(high or low), bool(row[beyond])))
    return rows
