"""Figure of a study's effects with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lengthwise.plotting import GREEN, INK, ORANGE, create_figure, escape_text, styled

MOST_EFFECTS = 60


class EffectRow(NamedTuple):
    """An effect as it is drawn.

    Args:
        label: What is compared.
        mean, low, high: Mean and interval in the unit drawn; `low` and `high` NaN without an interval.
        verdict: 1 better, -1 worse, both at the 5 % level (corrected); 0 no significant difference.
    """

    label: str
    mean: float
    low: float
    high: float
    verdict: int


VERDICT_LOOKS = {1: ("better", GREEN, "o"), -1: ("worse", ORANGE, "s"), 0: ("no significant difference", INK, "D")}
"""Verdict -> its name, its colour and its marker."""


@styled
def plot_effects(rows: Sequence[EffectRow], *, unit: str) -> Figure:
    """Draw effects as points with their intervals, one below the other, 0 marked.

    Args:
        rows: Effects from top to bottom, at least one; where none has an interval, verdicts are left out.
        unit: Unit of the numbers.
    """
    shown = rows[:MOST_EFFECTS]
    has_intervals = any(math.isfinite(row.low) for row in shown)
    figure = create_figure(8.2, 0.9 + 0.3 * len(shown))
    axes = figure.subplots()
    axes.axvline(0, color="#888888", linewidth=1)
    for height, row in enumerate(shown):
        _, colour, marker = VERDICT_LOOKS[row.verdict]
        if math.isfinite(row.low):
            axes.plot([row.low, row.high], [height, height], color=colour, linewidth=2)
        face = colour if row.verdict else "white"
        axes.plot(row.mean, height, marker=marker, color=colour, markerfacecolor=face, markersize=6, linestyle="none")
    axes.set_yticks(range(len(shown)), [escape_text(row.label, max_width=56) for row in shown])
    spread = "95 % intervals" if has_intervals else "one seed"
    axes.set(ylim=(len(shown) - 0.4, -0.6), xlabel=f"difference ({unit}), {spread}")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.ticklabel_format(axis="x", style="plain", useOffset=False)
    if has_intervals:
        draw_verdict_legend(axes, {row.verdict for row in shown})
    return figure


def draw_verdict_legend(axes: Axes, verdicts: set[int]) -> None:
    """Explain the verdicts that are drawn, above a figure."""
    for verdict, (label, colour, marker) in VERDICT_LOOKS.items():
        if verdict in verdicts:
            face = colour if verdict else "white"
            axes.plot([], [], marker=marker, color=colour, markerfacecolor=face, linewidth=2, label=label)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
