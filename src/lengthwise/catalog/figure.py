"""Draw a model's wiring as a figure: the encoder over its source, three steps of the decoder, and their connections."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, PathPatch, RegularPolygon
from matplotlib.path import Path as Outline

from lengthwise.catalog.equations import CELL_NAMES
from lengthwise.models.wiring import Wiring
from lengthwise.plotting import BLUE, FAINT, GREEN, INK, ORANGE, PINK, RED, create_figure, styled

Point = tuple[float, float]
Dashes = Literal["-", "--", ":"]

_STEPS = (7.9, 10.6, 13.3)
_SOURCE = (1.0, 2.75, 4.75)
_END = 15.0
_HALF, _HEIGHT = 0.62, 0.36
_NODE = 0.27
_INPUT_LEVEL, _LATENT_LEVEL = -1.2, -2.05
_PALE = "#F4F6F9"


class _Levels(NamedTuple):
    """Heights above the cells, which stand at 0.

    Args:
        vector: Height of the attentional vector.
        memory: Height of the line along which the encoder's outputs come.
        head: Height of the output layer.
        output: Height of the outputs.
    """

    vector: float
    memory: float
    head: float
    output: float


@styled
def plot_wiring(wiring: Wiring, *, title: str | None = None) -> Figure:
    """Draw a wiring: conditioning, initial state, feedback, attention, output and stop, each in its colour.

    Args:
        wiring: The wiring of the model.
        title: Title of the figure, such as the preset's name.
    """
    levels = _place(wiring)
    bottom = _LATENT_LEVEL - 0.45 if wiring.repeats_latent else _INPUT_LEVEL - 0.55
    legend = _write_legend(wiring)
    low, high = bottom - 0.42 * len(legend) - 0.1, levels.output + (1.0 if title else 0.55)
    figure = create_figure(8.6, 8.6 * (high - low) / 16.6)
    axes = figure.subplots()
    axes.set(xlim=(0, 16.6), ylim=(low, high), aspect="equal")
    axes.axis("off")
    if title:
        axes.text(0.38, high - 0.38, title, fontsize=12, fontweight="bold", va="center", color=INK)
    _draw_encoder(axes, wiring)
    _draw_attention(axes, wiring, levels)
    _draw_start(axes, wiring)
    _draw_latent(axes, wiring)
    for number, place in enumerate(_STEPS, 1):
        _draw_step(axes, wiring, levels, number, place)
    _draw_end(axes, wiring, levels)
    _draw_legend(axes, legend, bottom)
    return figure


def _place(wiring: Wiring) -> _Levels:
    if wiring.attention == "multiplicative":
        return _Levels(vector=1.2, memory=1.95, head=2.55, output=3.45)
    if wiring.attention == "additive":
        return _Levels(vector=0.85, memory=1.5, head=2.1, output=3.0)
    return _Levels(vector=0, memory=0, head=1.0, output=1.9)


def _draw_line(
    axes: Axes, points: Sequence[Point], color: str, *, style: Dashes = "-", arrow: bool = True, width: float = 1.6
) -> None:
    """Draw a line through points with an arrow head; a white margin separates it from lines that it crosses."""
    joined = [_move(points[0], points[1]), *points[1:-1], _move(points[-1], points[-2])]
    for places, shade, breadth, dashes in ((joined, "white", width + 2.4, "-"), (points, color, width, style)):
        axes.plot(*zip(*places, strict=True), color=shade, linewidth=breadth, linestyle=dashes, zorder=2)
    if arrow:
        head = {"arrowstyle": "-|>,head_width=0.22,head_length=0.42", "color": color, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", xy=points[-1], xytext=_move(points[-1], points[-2], 0.01), arrowprops=head, zorder=3)


def _move(point: Point, towards: Point, distance: float = 0.12) -> Point:
    (x, y), (other_x, other_y) = point, towards
    away = max(abs(other_x - x), abs(other_y - y))
    return (x + (other_x - x) / away * distance, y + (other_y - y) / away * distance)


def _draw_box(axes: Axes, centre: Point, texts: Sequence[str], color: str, *, layers: int = 1) -> None:
    """Draw a recurrent cell, with further layers as sheets behind it."""
    x, y = centre
    for sheet in range(min(layers, 4) - 1, -1, -1):
        shift = 0.075 * sheet
        box = FancyBboxPatch(
            (x - _HALF + shift, y - _HEIGHT + shift), 2 * _HALF, 2 * _HEIGHT, boxstyle="round,pad=0,rounding_size=0.1",
            facecolor="white" if sheet else _PALE, edgecolor=color, linewidth=1.4, zorder=4,
        )  # fmt: skip
        axes.add_patch(box)
    for row, text in enumerate(texts):
        offset = 0.14 * (len(texts) - 1) - 0.28 * row
        axes.text(x, y + offset, text, ha="center", va="center", fontsize=8 if row == 0 else 7, color=INK, zorder=5)


def _draw_node(axes: Axes, centre: Point, text: str, color: str, *, filled: bool = False) -> None:
    axes.add_patch(
        Circle(centre, _NODE, facecolor=color if filled else "white", edgecolor=color, linewidth=1.4, zorder=4)
    )
    size = 6.5 if len(text) > 7 or text == "start" else 8
    axes.text(*centre, text, ha="center", va="center", fontsize=size, color="white" if filled else INK, zorder=5)


def _draw_encoder(axes: Axes, wiring: Wiring) -> None:
    size = wiring.symbol_dim or wiring.spec.source_size
    names = ("$x_S$", "$x_{S-1}$", "$x_1$") if wiring.reverse_source else ("$x_1$", "$x_2$", "$x_S$")
    name = CELL_NAMES[wiring.cell]
    layers = f"{wiring.encoder_layers} x {name}" if wiring.encoder_layers > 1 else name
    for place, symbol in zip(_SOURCE, names, strict=True):
        _draw_line(axes, [(place, _INPUT_LEVEL + _NODE), (place, -_HEIGHT)], INK)
        _draw_node(axes, (place, _INPUT_LEVEL), symbol, INK)
        _draw_box(axes, (place, 0), (layers, f"{size} → {wiring.latent_dim}"), INK, layers=wiring.encoder_layers)
    for left, right in pairwise(_SOURCE):
        ends = (left + _HALF, right - _HALF)
        if wiring.bidirectional:
            _draw_line(axes, [(ends[0], 0.13), (ends[1], 0.13)], INK)
            _draw_line(axes, [(ends[1], -0.13), (ends[0], -0.13)], INK)
        else:
            _draw_line(axes, [(ends[0], 0), (ends[1], 0)], INK)
    axes.text((_SOURCE[1] + _SOURCE[2]) / 2, _INPUT_LEVEL, "…", ha="center", va="center", fontsize=12, color=INK)
    axes.text((_SOURCE[1] + _SOURCE[2]) / 2, 0.34, "…", ha="center", va="center", fontsize=12, color=INK)


def _draw_start(axes: Axes, wiring: Wiring) -> None:
    """Draw the decoder's initial state, and how each state leads to the next."""
    first = _STEPS[0] - _HALF
    if wiring.starts_from_latent:
        _draw_line(axes, [(_SOURCE[-1] + _HALF, 0), (first, 0)], BLUE, width=2.4)
        carried = ", ".join(wiring.carried) if wiring.cell == "lstm" else "h"
        if wiring.bridge != "identity":
            middle = (_SOURCE[-1] + _STEPS[0]) / 2 + 0.2
            axes.text(
                middle, 0, wiring.bridge, ha="center", va="center", fontsize=7.5, color=BLUE, zorder=5,
                bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": BLUE},
            )  # fmt: skip
        before = 1.25 if wiring.bridge != "identity" else (_STEPS[0] - _SOURCE[-1]) / 2
        axes.text(_SOURCE[-1] + before, 0.2, carried, ha="center", va="center", fontsize=8, color=BLUE, zorder=5)
    else:
        _draw_line(axes, [(first - 0.55, 0), (first, 0)], "#888888")
        axes.text(first - 0.68, 0, "0", ha="center", va="center", fontsize=9, color="#666666")
    for left, right in zip(_STEPS, (*_STEPS[1:], _END + _HALF), strict=True):
        _draw_line(axes, [(left + _HALF, 0), (right - _HALF, 0)], INK)
    axes.text(_END + 0.22, 0, "…", va="center", fontsize=12, color=INK)


