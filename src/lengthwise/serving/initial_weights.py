"""Trained weights as the initial weights of another run, where both have the same wiring and the same symbols."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lengthwise.config.options import RunOptions
from lengthwise.data.dataset import Dataset
from lengthwise.errors import ConfigError
from lengthwise.models.wiring import Wiring
from lengthwise.serving.artifact_files import WEIGHTS_NAME, StoredModel

if TYPE_CHECKING:
    from lengthwise.models.bundle import Models

_FREE = ("dropout", "sampling_unit", "spec.source_timesteps", "spec.timesteps")
"""Parts of a wiring that no weight depends on."""


def check_initial_weights(stored: StoredModel, options: RunOptions, dataset: Dataset, wiring: Wiring) -> str:
    """Check that a run can start from the weights of another.

    Args:
        stored: The trained model.
        options: Of the run that starts from it.
        dataset: Its data.
        wiring: Its wiring.

    Returns:
        SHA-256 of the weights, hexadecimal.

    Raises:
        ConfigError: The wirings differ, or the symbols, or the precision.
    """
    here, there = _describe(wiring), _describe(stored.wiring)
    differing = [name for name in here if name not in _FREE and here[name] != there[name]]
    if differing:
        shown = ", ".join(f"{name} is {there[name]} there and {here[name]} here" for name in differing)
        rule = "must name a run with the same wiring"
        raise ConfigError("weights", rule, received=shown, remedy="Give these options the same values, or drop weights")
    if stored.options.training.precision != options.training.precision:
        received = f"{stored.options.training.precision} there and {options.training.precision} here"
        remedy = f"Set training.precision={stored.options.training.precision}"
        raise ConfigError("weights", "must name a run of the same precision", received=received, remedy=remedy)
    codecs = ((stored.source_codec, dataset.source_codec), (stored.target_codec, dataset.target_codec))
    if wiring.is_tokens and any(before.to_json() != now.to_json() for before, now in codecs):
        rule = "must name a run on data with the same symbols: each has weights of its own"
        raise ConfigError("weights", rule, received=options.weights, remedy="Train from scratch, or on the same data")
    return hashlib.sha256(stored.weights).hexdigest()


def _describe(wiring: Wiring) -> dict[str, Any]:
    """Return the parts of a wiring by name; all that feed back the previous output have the same weights."""
    values = asdict(wiring)
    spec = values.pop("spec")
    values["feedback"] = "none" if wiring.feedback == "none" else "teacher, scheduled or own"
    return values | {f"spec.{name}": value for name, value in spec.items()}


def load_initial_weights(directory: Path, stored: StoredModel, models: Models) -> None:
    """Give a new model the weights of a trained one.

    Args:
        directory: Of the stored model, for messages.
        stored: The trained model, already checked.
        models: As built.

    Raises:
        RunError: The archive of the weights is damaged.
    """
    from lengthwise.serving.weights import load_weights

    load_weights(directory / WEIGHTS_NAME, stored.weights, models)
