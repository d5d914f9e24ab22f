"""Sections of a report below its answer: tables and figures."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

from matplotlib.figure import Figure

from lengthwise.evaluation.assessment import PRIMARY_METRICS
from lengthwise.evaluation.tables import Table
from lengthwise.plotting import save_figure
from lengthwise.studies.baselines import find_baseline
from lengthwise.studies.condition import Condition
from lengthwise.studies.figures.conditions import (
    MOST_CONDITIONS,
    can_plot_numeric_axis,
    plot_conditions,
    plot_numeric_axis,
)
from lengthwise.studies.figures.effects import MOST_EFFECTS, EffectRow, plot_effects
from lengthwise.studies.figures.panels import MOST_PANELS, plot_learning_curves, plot_lengths
from lengthwise.studies.judging import MIN_SEEDS
from lengthwise.studies.lengths import has_several_lengths
from lengthwise.studies.published import compare_published
from lengthwise.studies.report.choice import list_possible_best
from lengthwise.studies.report.contents import Picture, Section
from lengthwise.studies.report.findings import Finding, list_describing, list_findings, list_interactions
from lengthwise.studies.report.numbers import format_score
from lengthwise.studies.report.standing import Standing
from lengthwise.studies.report.tables import (
    choose_samples,
    tabulate_conditions,
    tabulate_decodings,
    tabulate_effects,
    tabulate_incomplete,
    tabulate_published,
    tabulate_unfinished,
)
from lengthwise.studies.study import Study
from lengthwise.studies.units import find_unit

MOST_SIMPLE, MOST_INTERACTIONS = 120, 30
_ALIKE: tuple[Standing, ...] = ("nothing learnt", "all tie")
"""Standings in which no condition is the best."""

_CURVES = ("val/free_running_exact_match", "val/free_running_mean_absolute_error", "val/absolute_error", "val/loss")
"""The metrics of learning curves: drawn is the first of these that every finished run has."""


def build_lead(study: Study, standing: Standing, directory: Path) -> tuple[Picture, ...]:
    """Draw the figure beside the answer: the conditions; learning curves, where nothing was learnt or all tie.

    Args:
        study: The study.
        standing: Whether its conditions can be compared.
        directory: An existing directory for the figures, as PNG files.
    """
    if standing == "unfinished":
        return ()
    return _draw_learning_curves(study, directory) if standing in _ALIKE else _draw_conditions(study, directory)


def build_sections(study: Study, standing: Standing, directory: Path) -> tuple[Section, ...]:
    """Build the parts of a report, in the order in which they are read.

    Args:
        study: The study.
        standing: Whether its conditions can be compared; effects are left out where all tie, and come last where
            nothing was learnt.
        directory: An existing directory for the figures, as PNG files.
    """
    sections = [_build_conditions(study, standing)]
    if standing != "unfinished":
        effects = [_build_effects(study, metric, directory) for metric in (study.metric, *study.other_metrics)]
        others = [_build_figures(study, standing, directory), _build_samples(study, standing, directory)]
        by_standing = {"nothing learnt": [*others, *effects], "all tie": others}
        sections += by_standing.get(standing, [*effects, *others])
    sections += [_build_decodings(study), _build_published(study), _build_unfinished(study), _build_incomplete(study)]
    return tuple(section for section in sections if section.tables or section.pictures)


def _build_conditions(study: Study, standing: Standing) -> Section:
    text = "One seed each" if study.num_seeds == 1 else "Mean over the seeds and 95 % interval"
    by = "validation" if study.selection_metric != study.metric else study.split
    text += "." if standing in _ALIKE else f"; in the order of the mean score on {by}."
    baseline = find_baseline(study, study.metric)
    if baseline is not None:
        score = format_score(baseline.score, find_unit(study.metric_name))
        text += f" Without learning, {baseline.name} reaches {score}."
    return Section(title="Conditions", text=text, tables={"": tabulate_conditions(study)})


def _build_effects(study: Study, metric: str, directory: Path) -> Section:
    main = list_findings(study, metric)
    pairs = list_interactions(study, metric) if study.num_seeds > 1 else []
    split = metric.partition("/")[0]
    unit = find_unit(study.metric_name)
    alike = [finding for finding in main if not finding.depends_on_others]
    tables = {}
    if alike:
        more = " (changes whose effects differ by more than half of the average have none)"
        caption = f"Main effects: averages over the other axes{more if len(alike) < len(main) else ''}"
        tables[caption] = tabulate_effects(study, alike)
    simple = [each for finding in main for each in finding.simple]
    if simple:
        caption = "Simple effects: at each combination of the other axes"
        shown = sorted(simple, key=_rank_finding)[:MOST_SIMPLE] if len(simple) > MOST_SIMPLE else simple
        caption += f" (the {len(shown)} clearest of {len(simple)})" if len(shown) < len(simple) else ""
        tables[caption] = tabulate_effects(study, shown)
    if pairs:
        shown = sorted(pairs, key=_rank_finding)[:MOST_INTERACTIONS]
        caption = "Interactions: the effect of two changes beyond the sum of each"
        caption += f" (the {len(shown)} clearest of {len(pairs)})" if len(shown) < len(pairs) else ""
        tables[caption] = tabulate_effects(study, shown)
    known = [finding for finding in list_describing(main) if finding.is_known]
    pictures: tuple[Picture, ...] = ()
    if known:
        rows = [_draw_row(finding, unit.scale) for finding in known]
        better = "right" if study.higher_is_better else "left"
        caption = f"Differences in {unit.label}, split {split}: to the {better} of 0 is better."
        caption += f" The first {MOST_EFFECTS} of {len(rows)}." if len(rows) > MOST_EFFECTS else ""
        figure = plot_effects(rows, unit=unit.difference or unit.label)
        pictures = (_save(figure, directory, f"effects_{split}", caption),)
    return Section(title=f"Effects on {unit.label}, split {split}", tables=tables, pictures=pictures)


def _rank_finding(finding: Finding) -> tuple[bool, float, float]:
    p_value = finding.effect.estimate.p_value
    return (math.isnan(p_value), 0.0 if math.isnan(p_value) else p_value, -abs(finding.effect.estimate.mean))


def _draw_row(finding: Finding, scale: float) -> EffectRow:
    estimate = finding.effect.estimate
    label = f"{finding.label} ({finding.context})" if finding.context else finding.label
    return EffectRow(label, scale * estimate.mean, scale * estimate.low, scale * estimate.high, finding.verdict)


def _build_figures(study: Study, standing: Standing, directory: Path) -> Section:
    baseline = find_baseline(study, study.metric)
    score = math.nan if baseline is None else baseline.score
    line = "" if baseline is None else f" The broken line is the score without learning ({baseline.name})."
    pictures = []
    for axis in study.axes:
        if can_plot_numeric_axis(study, axis):
            caption = f"Score against {axis.option}: mean over the seeds, with a band for its 95 % interval.{line}"
            figure = plot_numeric_axis(study, axis, baseline=score)
            pictures.append(_save(figure, directory, f"by_{axis.label}", caption))
    if standing in _ALIKE:
        pictures += _draw_conditions(study, directory)
    if has_several_lengths(study):
        caption = "Score by target length, mean over the seeds; the lengths trained on are shaded."
        pictures.append(_save(plot_lengths(study, study.metric_name), directory, "by_length", caption))
        if study.metric_name == PRIMARY_METRICS["features"]:
            caption = "Length error by target length: steps too many or too few, mean over the seeds."
            figure = plot_lengths(study, "length_error")
            pictures.append(_save(figure, directory, "length_error_by_length", caption))
    if standing not in _ALIKE:  # they are shown below the answer then
        pictures += _draw_learning_curves(study, directory)
    return Section(title="Figures", tables={}, pictures=tuple(pictures))


def _draw_conditions(study: Study, directory: Path) -> tuple[Picture, ...]:
    baseline = find_baseline(study, study.metric)
    caption = "Score of every condition: its mean with the 95 % interval, and each seed."
    possible: frozenset[str] = frozenset()
    if study.num_seeds >= MIN_SEEDS and len(study.conditions) > 1:
        possible = frozenset(condition.name for condition in list_possible_best(study))
        caption += " Blue: may be the best; grey: worse than another condition."
    if baseline is not None:
        caption += f" The broken line is the score without learning ({baseline.name})."
    if len(study.conditions) > MOST_CONDITIONS:
        caption += f" The {MOST_CONDITIONS} highest." if study.higher_is_better else f" The {MOST_CONDITIONS} lowest."
    score = math.nan if baseline is None else baseline.score
    figure = plot_conditions(study, baseline=score, possible=possible)
    return (_save(figure, directory, "conditions", caption),)


def _draw_learning_curves(study: Study, directory: Path) -> tuple[Picture, ...]:
    finished = [run for condition in study.conditions for run in condition.finished]
    metric = next((name for name in _CURVES if all(name in run.curves for run in finished)), None)
    if metric is None:
        return ()
    if metric == "val/loss":
        meaning = " Losses of models that stop differently are sums over different steps."
    else:
        meaning = " Decoded freely." if "free_running" in metric else " Measured during training, not decoded freely."
    cut = f" The first {MOST_PANELS} panels." if len(study.conditions) > 7 * MOST_PANELS else ""
    caption = f"Learning curves of {metric}: mean over the seeds, shaded from lowest to highest.{meaning}{cut}"
    return (_save(plot_learning_curves(study, metric), directory, "learning_curves", caption),)


def _build_samples(study: Study, standing: Standing, directory: Path) -> Section:
    tables: dict[str, Table] = {}
    pictures = []
    for name, condition in _choose_shown(study, standing).items():
        drawn = next((run.reconstructions for run in condition.finished if run.reconstructions is not None), None)
        if drawn is not None:
            path = directory / f"reconstructions_{name}.png"
            shutil.copyfile(drawn, path)
            caption = f"Originals and reconstructions of the {name} condition, {condition.name}."
            pictures.append(Picture(name=path.stem, caption=caption, png=path.read_bytes()))
        table = choose_samples(study, condition)
        if table is not None:
            tables[f"The {name} condition: {condition.name}"] = table
    text = f"Split {study.split}, decoded by the condition's first seed: the largest errors, then some drawn at random."
    return Section(title="Decoded examples", text=text, tables=tables, pictures=tuple(pictures))


def _choose_shown(study: Study, standing: Standing) -> dict[str, Condition]:
    """Choose the conditions whose examples are shown: the best and the worst; the first where all are alike."""
    scored = [condition for condition in study.rank() if len(condition.collect(study.metric))]
    if standing in _ALIKE:
        return {"first": next(condition for condition in study.conditions if condition in scored)}
    return {"best": scored[0], "worst": scored[-1]} if len(scored) > 1 else {"best": scored[0]}


def _build_decodings(study: Study) -> Section:
    table = tabulate_decodings(study)
    text = (
        f"The same trained models: {find_unit(study.metric_name).label} under other decodings. The length rule `model` "
        "ends a sequence where the model does, `oracle` at its true length, `max` after the most steps. These scores "
        "are shown and not judged."
    )
    return Section(title="Other decodings", text=text, tables={"": table} if table.rows else {})


def _build_published(study: Study) -> Section:
    comparisons = compare_published(study)
    tables = {"": tabulate_published(comparisons)} if comparisons else {}
    text = (
        "Where the whole recipe is the same, the interval is where the mean of as many seeds as were published is "
        "expected, with a probability of 95 %, if they came from runs like these. Elsewhere no distance is given."
    )
    return Section(title="Published results", text=text, tables=tables)


def _build_unfinished(study: Study) -> Section:
    table = tabulate_unfinished(study)
    text = "Combinations of the axes' levels and seeds without a score of their own, and what they count as above."
    return Section(title="Missing and failed runs", text=text, tables={"": table} if table.rows else {})


def _build_incomplete(study: Study) -> Section:
    table = tabulate_incomplete(study)
    text = "Their scores are complete and count above; `lengthwise evaluate RUN` writes what is missing."
    return Section(title="Runs with missing parts", text=text, tables={"": table} if table.rows else {})


def _save(figure: Figure, directory: Path, name: str, caption: str) -> Picture:
    path = directory / f"{name}.png"
    save_figure(figure, path)
    return Picture(name=name, caption=caption, png=path.read_bytes())
