"""Draw a run: learning curves, scores by length, outcomes and attention weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from lengthwise.evaluation.by_length import LengthScores
from lengthwise.evaluation.metrics import describe_metric, find_metric
from lengthwise.evaluation.outcomes import LABELS, OUTCOMES, OutcomeShares
from lengthwise.plotting import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    LINES,
    ORANGE,
    PINK,
    SHADE,
    WEIGHT_COLOURS,
    Line,
    create_figure,
    escape_text,
    label_symbols,
    styled,
)

_OUTCOME_LOOKS = ((GREEN, ""), (ORANGE, "////"), (BLUE, "\\\\\\\\"), (PINK, "...."))
_MOST_PANELS = 6


class Curve(NamedTuple):
    """A metric over the epochs of training.

    Args:
        epochs: `(points,)` epoch numbers, ascending.
        values: `(points,)` value of the metric after each epoch.
    """

    epochs: Sequence[int]
    values: Sequence[float]


@styled
def plot_learning_curves(curves: Mapping[str, Curve], *, best_epoch: int | None = None) -> Figure:
    """Draw metrics over the epochs: a panel for each metric, the loss first, and a line for each split.

    Args:
        curves: `split/metric` -> curve; at most 6 metrics.
        best_epoch: Epoch whose weights were kept, marked by a line; None: not marked.
    """
    metrics = sorted({name.partition("/")[2] for name in curves}, key=lambda metric: (metric != "loss", metric))
    if not metrics or len(metrics) > _MOST_PANELS or "" in metrics:
        raise ValueError(f"curves are named split/metric, of 1 to {_MOST_PANELS} metrics; got {', '.join(curves)}")
    num_columns = min(len(metrics), 3)
    num_rows = math.ceil(len(metrics) / num_columns)
    figure = create_figure(max(5.4, 3.5 * num_columns), 2.9 * num_rows + 0.6)
    panels = figure.subplots(num_rows, num_columns, squeeze=False).ravel()
    splits = sorted(
        {name.partition("/")[0] for name in curves}, key=lambda split: (split not in ("train", "val"), split)
    )
    looks = dict(zip(splits, LINES, strict=False))
    for panel, metric in zip(panels, metrics, strict=False):
        chosen = {split: curves[f"{split}/{metric}"] for split in splits if f"{split}/{metric}" in curves}
        _draw_metric(panel, metric, chosen, looks)
        if best_epoch is not None:
            panel.axvline(best_epoch, color=INK, linewidth=1, linestyle=(0, (2, 2)), label="best epoch")
    for panel in panels[len(metrics) :]:
        panel.remove()
    entries = {
        label: handle
        for panel in panels[: len(metrics)]
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=len(entries))
    best = "" if best_epoch is None else f" (best epoch: {best_epoch})"
    figure.suptitle(f"Training curves{best}")
    return figure


def _draw_metric(panel: Axes, metric: str, by_split: Mapping[str, Curve], looks: Mapping[str, Line]) -> None:
    for split, curve in by_split.items():
        marks = max(1, len(curve.epochs) // 10)
        panel.plot(curve.epochs, curve.values, **looks[split]._asdict(), markevery=marks, label=split)
    values = np.concatenate([np.asarray(curve.values, np.float64) for curve in by_split.values()])
    finite = values[np.isfinite(values)]
    known = find_metric(metric)
    unit = metric.replace("_", " ") if known is None else known.unit
    if known is None and len(finite) and finite.min() > 0 and finite.max() > 30 * finite.min():
        panel.set_yscale("log")
        unit += " (logarithmic)"
    panel.set(xlabel="epoch", ylabel=unit, title=metric.replace("_", " ") if known is None else known.label)
    _scale_shares(panel, unit)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.grid(axis="y")


def _scale_shares(axes: Axes, unit: str) -> None:
    if unit.startswith("share"):
        axes.set_ylim(-0.02, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1))


@styled
def plot_score_by_length(results: Mapping[str, LengthScores], metric: str) -> Figure:
    """Draw a metric by target length: trained lengths shaded, numbers of examples as faint bars.

    Args:
        results: Name of a model or decoding rule -> its scores on one split, all with the same bins; at most 7.
        metric: Name of the metric.
    """
    if not 1 <= len(results) <= len(LINES):
        raise ValueError(f"1 to {len(LINES)} lines can be distinguished, got {len(results)}")
    known = describe_metric(metric)
    first = next(iter(results.values()))
    figure = create_figure(6.8, 3.9)
    axes = figure.subplots()
    counts = axes.twinx()
    axes.set_zorder(counts.get_zorder() + 1)
    axes.patch.set_visible(False)
    _draw_counts(counts, first)
    low, high = first.bins[0].low - 0.6, first.bins[-1].high + 0.6
    border = first.trained_max_length + 0.5
    all_beyond = first.bins[0].is_beyond
    if not all_beyond:
        counts.axvspan(low, min(border, high), color=SHADE, zorder=0, label="trained lengths")
    for line, (name, scores) in zip(LINES, results.items(), strict=False):
        middle = [(length_bin.low + length_bin.high) / 2 for length_bin in scores.bins]
        values = [length_bin.scores[metric] for length_bin in scores.bins]
        axes.plot(middle, values, **line._asdict(), label=escape_text(name), clip_on=False)
    axes.set(xlim=(low, high), xlabel="target length (steps)", ylabel=f"{known.label} ({known.unit})")
    beyond = f" (all beyond the trained {first.trained_max_length})" if all_beyond else ""
    axes.set_title(f"{known.label.capitalize()} by target length{beyond}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _scale_shares(axes, known.unit)
    # Both scales begin at zero, on the same line.
    axes.set_ylim(0, 1 if known.unit.startswith("share") else None)
    _draw_legend(figure, axes, counts)
    return figure


def _draw_counts(counts: Axes, scores: LengthScores) -> None:
    middle = [(length_bin.low + length_bin.high) / 2 for length_bin in scores.bins]
    width = [length_bin.high - length_bin.low + 0.8 for length_bin in scores.bins]
    heights = [length_bin.count for length_bin in scores.bins]
    counts.bar(middle, heights, width, color=FAINT, alpha=0.75, zorder=1, label="examples")
    # Bars fill only the lower part, so that they overlap the lines as little as possible.
    counts.set_ylim(0, 2.5 * max(heights))
    counts.set_yticks([0, max(heights)])
    counts.tick_params(axis="y", colors="#888888", length=0)
    counts.set_ylabel("examples", color="#888888", loc="bottom")


def _draw_legend(figure: Figure, axes: Axes, counts: Axes) -> None:
    lines, names = axes.get_legend_handles_labels()
    areas, area_names = counts.get_legend_handles_labels()
    entries = len(names) + len(area_names)
    figure.legend([*lines, *areas], [*names, *area_names], loc="outside lower center", ncols=min(entries, 5))


@styled
def plot_outcomes(
    groups: Mapping[str, OutcomeShares], *, meaning: str = "split", right: str = LABELS["right"]
) -> Figure:
    """Draw the shares of right sequences and of each kind of error as one stacked bar for each group.

    Args:
        groups: Name of the group (a split, a length, a model) -> its shares.
        meaning: What the groups are, the label of the axis.
        right: What right sequences are called; of features only the length can be right.
    """
    if not groups:
        raise ValueError("at least one group is needed, got none")
    figure = create_figure(max(4.6, 1.6 + 0.75 * len(groups)), 3.7)
    axes = figure.subplots()
    places, base = np.arange(len(groups)), np.zeros(len(groups))
    width = 0.62 if len(groups) > 2 else 0.4
    names = {**LABELS, "right": right}
    for code, name in enumerate(OUTCOMES):
        heights = np.nan_to_num([shares.parts[code] for shares in groups.values()])
        colour, hatch = _OUTCOME_LOOKS[code]
        axes.bar(places, heights, width, bottom=base, color=colour, hatch=hatch, edgecolor="white", label=names[name])
        _write_shares(axes, places, base, heights)
        base += heights
    axes.set_xticks(places, [escape_text(name, max_width=14) for name in groups])
    axes.set(xlabel=meaning, ylabel="share of the sequences", ylim=(0, 1), title="Outcomes of the decoded sequences")
    axes.set_xlim(-0.6, len(groups) - 0.4)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.tick_params(axis="x", length=0)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right upper", handleheight=1.4)
    return figure


def _write_shares(
    axes: Axes, places: NDArray[np.int64], base: NDArray[np.float64], heights: NDArray[np.float64]
) -> None:
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    for place, low, height in zip(places, base, heights, strict=True):
        if height >= 0.07:
            axes.text(place, low + height / 2, f"{height:.0%}", ha="center", va="center", fontsize=7.5, bbox=box)


@styled
def plot_attention(weights: NDArray[np.floating], *, source: Sequence[str], target: Sequence[str]) -> Figure:
    """Draw the attention weights of each decoded symbol over the source.

    Args:
        weights: `(target steps, source steps)` from 0 to 1, each row summing to 1.
        source: Symbols of the source.
        target: Decoded symbols.
    """
    if weights.shape != (len(target), len(source)):
        raise ValueError(f"weights must be {len(target)} target by {len(source)} source steps, got {weights.shape}")
    width, height = (float(np.clip(1.8 + 0.3 * len(symbols), 4.0, 11.0)) for symbols in (source, target))
    figure = create_figure(width, height)
    axes = figure.subplots()
    image = axes.imshow(weights, cmap=WEIGHT_COLOURS, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    label_symbols(axes, columns=source, rows=target)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set(xlabel="source", ylabel="prediction, from top to bottom")
    figure.suptitle("Attention of each predicted symbol")
    figure.colorbar(image, ax=axes, label="weight", shrink=min(0.9, 3 / height), aspect=18, anchor=(0, 1))
    return figure
