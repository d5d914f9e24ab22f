"""Arrays among a run's files, in NumPy's format: written whole, and read without trusting the size they claim."""

from __future__ import annotations

import io
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lengthwise.errors import RunError
from lengthwise.tracking.runs.run_files import RunFiles


def write_array(files: RunFiles, name: str, array: NDArray[np.generic]) -> None:
    """Write an array as a file of a run, whole or not at all.

    Args:
        files: The run's files.
        name: Relative to the run's directory, as `samples/test_correct.npy`.
        array: Of numbers.
    """
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    files.write_bytes(name, content.getvalue())


def read_array(files: RunFiles, name: str, *, dtypes: Collection[str], num_dimensions: int) -> NDArray[Any] | None:
    """Read an array that a run has kept. The run may be a stranger's: nothing in the file is executed.

    Args:
        files: The run's files.
        name: Relative to the run's directory.
        dtypes: Those it may have, such as `uint8`.
        num_dimensions: Those it must have, none of them empty.

    Returns:
        The array, which cannot be written to; None where the run has no such file.

    Raises:
        RunError: It is no such array.
    """
    if files.find(*name.split("/")) is None:
        return None
    content = files.read_bytes(name)
    try:
        return _parse(content, dtypes, num_dimensions)
    except ValueError as error:
        raise RunError(f"{files.directory / name} cannot be read ({error}). Move the run's directory away.") from error


def _parse(content: bytes, dtypes: Collection[str], num_dimensions: int) -> NDArray[Any]:
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("it is not of version 1.0 of NumPy's format")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
    values = content[file.tell() :]
    size = dtype.itemsize
    for length in shape:
        size *= length
    is_wanted = dtype.name in dtypes and dtype.isnative and len(shape) == num_dimensions and not by_columns
    if not is_wanted or not 0 < size == len(values):
        raise ValueError(f"it is not an array of {num_dimensions} dimensions of {' or '.join(dtypes)}")
    return np.frombuffer(values, dtype).reshape(shape)
