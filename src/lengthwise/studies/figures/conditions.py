"""Figures of the scores of a study's conditions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from lengthwise.config.values import format_value
from lengthwise.plotting import (
    BLUE,
    GREY,
    INK,
    LINES,
    ORANGE,
    create_figure,
    escape_text,
    styled,
    thin_labels,
)
from lengthwise.studies.axes import Axis
from lengthwise.studies.condition import Condition
from lengthwise.studies.study import Study
from lengthwise.studies.units import Unit, find_unit

MOST_CONDITIONS = 60
_LONGEST_NAME = 60
_SMALLEST_SPAN = 0.1
"""Of an axis of shares, so that scores that are all equal are not magnified."""


@styled
def plot_conditions(study: Study, *, baseline: float, possible: frozenset[str] = frozenset()) -> Figure:
    """Draw the score of every condition, the first in rank on top: its seeds as rings, their mean and interval.

    Args:
        study: The study.
        baseline: Score without learning; NaN: none.
        possible: Names of the conditions that may be the best, all others drawn grey; empty: none is judged.
    """
    ranked = study.rank()[:MOST_CONDITIONS]
    figure = create_figure(7.4, 1.1 + 0.27 * len(ranked))
    axes = figure.subplots()
    for height, condition in enumerate(ranked):
        color = BLUE if not possible or condition.name in possible else GREY
        _draw_condition(axes, condition, height, study.metric, color)
    if math.isfinite(baseline):
        axes.axvline(baseline, color=ORANGE, linestyle="--", linewidth=1.2, label="best baseline")
    axes.plot([], [], "o", color=INK, markerfacecolor="none", markersize=4, label="a seed")
    if study.num_seeds > 1:
        axes.plot([], [], "-", color=BLUE, linewidth=2, label="95 % interval, mean marked")
    _label_conditions(axes, study, ranked)
    axes.set(ylim=(len(ranked) - 0.4, -0.6))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    _label_scores(axes, study)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _draw_condition(axes: Axes, condition: Condition, height: int, metric: str, color: str) -> None:
    values = condition.collect(metric)
    if not len(values):
        axes.text(0.01, height, "no run finished", transform=axes.get_yaxis_transform(), va="center", color=ORANGE)
        return
    estimate = condition.estimate(metric)
    if math.isfinite(estimate.low):
        axes.plot([estimate.low, estimate.high], [height, height], color=color, linewidth=2, alpha=0.8)
    axes.plot(values, np.full(len(values), height), "o", color=INK, markerfacecolor="none", markersize=4)
    if len(values) > 1:
        axes.plot(estimate.mean, height, "|", color=color, markersize=13, markeredgewidth=2.4)


def _label_conditions(axes: Axes, study: Study, ranked: Sequence[Condition]) -> None:
    """Name every row; where names are too long, by their levels only, the options named once above them."""
    names = [condition.name for condition in ranked]
    if max(map(len, names), default=0) > _LONGEST_NAME:
        by_axis = [[format_value(level) for level in axis.levels] for axis in study.axes]
        names = [
            ", ".join(texts[index] for texts, index in zip(by_axis, condition.levels, strict=True))
            for condition in ranked
        ]
        axes.set_title(", ".join(axis.label for axis in study.axes), fontsize=9, loc="left")
    axes.set_yticks(range(len(names)), [escape_text(name, max_width=_LONGEST_NAME) for name in names])


def _label_scores(axes: Axes, study: Study) -> None:
    unit = find_unit(study.metric_name)
    axes.set_xlabel(f"{_label(unit)}, split {study.split}")
    if unit.is_share:
        low, high = axes.get_xlim()
        widening = max(0.0, _SMALLEST_SPAN - (high - low)) / 2
        axes.set_xlim(max(low - widening, -0.01), min(high + widening, 1.01))
        axes.xaxis.set_major_formatter(PercentFormatter(1))


def _label(unit: Unit) -> str:
    return f"{unit.label} ({unit.counted})" if unit.counted else unit.label


def can_plot_numeric_axis(study: Study, axis: Axis) -> bool:
    """Tell whether an axis is numeric with at least 3 levels, and the others give few enough lines to distinguish."""
    others = len(study.conditions) // max(1, len(axis.levels))
    return study.is_grid and axis.is_numeric and len(axis.levels) >= 3 and others <= len(LINES)


@styled
def plot_numeric_axis(study: Study, axis: Axis, *, baseline: float) -> Figure:
    """Draw the score against the levels of a numeric axis, a line for each combination of the other axes.

    Args:
        study: The study.
        axis: A numeric axis.
        baseline: Score without learning; NaN: none.
    """
    figure = create_figure(6.8, 4.0)
    axes = figure.subplots()
    levels = np.array([float(level or 0) for level in axis.levels])
    groups = _group(study, axis)
    for line, (name, conditions) in zip(LINES, groups.items(), strict=False):
        found = [condition.estimate(study.metric) for condition in conditions]
        means, lows, highs = np.array([(each.mean, each.low, each.high) for each in found]).T
        axes.fill_between(levels, lows, highs, color=line.color, alpha=0.15, linewidth=0)
        axes.plot(levels, means, **line._asdict(), label=escape_text(name, max_width=50))
    if math.isfinite(baseline):
        axes.axhline(baseline, color=INK, linestyle=(0, (2, 2)), linewidth=1.1, label="best baseline")
    is_log = bool(levels.min() > 0 and levels.max() >= 8 * levels.min())
    if is_log:
        axes.set_xscale("log", base=2)
    texts = [format_value(level) for level in axis.levels]
    axes.set_xticks(
        levels, thin_labels([math.log(level) if is_log else level for level in levels.tolist()], texts, width=6.0)
    )
    axes.minorticks_off()
    unit = find_unit(study.metric_name)
    axes.set(xlabel=axis.option, ylabel=_label(unit))
    if unit.is_share:
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
    axes.grid(axis="y")
    figure.legend(loc="outside lower center", ncols=min(4, len(groups) + 1))
    return figure


def _group(study: Study, axis: Axis) -> dict[str, list[Condition]]:
    """Return the levels of the other axes in words -> the conditions that have them, in the order of the axis."""
    others = [(index, each) for index, each in enumerate(study.axes) if each is not axis]
    groups: dict[str, list[Condition]] = {}
    for condition in study.conditions:
        name = ", ".join(format_value(each.levels[condition.levels[index]]) for index, each in others)
        groups.setdefault(name or study.title, []).append(condition)
    return groups
