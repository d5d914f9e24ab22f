"""Watch the validation loss: it decides the best weights, early stopping and the learning rate on a plateau."""

from __future__ import annotations

import math

import keras
import numpy as np
from numpy.typing import NDArray

from lengthwise.config.options import TrainingOptions


class ValidationWatch:
    """Keeps the weights of the lowest validation loss, lowers the rate on a plateau, ends a fit that does not improve.

    Attributes:
        best_epoch: From 1; 0 before the first.
        best_loss: Lowest validation loss so far.
        best_weights: The model's weights after that epoch.
        last_change: Epoch of the last improvement or fall of the learning rate, from which patience counts.
        is_patience_over: Whether training should end early.
    """

    def __init__(self, options: TrainingOptions) -> None:
        self.options = options
        self.best_loss, self.best_epoch = math.inf, 0
        self.best_weights: list[NDArray[np.generic]] = []
        self.last_change = 0
        self.is_patience_over = False

    def on_epoch(self, epoch: int, loss: float, model: keras.Model) -> None:
        """Compare an epoch with the best.

        Args:
            epoch: Number of the epoch, from 1.
            loss: Its validation loss.
            model: The compiled model; its learning rate falls on a plateau.
        """
        if loss < self.best_loss:
            self.best_loss, self.best_epoch, self.last_change = loss, epoch, epoch
            self.best_weights = model.get_weights()
            return
        patience = self.options.plateau_patience
        if patience is not None and epoch - self.last_change >= patience:
            rate = model.optimizer.learning_rate
            rate.assign(rate / self.options.plateau_divisor)
            self.last_change = epoch
        stop_after = self.options.early_stopping_patience
        self.is_patience_over = stop_after is not None and epoch - self.best_epoch >= stop_after

    def restore_best(self, model: keras.Model) -> None:
        """Give the model the best weights."""
        if self.best_weights:
            model.set_weights(self.best_weights)
