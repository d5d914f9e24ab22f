"""The contents of a comparison of two runs, before they become lines of a terminal, a page or Markdown."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from lengthwise import __version__
from lengthwise.config.values import format_value
from lengthwise.evaluation.outcomes import LABELS, OUTCOMES
from lengthwise.evaluation.tables import Entry, Table
from lengthwise.studies.diff.examples import SIDES, tabulate_examples
from lengthwise.studies.diff.pair import OptionDifference, PairDifference, SplitDifference
from lengthwise.studies.diff.paired import Difference
from lengthwise.studies.report.answer import Answer
from lengthwise.studies.report.contents import Report, Section
from lengthwise.studies.report.findings import MARKS
from lengthwise.studies.report.numbers import (
    format_count,
    format_estimate,
    format_known,
    format_not_excluded,
    format_score,
)
from lengthwise.studies.units import find_unit
from lengthwise.tracking.runs.find import StoredRun
from lengthwise.tracking.runs.layout import DIFF_NAME
from lengthwise.tracking.runs.manifest import Manifest
from lengthwise.tracking.runs.run_files import RunFiles

QUESTION = "What is different, and is it better?"
NOTES = (
    "Differences are B less A, over the same examples, with 95 % intervals over these examples: of shares the wider of "
    "Newcombe's score interval (1998) and that of McNemar's exact test, of other scores expanded percentiles of the "
    "paired bootstrap (Hesterberg 2015). Only the first metric on the first split is judged; two models with the same "
    "chance of success on every example are called different in 5 of 100 comparisons. The intervals speak of these two "
    "trained models on examples like these, not of other seeds. Errors are marked by the fewest edits: [a>b] a wrong "
    "symbol, [+b] one too many, [\N{MINUS SIGN}a] one missing."
)
_ONE_SEED = (
    "This compares two trained models; one seed each says nothing of the methods. To compare these, train several "
    "seeds of each, then `lengthwise diff STUDY:model=A STUDY:model=B`."
)
_MOST_NAMED = 6
DIFFERENCE = "B \N{MINUS SIGN} A"
"""Heading of the column of differences."""

SCORES_ON = "All scores on "
TRANSITIONS = "Examples by outcome of A (rows) and of B (columns)"


def build_pair_report(pair: PairDifference, *, num_examples: int = 10) -> Report:
    """Write the comparison of two runs.

    Args:
        pair: The comparison.
        num_examples: Most examples that are shown of each side.
    """
    runs = (pair.first, pair.second)
    first = pair.splits[0] if pair.splits else None
    answer = Answer(
        standing="one seed",
        opening=(_write_verdict(pair), _write_options(pair.options), _ONE_SEED),
        cautions=tuple(_write_cautions(pair)),
    )
    sections = (
        [Section(title="Options that differ", tables={"": tabulate_options(pair.options)})] if pair.options else []
    )
    return Report(
        title=" and ".join(f"{side} {name_run(run)}" for side, run in zip(SIDES, runs, strict=True)),
        question=QUESTION,
        answer=answer,
        summary=_tabulate_summary(pair),
        legend="" if first is None else _write_legend(first),
        lead=(),
        details=list_details([run.manifest for run in runs]),
        sections=(*sections, *_build_sections(pair, num_examples)),
        commands=(f"lengthwise diff {pair.first.manifest.name} {pair.second.manifest.name}",),
        made=write_made(),
        subject="The runs",
        notes=NOTES,
    )


def name_run(run: StoredRun) -> str:
    """Name a run as MLflow does: what it is, and its id."""
    return f"{run.manifest.record.label}-{run.manifest.id}"


def write_made() -> str:
    """Say by which version and when a page was written."""
    return f"Written by lengthwise {__version__} on {datetime.now(UTC):%Y-%m-%d}."


def tabulate_options(options: Iterable[OptionDifference]) -> Table:
    """Tabulate the options that differ."""
    rows = tuple((each.option, format_value(each.first), format_value(each.second)) for each in options)
    return Table(columns=("option", *SIDES), rows=rows)


def list_details(manifests: Sequence[Manifest]) -> dict[str, str]:
    """List of each run what it is, its data, code and time; what all have in common is said once."""
    described = [_describe_run(manifest) for manifest in manifests]
    details = {}
    for name in described[0]:
        texts = [own[name] for own in described]
        if len(set(texts)) == 1:
            details[name] = texts[0]
        else:
            details |= {f"{name} of {side}": text for side, text in zip(string.ascii_uppercase, texts, strict=False)}
    return {name: text for name, text in details.items() if text}


def _describe_run(manifest: Manifest) -> dict[str, str]:
    record, git = manifest.record, manifest.git
    data, versions = "", ", ".join(f"{name} {version}" for name, version in manifest.versions.items())
    if record.dataset is not None:
        sizes = ", ".join(f"{size:,} {split}" for split, size in record.dataset.split_sizes.items())
        data = f"{record.dataset.name} ({sizes}; sha256 {record.dataset.sha256[:12]})"
    code = "" if git is None or git.commit is None else git.commit[:10] + (" with changes" if git.dirty else "")
    parameters = manifest.summary.get("model/parameters")
    size = "" if parameters is None else f", {parameters:,.0f} parameters"
    return {
        "Run": f"{record.study}/{manifest.name} ({manifest.status.lower()}, seed {record.seed}{size})",
        "Data": data,
        "Commit": code,
        "Versions": versions,
    }


def _write_verdict(pair: PairDifference) -> str:
    if not pair.splits:
        return "A and B have no score in common, so that only their options are compared."
    split = pair.splits[0]
    primary, unit = split.primary, find_unit(split.primary.metric)
    scores = f"B {format_score(primary.second, unit)}, A {format_score(primary.first, unit)}"
    if not split.num_examples:
        begin = f"{unit.label.capitalize()} on {split.split}: {scores}."
        return f"{begin} They were not measured on the same examples, so that no difference is tested."
    over = f"over the same {format_count(split.num_examples, 'example')}"
    difference = format_estimate(primary.estimate, unit, difference=True)
    test = _write_test(split)
    if pair.verdict:
        word = "better" if pair.verdict > 0 else "worse"
        return f"B is {word} than A. {unit.label.capitalize()} on {split.split}: {scores}; {difference} {over}{test}."
    rest = format_not_excluded(primary.estimate, unit)
    begin = f"No significant difference between A and B. {unit.label.capitalize()} on {split.split}: {scores}"
    return f"{begin}; {difference} {over}{test}; {rest}."


def _write_test(split: SplitDifference) -> str:
    p_value, gains = split.primary.estimate.p_value, split.gains
    if gains is None or not p_value <= 1:
        return ""
    only = f"{int((gains > 0).sum()):,} only B gets right, {int((gains < 0).sum()):,} only A"
    return f" ({only}; McNemar's exact test, p {'< 0.001' if p_value < 0.001 else f'= {p_value:.3f}'})"


def _write_options(options: Sequence[OptionDifference]) -> str:
    if not options:
        return "No option differs."
    shown = ", ".join(each.option for each in options[:_MOST_NAMED])
    rest = f" and {len(options) - _MOST_NAMED} more" if len(options) > _MOST_NAMED else ""
    return f"{format_count(len(options), 'option')} {'differs' if len(options) == 1 else 'differ'}: {shown}{rest}."


def _write_cautions(pair: PairDifference) -> list[str]:
    first, second = pair.first.manifest, pair.second.manifest
    cautions = []
    if not pair.has_same_data:
        cautions.append("The data differ: the scores are of different examples, and the models learnt from others.")
    elif pair.dataset is None and pair.splits:
        cautions.append(
            "The data could not be read again, so that only the primary metric is compared, and no examples are shown."
        )
    elif pair.splits and pair.splits[0].first is None:
        cautions.append(
            "A run of an older version has not kept what it decoded: to test the difference, train it again."
        )
    for side, manifest in zip(SIDES, (first, second), strict=True):
        if manifest.status != "FINISHED":
            cautions.append(f"{side} has not finished ({manifest.status.lower()}).")
    if _read_code(pair.first) != _read_code(pair.second):
        cautions.append("The code differs: the runs are of different commits, or of different changes beside a commit.")
    names = [name for name in first.versions if first.versions[name] != second.versions.get(name)]
    if names:
        listed = ", ".join(f"{name} {first.versions[name]} and {second.versions.get(name, 'none')}" for name in names)
        cautions.append(f"Versions differ: {listed}.")
    return cautions


def _read_code(run: StoredRun) -> tuple[str | None, str]:
    """Return the commit of a run, and the changes beside it."""
    git, files = run.manifest.git, RunFiles(run.directory)
    changes = "" if files.find(DIFF_NAME) is None else files.read_text(DIFF_NAME)
    return None if git is None else git.commit, changes


def _write_legend(split: SplitDifference) -> str:
    over = f"over the same {format_count(split.num_examples, 'example')} of {split.split}" if split.num_examples else ""
    better, worse, open_ = (MARKS[verdict] for verdict in (1, -1, 0))
    return (
        f"B \N{MINUS SIGN} A {over} with 95 % intervals; {better} B better, {worse} B worse, {open_} no significant "
        "difference. Only the first metric is judged."
    ).replace("  ", " ")


def _tabulate_summary(pair: PairDifference) -> Table:
    """Tabulate every metric of the first split, and the primary one of the others."""
    rows: list[tuple[str, ...]] = []
    for index, split in enumerate(pair.splits):
        rows += _list_metrics(split, split.metrics if index == 0 else split.metrics[:1])
    if rows and pair.splits[0].num_examples:
        rows[0] = (*rows[0][:-1], f"{MARKS[pair.verdict]} {rows[0][-1]}")
    return Table(columns=("metric", *SIDES, DIFFERENCE), rows=tuple(rows))


def _list_metrics(split: SplitDifference, metrics: Sequence[Difference]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for each in metrics:
        unit = find_unit(each.metric)
        name = f"{unit.label}, {split.split}" + (f" ({unit.score})" if unit.score else "")
        rows.append((name, *_format_row(each)))
    return rows


def _format_row(difference: Difference, *, unit_of: str | None = None) -> tuple[str, str, str]:
    unit = find_unit(unit_of or difference.metric)
    shown = format_estimate(difference.estimate, unit._replace(difference=""), difference=True)
    return format_known(difference.first, unit), format_known(difference.second, unit), shown


def _build_sections(pair: PairDifference, num_examples: int) -> list[Section]:
    if not pair.splits or not pair.splits[0].num_examples:
        return []
    sections, split = [], pair.splits[0]
    tables = _tabulate_outcomes(split)
    if tables:
        sections.append(Section(title=f"By outcome, {split.split}", tables=tables))
    if split.by_length:
        sections.append(Section(title=f"By target length, {split.split}", tables={"": tabulate_lengths(split)}))
    if pair.dataset is not None:
        examples = tabulate_examples(split, pair.dataset, count=num_examples)
        shown = {caption: table for caption, table in examples.items() if table.rows}
        if shown:
            sections.append(Section(title=f"Examples of {split.split}", tables=shown))
    for other in pair.splits[1:]:
        if len(other.metrics) > 1:
            table = Table(columns=("metric", *SIDES, DIFFERENCE), rows=tuple(_list_metrics(other, other.metrics)))
            sections.append(Section(title=f"{SCORES_ON}{other.split}", tables={"": table}))
    return sections


def _tabulate_outcomes(split: SplitDifference) -> dict[str, Table]:
    """Tabulate shares and changes of outcomes; nothing where both are right in all: of features, always in length."""
    if split.transitions is None or split.transitions[0, 0] == split.transitions.sum():
        return {}
    rows = [(LABELS[each.metric], *_format_row(each, unit_of="exact_match")) for each in split.outcomes]
    shares = Table(columns=("outcome", *SIDES, DIFFERENCE), rows=tuple(rows))
    return {"Share of each outcome (%)": shares, TRANSITIONS: _tabulate_transitions(split.transitions)}


def _tabulate_transitions(transitions: NDArray[np.int64]) -> Table:
    labels = [LABELS[name] for name in OUTCOMES]
    rows: list[tuple[Entry, ...]] = [
        (label, *counts) for label, counts in zip(labels, transitions.tolist(), strict=True)
    ]
    return Table(columns=("A", *labels), rows=tuple(rows))


def tabulate_lengths(split: SplitDifference) -> Table:
    """Tabulate the primary metric by target length."""
    rows = [
        (each.lengths, each.difference.estimate.num_values, *_format_row(each.difference)) for each in split.by_length
    ]
    unit = find_unit(split.primary.metric)
    named = f" ({unit.score})" if unit.score else ""
    columns = ("target length", "examples", *(f"{side}{named}" for side in SIDES), DIFFERENCE)
    return Table(columns=columns, rows=tuple(rows))


def describe_pair(pair: PairDifference) -> dict[str, object]:
    """Return the comparison of two runs as plain values, for a program to read."""

    def describe(difference: Difference) -> dict[str, object]:
        estimate = difference.estimate
        return {
            "a": difference.first,
            "b": difference.second,
            "difference": estimate.mean,
            "low": estimate.low,
            "high": estimate.high,
            "p_value": estimate.p_value,
            "num_examples": estimate.num_values,
        }

    def describe_all(differences: Iterable[Difference]) -> Mapping[str, object]:
        return {each.metric: describe(each) for each in differences}

    return {
        "a": pair.first.directory,
        "b": pair.second.directory,
        "verdict": pair.verdict,
        "same_data": pair.has_same_data,
        "level": pair.level,
        "options": {each.option: [each.first, each.second] for each in pair.options},
        "splits": {
            split.split: {
                "num_examples": split.num_examples,
                "metrics": describe_all(split.metrics),
                "outcomes": describe_all(split.outcomes),
                "transitions": None if split.transitions is None else split.transitions.tolist(),
                "by_length": {each.lengths: describe(each.difference) for each in split.by_length},
            }
            for split in pair.splits
        },
    }
