"""Run the epochs of a fit: training batches in an order that follows from (seed, epoch), then the validation split."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lengthwise.config.options import RunOptions
from lengthwise.data.batching import draw_batches, plan_batches, plan_evaluation_batches
from lengthwise.data.dataset import Split
from lengthwise.models.bundle import Models
from lengthwise.models.wiring import Wiring
from lengthwise.training.compiled_pass import CompiledPass
from lengthwise.training.held_split import HeldSplit
from lengthwise.training.losses import build_losses
from lengthwise.training.optimizers import build_optimizer
from lengthwise.training.sampling import plan_sampling_rates

VALIDATION_BATCH_SIZE = 256


class DivergedError(RuntimeError):
    """The loss is no longer a finite number, so further training would be a waste of time."""


class Epochs:
    """Compiles a model for its fit, and runs one epoch after another.

    Args:
        models: As built; their network is compiled and changed by training.
        splits: `train` and `val`.
        options: Options of the run.
    """

    def __init__(self, models: Models, splits: Mapping[str, Split], options: RunOptions) -> None:
        self.options, self.model, self.train_split = options, models.network, splits["train"]
        self.num_batches = len(self.plan(0))
        training, wiring, model = options.training, models.wiring, models.network
        model.compile(
            optimizer=build_optimizer(training, self.num_batches * training.epochs),
            loss=build_losses(wiring, label_smoothing=training.label_smoothing),
            weighted_metrics=_build_metrics(wiring),
        )
        # So that the training step is traced only once: with the variables there, it need not create them.
        model.optimizer.build(model.trainable_variables)
        held = {name: HeldSplit(splits[name], wiring) for name in ("train", "val")}

        def train(rows: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
            if wiring.feedback == "scheduled":
                model.decoder.sampling_probability.assign(rate)
            return model.train_step(held["train"].take(rows))["loss"]

        def validate(rows: tf.Tensor, _rate: tf.Tensor) -> tf.Tensor:
            return model.test_step(held["val"].take(rows))["loss"]

        self._training, self._validation = CompiledPass(train), CompiledPass(validate)
        lengths = splits["val"].source.length, splits["val"].target.length
        self._validation_batches = plan_evaluation_batches(*lengths, VALIDATION_BATCH_SIZE)

    def run(self, epoch: int, *, on_progress: Callable[[int], None]) -> dict[str, float]:
        """Train for one epoch and validate.

        Args:
            epoch: Number of the epoch, from 0; with the seed it decides the order of the data.
            on_progress: Called about twice a second with the number of batches trained on.

        Returns:
            The epoch's metrics: `train/loss`, `val/loss`, `train/learning_rate`, `time/epoch_seconds`, ...

        Raises:
            DivergedError: The training loss is NaN or infinite.
        """
        started = time.perf_counter()
        batches = self.plan(epoch)
        rates = plan_sampling_rates(self.options.model, epoch=epoch, num_batches=self.num_batches)
        self.model.reset_metrics()
        done, loss = self._training.run(batches, rates=rates, on_progress=on_progress)
        if not math.isfinite(loss):
            raise DivergedError(
                f"the training loss became {loss} at batch {done}: try a lower training.learning_rate, "
                "or training.clip_norm=1"
            )
        metrics = self._read_metrics("train")
        self.model.reset_metrics()
        num_batches = len(self._validation_batches)
        self._validation.run(self._validation_batches, rates=[0.0] * num_batches, on_progress=lambda _done: None)
        metrics |= self._read_metrics("val")
        metrics["train/learning_rate"] = float(np.asarray(self.model.optimizer.learning_rate))
        metrics["time/epoch_seconds"] = time.perf_counter() - started
        return metrics

    def plan(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return the rows of each training batch of an epoch, which follow from (seed, epoch)."""
        training = self.options.training
        if training.draws == "replacement":
            return draw_batches(
                len(self.train_split),
                batch_size=training.batch_size,
                seed=self.options.seed,
                epoch=epoch,
                batches_per_epoch=training.batches_per_epoch,
            )
        return plan_batches(
            self.train_split.source.length,
            self.train_split.target.length,
            batch_size=training.batch_size,
            seed=self.options.seed,
            epoch=epoch,
            batches_per_epoch=training.batches_per_epoch,
        )

    def _read_metrics(self, split: str) -> dict[str, float]:
        found = self.model.get_metrics_result()
        return {f"{split}/{rename_metric(name)}": float(value) for name, value in found.items()}


def rename_metric(name: str) -> str:
    """Turn Keras' name of a metric into the project's.

    >>> rename_metric("values_loss"), rename_metric("values_teacher_forced_accuracy")
    ('values_loss', 'teacher_forced_accuracy')
    """
    return name if name == "values_loss" else name.removeprefix("values_")


def _build_metrics(wiring: Wiring) -> dict[str, list[keras.metrics.Metric]]:
    if wiring.is_tokens:
        return {"values": [keras.metrics.SparseCategoricalAccuracy(name="teacher_forced_accuracy")]}
    return {"values": [keras.metrics.MeanAbsoluteError(name="absolute_error")]}
