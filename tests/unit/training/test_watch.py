"""What the validation loss decides: the best weights, the end of training, the learning rate's falls."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from helpers.training_options import build_training
from lengthwise.config.options import TrainingOptions
from lengthwise.config.reflection import read_fields
from lengthwise.evaluation.metrics import describe_metric
from lengthwise.training.watch import HIGHER_IS_BETTER, ValidationWatch


def follow(
    watch: ValidationWatch, losses: list[float], extra: list[dict[str, float]] | None = None
) -> tuple[keras.Model, list[float]]:
    """Show the losses to a watch until it ends training: the model, and the learning rate after each epoch."""
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False)(inputs))
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mse")
    rates = []
    for epoch, loss in enumerate(losses, start=1):
        model.set_weights([np.array([[float(epoch)]])])
        watch.on_epoch(epoch, {"val/loss": loss, **(extra[epoch - 1] if extra else {})}, model)
        rates.append(float(np.asarray(model.optimizer.learning_rate)))
        if watch.is_patience_over:
            break
    watch.restore_kept(model)
    return model, rates


def test_the_best_weights_are_kept() -> None:
    watch = ValidationWatch(build_training())
    model, _ = follow(watch, [3.0, 1.0, 2.0])
    assert (watch.best_epoch, watch.best_loss) == (2, 1.0)
    assert model.get_weights()[0].item() == 2.0


def test_the_last_weights_are_kept_if_so_asked() -> None:
    watch = ValidationWatch(build_training(keep="last"))
    model, _ = follow(watch, [3.0, 1.0, 2.0])
    assert watch.best_epoch == 2
    assert model.get_weights()[0].item() == 3.0


EXACT = {"monitor": "exact_match", "monitor_every": 1}


def show(*scores: float | None) -> list[dict[str, float]]:
    return [{} if score is None else {"val/free_running_exact_match": score} for score in scores]


def test_the_best_epoch_may_be_that_of_the_best_score() -> None:
    watch = ValidationWatch(build_training(**EXACT))
    model, _ = follow(watch, [3.0, 1.0, 2.0, 2.5], show(0.1, 0.2, 0.6, 0.5))
    assert (watch.best_epoch, watch.best_value, watch.best_loss) == (3, 0.6, 2.0)
    assert model.get_weights()[0].item() == 3.0


def test_of_equal_scores_the_lower_loss_is_better() -> None:
    watch = ValidationWatch(build_training(**EXACT, early_stopping_patience=2))
    _, rates = follow(watch, [3.0, 2.0, 1.0, 1.5, 1.0], show(0, 0, 0, 0, 0))
    assert (watch.best_epoch, len(rates)) == (3, 5)


def test_epochs_that_are_not_decoded_are_passed_over() -> None:
    watch = ValidationWatch(build_training(**EXACT, early_stopping_patience=2))
    _, rates = follow(watch, [0.1, 1.0, 0.1, 2.0, 0.1, 3.0], show(None, 0.5, None, 0.4, None, 0.6))
    assert (watch.best_epoch, len(rates)) == (2, 4)


def test_a_plateau_may_be_one_of_the_score() -> None:
    options = build_training(**EXACT, schedule="plateau", plateau_divisor=10.0, plateau_patience=1)
    _, rates = follow(ValidationWatch(options), [3.0, 2.0, 1.0], show(0.5, 0.4, 0.6))
    assert rates == pytest.approx([1.0, 0.1, 0.1])


def test_scores_that_are_to_grow_are_those_of_the_table_of_metrics() -> None:
    for field in read_fields(TrainingOptions):
        if field.name == "monitor":
            for name in set(field.words) - {"loss"}:
                assert (name in HIGHER_IS_BETTER) == describe_metric(name).higher_is_better


def test_training_ends_when_nothing_improves() -> None:
    watch = ValidationWatch(build_training(early_stopping_patience=2))
    assert len(follow(watch, [1.0, 0.5, 0.6, 0.7, 0.1])[1]) == 4


def test_the_rate_falls_on_a_plateau() -> None:
    options = build_training(schedule="plateau", plateau_divisor=10.0, plateau_patience=2, early_stopping_patience=None)
    _, rates = follow(ValidationWatch(options), [1.0, 2.0, 2.0, 2.0, 2.0, 0.5])
    assert rates == pytest.approx([1.0, 1.0, 0.1, 0.1, 0.01, 0.01])
