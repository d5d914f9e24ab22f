"""The section of a report on values that were tuned for each condition before its runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from lengthwise.evaluation.tables import Entry, Table
from lengthwise.plotting import save_figure
from lengthwise.studies.collect import TunedCondition
from lengthwise.studies.figures.tuning import plot_tuning
from lengthwise.studies.report.contents import Picture, Section
from lengthwise.studies.report.numbers import format_known
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
