"""The answer of a study in sentences, written from the numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lengthwise.studies.axes import Axis
from lengthwise.studies.intervals import bound_failures
from lengthwise.studies.judging import MIN_SEEDS
from lengthwise.studies.report.cautions import write_cautions, write_failed, write_missing
from lengthwise.studies.report.choice import Choice, write_choice
from lengthwise.studies.report.findings import (
    LEVEL_NOTE,
    VERDICTS,
    Finding,
    Verdict,
    choose_findings,
    find_fragile,
    list_describing,
    list_findings,
)
from lengthwise.studies.report.numbers import format_count, format_estimate, format_not_excluded
from lengthwise.studies.report.standing import Standing, find_standing, propose_seeds, write_standing
from lengthwise.studies.study import Study
from lengthwise.studies.units import Unit, find_unit

_MOST_PAIRS = 3
"""Pairs of levels of an axis that are shown in sentences; of more only the largest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer of a study, in the order in which it is read.

    Args:
        standing: Whether its conditions can be compared.
        opening: The answer in words, where no condition is to be taken.
        warnings: What stands before everything else: failed and missing runs, too few seeds.
        choice: The condition to take; None where the conditions cannot be compared.
        effects: What makes the difference, a sentence or two each.
        cautions: What a reader must know before relying on them.
    """

    standing: Standing
    opening: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    choice: Choice | None = None
    effects: tuple[str, ...] = ()
    cautions: tuple[str, ...]

    @property
    def paragraphs(self) -> tuple[str, ...]:
        """The answer without its commands and cautions, as a terminal shows it."""
        choice = () if self.choice is None else (" ".join([self.choice.headline, *self.choice.reasons]),)
        return (*self.opening, *self.warnings, *choice, *self.effects)


def write_answer(study: Study) -> Answer:
    """Write the answer of a study: the condition to take, the effects, and those beyond the trained lengths.

    Where the conditions cannot be compared, the answer says so instead, and what to change.
    """
    standing = find_standing(study)
    findings = list_findings(study, study.metric)
    opening = " ".join(write_standing(study, standing))
    warnings = [*write_failed(study), *write_missing(study, standing)]
    effects: list[str] = []
    if standing == "compared":
        if study.num_seeds < MIN_SEEDS:
            warnings.append(_write_few_seeds(study))
        effects = [*_write_axes(study, findings), *_write_fragile(findings), *_write_beyond(study)]
    elif standing == "one seed":
        effects = _write_differences(study, findings)
    return Answer(
        standing=standing,
        opening=(opening,) if opening else (),
        warnings=tuple(warnings),
        choice=write_choice(study) if standing in ("compared", "one seed") else None,
        effects=tuple(effects),
        cautions=write_cautions(study, standing, findings),
    )


def _write_few_seeds(study: Study) -> str:
    return (
        f"{study.num_seeds} seeds are too few for verdicts; the intervals say what is not excluded. At least "
        f"{MIN_SEEDS} are needed: add, for example, seed={propose_seeds(study, MIN_SEEDS - study.num_seeds)}."
    )


def _format_share(share: float) -> str:
    return f"{100 * share:.0f}" if share >= 0.02 else f"{100 * share:.1f}"


def _write_beyond(study: Study) -> list[str]:
    sentences = []
    for metric in study.other_metrics:
        unit = find_unit(study.metric_name)
        by_axis = [list_describing(own) for _, own in _group(study, list_findings(study, metric))]
        largest = [max(own, key=_rank) for own in by_axis]
        parts = [
            f"{each.label}{f' ({each.context})' if each.context else ''}, "
            + format_estimate(each.effect.estimate, unit, difference=True)
            for each in sorted(largest, key=_rank, reverse=True)
            if each.is_known
        ]
        if parts:
            sentences.append(
                f"On targets longer than those trained on (split {metric.partition('/')[0]}, shown and not judged) the "
                f"largest difference of each axis in {unit.label} is: {'; '.join(parts)}."
            )
    return sentences


def _write_axes(study: Study, findings: Sequence[Finding]) -> list[str]:
    """Say for each axis what it does, the axis with the largest effect first."""
    by_axis = _group(study, choose_findings(study, findings))
    by_axis.sort(key=lambda group: max(_rank(each) for each in group[1]), reverse=True)
    unit, sentences = find_unit(study.metric_name), []
    for axis, own in by_axis:
        known = sorted((each for each in own if each.is_known), key=_rank, reverse=True)
        if not known:
            sentences.append(f"The effect of {axis.label} is not known: no runs can be compared.")
        shown = known if len(known) <= _MOST_PAIRS else known[:1]
        sentences += [_write_change(study, each, unit) for each in shown]
        if len(shown) < len(known):
            sentences.append(f"The other {len(known) - len(shown)} pairs of levels of {axis.label} are in the table.")
    return sentences


def _write_fragile(findings: Sequence[Finding]) -> list[str]:
    """Say what failures that were not seen would undo: nothing where no difference is called better or worse."""
    fragile = find_fragile(findings)
    if fragile is None:
        return []
    at = f" ({fragile.context})" if fragile.context else ""
    seeds = fragile.effect.seeds_used
    unseen, undoing = f"{100 * bound_failures(0, seeds):.0f} %", f"{_format_share(fragile.undone_by)} %"
    return [
        f"These differences are of seeds like those run: {seeds} seeds do not exclude that up to "
        f"{unseen} of others fail (Clopper-Pearson), and {undoing} failing on the better side would undo the one of "
        f"{fragile.label}{at}."
    ]


def _group(study: Study, findings: Sequence[Finding]) -> list[tuple[Axis, list[Finding]]]:
    groups = [
        (axis, [each for each in findings if each.effect.contrasts[0].axis == index])
        for index, axis in enumerate(study.axes)
    ]
    return [(axis, own) for axis, own in groups if own]


def _rank(finding: Finding) -> tuple[bool, float]:
    """Rank by whether anything is called different, then by the largest difference, a simple one included."""
    known = [each for each in (finding, *finding.simple) if each.is_known]
    sizes = [abs(each.effect.estimate.mean) for each in known]
    return any(each.verdict for each in known), max(sizes, default=-1.0)


def _write_change(study: Study, finding: Finding, unit: Unit) -> str:
    """Say in a sentence what a change does: on average, or from where to where where that depends on the others."""
    if finding.depends_on_others:
        return _write_dependent(study, finding, unit)
    estimate = finding.effect.estimate
    difference, gaps = format_estimate(estimate, unit, difference=True), _name_gaps(finding)
    if finding.verdict:
        return f"{_begin(finding.change)} changes {unit.label} by {difference}: {name_verdict(finding.verdict)}{gaps}."
    if not math.isfinite(estimate.low):
        seeds = format_count(finding.effect.seeds_used, "seed")
        return f"{_begin(finding.change)} changes {unit.label} by {difference} in {seeds}, without an interval{gaps}."
    rest = format_not_excluded(estimate, unit)
    if not finding.is_judged:
        return f"{_begin(finding.change)}: {difference} of {unit.label}; {rest}{gaps}."
    return f"No significant difference for {finding.change}: {difference} of {unit.label}; {rest}{gaps}."


def _write_dependent(study: Study, finding: Finding, unit: Unit) -> str:
    known = sorted((each for each in finding.simple if each.is_known), key=lambda each: each.effect.estimate.mean)
    ends = [
        f"{format_estimate(each.effect.estimate, unit, difference=True)} ({each.context})"
        for each in (known[0], known[-1])
    ]
    sentence = f"{_begin(finding.change)} changes {unit.label} by {ends[0]} to {ends[1]}, depending on the other axes"
    if finding.is_judged and not any(each.verdict for each in finding.simple):
        sentence = f"No significant difference for {finding.change}, whatever the other axes: {ends[0]} to {ends[1]}"
    gaps = len(finding.simple) - len(known)
    missing = f" {gaps} of {len(finding.simple)} combinations are missing." if gaps else ""
    if not any(each.verdict for each in finding.simple):
        return f"{sentence}.{missing}"
    groups: dict[Verdict, list[str]] = {1: [], -1: [], 0: []}
    for each in finding.simple:
        if each.is_known:
            groups[each.verdict].append(each.context)
    is_short = len(study.axes) == 2
    parts = [
        f"{VERDICTS[verdict]} "
        + (f"at {', '.join(own)}" if is_short else f"in {len(own)} of {len(known)} combinations")
        for verdict, own in groups.items()
        if own
    ]
    return f"{sentence}; {'; '.join(parts)} ({LEVEL_NOTE}).{missing}"


def _name_gaps(finding: Finding) -> str:
    """Say over which part of the grid a difference is measured, where runs are missing."""
    effect = finding.effect
    if effect.method == "linear model":
        return " (by a linear model)"
    if (effect.contexts_used, effect.seeds_used) == (effect.contexts_total, effect.seeds_total):
        return ""
    contexts = f"{effect.contexts_used} of {effect.contexts_total} combinations of the other axes"
    return f" (runs are missing: over {contexts} and {effect.seeds_used} of {effect.seeds_total} seeds)"


def _begin(change: str) -> str:
    return change if "=" in change else change[:1].upper() + change[1:]


def name_verdict(verdict: Verdict) -> str:
    """Name a verdict with its level."""
    return f"{VERDICTS[verdict]} {LEVEL_NOTE}" if verdict else VERDICTS[verdict]


def _write_differences(study: Study, findings: Sequence[Finding]) -> list[str]:
    """List the difference of each axis in a study of one seed, the largest first."""
    unit = find_unit(study.metric_name)
    known = [each for each in choose_findings(study, findings) if each.is_known]
    if not known:
        return []
    known.sort(key=lambda each: abs(each.effect.estimate.mean), reverse=True)
    parts = [f"{each.label}, {format_estimate(each.effect.estimate, unit, difference=True)}" for each in known]
    return [f"Differences in {unit.label} in this seed, averaged over the other axes: {'; '.join(parts)}."]
