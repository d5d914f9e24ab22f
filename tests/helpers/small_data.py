"""Small specifications, splits and options for the tests of models, training and decoding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lengthwise.catalog.presets import read_preset
from lengthwise.config.options import ModelOptions
from lengthwise.data.batching import take_batch
from lengthwise.data.dataset import DataSpec, Split

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

    def draw(lengths: np.ndarray, size: int) -> np.ndarray:
        real = np.arange(lengths.max()) < lengths[:, None]
        if kind == "tokens":
            return np.where(real, rng.integers(4, size, real.shape), 0).astype(np.int32)
        return (rng.random((*real.shape, size)) * real[..., None]).astype(np.float32)

    return Split(
        source=draw(source_length, spec.source_size),
        source_length=source_length,
        target=draw(target_length, spec.target_size),
        target_length=target_length,
    )


def take_examples(split: Split, rows: np.ndarray) -> Split:
    """Return some of a split's examples as a split, padded only to the longest of them."""
    batch = take_batch(split, rows)
    return Split(
        source=batch.source,
        source_length=batch.source_length,
        target=batch.target,
        target_length=batch.target_length,
    )
