"""A trained model on disk: weights, configuration, sizes and codecs, all that decoding needs and nothing else."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import keras

from lengthwise.config.options import RunOptions
from lengthwise.config.parse import dump_options, parse_stored
from lengthwise.data.codec import Codec, parse_codec
from lengthwise.data.dataset import Dataset, DataSpec
from lengthwise.errors import RunError
from lengthwise.models.bundle import Models, build_models
from lengthwise.models.wiring import resolve_wiring
from lengthwise.tracking.runs.layout import CONFIG_NAME, MODEL_DIRECTORY

ARTIFACT_NAME = "lengthwise"
"""The stored model lies in a run's `model/data/lengthwise`, where MLflow's format puts it."""

WEIGHTS_NAME = "model.weights.h5"
SPEC_NAME = "data.json"
SOURCE_CODEC_NAME = "source_codec.json"
TARGET_CODEC_NAME = "target_codec.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """A stored model, loaded.

    Args:
        options: of the run that made it.
        models: with its weights.
        source_codec: turns what a person writes into numbers.
        target_codec: turns predictions into what a person reads.
    """

    options: RunOptions
    models: Models
    source_codec: Codec
    target_codec: Codec


def save_artifact(directory: Path, *, models: Models, options: RunOptions, dataset: Dataset) -> None:
    """Write a trained model into an empty or new directory."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / CONFIG_NAME).write_text(dump_options(options), encoding="utf-8")
    (directory / SPEC_NAME).write_text(json.dumps(asdict(dataset.spec), indent=1), encoding="utf-8")
    (directory / SOURCE_CODEC_NAME).write_text(dataset.source_codec.to_json(), encoding="utf-8")
    (directory / TARGET_CODEC_NAME).write_text(dataset.target_codec.to_json(), encoding="utf-8")
    models.network.save_weights(directory / WEIGHTS_NAME)


@contextlib.contextmanager
def _use_precision(precision: str) -> Iterator[None]:
    """Build with the numbers that the run computed with, and leave the process as it was."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def find_artifact(directory: Path) -> Path:
    """Return where the artifact of a run directory, or of a directory in MLflow's format, lies."""
    inside = Path("data", ARTIFACT_NAME)
    return directory / inside if (directory / "MLmodel").is_file() else directory / MODEL_DIRECTORY / inside


def load_artifact(directory: Path) -> Artifact:
    """Load a trained model.

    Raises:
        RunError: a file is missing or is not what it should be; the text names it.
    """
    try:
        options = parse_stored((directory / CONFIG_NAME).read_text(encoding="utf-8"))
        spec = DataSpec(**json.loads((directory / SPEC_NAME).read_text(encoding="utf-8")))
        source_codec, target_codec = (
            parse_codec((directory / name).read_text(encoding="utf-8"))
            for name in (SOURCE_CODEC_NAME, TARGET_CODEC_NAME)
        )
        with _use_precision(options.training.precision):
            models = build_models(resolve_wiring(options.model, options.latent_dim, spec))
        models.network.load_weights(directory / WEIGHTS_NAME)
    except (OSError, ValueError, TypeError) as error:
        raise RunError(
            f"{directory} does not hold a whole model ({error}). Train it again, or name another run."
        ) from error
    return Artifact(options=options, models=models, source_codec=source_codec, target_codec=target_codec)