def _draw_latent(axes: Axes, wiring: Wiring) -> None:
    if not wiring.repeats_latent:
        return
    start = _SOURCE[-1] + 0.38
    target = _STEPS[-1] + _find_slot(wiring, "latent")
    line = [(start, -_HEIGHT), (start, _LATENT_LEVEL), (target, _LATENT_LEVEL)]
    _draw_line(axes, line, GREEN, arrow=False, width=2.4)
    for place in _STEPS:
        slot = place + _find_slot(wiring, "latent")
        _draw_line(axes, [(slot, _LATENT_LEVEL), (slot, -_HEIGHT)], GREEN, width=2.4)
    _draw_node(axes, (start, _LATENT_LEVEL), "z", GREEN, filled=True)


def _find_slot(wiring: Wiring, kind: str) -> float:
    """Return how far from the middle of a cell an input arrives."""
    kinds = [
        name
        for name, is_there in (
            ("latent", wiring.repeats_latent),
            ("feedback", wiring.feedback != "none"),
            ("vector", wiring.input_feeding),
        )
        if is_there
    ]
    places = {1: (0.0,), 2: (-0.3, 0.3), 3: (-0.42, 0.0, 0.42)}[max(len(kinds), 1)]
    return dict(zip(kinds, places, strict=False)).get(kind, 0.0)


