"""Fit a model to a dataset."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import tensorflow as tf
from rich.console import Console

from lengthwise.config.options import RunOptions, TrainingOptions
from lengthwise.data.dataset import Split
from lengthwise.models.bundle import Models
from lengthwise.training.checkpoint import Checkpoint, load_newest
from lengthwise.training.epochs import Epochs
from lengthwise.training.progress import ProgressLine
from lengthwise.training.recovery import CheckpointWriter, restore_fit
from lengthwise.training.watch import ValidationWatch


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingResult:
    """Result of a fit.

    Args:
        epochs: Number of epochs made.
        best_epoch: The best epoch, from 1, by `training.monitor`; the model has its weights, or those of the last.
        best_loss: Its validation loss.
        seconds: Duration of the fit, validation included.
        history: For each metric its value after each epoch; NaN where it was not measured.
    """

    epochs: int
    best_epoch: int
    best_loss: float
    seconds: float
    history: Mapping[str, list[float]]


def prepare_backend(options: TrainingOptions, seed: int, cores: int | None = None) -> None:
    """Set threads, precision and every seed; before the first operation of the process, and again for each run.

    Args:
        options: `num_threads`, `precision`.
        seed: Seed of the run.
        cores: Number of threads that `num_threads=0` means; None: all cores.

    Raises:
        RuntimeError: TensorFlow has already started with another number of threads.
    """
    threads = options.num_threads or cores or 0
    if tf.config.threading.get_intra_op_parallelism_threads() != threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    keras.config.set_dtype_policy(options.precision)
    keras.utils.set_random_seed(seed)


def train_model(
    models: Models,
    splits: Mapping[str, Split],
    options: RunOptions,
    *,
    on_epoch: Callable[[int, dict[str, float]], None],
    checkpoints: Path,
    console: Console,
) -> TrainingResult:
    """Fit the network and leave it with the weights of its best epoch, or of its last.

    If there are checkpoints, the fit resumes from the newest whole one, and ends with the same bits as one that was
    never interrupted.

    Args:
        models: As built; training changes the weights they share.
        splits: `train` and `val`.
        options: Options of the run.
        on_epoch: Called after each epoch with its number, from 1, and its metrics, to which it may add others: those of
            the validation split decoded freely, for `training.monitor`.
        checkpoints: Directory of the run's checkpoints.
        console: Shows the progress, if it is a terminal, and messages about checkpoints.

    Raises:
        DivergedError: The loss is no longer finite.
        RunError: There are checkpoints, but none is whole.
    """
    checkpoint = _load_checkpoint(checkpoints, console)
    fit = _Fit(models, splits, options, directory=checkpoints, checkpoint=checkpoint)
    if checkpoint is None or not checkpoint.state.is_over:
        fit.run(on_epoch, ProgressLine(console, fit.epochs.num_batches, options.training.epochs))
    fit.watch.restore_kept(models.network)
    return TrainingResult(
        epochs=fit.num_done,
        best_epoch=fit.watch.best_epoch,
        best_loss=fit.watch.best_loss,
        seconds=fit.writer.seconds,
        history=fit.history,
    )


class _Fit:
    """A fit, from its beginning or from a checkpoint: what runs its epochs, judges them, and stores them."""

    def __init__(
        self,
        models: Models,
        splits: Mapping[str, Split],
        options: RunOptions,
        *,
        directory: Path,
        checkpoint: Checkpoint | None,
    ) -> None:
        training, state = options.training, checkpoint.state if checkpoint else None
        self.model, self.most_epochs = models.network, training.epochs
        self.epochs, self.watch = Epochs(models, splits, options), ValidationWatch(training)
        if checkpoint is not None:
            restore_fit(self.model, self.watch, checkpoint)
        self.num_done = state.epoch if state else 0
        self.history = {name: list(values) for name, values in state.history.items()} if state else {}
        self.writer = CheckpointWriter(
            directory,
            watch=self.watch,
            history=self.history,
            epochs=training.epochs,
            interval_seconds=training.checkpoint_seconds,
            seconds_before=state.seconds if state else 0.0,
        )

    def run(self, on_epoch: Callable[[int, dict[str, float]], None], line: ProgressLine) -> None:
        """Run epochs until the last, or until validation has not improved for too long."""
        with line.progress:
            while self.num_done < self.most_epochs and not self.watch.is_patience_over:
                metrics = self.epochs.run(self.num_done, on_progress=partial(line.on_progress, self.num_done))
                self.num_done += 1
                on_epoch(self.num_done, metrics)
                self._record(metrics)
                self.watch.on_epoch(self.num_done, metrics, self.model)
                self.writer.on_epoch(self.num_done, self.model)
                line.on_epoch(metrics)

    def _record(self, metrics: Mapping[str, float]) -> None:
        for name in {**self.history, **metrics}:
            values = self.history.setdefault(name, [math.nan] * (self.num_done - 1))
            values.append(metrics.get(name, math.nan))


def _load_checkpoint(directory: Path, console: Console) -> Checkpoint | None:
    checkpoint, problems = load_newest(directory)
    for problem in problems:
        console.print(f"a checkpoint is damaged and was skipped: {problem}", soft_wrap=True)
    if checkpoint is not None:
        console.print(f"resuming after epoch {checkpoint.state.epoch}")
    return checkpoint
