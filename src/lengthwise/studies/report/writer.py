"""Writes the report on studies, or on a sweep, into its directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from lengthwise.config.about import StudyAbout, read_study_about
from lengthwise.errors import LengthwiseError
from lengthwise.evaluation.tables import Table
from lengthwise.files import write_whole
from lengthwise.studies.collect import Collection, collect_studies, collect_sweep
from lengthwise.studies.judging import MIN_SEEDS
from lengthwise.studies.report.answer import Answer, write_answer
from lengthwise.studies.report.contents import Report
from lengthwise.studies.report.details import list_commands, list_details
from lengthwise.studies.report.fate import Fate, write_fate
from lengthwise.studies.report.findings import LEGEND, LEGEND_FEW_SEEDS
from lengthwise.studies.report.markdown import render_markdown
from lengthwise.studies.report.page import render_page
from lengthwise.studies.report.sections import build_lead, build_sections
from lengthwise.studies.report.tables import tabulate_answer, write_results
from lengthwise.studies.report.tuning import Pair, build_doubling, build_tuning, pair_findings, write_doubling
from lengthwise.studies.study import Study
from lengthwise.tracking.runs.layout import ANSWER_NAME

REPORT_DIRECTORY = "report"
"""Directory of a report, within that of its study or of the sweep it is about."""

HTML_NAME, TEXT_NAME, RESULTS_NAME = "report.html", "README.md", "results.csv"


class WrittenReport(NamedTuple):
    """A report that was written.

    Args:
        directory: Where its files are.
        html: The page.
        answer: What it says first, in paragraphs.
        commands: How the condition to take is trained and used; empty where the conditions cannot be compared.
    """

    directory: Path
    html: Path
    answer: tuple[str, ...]
    commands: tuple[str, ...]


def report_studies(
    output_dir: Path, names: Sequence[str], *, destination: Path | None = None, leave_out_failed: bool = False
) -> WrittenReport:
    """Write the report on one or more studies.

    Args:
        output_dir: The directory of all run directories.
        names: Names of the studies; the runs of several are taken together.
        destination: Directory for the report; None: `report` in the study's directory.
        leave_out_failed: Whether runs that failed by their own doing are left out instead of counting with the worst
            score.

    Raises:
        LengthwiseError: There is no such study, its runs cannot be compared, or the report cannot be written.
    """
    collection = collect_studies(output_dir, names, leave_out_failed=leave_out_failed)
    return _write(collection, destination or output_dir / "+".join(collection.study.names) / REPORT_DIRECTORY)


def report_sweep(directory: Path) -> WrittenReport:
    """Write the report on the runs of one sweep into its directory, with those it reused from earlier sweeps.

    Args:
        directory: Directory of the sweep, whose `sweep.csv` names the runs.

    Raises:
        LengthwiseError: It has no runs, they cannot be compared, or the report cannot be written.
    """
    return _write(collect_sweep(directory), directory / REPORT_DIRECTORY)


def _write(collection: Collection, destination: Path) -> WrittenReport:
    html = destination / HTML_NAME
    try:
        (destination / "figures").mkdir(parents=True, exist_ok=True)
        report = _assemble(collection, destination / "figures")
        write_whole(html, render_page(report).encode())
        write_whole(destination / TEXT_NAME, render_markdown(report).encode())
        write_whole(destination / ANSWER_NAME, _write_lead(report.answer).encode())
        write_whole(destination / RESULTS_NAME, write_results(collection.study).encode())
    except OSError as error:
        raise LengthwiseError(
            f"The report cannot be written: {error}. Give another directory with --output DIR."
        ) from error
    answer = report.answer
    return WrittenReport(
        directory=destination,
        html=html,
        answer=(*_list_fate(report.fate), *answer.paragraphs, *answer.cautions),
        commands=answer.choice.commands if answer.choice is not None and answer.standing == "compared" else (),
    )


def _write_lead(answer: Answer) -> str:
    """Return the paragraph by which MLflow describes a sweep: the condition to take, and every warning."""
    lead = " ".join(answer.opening[:1]) if answer.choice is None else answer.choice.headline
    return " ".join([lead, *answer.warnings]).strip()


def _write_answer(study: Study, pairs: Sequence[Pair]) -> Answer:
    """Write the answer, with a caution where twice the updates change a verdict."""
    answer = write_answer(study)
    changed = write_doubling(pairs) if answer.standing == "compared" else ""
    return replace(answer, cautions=(changed, *answer.cautions)) if changed else answer


def _list_details(collection: Collection, about: StudyAbout | None) -> dict[str, str]:
    """List the details, with when the study was looked at, if its seeds stop where the answer is clear."""
    details = list_details(collection.study, collection.sweeps, about)
    looks = collection.looks
    if looks is not None and len(looks.num_seeds) > 1:
        times = ", ".join(str(each) for each in looks.num_seeds)
        end = (
            ""
            if looks.stopped is None
            else f"; it stopped at {looks.stopped}, where one condition was left as the best"
        )
        details["Seeds"] += f"; looked at with {times} seeds{end}. Each look has an equal part of the page's level"
    return details


def _list_fate(fate: Fate | None) -> tuple[str, ...]:
    """Return what a terminal shows of a prediction, in one paragraph."""
    return () if fate is None else (" ".join([f"{fate.verdict}.", fate.prediction, *fate.rules]),)


def _assemble(collection: Collection, figures: Path) -> Report:
    study, sweeps, doubled = collection.study, collection.sweeps, collection.doubled
    pairs = pair_findings(study, doubled)
    answer = _write_answer(study, pairs)
    about = read_study_about(study.names[0]) if len(study.names) == 1 else None
    newest = max((run.manifest for run in study.runs), key=lambda manifest: manifest.started)
    is_compared = answer.standing == "compared"
    return Report(
        title=study.title,
        question=None if about is None else about.question,
        fate=None if about is None else write_fate(study, about),
        answer=answer,
        summary=tabulate_answer(study) if is_compared else Table(columns=(), rows=()),
        legend=LEGEND if study.num_seeds >= MIN_SEEDS else LEGEND_FEW_SEEDS,
        lead=build_lead(study, answer.standing, figures),
        details=_list_details(collection, about),
        sections=(
            *build_sections(study, answer.standing, figures),
            *(build_doubling(study, doubled, pairs) if is_compared else ()),
            *build_tuning(study, collection.tuning, figures),
        ),
        commands=list_commands(study, sweeps),
        made=f"Written by lengthwise {newest.versions.get('lengthwise', '')} on {datetime.now(UTC):%Y-%m-%d}.",
    )
