"""The answer of a study in sentences, written from the numbers."""

from __future__ import annotations

from dataclasses import dataclass

from lengthwise.studies.axes import Axis
from lengthwise.studies.effects import LEVEL
from lengthwise.studies.report.cautions import write_cautions
from lengthwise.studies.report.choice import write_choice
from lengthwise.studies.report.findings import (
    LEVEL_NOTE,
    VERDICTS,
    Finding,
    Verdict,
    choose_findings,
    list_findings,
    list_findings_by_level,
)
from lengthwise.studies.report.numbers import format_estimate
from lengthwise.studies.report.standing import Standing, find_standing, write_standing
from lengthwise.studies.study import Study
from lengthwise.studies.units import Unit, find_unit


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer of a study.

    Args:
        standing: Whether its conditions can be compared.
        paragraphs: Sentences in the order in which they are read.
        cautions: What a reader must know before relying on them.
    """

    standing: Standing
    paragraphs: tuple[str, ...]
    cautions: tuple[str, ...]


def write_answer(study: Study) -> Answer:
    """Write the answer of a study: its effects, those beyond the trained lengths, and the condition to choose.

    Where the conditions cannot be compared, the answer says so instead, and what to change.
    """
    standing = find_standing(study)
    main, pairs = list_findings(study, study.metric)
    paragraphs = [" ".join(write_standing(study, standing))]
    if standing == "compared":
        paragraphs += [
            " ".join([*_write_axes(study, main), *_write_levels(study), *_write_interaction(study, pairs)]),
            " ".join(_write_beyond(study)),
            " ".join(write_choice(study)),
        ]
    elif standing == "one seed":
        paragraphs += [" ".join(_write_differences(study, main)), " ".join(write_choice(study))]
    return Answer(
        standing=standing,
        paragraphs=tuple(paragraph for paragraph in paragraphs if paragraph),
        cautions=write_cautions(study, standing, [*main, *pairs]),
    )


def _write_beyond(study: Study) -> list[str]:
    sentences = []
    for metric in study.other_metrics:
        effects = _write_axes(study, list_findings(study, metric)[0])
        if effects:
            sentences += ["On targets longer than those trained on:", *effects]
    return sentences


def _write_axes(study: Study, findings: list[Finding]) -> list[str]:
    """Say in a sentence for each axis what it does, the largest significant effect first."""
    by_axis = _group(study, choose_findings(study, findings))
    unit = find_unit(study.metric_name)
    largest = {axis.option: max((_rank(each) for each in own), default=(False, 0.0)) for axis, own in by_axis}
    by_axis.sort(key=lambda group: largest[group[0].option])
    return [_write_axis(axis, own, unit) for axis, own in reversed(by_axis)]


def _group(study: Study, findings: list[Finding]) -> list[tuple[Axis, list[Finding]]]:
    groups = [
        (axis, [each for each in findings if each.effect.contrasts[0].axis == index])
        for index, axis in enumerate(study.axes)
    ]
    return [(axis, own) for axis, own in groups if own]


def _rank(finding: Finding) -> tuple[bool, float]:
    return finding.verdict != 0, abs(finding.effect.estimate.mean) if finding.is_known else -1.0


def _write_axis(axis: Axis, findings: list[Finding], unit: Unit) -> str:
    """Say in a sentence what an axis does: its largest significant effect, else that there is none."""
    known = [each for each in findings if each.is_known]
    if not known:
        return f"The effect of {axis.label} is not known: no runs can be compared."
    largest = max(known, key=_rank)
    difference = format_estimate(largest.effect.estimate, unit, difference=True)
    if largest.verdict:
        return f"{_begin(largest.change)} changes {unit.label} by {difference}: {_name_verdict(largest.verdict)}."
    if not largest.has_interval:
        return f"{_begin(largest.change)} changes {unit.label} by {difference} in the one seed that can be compared."
    estimate = largest.effect.estimate
    excludes_zero = estimate.low > 0 or estimate.high < 0
    note = "significant only before the correction for the number of comparisons" if excludes_zero else ""
    reason = note or "the interval says what is not excluded"
    return f"No significant difference for {axis.label}: {difference} for {largest.change}; {reason}."


def _begin(change: str) -> str:
    return change if "=" in change else change[:1].upper() + change[1:]


def _name_verdict(verdict: Verdict) -> str:
    return f"{VERDICTS[verdict]} {LEVEL_NOTE}" if verdict else VERDICTS[verdict]


def _write_levels(study: Study) -> list[str]:
    """Say of each change at which levels of the numeric axis it is better and at which worse, in their order."""
    by_level = list_findings_by_level(study, study.metric)
    sentences = []
    for findings in zip(*by_level.values(), strict=True):
        levels: dict[Verdict, list[str]] = {1: [], -1: [], 0: []}
        for level, finding in zip(by_level, findings, strict=True):
            levels[finding.verdict].append(level.partition("=")[2])
        parts = [f"{_name_verdict(verdict)} at {', '.join(own)}" for verdict, own in levels.items() if own]
        axis = next(iter(by_level)).partition("=")[0]
        sentences.append(f"By {axis}, {findings[0].change}: {'; '.join(parts)}.")
    return sentences


def _write_interaction(study: Study, pairs: list[Finding]) -> list[str]:
    if not pairs:
        return []
    unit = find_unit(study.metric_name)
    significant = [each for each in pairs if each.effect.is_significant]
    if not significant:
        many = f"None of the {len(pairs)} two-way interactions is significant"
        none = many if len(pairs) > 1 else "The two-way interaction is not significant"
        known = [each for each in pairs if each.effect.estimate.p_value < 1 - LEVEL]
        clearest = min(known, key=lambda each: each.effect.estimate.p_value, default=None)
        if clearest is None:
            return [f"{none}: there is no evidence that an axis changes the effect of another."]
        difference = format_estimate(clearest.effect.estimate, unit, difference=True)
        return [f"{none}; the clearest is {clearest.label} ({difference})."]
    largest = max(significant, key=lambda each: abs(each.effect.estimate.mean))
    first, second = (study.axes[each.axis].label for each in largest.effect.contrasts)
    difference = format_estimate(largest.effect.estimate, unit, difference=True)
    return [
        f"{len(significant)} of {len(pairs)} two-way interactions are significant, so these effects are averages over "
        f"conditions that differ; the largest is of {first} with {second} ({largest.label}): {difference} beyond the "
        "sum of the two."
    ]


def _write_differences(study: Study, findings: list[Finding]) -> list[str]:
    """List the difference of each axis in a study of one seed, the largest first."""
    unit = find_unit(study.metric_name)
    known = sorted((each for each in choose_findings(study, findings) if each.is_known), key=_rank, reverse=True)
    if not known:
        return []
    parts = [f"{each.label}, {format_estimate(each.effect.estimate, unit, difference=True)}" for each in known]
    return [f"Differences in {unit.label} in this seed, averaged over the other axes: {'; '.join(parts)}."]
