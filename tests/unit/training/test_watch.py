"""What the validation loss decides: the best weights, the end of training, the learning rate's falls."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from helpers.training_options import build_training
from lengthwise.training.watch import ValidationWatch


def follow(watch: ValidationWatch, losses: list[float]) -> tuple[keras.Model, list[float]]:
    """Show the losses to a watch until it ends training: the model, and the learning rate after each epoch."""
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False)(inputs))
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mse")
    rates = []
    for epoch, loss in enumerate(losses, start=1):
        model.set_weights([np.array([[float(epoch)]])])
        watch.on_epoch(epoch, loss, model)
        rates.append(float(np.asarray(model.optimizer.learning_rate)))
        if watch.is_patience_over:
            break
    watch.restore_best(model)
    return model, rates


def test_the_best_weights_are_kept() -> None:
    watch = ValidationWatch(build_training())
    model, _ = follow(watch, [3.0, 1.0, 2.0])
    assert (watch.best_epoch, watch.best_loss) == (2, 1.0)
    assert model.get_weights()[0].item() == 2.0


def test_training_ends_when_nothing_improves() -> None:
    watch = ValidationWatch(build_training(early_stopping_patience=2))
    assert len(follow(watch, [1.0, 0.5, 0.6, 0.7, 0.1])[1]) == 4


def test_the_rate_falls_on_a_plateau() -> None:
    options = build_training(schedule="plateau", plateau_divisor=10.0, plateau_patience=2, early_stopping_patience=None)
    _, rates = follow(ValidationWatch(options), [1.0, 2.0, 2.0, 2.0, 2.0, 0.5])
    assert rates == pytest.approx([1.0, 1.0, 0.1, 0.1, 0.01, 0.01])
