"""The two models of the question, rebuilt as their tutorials write them, number for number."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers.small_data import build_options
from lengthwise.catalog.presets import read_preset
from lengthwise.data.dataset import DataSpec
from lengthwise.models.bundle import Models, build_models
from lengthwise.models.wiring import count_parameters, resolve_wiring

TIMESTEPS, INPUT_DIM, LATENT_DIM = 7, 5, 16
NUM_ENCODER_TOKENS, NUM_DECODER_TOKENS = 12, 10


@pytest.fixture(autouse=True)
def _double_precision() -> Any:
    keras.config.set_dtype_policy("float64")
    keras.utils.set_random_seed(2)
    yield
    keras.config.set_dtype_policy("float32")


def compare_gradients(model: Models, inputs: Any, reference: keras.Model, reference_inputs: Any, finish: Any) -> None:
    """Hold outputs and the gradients of the same loss, weight by weight in the tutorials' order, against each other."""
    own_weights, other_weights = model.network.trainable_variables, reference.trainable_variables
    assert [v.shape for v in own_weights] == [v.shape for v in other_weights]
    with tf.GradientTape() as tape:
        outputs = finish(model.network(inputs)["values"])
        loss = tf.reduce_sum(tf.square(outputs - 0.3))
    gradients = tape.gradient(loss, [v.value for v in own_weights])
    with tf.GradientTape() as tape:
        expected = reference(reference_inputs)
        loss = tf.reduce_sum(tf.square(expected - 0.3))
    wanted = tape.gradient(loss, [v.value for v in other_weights])
    np.testing.assert_allclose(outputs, expected, rtol=1e-11, atol=1e-11)
    for own, other in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(own), other, rtol=1e-8, atol=1e-10)


def test_repeat_on_features_is_the_sequence_autoencoder() -> None:
    spec = DataSpec(
        kind="features", source_size=INPUT_DIM, target_size=INPUT_DIM, source_timesteps=TIMESTEPS, timesteps=TIMESTEPS
    )
    models = build_models(resolve_wiring(build_options(), LATENT_DIM, spec))

    inputs = keras.Input(shape=(TIMESTEPS, INPUT_DIM))
    encoded = keras.layers.LSTM(LATENT_DIM)(inputs)
    decoded = keras.layers.RepeatVector(TIMESTEPS)(encoded)
    decoded = keras.layers.LSTM(INPUT_DIM, return_sequences=True)(decoded)
    sequence_autoencoder = keras.Model(inputs, decoded)

    sequence_autoencoder.set_weights(models.network.get_weights())
    assert sequence_autoencoder.count_params() == count_parameters(models.wiring)
    x = np.random.default_rng(0).random((6, TIMESTEPS, INPUT_DIM)).astype(np.float32)
    batch = {"source": x, "source_length": np.full(6, TIMESTEPS, np.int32), "previous": x}
    compare_gradients(models, batch, sequence_autoencoder, x, lambda values: values)


def test_repeat_starts_from_the_same_weights_as_the_tutorial() -> None:
    spec = DataSpec(kind="features", source_size=3, target_size=3, source_timesteps=4, timesteps=4)
    keras.utils.set_random_seed(7)
    models = build_models(resolve_wiring(build_options(), 8, spec))
    own = {tuple(weight.shape): weight for weight in models.network.get_weights()}
    # Keras' defaults: orthogonal recurrent kernels, biases of zero but one for the forget gate.
    recurrent = own[(8, 32)]
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(8), atol=1e-8)
    np.testing.assert_array_equal(own[(32,)], np.repeat([0.0, 1.0, 0.0, 0.0], 8))


def build_ten_minute_model() -> keras.Model:
    encoder_inputs = keras.Input(shape=(None, NUM_ENCODER_TOKENS))
    _, state_h, state_c = keras.layers.LSTM(LATENT_DIM, return_state=True)(encoder_inputs)
    decoder_inputs = keras.Input(shape=(None, NUM_DECODER_TOKENS))
    decoder_lstm = keras.layers.LSTM(LATENT_DIM, return_sequences=True, return_state=True)
    decoder_outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=[state_h, state_c])
    decoder_outputs = keras.layers.Dense(NUM_DECODER_TOKENS, activation="softmax")(decoder_outputs)
    return keras.Model([encoder_inputs, decoder_inputs], decoder_outputs)


def test_stateful_on_one_hot_tokens_is_the_ten_minute_model() -> None:
    spec = DataSpec(
        kind="tokens",
        source_size=NUM_ENCODER_TOKENS,
        target_size=NUM_DECODER_TOKENS,
        source_timesteps=6,
        timesteps=TIMESTEPS,
    )
    options = build_options(
        conditioning="initial_state", feedback="teacher", length="stop", carry="hc", head="dense", name="stateful"
    )
    models = build_models(resolve_wiring(options, LATENT_DIM, spec))
    reference = build_ten_minute_model()
    reference.set_weights(models.network.get_weights())
    assert reference.count_params() == count_parameters(models.wiring)

    rng = np.random.default_rng(0)
    source = rng.integers(0, NUM_ENCODER_TOKENS, (6, 6)).astype(np.int32)
    previous = rng.integers(0, NUM_DECODER_TOKENS, (6, TIMESTEPS)).astype(np.int32)
    batch = {"source": source, "source_length": np.full(6, 6, np.int32), "previous": previous}
    one_hot = [np.eye(NUM_ENCODER_TOKENS)[source], np.eye(NUM_DECODER_TOKENS)[previous]]
    compare_gradients(models, batch, reference, one_hot, tf.nn.softmax)


def test_the_stored_presets_are_those_two_models() -> None:
    repeat, stateful = build_options(), read_preset("stateful").options
    changes = {field.name: getattr(stateful, field.name) for field in fields(stateful)}
    assert {key: value for key, value in changes.items() if value != getattr(repeat, key)} == {
        "name": "stateful",
        "conditioning": "initial_state",
        "feedback": "teacher",
        "length": "stop",
        "carry": "hc",
        "head": "dense",
    }
    assert (repeat.conditioning, repeat.feedback, repeat.length, repeat.carry) == ("repeat", "none", "fixed", "h")
