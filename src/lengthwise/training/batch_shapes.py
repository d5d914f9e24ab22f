"""Choose the few shapes that batches are padded to where every shape is compiled apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.dataset import Split
from lengthwise.models.wiring import Wiring

MOST_SHAPES = 3
"""Each shape is compiled for a second or two."""

WORTHWHILE = 0.15
"""Share of the padded steps that one more shape must save."""

MOST_CANDIDATES = 64
"""Lengths that are tried as bounds."""


class BatchShape(NamedTuple):
    """Steps of the sources and of the targets, the stop symbol included, that a batch is padded to."""

    source_steps: int
    target_steps: int


def plan_shapes(split: Split, wiring: Wiring) -> tuple[BatchShape, ...]:
    """Choose the shapes of a split's batches: as few as pay, with the least padding.

    Returns:
        From the smallest to the largest; the last holds every example.
    """
    target_steps = count_target_steps(split, wiring)
    lengths = split.source.length if wiring.length == "fixed" else target_steps
    within = [lengths <= bound for bound in _choose_bounds(lengths)]
    return tuple(BatchShape(int(split.source.length[fits].max()), int(target_steps[fits].max())) for fits in within)


def choose_shapes(
    shapes: Sequence[BatchShape], batches: Sequence[NDArray[np.int64]], split: Split, wiring: Wiring
) -> list[int]:
    """Return for each batch the index of the first shape that holds all its rows."""
    target_steps = count_target_steps(split, wiring)
    needed = [(split.source.length[rows].max(), target_steps[rows].max()) for rows in batches]
    return [
        next(index for index, (most, longest) in enumerate(shapes) if source <= most and target <= longest)
        for source, target in needed
    ]


def count_target_steps(split: Split, wiring: Wiring) -> NDArray[np.int32]:
    """Return the steps of each example's target, the stop symbol included, `(examples,)`."""
    if wiring.length == "fixed":
        return np.full(len(split), wiring.spec.timesteps, np.int32)
    return split.target.length + np.int32(wiring.has_stop_symbol)


def _choose_bounds(lengths: NDArray[np.int32]) -> tuple[int, ...]:
    """Choose upper bounds of the lengths, the largest length last."""
    *candidates, largest = _list_candidates(lengths)
    best: tuple[int, ...] = (largest,)
    fewest_steps = len(lengths) * largest
    for count in range(1, MOST_SHAPES):
        options = [(*chosen, largest) for chosen in combinations(candidates, count)]
        if not options:
            break
        steps = [_count_steps(lengths, bounds) for bounds in options]
        if min(steps) > (1 - WORTHWHILE) * fewest_steps:
            break
        fewest_steps = min(steps)
        best = options[steps.index(fewest_steps)]
    return best


def _list_candidates(lengths: NDArray[np.int32]) -> list[int]:
    unique = np.unique(lengths)
    places = np.linspace(0, len(unique) - 1, min(len(unique), MOST_CANDIDATES)).round().astype(int)
    return [int(length) for length in unique[places]]


def _count_steps(lengths: NDArray[np.int32], bounds: Sequence[int]) -> int:
    """Return the steps, padding included, if every sequence is padded to the first bound that holds it."""
    counts = np.bincount(np.searchsorted(bounds, lengths), minlength=len(bounds))
    return int(counts @ np.asarray(bounds))
