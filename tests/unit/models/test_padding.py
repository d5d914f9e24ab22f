"""Padding changes nothing: a row alone and the same row padded in a batch; a target's padding and the gradients."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers.corners import AXES, CONTROLS, cover_pairs, name_corner
from helpers.small_data import SPECS, build_options, draw_split, take_all
from helpers.step_by_step import step_by_step
from lengthwise.config.options import GreedyOptions
from lengthwise.data.dataset import Split
from lengthwise.decoding.inference import Inference
from lengthwise.models.bundle import Models, build_models
from lengthwise.models.targets import prepare_batch
from lengthwise.models.wiring import resolve_wiring
from lengthwise.training.losses import build_losses

ALL_PAIRS = cover_pairs(AXES | CONTROLS)
GREEDY = GreedyOptions(name="greedy", length="model", batch_size=4)


def build(corner: dict[str, Any]) -> Models:
    keras.utils.set_random_seed(3)
    changes = {key: value for key, value in corner.items() if key != "kind"}
    return build_models(resolve_wiring(build_options(**changes), 8, SPECS[corner["kind"]]))


def check_row_alone(corner: dict[str, Any]) -> None:
    models, split = build(corner), draw_split(corner["kind"])
    with step_by_step():
        compare_rows(models, split)


def compare_rows(models: Models, split: Split) -> None:
    batch = prepare_batch(take_all(split), models.wiring)
    together = models.network(batch.inputs)
    inference = Inference(models, GREEDY)
    decoded = inference.decode(split)
    for row in range(len(split)):
        alone = split.take(np.array([row]))
        batch_alone = prepare_batch(take_all(alone), models.wiring)
        scores = models.network(batch_alone.inputs)
        steps = int(batch_alone.weights["values"].sum())
        for name, value in scores.items():
            np.testing.assert_allclose(value[0, :steps], together[name][row, :steps], atol=1e-5)
        own = inference.decode(alone)
        assert own.length[0] == decoded.length[row]
        length = int(own.length[0])
        np.testing.assert_allclose(own.values[0, :length], decoded.values[row, :length], atol=1e-5)
        assert own.stopped[0] == decoded.stopped[row]


def check_target_padding(corner: dict[str, Any]) -> None:
    """Widen the targets by three steps of weight 0: losses and gradients stay as they are."""
    models = build(corner)
    batch = prepare_batch(take_all(draw_split(corner["kind"])), models.wiring)
    if models.wiring.length == "fixed":
        return

    def widen(array: np.ndarray) -> np.ndarray:
        return np.pad(array, [(0, 0), (0, 3)] + [(0, 0)] * (array.ndim - 2))

    losses = build_losses(models.wiring)

    def differentiate(inputs: Any, targets: Any, weights: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            outputs = models.network(inputs)
            total = sum(loss(targets[name], outputs[name], weights[name]) for name, loss in losses.items())
        return total, tape.gradient(total, [v.value for v in models.network.trainable_variables])

    total, gradients = differentiate(*batch)
    wide_inputs = {**batch.inputs, "previous": widen(batch.inputs["previous"])}
    wide = [{name: widen(array) for name, array in part.items()} for part in (batch.targets, batch.weights)]
    wide_total, wide_gradients = differentiate(wide_inputs, *wide)
    np.testing.assert_allclose(wide_total, total, rtol=1e-6)
    for gradient, other in zip(gradients, wide_gradients, strict=True):
        if gradient is None:
            assert other is None or not np.any(other)
        else:
            np.testing.assert_allclose(tf.convert_to_tensor(other), tf.convert_to_tensor(gradient), atol=1e-6)


@pytest.mark.parametrize("corner", ALL_PAIRS[:1], ids=name_corner)
def test_a_row_does_not_see_its_batch(corner: dict[str, Any]) -> None:
    check_row_alone(corner)


@pytest.mark.slow
@pytest.mark.parametrize("corner", ALL_PAIRS[1:], ids=name_corner)
def test_no_row_sees_its_batch(corner: dict[str, Any]) -> None:
    check_row_alone(corner)


@pytest.mark.slow
@pytest.mark.parametrize("corner", ALL_PAIRS, ids=name_corner)
def test_padding_of_a_target_changes_no_gradient(corner: dict[str, Any]) -> None:
    check_target_padding(corner)


@pytest.mark.slow
@pytest.mark.parametrize("corner", ALL_PAIRS, ids=name_corner)
def test_steps_equal_the_training_graph(corner: dict[str, Any]) -> None:
    """Feed the one-step decoder with the true previous outputs: the scores are those of the training model."""
    models = build(corner)
    wiring = models.wiring
    if wiring.feedback == "own":
        pytest.skip("a model that is fed its own outputs has no teacher-forced graph")
    batch = prepare_batch(take_all(draw_split(corner["kind"])), wiring)
    expected = models.network(batch.inputs)
    context = models.encoder({"source": batch.inputs["source"], "source_length": batch.inputs["source_length"]})
    context = {name: value for name, value in context.items() if name != "latent"}
    for step in range(expected["values"].shape[1]):
        previous = tf.convert_to_tensor(batch.inputs["previous"][:, step])
        made = models.decoder({"previous": previous, **context})
        np.testing.assert_allclose(made["values"], expected["values"][:, step], atol=1e-5)
        if "stop" in expected:
            np.testing.assert_allclose(made["stop"], expected["stop"][:, step, 0], atol=1e-5)
        context |= {name: value for name, value in made.items() if name in context}
