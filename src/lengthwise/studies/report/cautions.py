"""Cautions of a report: confounded options, missing runs, too few seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lengthwise.studies.report.findings import Finding
from lengthwise.studies.report.standing import Standing
from lengthwise.studies.study import Study


def write_cautions(study: Study, standing: Standing, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Say what a reader must know before relying on a study, a sentence each.

    Args:
        study: The study.
        standing: Whether its conditions can be compared; cautions about comparisons are left out where they cannot.
        findings: Every main effect and interaction of its metric.
    """
    cautions = [] if standing in ("nothing learnt", "unfinished") else _write_confounded(study)
    if standing in ("compared", "one seed"):
        cautions += _write_shape(study)
    cautions += [*_write_unfinished(study), *_write_incomplete(study)]
    cautions += [
        f"Planned but never started: {option}={', '.join(values)}." for option, values in study.unstarted.items()
    ]
    if standing == "compared" and any(finding.effect.method == "linear model" for finding in findings):
        cautions.append("Some effects come from a linear model, since no condition has both levels; see below.")
    return tuple(cautions)


def _write_confounded(study: Study) -> list[str]:
    sentences = []
    for axis in study.axes:
        if axis.confounded:
            names = ", ".join(option.partition(".")[2] or option for option in axis.confounded)
            sentences.append(
                f"{axis.label} changes {names} together: this study cannot tell which of them makes the difference."
            )
    return sentences


def _write_shape(study: Study) -> list[str]:
    sentences = []
    if not study.is_grid:
        names = ", ".join(axis.label for axis in study.axes)
        sentences.append(f"The runs are no grid over {names}, so only conditions are compared, without effects.")
    if study.num_seeds == 2:
        sentences.append("Two seeds: intervals are very wide (12.7 standard errors each way); little is significant.")
    return sentences


def _write_unfinished(study: Study) -> list[str]:
    unfinished = study.list_unfinished()
    if not unfinished:
        return []
    counts = Counter(each.status.lower() for each in unfinished)
    listed = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    total = len(study.conditions) * len(study.seeds)
    return [f"Of {total} runs in the grid {total - len(unfinished)} can be used: {listed}."]


def _write_incomplete(study: Study) -> list[str]:
    incomplete = [run for _, run in study.list_incomplete()]
    if not incomplete:
        return []
    parts = ", ".join(sorted({part for run in incomplete for part in run.manifest.missing}))
    runs = "1 run has" if len(incomplete) == 1 else f"{len(incomplete)} runs have"
    return [f"{runs} scores, but not all further results ({parts}): `lengthwise evaluate RUN` writes them."]
