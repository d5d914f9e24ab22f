"""Fitting a model to a dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf
from rich.console import Console

from lengthwise.config.options import RunOptions, TrainingOptions
from lengthwise.data.dataset import Split
from lengthwise.models.bundle import Models
from lengthwise.models.wiring import Wiring
from lengthwise.training.callbacks import DivergenceGuard, EpochOrder, EpochReport, SamplingRate, ValidationWatch
from lengthwise.training.checkpoint import Checkpoint, load_newest
from lengthwise.training.losses import build_losses
from lengthwise.training.optimizers import build_optimizer
from lengthwise.training.progress import ProgressLine
from lengthwise.training.recovery import CheckpointWriter, restore_fit
from lengthwise.training.stream import TrainingStream, build_evaluation_stream

VALIDATION_BATCH_SIZE = 256


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
    report: Callable[[int, dict[str, float]], None],
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
        report: called after each epoch with its number, from 1, and its metrics.
        checkpoints: directory of the run's checkpoints.
        console: takes progress, if it is a terminal, and what is to be said of checkpoints.

    Raises:
        DivergedError: when the loss is no longer finite.
        RunError: there are checkpoints, but none is whole.
    """
    training, model = options.training, models.network
    checkpoint = _load_checkpoint(checkpoints, console)
    state = checkpoint.state if checkpoint else None
    stream = TrainingStream(splits["train"], models.wiring, training, options.seed)
    model.compile(
        optimizer=build_optimizer(training, stream.num_batches * training.epochs),
        loss=build_losses(models.wiring),
        weighted_metrics=_build_metrics(models.wiring),
    )
    # A training step that finds its variables made is traced once, and not a second time without their making.
    model.optimizer.build(model.trainable_variables)
    watch = ValidationWatch(training)
    watch.set_model(model)
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
    if state is None or not state.is_over:
        line = ProgressLine(console, stream.num_batches, training.epochs)
        callbacks = [
            EpochOrder(stream),
            DivergenceGuard(),
            EpochReport(_keep_and(report, history)),
            watch,
            writer,
            line,
        ]
        if models.wiring.feedback == "scheduled":
            callbacks.append(SamplingRate(model.decoder, options.model, stream.num_batches))
        with line.progress:
            model.fit(
                stream.as_tensors(),
                validation_data=build_evaluation_stream(splits["val"], models.wiring, VALIDATION_BATCH_SIZE),
                initial_epoch=state.epoch if state else 0,
                epochs=training.epochs,
                callbacks=callbacks,
                shuffle=False,  # the stream has its own order
                verbose=0,
            )
    watch.restore_best()
    return TrainingResult(
        epochs=len(history["train/loss"]),
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


def _keep_and(
    report: Callable[[int, dict[str, float]], None], history: dict[str, list[float]]
) -> Callable[[int, dict[str, float]], None]:
    def keep(epoch: int, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            history.setdefault(name, []).append(value)
        report(epoch, metrics)

    return keep


def _build_metrics(wiring: Wiring) -> dict[str, list[keras.metrics.Metric]]:
    if wiring.is_tokens:
        return {"values": [keras.metrics.SparseCategoricalAccuracy(name="teacher_forced_accuracy")]}
    return {"values": [keras.metrics.MeanAbsoluteError(name="absolute_error")]}
