"""The files of a stored model: their names, bounds and place, and what they say, read without TensorFlow."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from lengthwise.config.options import RunOptions
from lengthwise.config.parse import parse_stored
from lengthwise.data.codec import Codec, parse_codec
from lengthwise.data.dataset import DataSpec
from lengthwise.data.vocabulary import Vocabulary
from lengthwise.errors import ConfigError
from lengthwise.models.wiring import Wiring, resolve_wiring
from lengthwise.serving.checksums import build_damage_error, parse_json, read_checked
from lengthwise.tracking.runs.layout import CONFIG_NAME, MODEL_DIRECTORY

ARTIFACT_NAME = "lengthwise"
"""The stored model lies in a run's `model/data/lengthwise`, where MLflow's format puts it."""

WEIGHTS_NAME = "weights.npz"
SPEC_NAME = "data.json"
SOURCE_CODEC_NAME = "source_codec.json"
TARGET_CODEC_NAME = "target_codec.json"

_MEGABYTE = 2**20
MAX_BYTES = {
    CONFIG_NAME: _MEGABYTE,
    SPEC_NAME: _MEGABYTE,
    SOURCE_CODEC_NAME: 256 * _MEGABYTE,
    TARGET_CODEC_NAME: 256 * _MEGABYTE,
    WEIGHTS_NAME: 64 * 1024 * _MEGABYTE,
}
"""Most bytes of each file that is read. Vocabularies of ten million words fit, and ten billion weights."""

_MAX_STEPS = 1_000_000
"""Most source or target steps that a stored model may state, since decoding reserves room for that many."""


class StoredModel(NamedTuple):
    """A stored model as its files describe it.

    Args:
        options: Of the run that trained it.
        wiring: What its weights belong to.
        source_codec: Turns what a person writes into numbers.
        target_codec: Turns predictions into what a person reads.
        weights: Content of the archive of its weights, not parsed.
    """

    options: RunOptions
    wiring: Wiring
    source_codec: Codec
    target_codec: Codec
    weights: bytes


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


def read_stored_model(directory: Path) -> StoredModel:
    """Read the files of a stored model, each checked against its checksum; TensorFlow is not needed.

    Raises:
        RunError: A file is missing, damaged, or does not fit the others; the text names it and says what to do.
    """
    contents = read_checked(directory, MAX_BYTES)
    options = _read_options(directory / CONFIG_NAME, contents[CONFIG_NAME])
    spec = _read_spec(directory / SPEC_NAME, contents[SPEC_NAME])
    source_codec, target_codec = (
        _read_codec(directory / name, contents[name], size=size, is_tokens=spec.kind == "tokens")
        for name, size in ((SOURCE_CODEC_NAME, spec.source_size), (TARGET_CODEC_NAME, spec.target_size))
    )
    try:
        wiring = resolve_wiring(options.model, options.latent_dim, spec)
    except ConfigError as error:
        raise build_damage_error(directory / CONFIG_NAME, f"does not fit {SPEC_NAME} ({error})") from error
    return StoredModel(options, wiring, source_codec, target_codec, contents[WEIGHTS_NAME])


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
