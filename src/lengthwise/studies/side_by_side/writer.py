"""Writes the page that sets studies side by side, each with the verdicts of its own report."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from lengthwise import __version__
from lengthwise.config.about import read_study_about
from lengthwise.errors import LengthwiseError
from lengthwise.evaluation.tables import Entry, Table
from lengthwise.files import write_whole
from lengthwise.plotting import save_figure
from lengthwise.studies.baselines import find_baseline
from lengthwise.studies.collect import collect_studies
from lengthwise.studies.figures.side_by_side import Point, StudyLine, plot_side_by_side
from lengthwise.studies.report.answer import Answer, write_answer
from lengthwise.studies.report.choice import list_best_by_data, list_possible_best
from lengthwise.studies.report.contents import Picture, Report, Section
from lengthwise.studies.report.details import list_details
from lengthwise.studies.report.markdown import render_markdown
from lengthwise.studies.report.numbers import UNKNOWN, format_estimate, format_score
from lengthwise.studies.report.page import render_page
from lengthwise.studies.report.writer import HTML_NAME, TEXT_NAME, WrittenReport
from lengthwise.studies.side_by_side.changes import Change, list_changes, write_changes
from lengthwise.studies.study import Study
from lengthwise.studies.units import find_unit

CHANGES_NAME = "changes.csv"
"""The file with every number of the figure."""

_FIGURE = "side_by_side"
_QUESTION = "Which should I take for my data, and why?"
_CAPTION = (
    "What each choice changes, a line for each study that varies it and a point for each combination of its other "
    "axes, with 95 % intervals over seeds. Scores are drawn as the share of the way from the score without learning "
    "to a perfect one, so that studies of texts and of numbers fit on one scale: to the right of 0 is better. Points "
    "of one line on both sides of 0 say that the choice depends on the other axes."
)
_LEGEND = (
    "Chosen on validation, quoted on test. The last column counts the conditions that are not worse than another one, "
    "with the confidence that the study's own page states; that page names them."
)
_NOTES = (
    "Every study is judged on its own page, which is wrong in calling anything different with a probability of 5 % at "
    "most; this page repeats those verdicts and makes none. Its numbers are in changes.csv (differences in the score's "
    "own unit, and `gain`, the share of the way that is drawn), and those of every run in the studies' results.csv. "
)


def report_side_by_side(output_dir: Path, names: Sequence[str], *, destination: Path | None = None) -> WrittenReport:
    """Write a page on several studies, each analysed by itself.

    Args:
        output_dir: The directory of all run directories.
        names: Names of the studies, in the order of the page.
        destination: Directory for the page; None: `side-by-side` in the directory of all runs.

    Raises:
        LengthwiseError: There is no such study, its conditions cannot be compared, or the page cannot be written.
    """
    studies = [collect_studies(output_dir, [name]).study for name in dict.fromkeys(names)]
    answers = {study.title: write_answer(study) for study in studies}
    for name, answer in answers.items():
        if answer.standing != "compared":
            why = " ".join(answer.paragraphs[:1])
            raise LengthwiseError(f"The study {name!r} cannot be set beside others: {why} Leave it out.")
    directory = destination or output_dir / "side-by-side"
    changes = list_changes(studies)
    try:
        (directory / "figures").mkdir(parents=True, exist_ok=True)
        report = _assemble(studies, answers, changes, directory / "figures")
        write_whole(directory / HTML_NAME, render_page(report).encode())
        write_whole(directory / TEXT_NAME, render_markdown(report).encode())
        write_whole(directory / CHANGES_NAME, write_changes(changes).encode())
    except OSError as error:
        raise LengthwiseError(
            f"The page cannot be written: {error}. Give another directory with --output DIR."
        ) from error
    return WrittenReport(directory=directory, html=directory / HTML_NAME, answer=report.answer.paragraphs, commands=())


def _assemble(studies: Sequence[Study], answers: dict[str, Answer], changes: Sequence[Change], figures: Path) -> Report:
    names = [study.title for study in studies]
    return Report(
        title=f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0],
        question=_QUESTION,
        answer=Answer(
            standing="compared", opening=tuple(_write_opening(study, answers) for study in studies), cautions=()
        ),
        summary=_tabulate_choices(studies),
        legend=_LEGEND,
        lead=_draw(changes, figures),
        details={study.title: list_details(study, (), None).get("Data", "") for study in studies},
        sections=tuple(_build_section(study, answers[study.title]) for study in studies),
        commands=(f"lengthwise report {' '.join(names)} --side-by-side",),
        made=f"Written by lengthwise {__version__} on {datetime.now(UTC):%Y-%m-%d}.",
        subject="The data",
        notes=_NOTES,
    )


def _write_opening(study: Study, answers: dict[str, Answer]) -> str:
    choice = answers[study.title].choice
    return f"{study.title}: {'' if choice is None else choice.headline}"


def _tabulate_choices(studies: Sequence[Study]) -> Table:
    columns = ("study", "take", "score", "without learning", "may be as good")
    return Table(columns=columns, rows=tuple(row for study in studies for row in _list_choices(study)))


def _list_choices(study: Study) -> Iterator[tuple[Entry, ...]]:
    """Yield the row of the condition to take, or of a study over several data those of the best of each."""
    unit, baseline, by_data = find_unit(study.metric_name), find_baseline(study, study.metric), list_best_by_data(study)
    for best in by_data or study.rank()[:1]:
        num_others = sum(each is not best for each in list_possible_best(study))
        yield (
            study.title,
            best.name,
            f"{unit.label} {format_estimate(best.estimate(study.metric), unit)}",
            "not known" if baseline is None else format_score(baseline.score, unit),
            UNKNOWN if by_data else f"{num_others} of {len(study.conditions) - 1} others",
        )


def _draw(changes: Sequence[Change], directory: Path) -> tuple[Picture, ...]:
    lines = [
        StudyLine(
            part=label,
            label=study,
            points=tuple(Point(each.gain.mean, each.gain.low, each.gain.high, each.verdict) for each in own),
        )
        for (label, study), own in itertools.groupby(changes, key=lambda each: (each.label, each.study))
    ]
    if not lines:
        return ()
    path = directory / f"{_FIGURE}.png"
    save_figure(plot_side_by_side(lines), path)
    return (Picture(name=_FIGURE, caption=_CAPTION, png=path.read_bytes()),)


def _build_section(study: Study, answer: Answer) -> Section:
    about = read_study_about(study.title)
    question = () if about is None else (about.question,)
    return Section(title=study.title, text=" ".join([*question, *answer.warnings, *answer.effects]), tables={})
