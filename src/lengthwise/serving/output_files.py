"""Write what a trained model makes of a file: numbers or latents, as .csv or .npz."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lengthwise.errors import ConfigError, LengthwiseError
from lengthwise.files import write_whole

ENDINGS = (".csv", ".npz")


def check_output(path: str) -> None:
    """Check, before anything slow begins, that a file can be written.

    Args:
        path: As the user wrote it.

    Raises:
        ConfigError: It ends neither in .csv nor in .npz, or its directory does not exist.
    """
    if Path(path).suffix.lower() not in ENDINGS:
        raise ConfigError("--output", "must end in .csv or .npz", received=repr(path), remedy="Choose one of them")
    if not Path(path).absolute().parent.is_dir():
        rule = "must be in a directory that exists"
        raise ConfigError("--output", rule, received=repr(path), remedy="Make the directory first")


def write_steps(path: str, values: Sequence[NDArray[np.float64]], names: Sequence[str], labels: Sequence[str]) -> None:
    """Write sequences of numbers: as .csv a row for each step, as .npz an array for each sequence.

    `dataset=sequences` reads both again, the .csv with `dataset.id_column=id`.

    Args:
        path: Where to.
        values: Of each sequence, `(steps, features)`.
        names: Of the sequences.
        labels: Of the features.
    """
    rows = (
        [name, step, *numbers]
        for name, steps in zip(names, values, strict=True)
        for step, numbers in enumerate(steps.tolist(), start=1)
    )
    arrays = dict(zip(names, values, strict=True))
    _write(path, ["id", "step", *labels], rows, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


def write_latents(path: str, latents: NDArray[np.float32], names: Sequence[str]) -> None:
    """Write latents: as .csv a row for each, as .npz the arrays `latents` `(sources, latent_dim)` and `sources`.

    Args:
        path: Where to.
        latents: `(sources, latent_dim)`.
        names: The sources themselves where they are texts, else their names.
    """
    header = ["source", *(f"latent_{number}" for number in range(1, latents.shape[1] + 1))]
    rows = ([name, *numbers] for name, numbers in zip(names, latents.tolist(), strict=True))
    _write(path, header, rows, lambda file: np.savez(file, latents=latents, sources=np.array(names, np.str_)))


def _write(path: str, header: Sequence[str], rows: Any, save: Callable[[io.BytesIO], None]) -> None:
    if Path(path).suffix.lower() == ".npz":
        content = io.BytesIO()
        save(content)
        whole = content.getvalue()
    else:
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        whole = text.getvalue().encode()
    try:
        write_whole(Path(path), whole)
    except OSError as error:
        raise LengthwiseError(f"{path} cannot be written: {error.strerror or error}. Name another file.") from error
