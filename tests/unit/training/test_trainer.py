"""A fit: the same twice, in an order of its own, with the best weights at its end."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from rich.console import Console

from helpers.step_by_step import step_by_step
from helpers.training_options import build_run
from lengthwise.config.options import RunOptions
from lengthwise.data.dataset import Dataset
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.models.bundle import Models, build_models
from lengthwise.models.wiring import resolve_wiring
from lengthwise.training.epochs import DivergedError, Epochs
from lengthwise.training.trainer import TrainingResult, train_model

STATEFUL = {"conditioning": "initial_state", "feedback": "teacher", "length": "stop", "carry": "hc", "head": "dense"}
CONSOLE = Console(quiet=True)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    options = build_run()
    return load_dataset(options.dataset, options.timesteps)


@pytest.fixture
def _operations_one_by_one() -> Iterator[None]:
    """Fit without graphs, where only the plan of a fit is looked at: tracing takes longest."""
    with step_by_step():
        yield


def fit(dataset: Dataset, options: RunOptions) -> tuple[Models, TrainingResult, list[dict[str, float]]]:
    with tempfile.TemporaryDirectory() as checkpoints:
        return fit_into(Path(checkpoints), dataset, options)


def fit_into(
    checkpoints: Path, dataset: Dataset, options: RunOptions
) -> tuple[Models, TrainingResult, list[dict[str, float]]]:
    keras.utils.set_random_seed(options.seed)
    models = build_models(resolve_wiring(options.model, options.latent_dim, dataset.spec))
    reports: list[dict[str, float]] = []
    result = train_model(
        models,
        dataset.splits,
        options,
        on_epoch=lambda _, metrics: reports.append(metrics),
        checkpoints=checkpoints,
        console=CONSOLE,
    )
    return models, result, reports


@cache
def fit_before(options: RunOptions) -> tuple[list[np.ndarray], TrainingResult, list[dict[str, float]]]:
    """Fit once for all tests that only look at the result: the weights, the result and the epochs' metrics."""
    models, result, reports = fit(load_dataset(options.dataset, options.timesteps), options)
    return models.network.get_weights(), result, reports


def training(**changes: Any) -> dict[str, Any]:
    return {"epochs": 3, "batch_size": 16, "num_threads": 0, "schedule": "constant", **changes}


@pytest.mark.slow
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_the_same_seed_gives_the_same_weights(dataset: Dataset, dropout: float) -> None:
    options = build_run(training=training(), **STATEFUL, dropout=dropout)
    first, second = fit_before(options)[0], fit(dataset, options)[0].network.get_weights()
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_another_seed_gives_other_weights() -> None:
    first, second = (fit_before(build_run(training=training(), seed=seed, **STATEFUL))[0] for seed in (0, 1))
    assert any(not np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_every_epoch_is_reported_under_the_projects_names() -> None:
    _, result, reports = fit_before(build_run(training=training(), **STATEFUL))
    assert len(reports) == result.epochs == 3
    assert set(reports[0]) == {
        "train/loss",
        "train/teacher_forced_accuracy",
        "val/loss",
        "val/teacher_forced_accuracy",
        "train/learning_rate",
        "time/epoch_seconds",
    }
    assert result.best_loss == min(result.history["val/loss"])
    assert result.history["val/loss"][result.best_epoch - 1] == result.best_loss


def test_a_loss_that_explodes_raises(dataset: Dataset, tmp_path: Path) -> None:
    options = build_run(training=training(learning_rate=10.0, optimizer="sgd", clip_norm=None, epochs=50), **STATEFUL)
    keras.utils.set_random_seed(0)
    models = build_models(resolve_wiring(options.model, options.latent_dim, dataset.spec))
    models.network.decoder.head.kernel.assign(np.full(models.network.decoder.head.kernel.shape, np.nan))
    with pytest.raises(DivergedError, match="loss became nan"):
        train_model(models, dataset.splits, options, on_epoch=lambda *_: None, checkpoints=tmp_path, console=CONSOLE)


@pytest.mark.slow
@pytest.mark.usefixtures("_operations_one_by_one")
def test_a_cosine_ends_at_nothing(dataset: Dataset) -> None:
    _, result, _ = fit(dataset, build_run(training=training(schedule="cosine", learning_rate=0.01), **STATEFUL))
    rates = result.history["train/learning_rate"]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float64", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_other_precisions_train(dataset: Dataset, precision: str, cell: str) -> None:
    keras.config.set_dtype_policy(precision)
    try:
        model = {**STATEFUL, "cell": cell, "carry": "h", "embedding_dim": 4, "attention": "additive"}
        with (
            step_by_step() if cell == "gru" else contextlib.nullcontext()
        ):  # one cell in graphs, whose loops have dtypes
            _, result, _ = fit(dataset, build_run(training=training(), **model))
    finally:
        keras.config.set_dtype_policy("float32")
    assert result.history["train/loss"][-1] < result.history["train/loss"][0]


@pytest.mark.slow
@pytest.mark.usefixtures("_operations_one_by_one")
@pytest.mark.parametrize("unit", ["step", "sequence"])
def test_scheduled_feedback_reaches_its_rate(dataset: Dataset, unit: str) -> None:
    model = {
        **STATEFUL,
        "feedback": "scheduled",
        "sampling_rate": 0.8,
        "sampling_unit": unit,
        "sampling_schedule": "linear",
        "sampling_ramp": 2,
        "sampling_ramp_unit": "epoch",
    }
    models, result, _ = fit(dataset, build_run(training=training(), **model))
    assert float(np.asarray(models.network.decoder.sampling_probability)) == pytest.approx(
        0.8 * (result.best_epoch - 1) / 2
    )


def test_the_order_is_a_function_of_seed_and_epoch(dataset: Dataset) -> None:
    def read(epoch: int, seed: int) -> list[list[int]]:
        options = build_run(training=training(), seed=seed, **STATEFUL)
        epochs = Epochs(build_models(resolve_wiring(options.model, 8, dataset.spec)), dataset.splits, options)
        return [rows.tolist() for rows in epochs.plan(epoch)]

    assert read(3, 0) == read(3, 0)
    assert read(3, 0) != read(4, 0)
    assert read(3, 0) != read(3, 1)
