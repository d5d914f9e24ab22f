"""One look for all figures: readable in grey and by colour-blind people, and never left open."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import NamedTuple, ParamSpec

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave

from lengthwise.files import write_whole

DOTS_PER_INCH = 150
_DIGIT_INCHES = 0.085
"""Width of a digit at the size of tick labels."""

BLUE, ORANGE, GREEN, PINK, SKY, RED, INK = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#222222",
)
"""The palette of Okabe and Ito (2008), which people of every common colour vision tell apart."""

GREY = "#7A828E"
FAINT, SHADE = "#C9CED6", "#E8F1F8"

AMOUNT_COLOURS = "cividis"
"""For amounts, and for differences with 0 in its middle: its lightness grows all the way, so it survives grey."""

IMAGE_COLOURS, WEIGHT_COLOURS = "Greys", "Blues"

STYLE = {
    "figure.dpi": DOTS_PER_INCH,
    "savefig.dpi": DOTS_PER_INCH,
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelcolor": INK,
    "axes.edgecolor": "#888888",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "hatch.linewidth": 0.6,
    "figure.constrained_layout.use": True,
    "figure.titlesize": 11,
    "figure.titleweight": "bold",
}


class Line(NamedTuple):
    """How a line is distinguished from others, with colour and without."""

    color: str
    linestyle: str | tuple[int, tuple[float, ...]]
    marker: str


LINES = (
    Line(BLUE, "-", "o"),
    Line(ORANGE, "--", "s"),
    Line(GREEN, "-.", "^"),
    Line(PINK, ":", "D"),
    Line(INK, (0, (5, 1, 1, 1, 1, 1)), "v"),
    Line(SKY, (0, (3, 1)), "P"),
    Line(RED, (0, (1, 1)), "X"),
)

Arguments = ParamSpec("Arguments")


def styled(plot: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Make a plotting function draw in this style, leaving matplotlib's own settings as they were."""

    @wraps(plot)
    def draw(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        with mpl.rc_context(STYLE):
            return plot(*args, **kwargs)

    return draw


def create_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches.

    It is not registered with pyplot, so it needs no display, none stays open, and threads do not share it.
    """
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def render_figure(figure: Figure) -> bytes:
    """Return a figure, which is not to be used afterwards, as PNG, and free its memory."""
    drawn, canvas = io.BytesIO(), FigureCanvasAgg(figure)
    with mpl.rc_context(STYLE):
        canvas.draw()  # once; `savefig` would draw the layout and then the figure
    imsave(drawn, canvas.buffer_rgba(), format="png", dpi=figure.dpi)
    figure.clear()
    return drawn.getvalue()


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all, and free its memory.

    Args:
        figure: The figure, not to be used afterwards.
        path: The file, in an existing directory.

    Raises:
        OSError: It cannot be written; names `path`.
    """
    write_whole(path, render_figure(figure))


def escape_text(text: str, *, max_width: int = 40) -> str:
    """Return text from data or a user as it is to be drawn: dollar signs literal, white space visible."""
    visible = text.replace(" ", "␣") if text.isspace() else " ".join(text.split())
    shortened = visible if len(visible) <= max_width else visible[: max_width - 1] + "…"
    return shortened.replace("$", r"\$")


def thin_labels(positions: Sequence[float], labels: Sequence[str], *, width: float) -> list[str]:
    """Empty the labels of ticks that would overlap the one before; the first and the last always stay.

    Args:
        positions: Positions of the ticks, increasing, on the scale of the axis.
        labels: Texts of the ticks.
        width: Width of the axis, inches.

    >>> thin_labels([1, 8, 9, 10, 64], ["1", "8", "9", "10", "64"], width=6.0)
    ['1', '8', '', '', '64']
    """
    span = float(positions[-1] - positions[0]) or 1.0
    edges = [
        (middle - half, middle + half)
        for position, label in zip(positions, labels, strict=True)
        for middle, half in [(width * float(position - positions[0]) / span, _DIGIT_INCHES * (len(label) + 1) / 2)]
    ]
    shown, right = [], -math.inf
    for index, (label, (start, end)) in enumerate(zip(labels, edges, strict=True)):
        is_last = index == len(labels) - 1
        fits = start >= right and (is_last or end <= edges[-1][0])
        shown.append(label if fits or is_last else "")
        right = end if fits else right
    return shown


def label_symbols(axes: Axes, *, columns: Sequence[str], rows: Sequence[str]) -> None:
    """Write a symbol beside every column and row of a heat map, upright where that fits; every nth where not."""
    longest = max((len(symbol) for symbol in columns), default=0)
    for axis, symbols, most in ((axes.xaxis, columns, 60), (axes.yaxis, rows, 60)):
        step = max(1, math.ceil(len(symbols) / most))
        shown = range(0, len(symbols), step)
        axis.set_ticks(shown, [escape_text(symbols[index], max_width=16) for index in shown])
    crowded = longest * len(columns) > 60
    axes.tick_params(axis="x", rotation=90 if crowded and longest > 1 else 0)
    axes.tick_params(axis="both", length=0, labelsize=9 if max(len(columns), len(rows)) <= 30 else 6.5)
