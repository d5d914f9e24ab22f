"""Fitting a model to a dataset."""

from __future__ import annotations

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
    """What a fit came to.

    Args:
        epochs: passes made.
        best_epoch: from 1, the pass whose weights the model has now.
        best_loss: its validation loss.
        seconds: duration of the fit, validation included.
        history: for each metric its value after each pass.
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
        seed: of the run.
        cores: what `num_threads=0` stands for; None: every core there is.

    Raises:
        RuntimeError: if TensorFlow has already started with another number of threads.
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
    """Fit the training model and leave it with the weights of its best epoch.

    Where `checkpoints` holds any, the fit goes on from the newest whole one, and ends with the same bits as a fit that
    never stopped.

    Args:
        models: as built; the weights they share are changed.
        splits: `train` and `val`.
        options: the run's.
        on_epoch: called after each epoch with its number, from 1, and its metrics.
        checkpoints: directory of the run's checkpoints.
        console: takes progress, if it is a terminal, and what is to be said of checkpoints.

    Raises:
        DivergedError: when the loss is no longer finite.
        RunError: there are checkpoints, but none is whole.
    """
    training, model = options.training, models.network
    checkpoint = _load_checkpoint(checkpoints, console)
    state = checkpoint.state if checkpoint else None
    epochs = Epochs(models, splits, options)
    watch = ValidationWatch(training)
    if checkpoint is not None:
        restore_fit(model, watch, checkpoint)
    history = {name: list(values) for name, values in state.history.items()} if state else {}
    writer = CheckpointWriter(
        checkpoints,
        watch=watch,
        history=history,
        epochs=training.epochs,
        interval_seconds=training.checkpoint_seconds,
        seconds_before=state.seconds if state else 0.0,
    )
    is_over, epoch = (state.is_over, state.epoch) if state else (False, 0)
    line = ProgressLine(console, epochs.num_batches, training.epochs)
    with line.progress:
        while not is_over:
            metrics = epochs.run(epoch, on_progress=partial(line.on_progress, epoch))
            epoch += 1
            for name, value in metrics.items():
                history.setdefault(name, []).append(value)
            on_epoch(epoch, metrics)
            watch.on_epoch(epoch, metrics["val/loss"], model)
            writer.on_epoch(epoch, model)
            line.on_epoch(metrics)
            is_over = watch.is_patience_over or epoch == training.epochs
    watch.restore_best(model)
    return TrainingResult(
        epochs=epoch,
        best_epoch=watch.best_epoch,
        best_loss=watch.best_loss,
        seconds=writer.seconds,
        history=history,
    )


def _load_checkpoint(directory: Path, console: Console) -> Checkpoint | None:
    checkpoint, problems = load_newest(directory)
    for problem in problems:
        console.print(f"a checkpoint is damaged and was passed over: {problem}", soft_wrap=True)
    if checkpoint is not None:
        console.print(f"going on after epoch {checkpoint.state.epoch}")
    return checkpoint
