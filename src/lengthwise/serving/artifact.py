"""A trained model on disk: weights, configuration, sizes and codecs, all that decoding needs and nothing else.

`load_artifact` is the one door for models from elsewhere. Every file must match its checksum; then every value is
checked for type and range before it is used, since checksums can be rewritten with the files. Nothing is executed, no
link is followed, and no more memory is asked for than the files are large.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import keras

from lengthwise.config.options import RunOptions
from lengthwise.config.parse import dump_options
from lengthwise.data.codec import Codec
from lengthwise.data.dataset import Dataset
from lengthwise.files import dump_json
from lengthwise.models.bundle import Models, build_models
from lengthwise.models.wiring import Wiring, count_parameters
from lengthwise.serving.artifact_files import (
    MAX_BYTES,
    SOURCE_CODEC_NAME,
    SPEC_NAME,
    TARGET_CODEC_NAME,
    WEIGHTS_NAME,
    read_stored_model,
)
from lengthwise.serving.checksums import build_damage_error, write_checksums
from lengthwise.serving.weights import load_weights, write_weights
from lengthwise.tracking.runs.layout import CONFIG_NAME


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """A stored model, loaded.

    Args:
        options: Of the run that trained it.
        models: With their weights.
        source_codec: Turns what a person writes into numbers.
        target_codec: Turns predictions into what a person reads.
    """

    options: RunOptions
    models: Models
    source_codec: Codec
    target_codec: Codec


def save_artifact(directory: Path, *, models: Models, options: RunOptions, dataset: Dataset) -> None:
    """Write a trained model into an empty or new directory."""
    directory.mkdir(parents=True, exist_ok=True)
    texts = {
        CONFIG_NAME: dump_options(options),
        SPEC_NAME: dump_json(asdict(dataset.spec), indent=1),
        SOURCE_CODEC_NAME: dataset.source_codec.to_json(),
        TARGET_CODEC_NAME: dataset.target_codec.to_json(),
    }
    for name, text in texts.items():
        with (directory / name).open("x", encoding="utf-8") as file:  # a new file: never through a link
            file.write(text)
    write_weights(directory / WEIGHTS_NAME, models)
    write_checksums(directory, list(MAX_BYTES))


@contextlib.contextmanager
def _use_precision(precision: str) -> Iterator[None]:
    """Build in the precision that the run computed with, and leave the process as it was."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def load_artifact(directory: Path) -> Artifact:
    """Load a trained model.

    Raises:
        RunError: A file is missing, damaged, or does not fit the others; the text names it and says what to do.
    """
    stored = read_stored_model(directory)
    _check_size(directory / WEIGHTS_NAME, stored.weights, stored.wiring, stored.options)
    with _use_precision(stored.options.training.precision):
        models = build_models(stored.wiring)
    load_weights(directory / WEIGHTS_NAME, stored.weights, models)
    return Artifact(
        options=stored.options, models=models, source_codec=stored.source_codec, target_codec=stored.target_codec
    )


def _check_size(path: Path, content: bytes, wiring: Wiring, options: RunOptions) -> None:
    """Refuse a file too small for the weights, before memory for them is asked for."""
    bytes_per_number = 8 if options.training.precision == "float64" else 4
    num_weights = count_parameters(wiring)
    if len(content) < num_weights * bytes_per_number:
        raise build_damage_error(path, f"is too small for the {num_weights:,} weights that {CONFIG_NAME} describes")
