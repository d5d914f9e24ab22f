"""What happens between the batches and epochs of a fit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import keras
import numpy as np
from numpy.typing import NDArray

from lengthwise.config.options import ModelOptions, TrainingOptions
from lengthwise.models.decoder import Decoder
from lengthwise.training.stream import TrainingStream

Logs = dict[str, float] | None


class DivergedError(RuntimeError):
    """The loss is no longer a finite number, so going on would only waste time."""


class EpochOrder(keras.callbacks.Callback):
    """Tells the stream which epoch's order comes next."""

    def __init__(self, stream: TrainingStream) -> None:
        super().__init__()
        self.stream = stream

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Set the epoch before the pass over the stream begins."""
        self.stream.epoch = epoch


class DivergenceGuard(keras.callbacks.Callback):
    """Ends training at the first batch after which the loss is NaN or infinite."""

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Raise DivergedError where the running mean of the loss is not finite."""
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise DivergedError(
                f"the training loss became {loss} at batch {batch + 1}: try a lower training.learning_rate, "
                "or training.clip_norm=1"
            )


class SamplingRate(keras.callbacks.Callback):
    """Moves the probability that a step is told the model's own output (Bengio et al. 2015, section 2.4)."""

    def __init__(self, decoder: Decoder, options: ModelOptions, num_batches: int) -> None:
        super().__init__()
        self.decoder, self.options, self.num_batches = decoder, options, num_batches
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Set the rate of the epoch."""
        self.epoch = epoch
        if self.options.sampling_ramp_unit != "batch":
            self._set(epoch)

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Set the rate of the batch."""
        if self.options.sampling_ramp_unit == "batch":
            self._set(self.epoch * self.num_batches + batch)

    def _set(self, progress: int) -> None:
        self.decoder.sampling_probability.assign(compute_sampling_rate(self.options, progress))


def compute_sampling_rate(options: ModelOptions, progress: int) -> float:
    """Return the probability of an own output after `progress` epochs or batches.

    `linear` grows evenly from 0 to the final rate at `sampling_ramp`; `inverse_sigmoid` follows
    1 - k / (k + exp(progress / k)) with k such that 99 % of the way is made at `sampling_ramp`, times the final rate.
    """
    final = options.sampling_rate or 0.0
    if options.sampling_schedule == "constant" or options.sampling_ramp is None:
        return final
    if options.sampling_schedule == "linear":
        return final * min(1.0, progress / options.sampling_ramp)
    k = _solve_sigmoid(options.sampling_ramp)
    return final * (1.0 - k / (k + math.exp(min(progress / k, 700.0))))


def _solve_sigmoid(ramp: int) -> float:
    """Bisect k with k / (k + exp(ramp / k)) = 0.01; the left side grows with k."""
    low, high = 1e-3, float(ramp) + 1.0
    for _ in range(80):
        middle = (low + high) / 2
        told_true = middle / (middle + math.exp(min(ramp / middle, 700.0)))
        low, high = (middle, high) if told_true < 0.01 else (low, middle)
    return low


class ValidationWatch(keras.callbacks.Callback):
    """Keeps the weights of the best validation loss, lowers the rate on a plateau, ends training when nothing improves.

    Attributes:
        best_epoch: from 1; 0 before the first.
        best_loss: lowest `val_loss` so far.
    """

    def __init__(self, options: TrainingOptions) -> None:
        super().__init__()
        self.options = options
        self.best_loss, self.best_epoch = math.inf, 0
        self.best_weights: list[NDArray[np.generic]] = []
        self.last_change = 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Compare the epoch with the best."""
        loss, number = (logs or {})["val_loss"], epoch + 1
        if loss < self.best_loss:
            self.best_loss, self.best_epoch, self.last_change = loss, number, number
            self.best_weights = self.model.get_weights()
            return
        patience = self.options.plateau_patience
        if patience is not None and number - self.last_change >= patience:
            rate = self.model.optimizer.learning_rate
            rate.assign(rate / self.options.plateau_divisor)
            self.last_change = number
        stop_after = self.options.early_stopping_patience
        if stop_after is not None and number - self.best_epoch >= stop_after:
            self.model.stop_training = True

    def restore_best(self) -> None:
        """Put the best weights back."""
        if self.best_weights:
            self.model.set_weights(self.best_weights)


class EpochReport(keras.callbacks.Callback):
    """Hands every epoch's metrics on under the project's names: `train/loss`, `val/loss`, `time/epoch_seconds`, ...

    Args:
        report: called with the epoch's number, from 1, and its metrics.
    """

    def __init__(self, report: Callable[[int, dict[str, float]], None]) -> None:
        super().__init__()
        self.report = report
        self.started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Start the clock."""
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Rename and hand on."""
        metrics = {rename_metric(name): float(value) for name, value in (logs or {}).items()}
        metrics["train/learning_rate"] = float(np.asarray(self.model.optimizer.learning_rate))
        metrics["time/epoch_seconds"] = time.perf_counter() - self.started
        self.report(epoch + 1, metrics)


def rename_metric(name: str) -> str:
    """Turn Keras' name of a metric into the project's.

    >>> rename_metric("loss"), rename_metric("val_values_teacher_forced_accuracy")
    ('train/loss', 'val/teacher_forced_accuracy')
    """
    split, rest = ("val", name.removeprefix("val_")) if name.startswith("val_") else ("train", name)
    return f"{split}/{rest if rest == 'values_loss' else rest.removeprefix('values_')}"
