"""Watch the validation split: it decides the best weights, early stopping and the learning rate on a plateau."""

from __future__ import annotations

import math
from collections.abc import Mapping

import keras
import numpy as np
from numpy.typing import NDArray

from lengthwise.config.options import TrainingOptions

FREE_RUNNING = "val/free_running_"
"""Beginning of the names of the metrics of the validation split decoded freely, while a model is fitted."""

HIGHER_IS_BETTER = ("exact_match", "token_accuracy")
"""The values of `training.monitor` that are to grow; all others are losses or errors."""


class ValidationWatch:
    """Keeps the weights of the best epoch, lowers the rate on a plateau, ends a fit that does not improve.

    Epochs are compared by `training.monitor`, those of equal scores by their validation loss: a share of right
    sequences is 0 for many epochs, and 1 for many others.

    Attributes:
        metric: Name of what is monitored.
        best_epoch: From 1; 0 before the first.
        best_value: The best of what is monitored so far; infinitely bad before the first.
        best_loss: Validation loss of that epoch.
        best_weights: The model's weights after that epoch; none where the last weights are kept.
        last_change: Epoch of the last improvement or fall of the learning rate, from which patience counts.
        is_patience_over: Whether training should end early.
    """

    def __init__(self, options: TrainingOptions) -> None:
        self.options = options
        self.metric = "val/loss" if options.monitor == "loss" else f"{FREE_RUNNING}{options.monitor}"
        self._sign = -1 if options.monitor in HIGHER_IS_BETTER else 1
        self.best_value, self.best_loss, self.best_epoch = self._sign * math.inf, math.inf, 0
        self.best_weights: list[NDArray[np.generic]] = []
        self.last_change = 0
        self.is_patience_over = False

    def on_epoch(self, epoch: int, metrics: Mapping[str, float], model: keras.Model) -> None:
        """Compare an epoch with the best; one in which nothing was monitored is passed over.

        Args:
            epoch: Number of the epoch, from 1.
            metrics: Of the epoch.
            model: The compiled model; its learning rate falls on a plateau.
        """
        if self.metric not in metrics:
            return
        value, loss = metrics[self.metric], metrics["val/loss"]
        if (self._sign * value, loss) < (self._sign * self.best_value, self.best_loss):
            self.best_value, self.best_loss = value, loss
            self.best_epoch = self.last_change = epoch
            if self.options.keep == "best":
                self.best_weights = model.get_weights()
            return
        patience = self.options.plateau_patience
        if patience is not None and epoch - self.last_change >= patience:
            rate = model.optimizer.learning_rate
            rate.assign(rate / self.options.plateau_divisor)
            self.last_change = epoch
        stop_after = self.options.early_stopping_patience
        self.is_patience_over = stop_after is not None and epoch - self.best_epoch >= stop_after

    def restore_kept(self, model: keras.Model) -> None:
        """Give the model the weights to keep: the best, or those that it has."""
        if self.best_weights:
            model.set_weights(self.best_weights)
