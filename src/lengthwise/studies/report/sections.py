"""The parts of a report below its answer: tables and figures."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

from matplotlib.figure import Figure

from lengthwise.evaluation.tables import Table
from lengthwise.plotting import save_figure
from lengthwise.studies.figures import (
    MOST_PANELS,
    MOST_ROWS,
    EffectRow,
    can_plot_numeric_axis,
    find_lengths,
    plot_cells,
    plot_courses,
    plot_effects,
    plot_lengths,
    plot_numeric_axis,
)
from lengthwise.studies.published import compare_published
from lengthwise.studies.report.numbers import find_unit, write_number
from lengthwise.studies.report.page import Picture, Section
from lengthwise.studies.report.tables import (
    choose_samples,
    tabulate_cells,
    tabulate_effects,
    tabulate_published,
    tabulate_unfinished,
)
from lengthwise.studies.report.text import Finding, find_baseline, has_values, write_findings, write_levels
from lengthwise.studies.study import Study

MOST_INTERACTIONS = 30
_COURSES = ("val/exact_match", "val/token_accuracy", "val/absolute_error", "val/loss")
"""What a course is drawn of: the first of these that every finished run has."""


def build_sections(study: Study, directory: Path) -> tuple[Section, ...]:
    """Build the parts of a report, in the order in which they are read.

    Args:
        study: the study.
        directory: takes the figures as PNG files; it exists.
    """
    sections = [_build_cells(study)]
    if has_values(study):
        sections += [_build_effects(study, metric, directory) for metric in (study.metric, *study.other_metrics)]
        sections.append(_build_figures(study, directory))
        sections.append(_build_samples(study, directory))
    sections += [_build_published(study), _build_unfinished(study)]
    return tuple(section for section in sections if section.tables or section.pictures)


def _build_cells(study: Study) -> Section:
    text = "Mean over the seeds and 95 % interval; the best first."
    name, baseline = find_baseline(study, study.metric)
    if math.isfinite(baseline):
        unit = find_unit(study.metric_name)
        text += f" Without learning, {name} reaches {write_number(baseline, unit)} {unit.score}.".replace(" .", ".")
    return Section(title="Cells", text=text, tables={"": tabulate_cells(study)})


def _build_effects(study: Study, metric: str, directory: Path) -> Section:
    main, pairs = write_findings(study, metric)
    split = metric.partition("/")[0]
    unit = find_unit(study.metric_name)
    tables = {"Main effects": tabulate_effects(study, main)} if main else {}
    if pairs:
        shown = sorted(pairs, key=_rank_finding)[:MOST_INTERACTIONS]
        named = "Interactions: what two steps do beyond what each does alone"
        named += f" (the {len(shown)} clearest of {len(pairs)})" if len(shown) < len(pairs) else ""
        tables[named] = tabulate_effects(study, shown)
    for level, findings in write_levels(study, metric).items():
        tables[f"At {level}"] = tabulate_effects(study, findings)
    known = [finding for finding in main if math.isfinite(finding.effect.estimate.mean)]
    pictures: tuple[Picture, ...] = ()
    if known:
        rows = [_draw_row(finding, unit.scale) for finding in known]
        better = "right" if study.higher_is_better else "left"
        caption = f"Main effects on {unit.label}, split {split}: to the {better} of 0 is better."
        caption += f" The first {MOST_ROWS} of {len(rows)}." if len(rows) > MOST_ROWS else ""
        pictures = (
            _save(plot_effects(rows, unit=unit.difference or unit.label), directory, f"effects_{split}", caption),
        )
    return Section(title=f"Effects on {unit.label}, split {split}", tables=tables, pictures=pictures)


def _rank_finding(finding: Finding) -> tuple[bool, float, float]:
    p_value = finding.effect.estimate.p_value
    return (math.isnan(p_value), 0.0 if math.isnan(p_value) else p_value, -abs(finding.effect.estimate.mean))


def _draw_row(finding: Finding, scale: float) -> EffectRow:
    estimate = finding.effect.estimate
    return EffectRow(finding.label, scale * estimate.mean, scale * estimate.low, scale * estimate.high, finding.verdict)


def _build_figures(study: Study, directory: Path) -> Section:
    name, baseline = find_baseline(study, study.metric)
    told = f" The broken line is what is reached without learning ({name})." if math.isfinite(baseline) else ""
    pictures = []
    for axis in study.axes:
        if can_plot_numeric_axis(study, axis):
            figure = plot_numeric_axis(study, axis, baseline=baseline)
            caption = f"Score against {axis.option}: mean over the seeds, the band its 95 % interval.{told}"
            pictures.append(_save(figure, directory, f"by_{axis.label}", caption))
    cut = f" The best {MOST_ROWS} cells." if len(study.cells) > MOST_ROWS else ""
    caption = f"Score of every cell.{told}{cut}"
    pictures.append(_save(plot_cells(study, baseline=baseline), directory, "cells", caption))
    if _has_several_lengths(study):
        caption = "Score by target length, mean over the seeds; the lengths trained on are shaded."
        pictures.append(_save(plot_lengths(study), directory, "by_length", caption))
    course = _choose_course(study)
    if course is not None:
        cut = f" The first {MOST_PANELS} panels." if len(study.cells) > 7 * MOST_PANELS else ""
        meaning = (
            " Not decoded freely."
            if course != "val/loss"
            else " Losses of models that stop differently are not the same sum."
        )
        caption = (
            f"Course of {course} while training: mean over the seeds, shaded from lowest to highest.{meaning}{cut}"
        )
        pictures.append(_save(plot_courses(study, course), directory, "courses", caption))
    return Section(title="Figures", tables={}, pictures=tuple(pictures))


def _has_several_lengths(study: Study) -> bool:
    return find_lengths(study)[1] > 0 and any(
        len(table.rows) > 1 for run in study.runs for table in run.by_length.values()
    )


def _choose_course(study: Study) -> str | None:
    finished = [run for cell in study.cells for run in cell.finished]
    return next((name for name in _COURSES if all(name in run.courses for run in finished)), None)


def _build_samples(study: Study, directory: Path) -> Section:
    scored = [cell for cell in study.rank() if len(cell.collect(study.metric))]
    chosen = {"best": scored[0], **({"worst": scored[-1]} if len(scored) > 1 else {})}
    tables: dict[str, Table] = {}
    pictures = []
    for name, cell in chosen.items():
        drawn = next((run.reconstructions for run in cell.finished if run.reconstructions is not None), None)
        if drawn is not None:
            path = directory / f"reconstructions_{name}.png"
            shutil.copyfile(drawn, path)
            caption = f"Originals and reconstructions of the {name} cell, {cell.name}."
            pictures.append(Picture(name=path.stem, caption=caption, png=path.read_bytes()))
        table = choose_samples(study, cell)
        if table is not None:
            tables[f"The {name} cell: {cell.name}"] = table
    text = f"Split {study.split}, decoded by the cell's first seed: where it errs most, then some drawn at random."
    return Section(title="Decoded examples", text=text, tables=tables, pictures=tuple(pictures))


def _build_published(study: Study) -> Section:
    distances = compare_published(study)
    tables = {"": tabulate_published(distances)} if distances else {}
    text = "The distance is ours less the published one, in standard errors of ours (and of theirs, where it is known)."
    return Section(title="Published results", text=text, tables=tables)


def _build_unfinished(study: Study) -> Section:
    table = tabulate_unfinished(study)
    text = "Combinations of the axes' levels and seeds without a result; they count in nothing above."
    return Section(title="Missing and failed runs", text=text, tables={"": table} if table.rows else {})


def _save(figure: Figure, directory: Path, name: str, caption: str) -> Picture:
    path = directory / f"{name}.png"
    save_figure(figure, path)
    return Picture(name=name, caption=caption, png=path.read_bytes())
