"""What happens between batches and epochs."""

from __future__ import annotations

import itertools
import math
from typing import Any

import keras
import numpy as np
import pytest

from helpers.small_data import build_options
from helpers.training_options import build_training
from lengthwise.training.callbacks import (
    DivergedError,
    DivergenceGuard,
    ValidationWatch,
    compute_sampling_rate,
    rename_metric,
)


def scheduled(**changes: Any) -> Any:
    defaults = {"sampling_rate": 0.5, "sampling_unit": "step", "sampling_schedule": "linear"}
    return build_options(feedback="scheduled", **{**defaults, **changes})


def test_a_constant_rate_is_there_from_the_start() -> None:
    assert compute_sampling_rate(scheduled(sampling_schedule="constant"), 0) == 0.5


def test_a_linear_rate_grows_evenly() -> None:
    options = scheduled(sampling_ramp=10, sampling_ramp_unit="epoch")
    assert [compute_sampling_rate(options, at) for at in (0, 5, 10, 99)] == pytest.approx([0, 0.25, 0.5, 0.5])


def test_an_inverse_sigmoid_arrives_at_the_ramp() -> None:
    options = scheduled(sampling_schedule="inverse_sigmoid", sampling_ramp=1000, sampling_ramp_unit="batch")
    rates = [compute_sampling_rate(options, at) for at in range(0, 3000, 50)]
    assert all(later >= earlier for earlier, later in itertools.pairwise(rates))
    assert rates[0] < 0.01
    assert compute_sampling_rate(options, 1000) == pytest.approx(0.5 * 0.99, abs=1e-6)
    assert compute_sampling_rate(options, 10**9) == pytest.approx(0.5)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_training(loss: float) -> None:
    with pytest.raises(DivergedError, match=r"batch 3.*learning_rate"):
        DivergenceGuard().on_train_batch_end(2, {"loss": loss})


def follow(watch: ValidationWatch, losses: list[float]) -> list[float]:
    """Show the losses to a watch until it ends training, and return the learning rate after each epoch."""
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False)(inputs))
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mse")
    watch.set_model(model)
    rates = []
    for epoch, loss in enumerate(losses):
        model.set_weights([np.array([[float(epoch + 1)]])])
        watch.on_epoch_end(epoch, {"val_loss": loss})
        rates.append(float(np.asarray(model.optimizer.learning_rate)))
        if model.stop_training:
            break
    watch.restore_best()
    return rates


def test_the_best_weights_are_kept() -> None:
    watch = ValidationWatch(build_training())
    follow(watch, [3.0, 1.0, 2.0])
    assert (watch.best_epoch, watch.best_loss) == (2, 1.0)
    assert watch.model.get_weights()[0].item() == 2.0


def test_training_ends_when_nothing_improves() -> None:
    watch = ValidationWatch(build_training(early_stopping_patience=2))
    assert len(follow(watch, [1.0, 0.5, 0.6, 0.7, 0.1])) == 4


def test_the_rate_falls_on_a_plateau() -> None:
    options = build_training(schedule="plateau", plateau_divisor=10.0, plateau_patience=2, early_stopping_patience=None)
    rates = follow(ValidationWatch(options), [1.0, 2.0, 2.0, 2.0, 2.0, 0.5])
    assert rates == pytest.approx([1.0, 1.0, 0.1, 0.1, 0.01, 0.01])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("loss", "train/loss"),
        ("val_loss", "val/loss"),
        ("values_loss", "train/values_loss"),
        ("val_stop_loss", "val/stop_loss"),
        ("values_absolute_error", "train/absolute_error"),
    ],
)
def test_metrics_are_named_by_split(name: str, expected: str) -> None:
    assert rename_metric(name) == expected
