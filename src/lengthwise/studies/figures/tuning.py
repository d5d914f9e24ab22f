"""Figure of the values that were tuned: score against value, a line for each condition."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lengthwise.plotting import LINES, create_figure, escape_text, styled
from lengthwise.studies.units import find_unit


def plot_tuning(scores: Mapping[str, Mapping[str, float]], metric: str) -> Figure | None:
    """Draw the scores of tuned values, a logarithmic axis where they spread; None where they are not single numbers.

    Args:
        scores: Condition -> value tried, such as `training.learning_rate=0.006` -> score.
        metric: Name of the score, without its split.
    """
    tried = list(dict.fromkeys(text for own in scores.values() for text in own))
    try:
        values = {text: float(text.partition("=")[2]) for text in tried}
    except ValueError:
        return None
    return _plot(scores, values, metric) if len(values) > 1 else None


@styled
def _plot(scores: Mapping[str, Mapping[str, float]], values: Mapping[str, float], metric: str) -> Figure:
    figure = create_figure(6.8, 4.0 + 0.16 * len(scores))
    axes = figure.subplots()
    for line, (name, own) in zip(itertools.cycle(LINES), scores.items(), strict=False):
        points = sorted((values[text], score) for text, score in own.items())
        short = " ".join(word.rpartition("=")[2] for word in name.split())
        axes.plot(*zip(*points, strict=True), **line._asdict(), label=escape_text(short, max_width=40))
    if min(values.values()) > 0 and max(values.values()) >= 4 * min(values.values()):
        axes.set_xscale("log")
    axes.set_xticks(sorted(values.values()), [f"{value:g}" for value in sorted(values.values())])
    axes.minorticks_off()
    unit = find_unit(metric)
    axes.set(xlabel=next(iter(values)).partition("=")[0], ylabel=f"{unit.label}, validation")
    if unit.is_share:
        axes.set_ylim(-0.02, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(axis="y")
    figure.legend(loc="outside lower center", ncols=2)
    return figure
