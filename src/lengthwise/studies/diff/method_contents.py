"""The contents of a comparison of two methods over their seeds, before they become lines, a page or Markdown."""

from __future__ import annotations

import math
import shlex
from dataclasses import replace

import numpy as np

from lengthwise.config.values import format_value
from lengthwise.evaluation.tables import Table
from lengthwise.studies.diff.contents import DIFFERENCE, QUESTION, list_details, write_made
from lengthwise.studies.diff.examples import SIDES
from lengthwise.studies.diff.methods import MethodDifference
from lengthwise.studies.judging import MIN_SEEDS
from lengthwise.studies.lengths import average_by_length
from lengthwise.studies.report.answer import Answer, name_verdict
from lengthwise.studies.report.contents import Report, Section
from lengthwise.studies.report.findings import MARKS, Finding
from lengthwise.studies.report.numbers import (
    format_count,
    format_estimate,
    format_known,
    format_not_excluded,
)
from lengthwise.studies.report.tables import tabulate_effects
from lengthwise.studies.units import find_unit

NOTES = (
    "Differences are B less A within each seed, averaged over the combinations of the other options, with 95 % "
    "intervals: Student's t over the seeds; where the seeds share their test examples, the noise of these is added. "
    f"Only the first metric is judged, from {MIN_SEEDS} seeds on: the average, and the difference at each combination, "
    "are together called different in 5 of 100 comparisons at most where nothing differs (Holm). A run that failed in "
    "training counts with the worst score. To compare two trained models over the same examples, name two runs."
)


def build_method_report(difference: MethodDifference) -> Report:
    """Write the comparison of two groups of runs."""
    study, finding = difference.study, difference.finding
    sides = (difference.first, difference.second)
    sections = [Section(title="Options that differ", tables={"": _tabulate_options(difference)})]
    if finding.simple:
        effects = [_rename(each) for each in (finding, *finding.simple)]
        sections.append(
            Section(title="At each combination of the others", tables={"": tabulate_effects(study, effects)})
        )
    lengths = _tabulate_lengths(difference)
    if lengths.rows:
        sections.append(Section(title="By target length, all held-out splits", tables={"": lengths}))
    failed = study.list_failed()
    cautions = (
        [f"{format_count(len(failed), 'run')} failed in training and counts with the worst score."] if failed else []
    )
    if len({run.manifest.record.dataset and run.manifest.record.dataset.name for run in study.runs}) > 1:
        cautions.insert(0, "The data differ between the runs: their scores are of different examples.")
    return Report(
        title=" and ".join(f"{name} {side.name}" for name, side in zip(SIDES, sides, strict=True)),
        question=QUESTION,
        answer=Answer(standing="compared", opening=_write_answer(difference), cautions=tuple(cautions)),
        summary=_tabulate_metrics(difference),
        legend=f"{DIFFERENCE} over {format_count(finding.effect.seeds_used, 'seed')}; only the first is judged.",
        lead=(),
        details=list_details([side.runs[0].manifest for side in sides]),
        sections=tuple(sections),
        commands=(f"lengthwise diff {' '.join(shlex.quote(side.name) for side in sides)}",),
        made=write_made(),
        subject="The newest run of each",
        notes=NOTES,
    )


