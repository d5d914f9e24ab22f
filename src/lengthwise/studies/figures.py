"""Figures of a study: effects, conditions, learning curves, and scores by target length."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from lengthwise.config.values import format_value
from lengthwise.evaluation.metrics import find_metric
from lengthwise.evaluation.tables import Table
from lengthwise.plotting import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    LINES,
    ORANGE,
    SHADE,
    Line,
    create_figure,
    escape_text,
    styled,
)
from lengthwise.studies.axes import Axis
from lengthwise.studies.study import Condition, Study

MOST_PANELS = 24
MOST_ROWS = 60


class EffectRow(NamedTuple):
    """An effect as it is drawn.

    Args:
        label: what is compared.
        mean, low, high: in the unit drawn; `low` and `high` NaN without an interval.
        verdict: 1 better, -1 worse, both at the 5 % level (corrected); 0 no significant difference.
    """

    label: str
    mean: float
    low: float
    high: float
    verdict: int


class _Panel(NamedTuple):
    title: str
    conditions: tuple[Condition, ...]


_VERDICTS = {1: ("better", GREEN, "o"), -1: ("worse", ORANGE, "s"), 0: ("no significant difference", INK, "D")}


@styled
def plot_effects(rows: Sequence[EffectRow], *, unit: str) -> Figure:
    """Draw effects as points with their intervals, one below the other, 0 marked.

    Args:
        rows: from top to bottom, at least one.
        unit: of the numbers.
    """
    shown = rows[:MOST_ROWS]
    figure = create_figure(7.4, 0.9 + 0.3 * len(shown))
    axes = figure.subplots()
    axes.axvline(0, color="#888888", linewidth=1)
    for height, row in enumerate(shown):
        _, colour, marker = _VERDICTS[row.verdict]
        if np.isfinite(row.low):
            axes.plot([row.low, row.high], [height, height], color=colour, linewidth=2)
        face = colour if row.verdict else "white"
        axes.plot(row.mean, height, marker=marker, color=colour, markerfacecolor=face, markersize=6, linestyle="none")
    for verdict, (label, colour, marker) in _VERDICTS.items():
        if any(row.verdict == verdict for row in shown):
            face = colour if verdict else "white"
            axes.plot([], [], marker=marker, color=colour, markerfacecolor=face, linewidth=2, label=label)
    axes.set_yticks(range(len(shown)), [escape_text(row.label, max_width=52) for row in shown])
    axes.set(ylim=(len(shown) - 0.4, -0.6), xlabel=f"difference ({unit}), 95 % intervals over seeds")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    return figure


@styled
def plot_conditions(study: Study, *, baseline: float) -> Figure:
    """Draw the score of every condition, the best on top: its seeds as rings, their mean and interval.

    Args:
        study: the study.
        baseline: score without learning; NaN: none.
    """
    ranked = study.rank()[:MOST_ROWS]
    figure = create_figure(7.4, 1.1 + 0.27 * len(ranked))
    axes = figure.subplots()
    for row, condition in enumerate(ranked):
        values = condition.collect(study.metric)
        if not len(values):
            axes.text(0.01, row, "no run finished", transform=axes.get_yaxis_transform(), va="center", color=ORANGE)
            continue
        found = condition.estimate(study.metric)
        if np.isfinite(found.low):
            axes.plot([found.low, found.high], [row, row], color=BLUE, linewidth=2, alpha=0.8)
        axes.plot(values, np.full(len(values), row), "o", color=INK, markerfacecolor="none", markersize=4)
        axes.plot(found.mean, row, "|", color=BLUE, markersize=13, markeredgewidth=2.4)
    if np.isfinite(baseline):
        axes.axvline(baseline, color=ORANGE, linestyle="--", linewidth=1.2, label="best baseline")
    axes.plot([], [], "o", color=INK, markerfacecolor="none", markersize=4, label="a seed")
    axes.plot([], [], "-", color=BLUE, linewidth=2, label="95 % interval, mean marked")
    axes.set_yticks(range(len(ranked)), [escape_text(condition.name, max_width=60) for condition in ranked])
    axes.set(ylim=(len(ranked) - 0.4, -0.6))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    label, unit = _describe(study.metric_name)
    axes.set_xlabel(f"{label} ({unit}), split {study.split}")
    if unit.startswith("share"):
        low, high = axes.get_xlim()
        axes.set_xlim(max(low, -0.03), min(high, 1.03))
        axes.xaxis.set_major_formatter(PercentFormatter(1))
    figure.legend(loc="outside lower center", ncols=3)
    return figure


@styled
def plot_numeric_axis(study: Study, axis: Axis, *, baseline: float) -> Figure:
    """Draw the score against the levels of a numeric axis, a line for each combination of the other axes.

    Args:
        study: the study.
        axis: a numeric one.
        baseline: score without learning; NaN: none.
    """
    groups: dict[tuple[int, ...], list[Condition]] = {}
    for condition in study.conditions:
        groups.setdefault(_drop(condition.levels, study.axes.index(axis)), []).append(condition)
    figure = create_figure(6.8, 4.0)
    axes = figure.subplots()
    levels = np.array([float(level or 0) for level in axis.levels])
    for line, (others, conditions) in zip(LINES, groups.items(), strict=False):
        rest = [each for each in study.axes if each is not axis]
        name = ", ".join(format_value(a.levels[level]) for a, level in zip(rest, others, strict=True)) or study.title
        found = [condition.estimate(study.metric) for condition in conditions]
        means, lows, highs = np.array([(each.mean, each.low, each.high) for each in found]).T
        axes.fill_between(levels, lows, highs, color=line.color, alpha=0.15, linewidth=0)
        axes.plot(levels, means, **line._asdict(), label=escape_text(name, max_width=50))
    if np.isfinite(baseline):
        axes.axhline(baseline, color=INK, linestyle=(0, (2, 2)), linewidth=1.1, label="best baseline")
    if levels.min() > 0 and levels.max() >= 8 * levels.min():
        axes.set_xscale("log", base=2)
    axes.set_xticks(levels, [format_value(level) for level in axis.levels])
    axes.minorticks_off()
    label, unit = _describe(study.metric_name)
    axes.set(xlabel=axis.option, ylabel=f"{label} ({unit})")
    if unit.startswith("share"):
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    figure.legend(loc="outside lower center", ncols=min(4, len(groups) + 1))
    return figure


def can_plot_numeric_axis(study: Study, axis: Axis) -> bool:
    """Tell whether an axis is numeric with at least 3 levels, and the others give few enough lines to distinguish."""
    others = len(study.conditions) // max(1, len(axis.levels))
    return study.is_grid and axis.is_numeric and len(axis.levels) >= 3 and others <= len(LINES)


@styled
def plot_learning_curves(study: Study, metric: str) -> Figure:
    """Draw a metric over the epochs for every condition: the mean of its seeds, shaded from the lowest to the highest.

    Args:
        study: the study.
        metric: `split/metric`, of the journal.
    """

    def draw(axes: Axes, condition: Condition, line: Line, label: str) -> None:
        curves = [run.curves[metric].values for run in condition.finished if metric in run.curves]
        if not curves:
            return
        longest = max(map(len, curves))
        # A run that stopped early keeps the value it had: its line ends where the longest one does.
        table = np.array([[*values, *[values[-1]] * (longest - len(values))] for values in curves], np.float64)
        epochs = np.arange(1, longest + 1)
        axes.fill_between(epochs, table.min(axis=0), table.max(axis=0), color=line.color, alpha=0.15, linewidth=0)
        axes.plot(epochs, table.mean(axis=0), **line._asdict(), markevery=max(1, longest // 6), label=label)

    name = metric.partition("/")[2]
    label, unit = _describe(name)
    values = [v for run in study.runs if metric in run.curves for v in run.curves[metric].values if np.isfinite(v)]
    figure = _plot_panels(study, draw, xlabel="epoch", ylabel=label, share=unit.startswith("share"))
    if not unit.startswith("share") and values and min(values) > 0 and max(values) > 30 * min(values):
        for axes in figure.axes:
            axes.set_yscale("log")
    return figure


@styled
def plot_lengths(study: Study) -> Figure:
    """Draw the score by target length for every condition, the trained lengths shaded."""
    trained, longest = find_lengths(study)
    shortest = min(low for condition in study.conditions for low, _ in average_by_length(condition, study.metric_name))

    def draw(axes: Axes, condition: Condition, line: Line, label: str) -> None:
        points = average_by_length(condition, study.metric_name)
        middle = [(low + high) / 2 for low, high in points]
        axes.plot(middle, list(points.values()), **line._asdict(), label=label)

    label, unit = _describe(study.metric_name)
    share = unit.startswith("share")
    figure = _plot_panels(study, draw, xlabel="target length (steps)", ylabel=label, share=share)
    for axes in figure.axes:
        axes.axvspan(shortest - 0.6, trained + 0.5, color=SHADE, zorder=0, linewidth=0)
        axes.set_xlim(shortest - 0.6, longest + 0.6)
        if not share:
            axes.set_ylim(bottom=0)
    return figure


def find_lengths(study: Study) -> tuple[int, int]:
    """Return the longest target length trained on and the longest scored, steps; 0 where nothing is known."""
    rows = [row for run in study.runs for table in run.by_length.values() for row in _read_lengths(table)]
    return max((high for _, high, beyond in rows if not beyond), default=0), max((row[1] for row in rows), default=0)


def average_by_length(condition: Condition, metric: str) -> dict[tuple[int, int], float]:
    """Average a metric over the seeds and held-out splits of a condition, weighted by the examples.

    Args:
        condition: the condition.
        metric: name without split.

    Returns:
        `(lowest, highest)` length of each group -> score, from short to long.
    """
    sums: dict[tuple[int, int], list[float]] = {}
    for run in condition.finished:
        for split, table in run.by_length.items():
            if split not in ("train", "val") and metric in table.columns:
                score, count = table.columns.index(metric), table.columns.index("examples")
                for row, (low, high, _) in zip(table.rows, _read_lengths(table), strict=True):
                    found = sums.setdefault((low, high), [0.0, 0.0])
                    found[0] += float(row[score]) * float(row[count])
                    found[1] += float(row[count])
    return {lengths: total / count for lengths, (total, count) in sorted(sums.items()) if count}


def _read_lengths(table: Table) -> list[tuple[int, int, bool]]:
    label, beyond = table.columns.index("target_length"), table.columns.index("beyond_trained")
    rows = []
    for row in table.rows:
        low, _, high = str(row[label]).partition("-")
        rows.append((int(low), int(high or low), bool(row[beyond])))
    return rows


def choose_line_axis(study: Study) -> int | None:
    """Choose the axis whose levels are lines of one panel: the one with most levels, preferably not a numeric one."""
    able = [index for index, axis in enumerate(study.axes) if study.is_grid and len(axis.levels) <= len(LINES)]
    return max(able, key=lambda index: (not study.axes[index].is_numeric, len(study.axes[index].levels)), default=None)


def _drop(levels: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*levels[:axis], *levels[axis + 1 :])


def _list_panels(study: Study) -> list[_Panel]:
    line_axis = choose_line_axis(study)
    if line_axis is None:
        return [_Panel(condition.name, (condition,)) for condition in study.conditions][:MOST_PANELS]
    others = [axis for index, axis in enumerate(study.axes) if index != line_axis]
    panels = []
    for levels in itertools.product(*(range(len(axis.levels)) for axis in others)):
        conditions = tuple(each for each in study.conditions if _drop(each.levels, line_axis) == levels)
        named = [f"{a.label}={format_value(a.levels[level])}" for a, level in zip(others, levels, strict=True)]
        panels.append(_Panel(", ".join(named), conditions))
    return panels[:MOST_PANELS]


def _plot_panels(
    study: Study, draw: Callable[[Axes, Condition, Line, str], None], *, xlabel: str, ylabel: str, share: bool
) -> Figure:
    panels, line_axis = _list_panels(study), choose_line_axis(study)
    num_columns = _choose_columns(study, len(panels))
    num_rows = math.ceil(len(panels) / num_columns)
    figure = create_figure(max(5.6, min(2.9 * num_columns, 10.5)), 2.3 * num_rows + 0.7)
    grid = figure.subplots(num_rows, num_columns, squeeze=False, sharex=True, sharey=True)
    for axes, panel in zip(grid.ravel(), panels, strict=False):
        for condition in panel.conditions:
            level = 0 if line_axis is None else condition.levels[line_axis]
            label = "" if line_axis is None else format_value(study.axes[line_axis].levels[level])
            draw(axes, condition, LINES[level], escape_text(label))
        axes.set_title(escape_text(panel.title, max_width=44), fontsize=8)
        axes.grid(axis="y", color=FAINT, alpha=0.6)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        if share:
            axes.set_ylim(-0.02, 1.02)
            axes.yaxis.set_major_formatter(PercentFormatter(1))
    for axes in grid.ravel()[len(panels) :]:
        axes.remove()
    figure.supxlabel(xlabel, fontsize=9)
    figure.supylabel(ylabel, fontsize=9)
    _draw_legend(figure, None if line_axis is None else study.axes[line_axis])
    return figure


def _choose_columns(study: Study, num_panels: int) -> int:
    """Choose a column for each level of the last axis that is not drawn as lines, where that fits."""
    line = choose_line_axis(study)
    others = [len(axis.levels) for index, axis in enumerate(study.axes) if index != line]
    return others[-1] if len(others) > 1 and 2 <= others[-1] <= 4 else min(num_panels, 3)


def _draw_legend(figure: Figure, axis: Axis | None) -> None:
    entries: Mapping[str, Artist] = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        if label
    }
    if axis is not None and entries:
        title = axis.label
        figure.legend(entries.values(), entries.keys(), loc="outside upper center", ncols=len(entries), title=title)


def _describe(metric: str) -> tuple[str, str]:
    known = find_metric(metric)
    return (metric.replace("_", " "), "") if known is None else (known.label, known.unit)
