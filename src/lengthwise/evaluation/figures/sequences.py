"""Draw real-valued data: sequences and their reconstructions, and latents in two dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lengthwise.evaluation.figures.projection import project_latents
from lengthwise.plotting import (
    AMOUNT_COLOURS,
    BLUE,
    FAINT,
    IMAGE_COLOURS,
    INK,
    LINES,
    create_figure,
    escape_text,
    styled,
)

_FEWEST_IMAGE_FEATURES = 4
_MOST_POINTS = 2000
_MOST_NAMED_CLASSES = 30
_MISSING = "#F3EFE2"


@styled
def plot_reconstructions(
    original: NDArray[np.floating],
    reconstruction: NDArray[np.floating],
    *,
    original_length: NDArray[np.integer],
    reconstruction_length: NDArray[np.integer],
    titles: Sequence[str] | None = None,
    names: Sequence[str] = (),
) -> Figure:
    """Draw sequences, their reconstructions and the differences below each other, one column for each example.

    Four and more features are drawn as an image, one row per step; fewer as lines over the steps. Missing steps are
    left blank.

    Args:
        original: `(examples, steps, features)`, at most about 10 examples, in the unit of the reconstruction.
        reconstruction: `(examples, other steps, features)`.
        original_length: `(examples,)` steps.
        reconstruction_length: `(examples,)` steps.
        titles: Title of each example, such as its label, written above its mean absolute error; None: no titles.
        names: Names of the features; empty: they are numbered.
    """
    if original.shape[0] != reconstruction.shape[0] or original.shape[2] != reconstruction.shape[2]:
        raise ValueError(f"both need equal examples and features, got {original.shape} and {reconstruction.shape}")
    steps = max(original.shape[1], reconstruction.shape[1])
    first = _blank_padding(original, original_length, steps)
    second = _blank_padding(reconstruction, reconstruction_length, steps)
    errors = _mean_errors(first, second)
    if titles is not None:
        errors = [f"{escape_text(title, max_width=14)}\n{error}" for title, error in zip(titles, errors, strict=True)]
    if original.shape[2] >= _FEWEST_IMAGE_FEATURES:
        return _draw_pictures(first, second, errors)
    return _draw_lines(first, second, errors, names or [f"feature {number + 1}" for number in range(first.shape[2])])


def _blank_padding(values: NDArray[np.floating], length: NDArray[np.integer], steps: int) -> NDArray[np.float64]:
    """Return values `(examples, other steps, features)` as `(examples, steps, features)`, NaN after the end of each."""
    blank = np.full((values.shape[0], steps, values.shape[2]), np.nan)
    real = np.arange(values.shape[1]) < length[:, None]
    blank[:, : values.shape[1]] = np.where(real[:, :, None], values, np.nan)
    return blank


def _mean_errors(first: NDArray[np.float64], second: NDArray[np.float64]) -> list[str]:
    """Return the mean absolute error of each example as text; missing steps count as zeros, as in the scores."""
    total = np.abs(np.nan_to_num(second, nan=0.0) - np.nan_to_num(first, nan=0.0)).sum(axis=(1, 2))
    numbers = np.isfinite(first).sum(axis=(1, 2))
    return [f"error {error:#.2g}" for error in total / np.maximum(numbers, 1)]


def _draw_pictures(first: NDArray[np.float64], second: NDArray[np.float64], titles: Sequence[str]) -> Figure:
    """Draw originals, reconstructions and differences `(examples, steps, features)` as three rows of images."""
    num_examples, num_steps, num_features = first.shape
    width = float(np.clip(9.0 / num_examples, 0.9, 1.6))
    height = width * float(np.clip(num_steps / num_features, 0.6, 2))
    figure = create_figure(width * num_examples + 1.7, 3 * height + 1.3)
    panels = figure.subplots(3, 1)
    finite = first[np.isfinite(first)]
    scale = Normalize(finite.min(), finite.max()) if finite.size else Normalize(0, 1)
    difference = second - first
    largest = float(np.abs(difference[np.isfinite(difference)]).max(initial=0.0)) or 1.0
    _draw_row(panels[0], first, IMAGE_COLOURS, scale)
    _draw_row(panels[1], second, IMAGE_COLOURS, scale)
    _draw_row(panels[2], difference, AMOUNT_COLOURS, Normalize(-largest, largest))
    for panel, name in zip(panels, ("original", "reconstruction", "difference"), strict=True):
        panel.set_ylabel(name)
        figure.colorbar(panel.images[0], ax=panel, aspect=10, pad=0.01)
    panels[0].set_xticks(np.arange(num_examples) + 0.5, titles)
    panels[0].xaxis.tick_top()
    figure.suptitle("Sequences and their reconstructions (one row per step, one column per feature)")
    return figure


def _draw_row(panel: Axes, values: NDArray[np.float64], colours: str, norm: Normalize) -> None:
    """Draw examples `(examples, steps, features)` side by side on one pair of axes, much faster than one for each."""
    for place, value in enumerate(values):
        left, right = place + 0.04, place + 0.96
        panel.add_patch(Rectangle((left, 0), right - left, 1, facecolor=_MISSING, edgecolor="none", zorder=-1))
        panel.imshow(value, cmap=colours, norm=norm, extent=(left, right, 0, 1), aspect="auto", interpolation="nearest")
        frame = Rectangle((left, 0), right - left, 1, fill=False, edgecolor=FAINT, linewidth=0.6, clip_on=False)
        panel.add_patch(frame)
    panel.set(xticks=[], yticks=[], xlim=(0, len(values)), ylim=(0, 1))
    panel.tick_params(length=0)
    for spine in panel.spines.values():
        spine.set_visible(False)


def _draw_lines(
    first: NDArray[np.float64], second: NDArray[np.float64], titles: Sequence[str], names: Sequence[str]
) -> Figure:
    """Draw originals and reconstructions `(examples, steps, features)` as lines, the differences below."""
    num_examples, num_steps, _ = first.shape
    figure = create_figure(float(np.clip(2.6 * num_examples, 4.5, 13)), 4.3)
    panels = figure.subplots(2, num_examples, squeeze=False, sharex=True, sharey="row", height_ratios=(2, 1))
    for column in range(num_examples):
        _draw_pair(panels[0, column], panels[1, column], first[column], second[column], names)
        panels[0, column].set_title(titles[column], fontsize=9, fontweight="normal", loc="center")
        panels[1, column].xaxis.set_major_locator(MaxNLocator(4, integer=True))
        panels[1, column].set_xlabel("step")
    panels[0, 0].set_xlim(1 - 0.02 * num_steps, num_steps * 1.02)
    panels[0, 0].set_ylabel("value")
    panels[1, 0].set_ylabel("difference")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 6))
    figure.suptitle("Sequences and their reconstructions")
    return figure


def _draw_pair(
    above: Axes, below: Axes, first: NDArray[np.float64], second: NDArray[np.float64], names: Sequence[str]
) -> None:
    """Draw one example: `(steps, features)` of both above, their difference below; several features by their names."""
    steps = np.arange(1, len(first) + 1)
    below.axhline(0, color=INK, linewidth=0.8)
    for feature in range(first.shape[1]):
        colour, dashes, _ = LINES[feature]
        suffix = f", {escape_text(names[feature], max_width=18)}" if first.shape[1] > 1 else ""
        above.plot(steps, first[:, feature], color=INK, linewidth=1, label=f"original{suffix}", alpha=1 - 0.3 * feature)
        above.plot(steps, second[:, feature], color=colour, linestyle="--", label=f"reconstruction{suffix}")
        below.plot(steps, second[:, feature] - first[:, feature], color=colour, linestyle=dashes, linewidth=1.2)
    above.grid(axis="y")
    below.grid(axis="y")


@styled
def plot_latents(
    latents: NDArray[np.floating],
    *,
    labels: NDArray[np.generic] | None = None,
    lengths: NDArray[np.integer] | None = None,
) -> Figure:
    """Draw latents in the plane of their first two principal components, coloured by class or by length.

    Args:
        latents: `(points, latent_dim)`; of more than 2,000 points only 2,000 evenly spaced ones are drawn.
        labels: `(points,)` class of each point; None where there are no classes.
        lengths: `(points,)` source lengths in steps, used where there are no labels.
    """
    kept = np.unique(np.linspace(0, len(latents) - 1, min(len(latents), _MOST_POINTS)).astype(np.int64))
    projection = project_latents(latents[kept])
    figure = create_figure(6.2, 5.0)
    axes = figure.subplots()
    if labels is not None:
        _draw_classes(axes, projection.points, labels[kept].astype(str))
        meaning = ", by class"
    elif lengths is not None:
        _draw_amounts(figure, axes, projection.points, lengths[kept])
        meaning = ", by source length"
    else:
        axes.scatter(projection.points[:, 0], projection.points[:, 1], s=14, color=BLUE, linewidths=0)
        meaning = ""
    first, second = projection.explained
    axes.set_xlabel(f"first principal component ({first:.0%} of the variance)")
    axes.set_ylabel(f"second principal component ({second:.0%} of the variance)")
    shown = f"{len(kept):,}" if len(kept) == len(latents) else f"{len(kept):,} of {len(latents):,}"
    axes.set_title(f"{shown} latents of {latents.shape[1]} dimensions in two{meaning}")
    axes.grid()
    return figure


def _draw_classes(axes: Axes, points: NDArray[np.float64], labels: NDArray[np.str_]) -> None:
    """Draw points `(points, 2)`, each class `(points,)` with its own colour and marker."""
    classes = np.unique(labels)
    is_short = all(len(name) == 1 and name.isascii() and name.isalnum() for name in classes)
    for index, name in enumerate(classes):
        line = LINES[index % len(LINES)]
        # A class named by one letter or digit is drawn as that character, readable without colour.
        marker = f"$\\mathrm{{{name}}}$" if is_short else line.marker
        chosen = points[labels == name]
        axes.scatter(
            chosen[:, 0],
            chosen[:, 1],
            s=30 if is_short else 16,
            color=line.color,
            marker=marker,
            linewidths=0,
            alpha=0.75,
        )
    if len(classes) > _MOST_NAMED_CLASSES:
        return
    for index, name in enumerate(classes):
        x, y = np.median(points[labels == name], axis=0)
        text = axes.text(x, y, escape_text(name), ha="center", va="center", fontsize=15 if is_short else 9)
        text.set(color=LINES[index % len(LINES)].color, fontweight="bold")
        text.set_path_effects([patheffects.withStroke(linewidth=3, foreground="white")])


def _draw_amounts(figure: Figure, axes: Axes, points: NDArray[np.float64], lengths: NDArray[np.integer]) -> None:
    """Draw points `(points, 2)` coloured by their lengths `(points,)`."""
    drawn = axes.scatter(
        points[:, 0], points[:, 1], c=lengths, cmap=AMOUNT_COLOURS, s=14, linewidths=0.25, edgecolors="white"
    )
    bar = figure.colorbar(drawn, ax=axes, label="source length (steps)", shrink=0.85, aspect=30)
    bar.ax.yaxis.set_major_locator(MaxNLocator(integer=True))