def _write_answer(difference: MethodDifference) -> tuple[str, ...]:
    finding, unit = difference.finding, find_unit(difference.study.metric_name)
    seeds, estimate = format_count(finding.effect.seeds_used, "seed"), finding.effect.estimate
    shown = format_estimate(estimate, unit, difference=True)
    scores = f"{unit.label.capitalize()} on {difference.study.split}, B less A: {shown} over {seeds}"
    if not finding.is_known:
        first = "No run of A can be paired with one of B: they have no seed and no combination of options in common."
    elif not finding.has_interval:
        first = f"{scores}. One seed says nothing of the methods: train more."
    elif not finding.is_judged:
        rest = format_not_excluded(estimate, unit)
        first = f"{scores}; {rest}. A verdict needs {MIN_SEEDS} seeds."
    elif finding.verdict:
        first = f"B is {name_verdict(finding.verdict)} than A. {scores}.".replace("page's ", "")
        first = first.replace(" at the 5 % level than A", " than A at the 5 % level")
    else:
        first = f"No significant difference between A and B. {scores}; {format_not_excluded(estimate, unit)}."
    paragraphs = [first]
    if finding.depends_on_others:
        known = sorted((each for each in finding.simple if each.is_known), key=lambda each: each.effect.estimate.mean)
        ends = [
            f"{format_estimate(each.effect.estimate, unit, difference=True)} ({each.context})"
            for each in (known[0], known[-1])
        ]
        paragraphs.append(f"The difference depends on the other options: from {ends[0]} to {ends[1]}.")
    numbers = [format_count(len(side.runs), "run") for side in (difference.first, difference.second)]
    paragraphs.append(f"This compares two methods over their seeds, {numbers[0]} of A and {numbers[1]} of B.")
    return tuple(paragraphs)


def _rename(finding: Finding) -> Finding:
    return replace(finding, label="B instead of A", context=finding.context or "average")


def _tabulate_options(difference: MethodDifference) -> Table:
    """Tabulate the options that change with the group; a group in which one varies has no single value."""
    rows = [(option, *(format_value(value) for value in values)) for option, values in difference.axis.together.items()]
    return Table(columns=("option", *SIDES), rows=tuple(rows) or (("none", "", ""),))


def _tabulate_metrics(difference: MethodDifference) -> Table:
    study, rows = difference.study, []
    found = {study.metric: difference.finding, **difference.others}
    for metric, finding in found.items():
        if not finding.is_known:
            continue
        unit = find_unit(metric.partition("/")[2])
        means = []
        for level in range(2):
            scores = study.tabulate(metric)[level]
            known = scores[np.isfinite(scores)]
            means.append(format_known(float(known.mean()) if known.size else math.nan, unit))
        mark = f"{MARKS[finding.verdict]} " if finding.is_judged else ""
        shown = format_estimate(finding.effect.estimate, unit._replace(difference=""), difference=True)
        name = f"{unit.label}, {metric.partition('/')[0]}" + (f" ({unit.score})" if unit.score else "")
        rows.append((name, *means, f"{mark}{shown}"))
    return Table(columns=("metric", *SIDES, DIFFERENCE), rows=tuple(rows))


def _tabulate_lengths(difference: MethodDifference) -> Table:
    """Tabulate the primary metric by target length, averaged over each group's runs."""
    name, unit = difference.study.metric_name, find_unit(difference.study.metric_name)
    sums: dict[tuple[int, int], list[list[float]]] = {}
    for condition in difference.study.conditions:
        for lengths, score in average_by_length(condition, name).items():
            sums.setdefault(lengths, [[], []])[condition.levels[0]].append(score)
    rows = []
    for (low, high), both in sorted(sums.items()):
        means = [sum(own) / len(own) if own else math.nan for own in both]
        label = str(low) if low == high else f"{low}-{high}"
        rows.append((label, *(format_known(mean, unit) for mean in means)))
    named = f" ({unit.score})" if unit.score else ""
    columns = ("target length", *(f"{side}{named}" for side in SIDES))
    return Table(columns=columns, rows=tuple(rows) if len(rows) > 1 else ())


def describe_methods(difference: MethodDifference) -> dict[str, object]:
    """Return the comparison of two groups of runs as plain values, for a program to read."""

    def describe(finding: Finding) -> dict[str, object]:
        estimate = finding.effect.estimate
        return {
            "difference": estimate.mean,
            "low": estimate.low,
            "high": estimate.high,
            "corrected_p": finding.corrected_p,
            "num_seeds": finding.effect.seeds_used,
        }

    return {
        "a": [run.directory for run in difference.first.runs],
        "b": [run.directory for run in difference.second.runs],
        "verdict": difference.finding.verdict,
        "options": {option: list(values) for option, values in difference.axis.together.items()},
        "metrics": {difference.study.metric: describe(difference.finding)}
        | {metric: describe(finding) for metric, finding in difference.others.items()},
    }
