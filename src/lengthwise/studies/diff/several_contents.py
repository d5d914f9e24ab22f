"""The contents of a comparison of more than two runs: options, scores and pairs, a column a run."""

from __future__ import annotations

import string
from collections.abc import Sequence

from lengthwise.config.values import format_value
from lengthwise.evaluation.tables import Table
from lengthwise.studies.diff.contents import QUESTION, list_details, name_run, write_made
from lengthwise.studies.diff.several import RunPair, SeveralRuns
from lengthwise.studies.report.answer import Answer
from lengthwise.studies.report.contents import Report, Section
from lengthwise.studies.report.findings import MARKS
from lengthwise.studies.report.numbers import MINUS, format_count, format_estimate, format_known
from lengthwise.studies.units import find_unit

NOTES = (
    "Differences are those of every pair of runs over the same examples, in the first metric. Their intervals are at "
    "the level at which Holm's method (1979) decides the pair, so that of runs with the same chance of success on "
    "every example any are called different on 5 of 100 pages at most. They speak of these trained models on examples "
    "like these, not of other seeds."
)
_ONE_SEED = (
    "This compares trained models; one seed each says nothing of the methods. To compare these, train several seeds of "
    "each, then `lengthwise report STUDY`."
)


def build_several_report(found: SeveralRuns) -> Report:
    """Write the comparison of more than two runs."""
    sides = string.ascii_uppercase[: len(found.runs)]
    manifests = [run.manifest for run in found.runs]
    sections = []
    if found.options:
        rows = tuple((name, *map(format_value, values)) for name, values in found.options.items())
        sections.append(Section(title="Options that differ", tables={"": Table(columns=("option", *sides), rows=rows)}))
    sections.append(Section(title="Every pair", tables={"": _tabulate_pairs(found, sides)}))
    better, worse, undecided = MARKS[1], MARKS[-1], MARKS[0]
    return Report(
        title=", ".join(f"{side} {name_run(run)}" for side, run in zip(sides, found.runs, strict=True)),
        question=QUESTION,
        answer=Answer(
            standing="one seed",
            opening=(_write_verdict(found, sides), _ONE_SEED),
            cautions=tuple(_write_cautions(found, sides)),
        ),
        summary=_tabulate_scores(found, sides),
        legend=f"Of pairs: {better} better, {worse} worse, {undecided} no significant difference.",
        lead=(),
        details=list_details(manifests),
        sections=tuple(sections),
        commands=(f"lengthwise diff {' '.join(manifest.name for manifest in manifests)}",),
        made=write_made(),
        subject="The runs",
        notes=NOTES,
    )


def _write_verdict(found: SeveralRuns, sides: Sequence[str]) -> str:
    metric = next(iter(found.metrics))
    unit = find_unit(metric.partition("/")[2])
    where = f"{unit.label.capitalize()} on {metric.partition('/')[0]}"
    if not found.num_examples:
        return f"{where} was not measured on the same examples, so that no difference is tested."
    better = {
        side: [sides[other] for other in range(len(sides)) if _is_better(found, place, other)]
        for place, side in enumerate(sides)
    }
    sentences = [f"{side} is better than {_join(others)}." for side, others in better.items() if others]
    open_pairs = sum(not pair.verdict for pair in found.pairs)
    if not sentences:
        sentences = ["No significant difference between any two of the runs."]
    elif open_pairs:
        sentences.append(f"No significant difference in the other {format_count(open_pairs, 'pair')}.")
    return f"{' '.join(sentences)} {where}, over the same {format_count(found.num_examples, 'example')}."


def _is_better(found: SeveralRuns, place: int, other: int) -> bool:
    return any(
        (pair.first, pair.second, pair.verdict) in ((other, place, 1), (place, other, -1)) for pair in found.pairs
    )


def _join(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _write_cautions(found: SeveralRuns, sides: Sequence[str]) -> list[str]:
    cautions = []
    if not found.has_same_data:
        cautions.append("The data differ: the scores are of different examples, and the models learnt from others.")
    elif not found.num_examples:
        cautions.append("A run has not kept how it scored on each example: to test differences, train it again.")
    for side, run in zip(sides, found.runs, strict=True):
        if run.manifest.status != "FINISHED":
            cautions.append(f"{side} has not finished ({run.manifest.status.lower()}).")
    return cautions


def _tabulate_scores(found: SeveralRuns, sides: Sequence[str]) -> Table:
    rows = []
    for metric, values in found.metrics.items():
        split, _, name = metric.partition("/")
        unit = find_unit(name)
        label = f"{unit.label}, {split}" + (f" ({unit.score})" if unit.score else "")
        rows.append((label, *(format_known(float("nan") if value is None else value, unit) for value in values)))
    return Table(columns=("metric", *sides), rows=tuple(rows))


def _tabulate_pairs(found: SeveralRuns, sides: Sequence[str]) -> Table:
    unit = find_unit(next(iter(found.metrics)).partition("/")[2])

    def write(pair: RunPair) -> tuple[str, str]:
        shown = format_estimate(pair.difference.estimate, unit, difference=True)
        mark = f"{MARKS[pair.verdict]} " if found.num_examples else ""
        return f"{sides[pair.second]} {MINUS} {sides[pair.first]}", f"{mark}{shown}"

    return Table(columns=("pair", f"{unit.label}, difference"), rows=tuple(map(write, found.pairs)))


def describe_several(found: SeveralRuns) -> dict[str, object]:
    """Return the comparison of more than two runs as plain values, for a program to read."""
    return {
        "runs": [run.directory for run in found.runs],
        "same_data": found.has_same_data,
        "num_examples": found.num_examples,
        "options": found.options,
        "metrics": found.metrics,
        "pairs": [
            {
                "a": pair.first,
                "b": pair.second,
                "difference": pair.difference.estimate.mean,
                "low": pair.difference.estimate.low,
                "high": pair.difference.estimate.high,
                "p_value": pair.difference.estimate.p_value,
                "verdict": pair.verdict,
            }
            for pair in found.pairs
        ],
    }
