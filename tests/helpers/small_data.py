"""Small specifications, splits and options for the tests of models, training and decoding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lengthwise.catalog.presets import read_preset
from lengthwise.config.options import ModelOptions
from lengthwise.data.batching import Batch, take_batch
from lengthwise.data.dataset import DataSpec, Split
from lengthwise.data.sequences import Sequences

SPECS = {
    "tokens": DataSpec(kind="tokens", source_size=11, target_size=9, source_timesteps=6, timesteps=5),
    "features": DataSpec(kind="features", source_size=2, target_size=3, source_timesteps=6, timesteps=5),
}

REPEAT = read_preset("repeat").options


def build_options(**changes: Any) -> ModelOptions:
    """Return the options of `model=repeat` with some changed."""
    return replace(REPEAT, **changes)


def draw_split(kind: str, *, num_examples: int = 4, seed: int = 0) -> Split:
    """Draw sources of 1 to 6 and targets of 1 to 5 steps; the first of each has the most."""
    rng = np.random.default_rng(seed)
    spec = SPECS[kind]
    source_length = rng.integers(1, spec.source_timesteps + 1, num_examples).astype(np.int32)
    target_length = rng.integers(1, spec.timesteps + 1, num_examples).astype(np.int32)
    source_length[0], target_length[0] = spec.source_timesteps, spec.timesteps

    def draw(lengths: np.ndarray, size: int) -> Sequences:
        real = np.arange(lengths.max()) < lengths[:, None]
        if kind == "tokens":
            return Sequences.from_padded(rng.integers(4, size, real.shape).astype(np.uint8), lengths)
        return Sequences.from_padded(rng.random((*real.shape, size)).astype(np.float32), lengths)

    return Split(source=draw(source_length, spec.source_size), target=draw(target_length, spec.target_size))


def list_accepted(split: Split) -> list[list[list[int]]]:
    """Return for each example the ids of every accepted target, its own first."""
    listed: list[list[list[int]]] = [[split.target[row].tolist()] for row in range(len(split))]
    if split.references is not None:
        for row, example in enumerate(split.references.example.tolist()):
            listed[example].append(split.references.target[row].tolist())
    return listed


def take_all(split: Split) -> Batch:
    """Return all examples of a split as one batch."""
    return take_batch(split, np.arange(len(split)))
