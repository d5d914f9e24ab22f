"""Figures with a panel for each combination of levels: learning curves, and scores by target length."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from lengthwise.config.values import format_value
from lengthwise.plotting import FAINT, LINES, SHADE, Line, create_figure, escape_text, styled
from lengthwise.studies.axes import Axis
from lengthwise.studies.condition import Condition
from lengthwise.studies.lengths import average_by_length, find_lengths
from lengthwise.studies.study import Study
from lengthwise.studies.units import find_unit

MOST_PANELS = 24


class _Panel(NamedTuple):
    title: str
    conditions: tuple[Condition, ...]


@styled
def plot_learning_curves(study: Study, metric: str) -> Figure:
    """Draw a metric over the epochs for every condition: the mean of its seeds, shaded from the lowest to the highest.

    Args:
        study: The study.
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

    unit = find_unit(metric.partition("/")[2])
    values = [v for run in study.runs if metric in run.curves for v in run.curves[metric].values if np.isfinite(v)]
    figure = _plot_panels(study, draw, xlabel="epoch", ylabel=unit.label, share=unit.is_share)
    if not unit.is_share and values and min(values) > 0 and max(values) > 30 * min(values):
        for axes in figure.axes:
            axes.set_yscale("log")
    return figure


@styled
def plot_lengths(study: Study, metric: str) -> Figure:
    """Draw a metric by target length for every condition, the trained lengths shaded."""
    trained, longest = find_lengths(study)
    shortest = min(low for condition in study.conditions for low, _ in average_by_length(condition, metric))

    def draw(axes: Axes, condition: Condition, line: Line, label: str) -> None:
        points = average_by_length(condition, metric)
        middle = [(low + high) / 2 for low, high in points]
        axes.plot(middle, list(points.values()), **line._asdict(), label=label)

    unit = find_unit(metric)
    figure = _plot_panels(study, draw, xlabel="target length (steps)", ylabel=unit.label, share=unit.is_share)
    for axes in figure.axes:
        axes.axvspan(shortest - 0.6, trained + 0.5, color=SHADE, zorder=0, linewidth=0)
        axes.set_xlim(shortest - 0.6, longest + 0.6)
        if not unit.is_share:
            axes.set_ylim(bottom=0)
    return figure


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
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
        if share:
            axes.set_ylim(-0.02, 1.02)
            axes.yaxis.set_major_formatter(PercentFormatter(1))
    for unused in range(len(panels), num_rows * num_columns):
        grid.flat[unused].remove()
        grid.flat[unused - num_columns].tick_params(labelbottom=True)
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
