from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from helpers.small_data import SPECS, build_options, draw_split
from helpers.step_by_step import step_by_step
from lengthwise.config.options import GreedyOptions
from lengthwise.data.vocabulary import START, STOP
from lengthwise.decoding.inference import Inference
from lengthwise.models.bundle import Models, build_models
from lengthwise.models.wiring import resolve_wiring

TEACHER_FORCED = {"conditioning": "both", "feedback": "teacher", "length": "stop", "head": "dense"}
GREEDY = GreedyOptions(name="greedy", length="model", batch_size=4)


def build(kind: str, **changes: object) -> Models:
    models = build_models(resolve_wiring(build_options(**TEACHER_FORCED, **changes), 8, SPECS[kind]))
    rng = np.random.default_rng(3)
    for variable in models.network.trainable_variables:  # large enough for sequences and weights that differ
        variable.assign(rng.normal(scale=0.7, size=variable.shape))
    return models


def follow_by_hand(models: Models, source: np.ndarray, emitted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Make the steps of one example eagerly: the attention's weights and the values."""
    decoder = models.network.decoder
    _, constants, state = models.network.begin(source[None], np.array([len(source)], np.int32))
    previous = np.array([START], np.int32) if emitted.ndim == 1 else np.zeros((1, emitted.shape[1]), np.float32)
    weights, values = [], []
    for output in emitted:
        if decoder.attention is not None:
            weights.append(decoder.attend(previous, constants, state)[0].numpy())
        outputs, state = decoder.step(previous, constants, state)
        values.append(outputs.values[0].numpy())
        previous = output[None]
    return np.array(weights), np.array(values)


def emit_by_hand(models: Models, values: np.ndarray, stopped: bool) -> np.ndarray:
    emitted = values[::-1] if models.wiring.reverse_target else values
    return np.append(emitted, np.int32(STOP)) if stopped and values.ndim == 1 else emitted


@pytest.mark.slow
@pytest.mark.parametrize("attention", ["additive", "multiplicative"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", ["tokens", "features"])
def test_the_attention_of_a_prediction_is_that_of_its_steps(kind: str, reverse: bool, attention: str) -> None:
    models = build(kind, attention=attention, reverse_target=reverse, reverse_source=reverse)
    split = draw_split(kind)
    inference = Inference(models, GREEDY)
    with step_by_step():
        predictions = inference.decode(split)
    chosen = np.flatnonzero(predictions.length > 0)[::-1]
    found = inference.attend(split, predictions, chosen)
    for index, weights in zip(chosen, found, strict=True):
        source = split.source.pad(slice(index, index + 1))[0]
        length = predictions.length[index]
        emitted = emit_by_hand(models, predictions.values[index, :length], predictions.stopped[index])
        wanted, _ = follow_by_hand(models, source, emitted)
        if reverse:
            wanted = np.concatenate([wanted[:length][::-1], wanted[length:]])
        np.testing.assert_allclose(weights, wanted, atol=1e-6)
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
    assert {len(weights) for weights in found} != {1}
    assert inference.attend(split, predictions, chosen[:0]) == []


def test_the_distributions_of_a_prediction_are_those_of_its_steps() -> None:
    models, split = build("tokens"), draw_split("tokens")
    inference = Inference(models, GREEDY)
    with step_by_step():
        predictions = inference.decode(split)
    found = inference.measure(split, predictions)
    for index, distributions in enumerate(found):
        source = split.source.pad(slice(index, index + 1))[0]
        made = predictions.values[index, : predictions.length[index]]
        emitted = emit_by_hand(models, made, predictions.stopped[index])
        values = follow_by_hand(models, source, emitted)[1]
        np.testing.assert_allclose(distributions, tf.nn.softmax(values), atol=1e-6)


def test_a_model_without_attention_has_none_to_show() -> None:
    inference, split = Inference(build("tokens"), GREEDY), draw_split("tokens")
    with step_by_step():
        predictions = inference.decode(split)
    with pytest.raises(ValueError, match="no attention"):
        inference.attend(split, predictions, np.array([0]))
