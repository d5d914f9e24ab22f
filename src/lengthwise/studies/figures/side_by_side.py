"""Figure of what each axis does in several studies: a line for each study, a point for each simple effect."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lengthwise.plotting import FAINT, create_figure, escape_text, styled
from lengthwise.studies.figures.effects import VERDICT_LOOKS, draw_verdict_legend

_LINE_INCHES, _PART_INCHES = 0.36, 0.5
_SPREAD = 0.62
"""Part of a line over which its points are spread."""


class Point(NamedTuple):
    """A simple effect as it is drawn, in the unit drawn.

    Args:
        mean, low, high: Mean and interval; `low` and `high` NaN without an interval.
        verdict: 1 better, -1 worse, both at the 5 % level (corrected); 0 no significant difference.
    """

    mean: float
    low: float
    high: float
    verdict: int


class StudyLine(NamedTuple):
    """The effects of one change in one study.

    Args:
        part: The change, which heads the lines of all studies that have it.
        label: The study.
        points: One for each combination of the other axes.
    """

    part: str
    label: str
    points: tuple[Point, ...]


@styled
def plot_side_by_side(lines: Sequence[StudyLine]) -> Figure:
    """Draw the effects of each change, study by study; to the right of 0 is better.

    Args:
        lines: From top to bottom, at least one; those of one part are next to each other.
    """
    parts = list(dict.fromkeys(line.part for line in lines))
    figure = create_figure(8.2, 0.9 + _LINE_INCHES * len(lines) + _PART_INCHES * len(parts))
    axes = figure.subplots()
    axes.axvline(0, color="#888888", linewidth=1)
    height, ticks = 0.0, []
    for part in parts:
        axes.text(
            0.0,
            height,
            escape_text(part, max_width=70),
            transform=axes.get_yaxis_transform(),
            weight="bold",
            va="center",
        )
        for line in (each for each in lines if each.part == part):
            height += 1
            ticks.append((height, escape_text(line.label, max_width=30)))
            axes.axhline(height, color=FAINT, linewidth=0.5, zorder=0)
            _draw_points(axes, height, line.points)
        height += 1.4
    axes.set_yticks(*zip(*ticks, strict=True))
    axes.set(ylim=(height - 0.9, -0.8), xlabel="share of the way from no learning to a perfect score, 95 % intervals")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    draw_verdict_legend(axes, {point.verdict for line in lines for point in line.points})
    return figure


def _draw_points(axes: Axes, height: float, points: Sequence[Point]) -> None:
    for index, point in enumerate(points):
        place = height + _SPREAD * ((index + 0.5) / len(points) - 0.5)
        _, colour, marker = VERDICT_LOOKS[point.verdict]
        if math.isfinite(point.low):
            axes.plot([point.low, point.high], [place, place], color=colour, linewidth=1.2)
        face = colour if point.verdict else "white"
        axes.plot(point.mean, place, marker=marker, color=colour, markerfacecolor=face, markersize=4, linestyle="none")
