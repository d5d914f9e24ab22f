"""What each axis does in each of several studies, on one scale."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import NamedTuple

from lengthwise.studies.baselines import find_baseline
from lengthwise.studies.intervals import Estimate
from lengthwise.studies.report.findings import VERDICTS, Verdict, list_findings
from lengthwise.studies.study import Study

_COLUMNS = ("study", "metric", "change", "at", "seeds", "difference", "low", "high", "corrected_p", "verdict", "gain")


class Change(NamedTuple):
    """One change of an axis at one combination of the other axes of a study.

    Args:
        study: Name of the study.
        metric: The score that it changes, `split/metric`.
        option: The axis.
        label: The change, such as `length: stop instead of fixed`.
        context: The levels of the other axes, in words; empty where there are none.
        seeds: Seeds that it was measured over.
        estimate: The difference in the score, unscaled.
        corrected_p: As on the page of its study; NaN where it is not judged.
        verdict: As on the page of its study.
        gain: The same difference as a share of the way from the score without learning to the perfect one, above 0
            where it is better; NaN where no score without learning is known.
    """

    study: str
    metric: str
    option: str
    label: str
    context: str
    seeds: int
    estimate: Estimate
    corrected_p: float
    verdict: Verdict
    gain: Estimate


def list_changes(studies: Sequence[Study]) -> list[Change]:
    """List the simple effects of the axes that are choices: no numbers, and no data; axis by axis, then by study."""
    found = [change for study in studies for change in _measure(study)]
    options = list(dict.fromkeys(change.option for change in found))
    labels = list(dict.fromkeys(change.label for change in found))
    return sorted(found, key=lambda change: (options.index(change.option), labels.index(change.label)))


def write_changes(changes: Sequence[Change]) -> str:
    """Write the changes as CSV, numbers in full."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for each in changes:
        numbers = (each.estimate.mean, each.estimate.low, each.estimate.high, each.corrected_p)
        verdict = VERDICTS[each.verdict] if math.isfinite(each.corrected_p) else "not judged"
        words = (each.study, each.metric, each.label, each.context, each.seeds)
        writer.writerow([*words, *map(repr, numbers), verdict, repr(each.gain.mean)])
    return text.getvalue()


def find_way(study: Study) -> float:
    """Return the distance from the score without learning to the perfect one, below 0 for errors; NaN if not known."""
    baseline = find_baseline(study, study.metric)
    if study.higher_is_better:
        return 1.0 - (0.0 if baseline is None else baseline.score)
    return math.nan if baseline is None else -baseline.score


def _measure(study: Study) -> list[Change]:
    way = find_way(study)
    return [
        Change(
            study=study.title,
            metric=study.metric,
            option=axis.option,
            label=part.label,
            context=part.context,
            seeds=part.effect.seeds_used,
            estimate=part.effect.estimate,
            corrected_p=part.corrected_p,
            verdict=part.verdict,
            gain=_scale(part.effect.estimate, way),
        )
        for finding in list_findings(study, study.metric)
        if not ((axis := study.axes[finding.effect.contrasts[0].axis]).is_numeric or axis.is_of_data)
        for part in finding.simple or (finding,)
        if part.is_known
    ]


def _scale(estimate: Estimate, way: float) -> Estimate:
    ends = sorted((estimate.low / way, estimate.high / way))
    return estimate._replace(mean=estimate.mean / way, low=ends[0], high=ends[1])
