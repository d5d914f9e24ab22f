"""Epochs compiled by XLA and in TensorFlow's own loops: the same losses, whatever the shapes and the filling."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

from helpers.small_data import SPECS, draw_split
from helpers.step_by_step import step_by_step
from helpers.training_options import build_run
from lengthwise.models.bundle import build_models
from lengthwise.models.wiring import resolve_wiring
from lengthwise.training.epochs import Epochs
from lengthwise.training.program import FEWEST_UPDATES, MOST_VALUES, uses_xla

CORNERS: dict[str, dict[str, Any]] = {
    "tokens": {"conditioning": "both", "feedback": "teacher", "length": "stop", "carry": "hc", "head": "dense"},
    "features": {"conditioning": "repeat", "feedback": "none", "length": "stop", "cell": "gru", "head": "dense"},
    "own": {
        "conditioning": "initial_state",
        "feedback": "own",
        "length": "oracle",
        "cell": "rnn",
        "head": "dense",
        "attention": "additive",
        "reverse_source": True,
    },
}


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy("float32")


def run_epochs(corner: str, way: str) -> tuple[list[dict[str, float]], np.ndarray]:
    """Train for two epochs: their metrics, and all weights."""
    kind = "features" if corner == "features" else "tokens"
    training = {"compile": way, "precision": "float64", "batch_size": 8, "learning_rate": 0.01, "epochs": 2}
    options = build_run(training=training, **CORNERS[corner])
    splits = {"train": draw_split(kind, num_examples=43), "val": draw_split(kind, num_examples=9, seed=1)}
    keras.utils.set_random_seed(3)
    models = build_models(resolve_wiring(options.model, 6, SPECS[kind]))
    with contextlib.nullcontext() if way == "xla" else step_by_step():
        epochs = Epochs(models, splits, options)
        metrics = [epochs.run(epoch, on_progress=lambda _done: None) for epoch in range(2)]
    for values in metrics:
        del values["time/epoch_seconds"]
    return metrics, np.concatenate([weights.ravel() for weights in models.network.get_weights()])


@pytest.mark.slow
@pytest.mark.parametrize("corner", CORNERS)
def test_xla_and_loops_train_the_same(corner: str) -> None:
    (by_loops, own), (by_xla, other) = run_epochs(corner, "loops"), run_epochs(corner, "xla")
    for expected, found in zip(by_loops, by_xla, strict=True):
        assert found == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(other, own, atol=1e-6)


@pytest.mark.slow
def test_models_trained_again_start_again() -> None:
    options = build_run(training={"compile": "loops", "batch_size": 8, "epochs": 1}, **CORNERS["tokens"])
    splits = {"train": draw_split("tokens", num_examples=16), "val": draw_split("tokens", num_examples=4, seed=1)}
    keras.utils.set_random_seed(3)
    models = build_models(resolve_wiring(options.model, 6, SPECS["tokens"]))
    initial, results = models.network.get_weights(), []
    for _ in range(2):
        models.network.set_weights(initial)
        epochs = Epochs(models, splits, options)
        results.append(epochs.run(0, on_progress=lambda _done: None)["train/loss"])
    assert results[0] == results[1]
    assert len(models.functions) == 1


@pytest.mark.slow
def test_a_fit_uses_its_own_optimizer_after_another_fit_of_the_same_models() -> None:
    splits = {"train": draw_split("tokens", num_examples=16), "val": draw_split("tokens", num_examples=4, seed=1)}
    models, initial, results = None, [], []
    for optimizer, rate in (("adam", 0.01), ("sgd", 0.5), ("adam", 0.01)):
        training = {"compile": "loops", "batch_size": 8, "epochs": 1, "schedule": "constant"}
        options = build_run(training={**training, "optimizer": optimizer, "learning_rate": rate}, **CORNERS["tokens"])
        if models is None:
            keras.utils.set_random_seed(3)
            models = build_models(resolve_wiring(options.model, 6, SPECS["tokens"]))
            initial = models.network.get_weights()
        models.network.set_weights(initial)
        epochs = Epochs(models, splits, options)
        metrics = epochs.run(0, on_progress=lambda _done: None)
        state = [np.copy(variable) for variable in models.network.optimizer.variables]  # what a checkpoint holds
        results.append((metrics["train/loss"], metrics["val/loss"], metrics["train/learning_rate"], state))
    assert results[0][:3] == results[2][:3]
    assert results[0][2] == pytest.approx(0.01)
    for first, third in zip(results[0][3], results[2][3], strict=True):
        np.testing.assert_array_equal(first, third)


def test_what_is_chosen_follows_from_options_and_sizes() -> None:
    def choose(updates: int, units: int, **changes: Any) -> bool:
        options = build_run(training={"compile": "auto", "batch_size": 32, **changes})
        wiring = resolve_wiring(options.model, units, SPECS["tokens"])
        return uses_xla(options.training, wiring, num_updates=updates)

    most_units = MOST_VALUES // 32
    assert choose(FEWEST_UPDATES, most_units)
    assert not choose(FEWEST_UPDATES - 1, most_units)
    assert not choose(FEWEST_UPDATES, most_units + 1)
    assert not choose(FEWEST_UPDATES, most_units, batch_size=33)
    assert not choose(FEWEST_UPDATES, most_units, precision="mixed_bfloat16")
    assert choose(1, most_units + 1, compile="xla")
    assert not choose(FEWEST_UPDATES, most_units, compile="loops")
