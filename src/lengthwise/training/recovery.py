"""Turn a fit into a checkpoint, and a checkpoint back into a fit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lengthwise.errors import RunError
from lengthwise.training.checkpoint import Arrays, Checkpoint, TrainingState, save_checkpoint
from lengthwise.training.watch import ValidationWatch


class CheckpointWriter:
    """Writes a checkpoint after an epoch if the last one is old enough, and after the last epoch.

    Args:
        directory: Where checkpoints go.
        watch: Keeps the best weights.
        history: The metrics so far, as they grow.
        epochs: Limit of the fit's epochs.
        interval_seconds: Shortest time between two checkpoints.
        seconds_before: Time spent fitting before this process.
    """

    def __init__(
        self,
        directory: Path,
        *,
        watch: ValidationWatch,
        history: Mapping[str, list[float]],
        epochs: int,
        interval_seconds: float,
        seconds_before: float,
    ) -> None:
        self.directory, self.watch, self.history = directory, watch, history
        self.epochs, self.interval_seconds, self.seconds_before = epochs, interval_seconds, seconds_before
        self.started = self.last_written = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time spent fitting, in this process and before it."""
        return self.seconds_before + time.monotonic() - self.started

    def on_epoch(self, epoch: int, model: keras.Model) -> None:
        """Write a checkpoint of a compiled model after an epoch, counted from 1, if it is time."""
        is_over = self.watch.is_patience_over or epoch == self.epochs
        if not is_over and time.monotonic() - self.last_written < self.interval_seconds:
            return
        state = TrainingState(
            epoch=epoch,
            best_epoch=self.watch.best_epoch,
            best_value=self.watch.best_value,
            best_loss=self.watch.best_loss,
            last_change=self.watch.last_change,
            is_over=is_over,
            seconds=self.seconds,
            history=self.history,
        )
        save_checkpoint(self.directory, Checkpoint(state=state, arrays=collect_arrays(model, self.watch)))
        self.last_written = time.monotonic()


def collect_arrays(model: keras.Model, watch: ValidationWatch) -> Arrays:
    """Return the values of every variable of a compiled model and of its optimiser, and the best weights."""
    groups = {
        "model": _read(model.variables),
        "optimizer": _read(model.optimizer.variables),
        "best": watch.best_weights,
    }
    return {f"{group}/{index}": array for group, arrays in groups.items() for index, array in enumerate(arrays)}


def restore_fit(model: keras.Model, watch: ValidationWatch, checkpoint: Checkpoint) -> None:
    """Give a compiled model, its optimiser, which is built, and its watch the values of a checkpoint.

    Raises:
        RunError: The checkpoint is of another model.
    """
    _assign(model.variables, _pick(checkpoint.arrays, "model"))
    _assign(model.optimizer.variables, _pick(checkpoint.arrays, "optimizer"))
    watch.best_weights = _pick(checkpoint.arrays, "best")
    if watch.best_weights and [each.shape for each in watch.best_weights] != [w.shape for w in model.get_weights()]:
        raise _refuse_model()
    state = checkpoint.state
    watch.best_epoch, watch.last_change = state.best_epoch, state.last_change
    watch.best_value, watch.best_loss = state.best_value, state.best_loss


def _read(variables: list[Any]) -> list[NDArray[np.generic]]:
    return [np.copy(variable.numpy()) for variable in variables]


def _pick(arrays: Arrays, group: str) -> list[NDArray[np.generic]]:
    names = [f"{group}/{index}" for index in range(sum(name.startswith(f"{group}/") for name in arrays))]
    if not arrays.keys() >= {*names}:
        raise _refuse_model()
    return [arrays[name] for name in names]


def _refuse_model() -> RunError:
    return RunError("The checkpoint is of another model than the run's configuration builds. Start the run again.")


def _assign(variables: list[Any], arrays: list[NDArray[np.generic]]) -> None:
    if [(tuple(each.shape), each.dtype) for each in variables] != [(each.shape, each.dtype.name) for each in arrays]:
        raise _refuse_model()
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
