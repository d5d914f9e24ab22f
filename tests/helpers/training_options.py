"""Options of training for tests: those of training=standard with some changed, and whole runs."""

from __future__ import annotations

from typing import Any

import yaml

from helpers.small_data import build_options
from lengthwise.config.options import (
    CONFIG_VERSION,
    DirectoryOptions,
    GreedyOptions,
    RunOptions,
    SymbolTaskOptions,
    TrainingOptions,
)
from lengthwise.config.paths import conf_dir


def build_training(**changes: Any) -> TrainingOptions:
    """Return the options of `training=standard` with some changed."""
    values = yaml.safe_load((conf_dir() / "training" / "standard.yaml").read_text(encoding="utf-8"))
    return TrainingOptions(**{**values, **changes})


def build_run(*, training: dict[str, Any] | None = None, seed: int = 0, **model: Any) -> RunOptions:
    """Return the options of a small run on `copy`."""
    dataset = SymbolTaskOptions(
        name="copy",
        num_symbols=4,
        min_length=1,
        max_length=3,
        longer_length=5,
        num_train=40,
        num_validation=8,
        num_test=8,
        seed=0,
    )
    return RunOptions(
        config_version=CONFIG_VERSION,
        latent_dim=8,
        timesteps="auto",
        seed=seed,
        study="test",
        output_dir="outputs",
        resume=None,
        base=None,
        weights=None,
        model=build_options(**model),
        dataset=dataset,
        training=build_training(**(training or {})),
        decoding=GreedyOptions(name="greedy", length="model", batch_size=16),
        tracking=DirectoryOptions(name="directory"),
    )
