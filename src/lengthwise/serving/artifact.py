"""A trained model on disk: weights, configuration, sizes and codecs, all that decoding needs and nothing else.

`load_artifact` is the one door for models from elsewhere. Every file must match its checksum; then every value is
checked for type and range before it is used, since checksums can be rewritten with the files. Nothing is executed, no
link is followed, and no more memory is asked for than the files are large.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import keras

from lengthwise.config.options import RunOptions
from lengthwise.config.parse import dump_options, parse_stored
from lengthwise.data.codec import Codec, parse_codec
from lengthwise.data.dataset import Dataset, DataSpec
from lengthwise.data.vocabulary import Vocabulary
from lengthwise.errors import ConfigError
from lengthwise.files import dump_json
from lengthwise.models.bundle import Models, build_models
from lengthwise.models.wiring import Wiring, count_parameters, resolve_wiring
from lengthwise.serving.checksums import build_damage_error, parse_json, read_checked, write_checksums
from lengthwise.serving.weights import load_weights, write_weights
from lengthwise.tracking.runs.layout import CONFIG_NAME, MODEL_DIRECTORY

ARTIFACT_NAME = "lengthwise"
"""The stored model lies in a run's `model/data/lengthwise`, where MLflow's format puts it."""

WEIGHTS_NAME = "weights.npz"
SPEC_NAME = "data.json"
SOURCE_CODEC_NAME = "source_codec.json"
TARGET_CODEC_NAME = "target_codec.json"

_MEGABYTE = 2**20
_MAX_BYTES = {
    CONFIG_NAME: _MEGABYTE,
    SPEC_NAME: _MEGABYTE,
    SOURCE_CODEC_NAME: 256 * _MEGABYTE,
    TARGET_CODEC_NAME: 256 * _MEGABYTE,
    WEIGHTS_NAME: 64 * 1024 * _MEGABYTE,
}
"""Most bytes of each file that is read. Vocabularies of ten million words fit, and ten billion weights."""

_MAX_STEPS = 1_000_000
"""Most source or target steps that a stored model may state, since decoding reserves room for that many."""


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
    write_checksums(directory, list(_MAX_BYTES))


@contextlib.contextmanager
def _use_precision(precision: str) -> Iterator[None]:
    """Build in the precision that the run computed with, and leave the process as it was."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def find_artifact(directory: Path) -> Path:
    """Return the path of the artifact in a run directory, or in a directory in MLflow's format.

    Raises:
        RunError: A directory between the two is a link.
    """
    parts = ["data", ARTIFACT_NAME] if (directory / "MLmodel").is_file() else [MODEL_DIRECTORY, "data", ARTIFACT_NAME]
    for part in parts:
        directory = directory / part
        if directory.is_symlink():
            raise build_damage_error(directory, "is a link, and links are not followed")
    return directory


def load_artifact(directory: Path) -> Artifact:
    """Load a trained model.

    Raises:
        RunError: A file is missing, damaged, or does not fit the others; the text names it and says what to do.
    """
    contents = read_checked(directory, _MAX_BYTES)
    options = _read_options(directory / CONFIG_NAME, contents[CONFIG_NAME])
    spec = _read_spec(directory / SPEC_NAME, contents[SPEC_NAME])
    codecs = {
        name: _read_codec(directory / name, contents[name], size=size, is_tokens=spec.kind == "tokens")
        for name, size in ((SOURCE_CODEC_NAME, spec.source_size), (TARGET_CODEC_NAME, spec.target_size))
    }
    try:
        wiring = resolve_wiring(options.model, options.latent_dim, spec)
    except ConfigError as error:
        raise build_damage_error(directory / CONFIG_NAME, f"does not fit {SPEC_NAME} ({error})") from error
    weights = contents[WEIGHTS_NAME]
    _check_size(directory / WEIGHTS_NAME, weights, wiring, options)
    with _use_precision(options.training.precision):
        models = build_models(wiring)
    load_weights(directory / WEIGHTS_NAME, weights, models)
    return Artifact(
        options=options,
        models=models,
        source_codec=codecs[SOURCE_CODEC_NAME],
        target_codec=codecs[TARGET_CODEC_NAME],
    )


def _read_options(path: Path, content: bytes) -> RunOptions:
    try:
        return parse_stored(content.decode("utf-8"))
    except (ConfigError, UnicodeDecodeError) as error:
        raise build_damage_error(path, f"cannot be used ({error})") from error


def _read_spec(path: Path, content: bytes) -> DataSpec:
    values = parse_json(path, content)
    names = {field.name for field in fields(DataSpec)}
    if values.keys() != names:
        raise build_damage_error(path, f"must hold exactly {', '.join(sorted(names))}")
    if values["kind"] not in ("tokens", "features"):
        raise build_damage_error(path, "must give tokens or features as kind")
    for name in ("source_size", "target_size"):
        _check_number(path, name, values[name], high=2**31 - 1)
    for name in ("source_timesteps", "timesteps"):
        _check_number(path, name, values[name], high=_MAX_STEPS)
    return DataSpec(**values)


def _check_number(path: Path, name: str, value: Any, *, high: int) -> None:
    if type(value) is not int or not 1 <= value <= high:
        raise build_damage_error(path, f"must give a whole number from 1 to {high:,} as {name}; got {value!r:.40}")


def _read_codec(path: Path, content: bytes, *, size: int, is_tokens: bool) -> Codec:
    """Read a codec, which must be of the kind and the size that the data's specification says."""
    parse_json(path, content)  # with a message of its own where it is no JSON
    try:
        codec = parse_codec(content.decode("utf-8"))
    except ValueError as error:
        raise build_damage_error(path, f"cannot be used ({error})") from error
    if isinstance(codec, Vocabulary) != is_tokens or codec.size != size:
        raise build_damage_error(path, f"does not fit {SPEC_NAME}")
    return codec


def _check_size(path: Path, content: bytes, wiring: Wiring, options: RunOptions) -> None:
    """Refuse a file too small for the weights, before memory for them is asked for."""
    bytes_per_number = 8 if options.training.precision == "float64" else 4
    num_weights = count_parameters(wiring)
    if len(content) < num_weights * bytes_per_number:
        raise build_damage_error(path, f"is too small for the {num_weights:,} weights that {CONFIG_NAME} describes")