def _draw_step(axes: Axes, wiring: Wiring, levels: _Levels, number: int, place: float) -> None:
    name = CELL_NAMES[wiring.cell]
    layers = f"{wiring.decoder_layers} x {name}" if wiring.decoder_layers > 1 else name
    size = f"{wiring.decoder_input_dim or ''} → {wiring.decoder_dim}".strip()
    above = levels.vector if wiring.attention == "multiplicative" else 0
    _draw_line(axes, [(place, above + _HEIGHT), (place, levels.head - 0.2)], INK)
    _draw_line(axes, [(place, levels.head + 0.2), (place, levels.output - _NODE)], INK)
    head = "state = output"
    if wiring.has_head:
        head = f"{'softmax' if wiring.is_tokens else 'dense'} {wiring.decoder_dim} → {wiring.spec.target_size}"
    axes.text(
        place, levels.head, head, ha="center", va="center", fontsize=7, color=INK, zorder=5,
        bbox={"boxstyle": "square,pad=0.35", "facecolor": "white", "edgecolor": INK if wiring.has_head else "white"},
    )  # fmt: skip
    _draw_node(axes, (place, levels.output), f"$y_{number}$", INK)
    _draw_box(axes, (place, 0), (layers, size), INK, layers=wiring.decoder_layers)
    if wiring.learns_stop_probability:
        _draw_line(axes, [(place + 0.62, levels.head + 0.2), (place + 0.62, levels.output - _NODE)], RED)
        _draw_node(axes, (place + 0.62, levels.output), f"$q_{number}$", RED)
    if wiring.feedback != "none":
        _draw_feedback(axes, wiring, levels, number, place)
    if wiring.input_feeding:
        _draw_vector_feedback(axes, wiring, levels, number, place)


def _draw_feedback(axes: Axes, wiring: Wiring, levels: _Levels, number: int, place: float) -> None:
    """Draw the previous output as an input of a step, and where it comes from."""
    slot = place + _find_slot(wiring, "feedback")
    fed = f"$y_{number - 1}$" if number > 1 else ("start" if wiring.is_tokens else "0")
    _draw_line(axes, [(slot, _INPUT_LEVEL + _NODE), (slot, -_HEIGHT)], ORANGE)
    _draw_node(axes, (slot, _INPUT_LEVEL), fed, ORANGE)
    if number == 1:
        return
    before = _STEPS[number - 2]
    beside = before + 1.12
    path = [(before + _NODE, levels.output), (beside, levels.output)]
    if wiring.learns_stop_probability:  # which stands beside the output, so the line leads over it
        over = levels.output + 0.4
        path = [(before, levels.output + _NODE), (before, over), (beside, over)]
    style: Dashes = "-" if wiring.feedback == "own" else ":"
    _draw_line(axes, [*path, (beside, _INPUT_LEVEL), (slot - _NODE, _INPUT_LEVEL)], ORANGE, style=style)


def _draw_vector_feedback(axes: Axes, wiring: Wiring, levels: _Levels, number: int, place: float) -> None:
    slot = place + _find_slot(wiring, "vector")
    if number == 1:
        _draw_line(axes, [(slot, -_HEIGHT - 0.42), (slot, -_HEIGHT)], PINK)
        axes.text(slot, -_HEIGHT - 0.55, "0", ha="center", va="center", fontsize=8, color=PINK)
        return
    before = _STEPS[number - 2]
    beside = before + 0.9
    level = -_HEIGHT - 0.3
    down = [(before + _NODE, levels.vector), (beside, levels.vector), (beside, level)]
    _draw_line(axes, [*down, (slot, level), (slot, -_HEIGHT)], PINK)


