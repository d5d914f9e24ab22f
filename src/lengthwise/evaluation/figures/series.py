"""Draw rows of a series: forecasts with their errors by step, and anomaly scores with their alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lengthwise.data.numbers.times import Times
from lengthwise.evaluation.anomalies import AnomalyScores
from lengthwise.plotting import BLUE, INK, LINES, ORANGE, RED, create_figure, escape_text, styled

MOST_FEATURES = 4
"""Most features of which lines are drawn."""


@styled
def plot_error_by_step(errors: Mapping[str, NDArray[np.float64]], *, unit: str) -> Figure:
    """Draw the mean absolute error at each step of the horizon, a line for the model and each baseline.

    Args:
        errors: Name -> `(steps,)`; at most 7.
        unit: Unit of the errors.
    """
    figure = create_figure(6.0, 3.7)
    axes = figure.subplots()
    for line, (name, values) in zip(LINES, errors.items(), strict=False):
        steps = np.arange(1, len(values) + 1)
        axes.plot(steps, values, **line._asdict(), markevery=max(1, len(steps) // 12), label=escape_text(name))
    axes.set(
        xlabel="rows ahead", ylabel=f"mean absolute error ({escape_text(unit)})", title="Error by step of the forecast"
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    figure.legend(loc="outside lower center", ncols=min(len(errors), 4))
    return figure


@styled
def plot_forecasts(
    history: Sequence[NDArray[np.floating]],
    target: Sequence[NDArray[np.floating]],
    forecast: Sequence[NDArray[np.floating]],
    *,
    names: Sequence[str],
    starts: Sequence[str],
    split: str,
) -> Figure:
    """Draw forecasts behind their history, in the data's unit: a column for each example, a row for each feature.

    Args:
        history: Of each example `(rows, features)`.
        target: Of each example `(rows ahead, features)`.
        forecast: Of each example `(rows made, features)`.
        names: Names of the features; only the first four are drawn.
        starts: Of each example the date or row of its first target row, its title.
        split: Name of their split.
    """
    num_rows = min(len(names), MOST_FEATURES)
    figure = create_figure(float(np.clip(3.0 * len(target), 4.5, 13)), 1.9 * num_rows + 1.4)
    panels = figure.subplots(num_rows, len(target), squeeze=False, sharex="col", sharey="row")
    for column, (past, true, made) in enumerate(zip(history, target, forecast, strict=True)):
        for row in range(num_rows):
            axes = panels[row, column]
            ahead, steps = np.arange(1, len(true) + 1), np.arange(1, len(made) + 1)
            axes.plot(np.arange(1 - len(past), 1), past[:, row], color=INK, linewidth=1, alpha=0.5, label="history")
            axes.plot(ahead, true[:, row], color=INK, linewidth=1.2, label="true")
            axes.plot(steps, made[:, row], color=BLUE, linestyle="--", label="forecast")
            axes.grid(axis="y")
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        panels[0, column].set_title(escape_text(starts[column]), fontsize=9, fontweight="normal", loc="center")
        panels[-1, column].set_xlabel("rows ahead")
    for row in range(num_rows):
        panels[row, 0].set_ylabel(escape_text(names[row], max_width=18))
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle(f"Forecasts of the {escape_text(split)} split")
    return figure


@styled
def plot_anomalies(
    values: NDArray[np.float64], found: AnomalyScores, *, names: Sequence[str], dates: Times | None, split: str
) -> Figure:
    """Draw a series with its anomaly scores below it, alarms and labelled anomalies marked.

    Args:
        values: `(scored rows, features)`, in the data's unit; only the first four features are drawn.
        found: The scores.
        names: Names of the features.
        dates: `(scored rows,)` datetime64[s]; None where the file has none.
        split: Name of the split that the rows are of.
    """
    num_rows = min(len(names), MOST_FEATURES)
    place: NDArray[Any] = found.rows + 1 if dates is None else dates
    figure = create_figure(9.0, 1.6 * num_rows + 3.2)
    panels = list(figure.subplots(num_rows + 1, 1, squeeze=False, sharex=True)[:, 0])
    for row in range(num_rows):
        panels[row].plot(place, values[:, row], color=INK, linewidth=0.8)
        panels[row].plot(
            place[found.alarms],
            values[found.alarms, row],
            linestyle="",
            marker="o",
            markersize=3,
            color=RED,
            label="alarm",
        )
        panels[row].set_ylabel(escape_text(names[row], max_width=18))
    below = panels[-1]
    below.plot(place, found.scores, color=BLUE, linewidth=0.8, label="anomaly score")
    below.axhline(found.threshold, color=RED, linestyle="--", linewidth=1, label="threshold")
    below.set_yscale("symlog", linthresh=max(float(np.median(found.scores)), 1e-9))
    below.set_ylim(bottom=0)
    below.set_ylabel("score")
    _mark_labels(panels, place, found)
    _name_places(below, dates)
    entries = {
        label: handle for panel in panels for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=len(entries))
    figure.suptitle(f"Anomaly scores of the {escape_text(split)} split")
    return figure


def _mark_labels(panels: Sequence[Axes], place: NDArray[Any], found: AnomalyScores) -> None:
    """Shade the labelled anomalies."""
    if found.is_anomalous is None:
        return
    edges = np.flatnonzero(np.diff(np.concatenate([[0], found.is_anomalous.astype(np.int8), [0]])))
    for number, (first, after) in enumerate(edges.reshape(-1, 2).tolist()):
        for panel in panels:
            label = "labelled anomaly" if number == 0 else None
            panel.axvspan(place[first], place[after - 1], color=ORANGE, alpha=0.35, linewidth=1, label=label)


def _name_places(axes: Axes, dates: Times | None) -> None:
    if dates is None:
        axes.set_xlabel("row")
        return
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_xlabel("date")
