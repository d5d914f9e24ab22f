"""Models of a finished run serve the next, which gives the same bits as with models of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keras
import numpy as np
import pytest

from helpers.small_data import SPECS, draw_split
from helpers.training_options import build_run
from lengthwise.decoding.inference import Inference
from lengthwise.models import pool
from lengthwise.models.bundle import Models, build_models
from lengthwise.models.wiring import Wiring, resolve_wiring
from lengthwise.training.epochs import Epochs


@pytest.fixture(autouse=True)
def _empty_pool() -> Iterator[None]:
    pool._kept.clear()
    yield
    pool._kept.clear()


def run(take: Callable[[Wiring], Models], seed: int) -> tuple[Models, list[np.ndarray]]:
    """Train for an epoch with dropout and sampled feedback, and decode: all that could depend on the run before."""
    model = {"feedback": "scheduled", "sampling_rate": 0.5, "sampling_unit": "step", "sampling_schedule": "constant"}
    options = build_run(
        training={"batch_size": 8, "epochs": 1, "compile": "loops"}, seed=seed, head="dense", dropout=0.2, **model
    )
    splits = {"train": draw_split("tokens", num_examples=16), "val": draw_split("tokens", num_examples=4, seed=1)}
    keras.utils.set_random_seed(seed)
    models = take(resolve_wiring(options.model, 6, SPECS["tokens"]))
    epochs = Epochs(models, splits, options)
    metrics = epochs.run(0, on_progress=lambda _done: None)
    predictions = Inference(models, options.decoding).decode(splits["val"])
    losses = np.array([metrics["train/loss"], metrics["val/loss"]])
    return models, [losses, predictions.values, *models.network.get_weights()]


@pytest.mark.slow
def test_a_run_gives_the_same_bits_with_the_models_of_another() -> None:
    first, _ = run(pool.take_models, 1)
    pool.keep_models(first)
    num_functions = len(first.functions)
    second, found = run(pool.take_models, 2)
    _, expected = run(build_models, 2)
    assert second is first
    assert len(second.functions) == num_functions
    for own, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(own, other)


def test_models_that_are_in_use_are_not_given_away() -> None:
    wiring = resolve_wiring(build_run().model, 6, SPECS["features"])
    first = pool.take_models(wiring)
    assert pool.take_models(wiring) is not first
    pool.keep_models(first)
    assert pool.take_models(wiring) is first
    assert pool.take_models(wiring) is not first


def test_few_models_are_kept_the_most_recent() -> None:
    made = [pool.take_models(resolve_wiring(build_run().model, units, SPECS["features"])) for units in range(1, 7)]
    for models in made:
        pool.keep_models(models)
    assert [models is pool.take_models(models.wiring) for models in made] == [False] * 2 + [True] * 4