def _draw_attention(axes: Axes, wiring: Wiring, levels: _Levels) -> None:
    if wiring.attention == "none":
        return
    last = _STEPS[-1] - 1.05
    _draw_line(axes, [(_SOURCE[0], levels.memory), (last, levels.memory)], PINK, arrow=False)
    for place in _SOURCE:
        _draw_line(axes, [(place, _HEIGHT), (place, levels.memory)], PINK, arrow=False)
    axes.text(_SOURCE[-1] + 0.15, levels.memory + 0.2, "$h_1 … h_S$", va="center", fontsize=8, color=PINK)
    for number, place in enumerate(_STEPS, 1):
        branch = place - 1.05
        if wiring.attention == "additive":
            into = place - 0.3
            _draw_line(axes, [(branch, levels.memory), (branch, levels.vector + _NODE)], PINK)
            _draw_line(axes, [(branch, 0.04), (branch, levels.vector - _NODE)], PINK, style=":")
            _draw_line(axes, [(branch + _NODE, levels.vector), (into, levels.vector), (into, _HEIGHT)], PINK)
            _draw_node(axes, (branch, levels.vector), f"$k_{number}$", PINK)
        else:
            points = [(branch, levels.memory), (branch, levels.vector), (place - _NODE, levels.vector)]
            _draw_line(axes, points, PINK)
            _draw_line(axes, [(place, _HEIGHT), (place, levels.vector - _NODE)], INK)
            _draw_node(axes, (place, levels.vector), f"$v_{number}$", PINK)


def _draw_end(axes: Axes, wiring: Wiring, levels: _Levels) -> None:
    """Draw how the length is decided."""
    place, level = _END + 0.55, levels.output
    axes.text(_END - 0.55, level, "…", ha="center", va="center", fontsize=12, color=INK)
    if wiring.length == "stop":
        axes.add_patch(RegularPolygon((place, level), 8, radius=0.4, orientation=0.3927, facecolor=RED, zorder=4))
        axes.text(place, level, "stop", ha="center", va="center", fontsize=7.5, color="white", zorder=5)
        return
    shown = f"always\n{wiring.spec.timesteps} steps" if wiring.length == "fixed" else "length\ngiven"
    outline = Outline([(place - 0.62, level - 0.4), (place - 0.62, level + 0.4)])
    axes.add_patch(PathPatch(outline, edgecolor=RED, linewidth=2.4, zorder=4))
    axes.text(place - 0.5, level, shown, va="center", fontsize=7.5, color=RED, zorder=5)


class _Entry(NamedTuple):
    color: str
    style: Dashes
    text: str


def _write_legend(wiring: Wiring) -> list[_Entry]:
    entries = []
    if wiring.starts_from_latent:
        entries.append(_Entry(BLUE, "-", "the encoder's final state starts the decoder"))
    if wiring.repeats_latent:
        entries.append(_Entry(GREEN, "-", "the latent z is an input of every step"))
    own = "its own when decoding"
    feedback = {
        "teacher": f"the previous output: the true one in training, {own} (dotted)",
        "scheduled": f"the previous output: in training the true one or its own by a coin, {own} (dotted)",
        "own": "the previous output: its own, in training and when decoding",
    }
    if wiring.feedback == "none":
        entries.append(_Entry(FAINT, "-", "no step is fed a previous output"))
    else:
        entries.append(_Entry(ORANGE, "-", feedback[wiring.feedback]))
    if wiring.attention == "additive":
        additive = "attention, queried with the state before the step (dotted), gives the context k"
        entries.append(_Entry(PINK, "-", additive))
    if wiring.attention == "multiplicative":
        fed = ", which is also an input of the next step" if wiring.input_feeding else ""
        entries.append(_Entry(PINK, "-", f"attention, queried with the state after the step, gives the vector v{fed}"))
    sign = "probability q" if wiring.learns_stop_probability else "symbol"
    ends = {
        "fixed": "a fixed number of steps; what follows the end is learnt as padding",
        "stop": f"a learnt end: the stop {sign}",
        "oracle": "no end is learnt",
    }
    entries.append(_Entry(RED, "-", ends[wiring.length]))
    if wiring.reverse_target:
        entries.append(_Entry(INK, "-", "$y_1$ is the target's last step: it is produced from its end"))
    return entries


def _draw_legend(axes: Axes, entries: Sequence[_Entry], top: float) -> None:
    for row, entry in enumerate(entries):
        level = top - 0.1 - 0.42 * row
        axes.plot((0.4, 1.1), (level, level), color=entry.color, linewidth=2.4, linestyle=entry.style)
        axes.text(1.3, level, entry.text, va="center", fontsize=8, color=INK)
