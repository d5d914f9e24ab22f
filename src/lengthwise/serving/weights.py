"""A model's trained weights as a NumPy archive: nothing of the optimiser, nothing that is executed, one name a weight.

The headers of its arrays are not parsed: they must be, byte for byte, those of the shapes and number types that the
model needs, so that a damaged file can neither ask for memory nor reach a parser.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lengthwise.models.bundle import Models
from lengthwise.serving.checksums import build_damage_error

_NUMBERED = re.compile(r"(embedding|lstm|gru|simple_rnn)(_cell)?(_\d+)?")
"""Parts of a weight's path that Keras makes up and numbers by what else the process has built."""

_NPY_MAGIC = b"\x93NUMPY\x01\x00"

_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, EOFError, OSError, ValueError, KeyError)


def write_weights(path: Path, models: Models) -> None:
    """Write the trained weights of a model."""
    with zipfile.ZipFile(path, "x") as archive:
        for name, variable in _name_weights(models).items():
            value = np.ascontiguousarray(variable.numpy(), _find_dtype(variable))
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, value, version=(1, 0), allow_pickle=False)


def load_weights(path: Path, content: bytes, models: Models) -> None:
    """Give a model its trained weights.

    Args:
        path: Of the archive, for messages.
        content: Of the archive.
        models: As the one whose weights were written.

    Raises:
        RunError: The archive is damaged, holds weights of another model, or numbers that are not finite.
    """
    variables = _name_weights(models)
    try:
        arrays = _read_arrays(content)
    except _ZIP_ERRORS as error:
        raise build_damage_error(path, f"is not an archive of weights ({error})") from error
    if arrays.keys() != variables.keys():
        raise build_damage_error(path, "holds the weights of another model than config.yaml describes")
    for name, variable in variables.items():
        value = _read_array(arrays[name], tuple(variable.shape), _find_dtype(variable))
        if value is None:
            raise build_damage_error(path, f"does not hold {name} as {variable.dtype} {tuple(variable.shape)}")
        if not np.isfinite(value).all():
            raise build_damage_error(path, f"holds NaN or infinity in {name}")
        variable.assign(value)


def _name_weights(models: Models) -> dict[str, Any]:
    """Return the trained variables by names that are the same in every process."""
    named = {}
    for variable in models.network.trainable_variables:
        parts = variable.path.split("/")[1:]
        named["/".join(part for part in parts if _NUMBERED.fullmatch(part) is None)] = variable
    if len(named) != len(models.network.trainable_variables):
        raise ValueError("two weights of the model have the same name")
    return named


def _read_arrays(content: bytes) -> dict[str, bytes]:
    """Return the members of an archive, all stored without compression, by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED or member.file_size > len(content) for member in members):
            raise ValueError("compressed")
        if sum(member.file_size for member in members) > len(content):
            raise ValueError("overlapping members")
        return {member.filename.removesuffix(".npy"): archive.read(member) for member in members}


def _read_array(content: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[np.floating] | None:
    """Return the array that a `.npy` file of a known shape and type holds; None where it holds another."""
    start = len(_NPY_MAGIC) + 2  # the length of the header follows in two bytes, then the header, then the numbers
    offset = start + int.from_bytes(content[len(_NPY_MAGIC) : start], "little")
    header = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    is_known = content.startswith(_NPY_MAGIC) and content[start:offset].strip() == header
    if not is_known or len(content) != offset + dtype.itemsize * math.prod(shape):
        return None
    return np.frombuffer(content, dtype, offset=offset).reshape(shape)


def _find_dtype(variable: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(variable.dtype).newbyteorder("<")
    return dtype
