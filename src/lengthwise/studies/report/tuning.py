"""The sections of a report on what a tuned sweep adds: values tuned for each condition, and twice the updates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lengthwise.evaluation.tables import Entry, Table
from lengthwise.plotting import save_figure
from lengthwise.studies.collect import TunedCondition
from lengthwise.studies.figures.tuning import plot_tuning
from lengthwise.studies.report.contents import Picture, Section
from lengthwise.studies.report.findings import VERDICTS, Finding, list_describing, list_findings
from lengthwise.studies.report.numbers import UNKNOWN, format_count, format_estimate, format_known
from lengthwise.studies.study import Study
from lengthwise.studies.units import Unit, find_unit


def build_tuning(study: Study, tuning: Sequence[TunedCondition], directory: Path) -> tuple[Section, ...]:
    """Build the section on what was tuned; none where nothing was.

    Args:
        study: The study.
        tuning: What the values that were tried reached in each condition.
        directory: An existing directory for the figure, as a PNG file.
    """
    if not tuning:
        return ()
    unit, tried = find_unit(study.metric_name), list(tuning[0].scores)
    text = (
        "Each condition was first run with every value, on other seeds than the reported ones, and takes the value "
        f"with the best mean {unit.label} on validation, of equal ones that with the lower validation loss. These runs "
        f"are the study {study.names[0]}_tuning and count in no other number of this page."
    )
    edges = [each for each in tuning if len(tried) > 2 and each.chosen in (tried[0], tried[-1])]
    if edges:
        text += (
            f" {len(edges)} of {len(tuning)} conditions take the first or the last value tried: there may be better "
            "ones beyond it."
        )
    table = Table(columns=("condition", *tried, "chosen"), rows=tuple(_make_row(each, tried, unit) for each in tuning))
    return (Section(title="Tuning", text=text, tables={"": table}, pictures=_draw(study, tuning, directory)),)


def _make_row(tuned: TunedCondition, tried: Sequence[str], unit: Unit) -> tuple[Entry, ...]:
    scores = (format_known(tuned.scores.get(value, math.nan), unit) for value in tried)
    return (tuned.name, *scores, tuned.chosen.partition("=")[2] if " " not in tuned.chosen else tuned.chosen)


def _draw(study: Study, tuning: Sequence[TunedCondition], directory: Path) -> tuple[Picture, ...]:
    """Draw the scores against the value, where it is one number."""
    figure = plot_tuning({each.name: each.scores for each in tuning}, study.metric_name)
    if figure is None:
        return ()
    path = directory / "tuning.png"
    save_figure(figure, path)
    caption = "Score on validation of each value that was tried, a line for each condition."
    return (Picture(name="tuning", caption=caption, png=path.read_bytes()),)


class Pair(NamedTuple):
    """A finding that describes a study, and the same with twice the updates; None where that is not known."""

    now: Finding
    then: Finding | None


def pair_findings(study: Study, doubled: Study | None) -> list[Pair]:
    """Pair the findings that describe a study with those of the same with twice the updates; none without that."""
    if doubled is None:
        return []
    all_then = [each for main in list_findings(doubled, doubled.metric) for each in (main, *main.simple)]
    then = {(each.label, each.context): each for each in all_then if each.is_known}
    now = [each for each in list_describing(list_findings(study, study.metric)) if each.is_known]
    return [Pair(each, then.get((each.label, each.context))) for each in now]


def build_doubling(study: Study, doubled: Study | None, pairs: Sequence[Pair]) -> tuple[Section, ...]:
    """Build the section on what twice the updates change; none where that was not run.

    Args:
        study: The study.
        doubled: The same with twice the updates.
        pairs: Its findings, as `pair_findings` pairs them.
    """
    if doubled is None or not pairs:
        return ()
    unit = find_unit(study.metric_name)
    rows = tuple(
        (
            now.label,
            now.context or "the average of all",
            *_describe_finding(now, unit),
            *(_describe_finding(then, unit) if then is not None else (UNKNOWN, UNKNOWN)),
        )
        for now, then in pairs
    )
    columns = ("change", "at", f"difference ({unit.difference})", "verdict", "with twice the updates", "verdict then")
    count, whole = (sum(len(each.collect(own.metric)) for each in own.conditions) for own in (doubled, study))
    runs = "All runs" if count >= whole else f"{count} of the {whole} runs"
    text = f"{runs} once more with twice the epochs, the study {doubled.title}, judged by itself. "
    text += write_doubling(pairs) or "Every verdict is the same."
    best, then = study.rank()[0].name, doubled.rank()[0].name
    text += f" The condition to take is {best}" + (", then too." if best == then else f"; then it is {then}.")
    return (Section(title="Twice the updates", text=text, tables={"": Table(columns=columns, rows=rows)}),)


def write_doubling(pairs: Sequence[Pair]) -> str:
    """Say which verdicts twice the updates change; nothing where all stand, or that was not run."""
    known = [(now, then) for now, then in pairs if then is not None]
    changed = [now for now, then in known if now.verdict != then.verdict]
    if not changed:
        return ""
    named = "; ".join(f"{each.label}{f' ({each.context})' if each.context else ''}" for each in changed)
    return (
        f"Twice the updates change {len(changed)} of {format_count(len(known), 'verdict')}: {named}. "
        "Such a difference may be one of training that was too short."
    )


def _describe_finding(finding: Finding, unit: Unit) -> tuple[Entry, Entry]:
    bare = unit._replace(difference="")
    difference = format_estimate(finding.effect.estimate, bare, difference=True)
    return difference, VERDICTS[finding.verdict] if finding.is_judged else "not judged"
