"""The comparison of two methods over their seeds: two studies, two sweeps, or two groups of runs of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lengthwise.errors import LengthwiseError
from lengthwise.studies.axes import SIDE, Axis
from lengthwise.studies.build import build_study
from lengthwise.studies.collect import read_run
from lengthwise.studies.condition import StudyRun
from lengthwise.studies.diff.sides import Side
from lengthwise.studies.judging import PAGE_LEVEL, correct_effects
from lengthwise.studies.report.findings import Finding, Verdict, list_findings
from lengthwise.studies.study import Study


@dataclass(frozen=True, kw_only=True, slots=True)
class MethodDifference:
    """Two groups of runs compared over their seeds.

    Args:
        first, second: The groups.
        study: All runs as a grid whose first axis is the group, followed by every option that changes with it.
        finding: The difference in the study's own metric, judged, with that at each combination of the other axes.
        others: The difference in other metrics and splits, `split/metric` -> not judged.
    """

    first: Side
    second: Side
    study: Study
    finding: Finding
    others: dict[str, Finding]

    @property
    def axis(self) -> Axis:
        """The group as an axis."""
        return self.study.axes[0]


def compare_methods(first: Side, second: Side, *, metrics: Sequence[str]) -> MethodDifference:
    """Compare two groups of runs, of which at least one has several.

    Args:
        first: A group.
        second: The group that is compared with it.
        metrics: Names without split, of the metrics to compare beside the primary one.

    Raises:
        LengthwiseError: They share a run, or are no grid in which runs of both can be paired.
    """
    shared = {run.directory for run in first.runs} & {run.directory for run in second.runs}
    if shared:
        raise LengthwiseError(f"{min(shared).name} is on both sides. Name groups of runs that have none in common.")
    runs = [_name_side(read_run(run), side.name) for side in (first, second) for run in side.runs]
    study = build_study((first.name, second.name), runs, planned={SIDE: (first.name, second.name)})
    if not study.is_grid:
        raise LengthwiseError(
            f"The runs of {first.name} and {second.name} differ in too many options to be paired. Choose fewer, as in "
            "STUDY:OPTION=VALUE."
        )
    names = [study.metric_name, *(name for name in metrics if name != study.metric_name)]
    keys = [f"{split}/{name}" for name in names for split in ("test", "longer", "val")]
    known = set().union(*(run.manifest.summary for run in runs))
    others = {key: _find(study, key) for key in keys if key in known and key != study.metric}
    return MethodDifference(first=first, second=second, study=study, finding=_judge(study), others=others)


def _name_side(run: StudyRun, name: str) -> StudyRun:
    record = run.manifest.record
    named = replace(record, params={SIDE: name, **record.params})
    return replace(run, manifest=replace(run.manifest, record=named))


def _find(study: Study, metric: str) -> Finding:
    """Return the difference between the groups: the axis of the group comes first, and has two levels."""
    return list_findings(study, metric)[0]


def _judge(study: Study) -> Finding:
    """Judge the one difference that is asked for: its family is the average and the difference at each combination."""
    found = _find(study, study.metric)
    (p_value,), (p_simple,) = correct_effects([found.effect], [[each.effect for each in found.simple]])
    simple = tuple(_set_verdict(study, each, p) for each, p in zip(found.simple, p_simple, strict=True))
    return replace(_set_verdict(study, found, p_value), simple=simple)


def _set_verdict(study: Study, finding: Finding, p_value: float) -> Finding:
    mean = finding.effect.estimate.mean
    verdict: Verdict = 0
    if p_value < PAGE_LEVEL:
        verdict = 1 if (mean > 0) == study.higher_is_better else -1
    return replace(finding, corrected_p=p_value, verdict=verdict)
