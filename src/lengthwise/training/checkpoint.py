"""Write and read checkpoints: everything a fit needs to resume with the same bits as if it had never stopped.

A checkpoint is one directory, written under a temporary name, synced and renamed, with the hash of each of its files:
a kill at any instant leaves it whole or absent. It holds every variable of the model (weights, seed generators) and of
the optimiser, the best weights so far, and the counters of the validation watch; the data's order needs no state, since
it is a function of (seed, epoch). Two are kept, so that a damaged one costs the time since the one before it.

Written by hand, since Keras' `BackupAndRestore` resumes with other bits: it stores neither the seed generators of
dropout nor the counters of early stopping and of the learning rate's plateau, and its files are not written atomically.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lengthwise.errors import RunError
from lengthwise.files import sync

Arrays = Mapping[str, NDArray[np.generic]]

NUM_KEPT = 2
STATE_NAME, ARRAYS_NAME, HASHES_NAME = "state.json", "variables.npz", "hashes.json"
_PREFIX = "epoch-"


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingState:
    """State of a fit, except its variables.

    Args:
        epoch: Number of epochs finished.
        best_epoch: The best epoch, from 1, by what is monitored; 0 before the first.
        best_value: Its value of what is monitored; infinite before the first.
        best_loss: Its validation loss; infinite before the first.
        last_change: Epoch of the last improvement or fall of the learning rate, from which patience counts.
        is_over: Whether the fit has ended, after its last epoch or early.
        seconds: Time spent fitting so far.
        history: For each metric its value after each epoch; NaN where it was not measured.
    """

    epoch: int
    best_epoch: int
    best_value: float
    best_loss: float
    last_change: int
    is_over: bool
    seconds: float
    history: Mapping[str, list[float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A state and its variables, named `model/N`, `optimizer/N` and `best/N` in Keras' order."""

    state: TrainingState
    arrays: Arrays


class DamagedError(Exception):
    """A checkpoint whose files are not as they were written."""


def save_checkpoint(directory: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint below `directory`, and remove all but the last two.

    Raises:
        OSError: It cannot be written; the message names the file, and earlier checkpoints are unchanged.
    """
    target = directory / f"{_PREFIX}{checkpoint.state.epoch:06d}"
    aside = directory / f".{target.name}.{os.getpid()}"
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir(parents=True)
        (aside / STATE_NAME).write_text(json.dumps(asdict(checkpoint.state)), encoding="utf-8")
        with (aside / ARRAYS_NAME).open("wb") as file:
            np.savez(file, **checkpoint.arrays)  # type: ignore[arg-type]
        hashes = {name: _hash(aside / name) for name in (STATE_NAME, ARRAYS_NAME)}
        (aside / HASHES_NAME).write_text(json.dumps(hashes), encoding="utf-8")
        for name in (STATE_NAME, ARRAYS_NAME, HASHES_NAME, "."):
            sync(aside / name)
        shutil.rmtree(target, ignore_errors=True)
        aside.replace(target)
        sync(directory)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise OSError(error.errno, f"the checkpoint cannot be written: {error.strerror}", str(target)) from error
    for old in list_checkpoints(directory)[NUM_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def list_checkpoints(directory: Path) -> list[Path]:
    """Return the checkpoints below `directory`, the newest first; without those that a kill interrupted."""
    return sorted(directory.glob(f"{_PREFIX}*"), reverse=True)


def load_newest(directory: Path) -> tuple[Checkpoint | None, list[str]]:
    """Load the newest whole checkpoint.

    Returns:
        The checkpoint, None where none was written, and a message for each newer one that is damaged.

    Raises:
        RunError: There are checkpoints, but none is whole.
    """
    problems: list[str] = []
    for path in list_checkpoints(directory):
        try:
            return read_checkpoint(path), problems
        except DamagedError as error:
            problems.append(str(error))
    if problems:
        raise RunError(f"No whole checkpoint is left in {directory}: {'; '.join(problems)}. Start the run again.")
    return None, problems


def read_checkpoint(path: Path) -> Checkpoint:
    """Read one checkpoint.

    Raises:
        DamagedError: A file is missing, was changed, or cannot be read.
    """
    try:
        hashes = json.loads((path / HASHES_NAME).read_text(encoding="utf-8"))
        for name in (STATE_NAME, ARRAYS_NAME):
            if _hash(path / name) != hashes[name]:
                raise DamagedError(f"{path.name}: {name} is not what was written")
        state = _parse_state(json.loads((path / STATE_NAME).read_text(encoding="utf-8")))
        with zipfile.ZipFile(path / ARRAYS_NAME) as archive:
            if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
                raise ValueError(f"{ARRAYS_NAME} is compressed, so it may stand for more than it holds")
        with np.load(path / ARRAYS_NAME, allow_pickle=False) as stored:
            return Checkpoint(state=state, arrays=dict(stored))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise DamagedError(f"{path.name}: {error}") from error
    except (MemoryError, RecursionError) as error:  # of an array or a text that claims to be larger than it can be
        raise DamagedError(f"{path.name}: it cannot be read ({type(error).__name__})") from error


def _parse_state(values: dict[str, Any]) -> TrainingState:
    """Return the state that a file holds; the types of its values are checked, for they may be a stranger's.

    Raises:
        TypeError: It has other values than a state has, or values of other types.
    """
    state = TrainingState(**values)
    for field in fields(TrainingState):
        value = getattr(state, field.name)
        if field.type == "float" and type(value) is int:
            continue
        if not isinstance(value, {"int": int, "float": float, "bool": bool}.get(str(field.type), dict)):
            raise TypeError(f"{field.name} of {STATE_NAME} is {value!r:.40}")
    for name, numbers in state.history.items():
        if not (isinstance(numbers, list) and all(isinstance(number, int | float) for number in numbers)):
            raise TypeError(f"{name} of the history of {STATE_NAME} is no list of numbers")
    if state.epoch < 1:
        raise TypeError(f"epoch of {STATE_NAME} is {state.epoch}")
    return state


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
