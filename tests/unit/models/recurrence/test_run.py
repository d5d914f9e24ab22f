"""Recurrences against Keras' layers and cells, with TensorFlow's own gradients."""

import contextlib
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from lengthwise.models.recurrence import parts
from lengthwise.models.recurrence.formulation import formulate_for_xla
from lengthwise.models.recurrence.run import (
    Symbols,
    Unprojected,
    infer_recurrence,
    run_outputs,
    run_recurrence,
    step_cell,
)

LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}
UNITS, FEATURES = 4, 3
TOLERANCE = {"float64": 1e-10, "float32": 1e-5}
FORMS = ["projected", "repeated", "unprojected", "symbols"]
every_cell = pytest.mark.parametrize("cell", list(LAYERS))


def draw(*shape, dtype="float64", seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), dtype)


def build_layer(cell, dtype="float64"):
    layer = LAYERS[cell](UNITS, return_sequences=True, return_state=True, dtype=dtype)
    layer.build((None, None, FEATURES))
    for index, variable in enumerate(layer.trainable_variables):
        variable.assign(draw(*variable.shape, dtype=dtype, seed=100 + index))
    return layer


def draw_states(cell, batch, dtype="float64"):
    return [draw(batch, UNITS, dtype=dtype, seed=7 + index) for index in range(2 if cell == "lstm" else 1)]


def read_weights(cell, layer):
    """Return kernel, recurrent kernel, bias, recurrent bias."""
    kernel, recurrent_kernel, bias = (variable.value for variable in layer.trainable_variables)
    return (kernel, recurrent_kernel, bias[0], bias[1]) if cell == "gru" else (kernel, recurrent_kernel, bias, None)


def run_own(cell, layer, source, states, *, form, num_steps=None, run=run_recurrence):
    kernel, recurrent_kernel, bias, recurrent_bias = read_weights(cell, layer)
    if form == "symbols":
        inputs = Symbols(tf.argmax(source, axis=-1, output_type=tf.int32), kernel, bias)
    else:
        inputs = Unprojected(source, kernel, bias) if form == "unprojected" else tf.tensordot(source, kernel, 1) + bias
    return run(cell, inputs, recurrent_kernel, recurrent_bias, states, num_steps=num_steps)


def run_keras_cell(layer, source, states):
    """Run the layer's cell by hand: every state after every step."""
    reached = []
    for step in range(source.shape[1]):
        _, states = layer.cell(source[:, step], list(states))
        reached.append(states)
    return tuple(tf.stack(sequence, axis=1) for sequence in zip(*reached, strict=True))


def differentiate(run, layer, source, states):
    """Return all states, and the gradients of source, initial states and weights of a loss that weighs every value."""
    watched = [source, *states, *(variable.value for variable in layer.trainable_variables)]
    with tf.GradientTape() as tape:
        tape.watch([source, *states])
        sequences = run(source, states)
        loss = tf.add_n(
            [tf.reduce_sum(s * draw(*s.shape, dtype=s.dtype, seed=50 + i)) for i, s in enumerate(sequences)]
        )
    gradients = tape.gradient(loss, watched)
    # Of rows that were looked up, TensorFlow's own gradient is a list of rows.
    return sequences, [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in gradients]


def assert_close(found, expected, tolerance):
    for own, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(own, reference, rtol=tolerance, atol=tolerance)


def assert_equals_keras(cell, form, batch, steps, *, dtype="float64", run=run_recurrence):
    layer = build_layer(cell, dtype)
    states = draw_states(cell, batch, dtype)
    if form == "repeated":
        source = draw(batch, FEATURES, dtype=dtype)
        expected = differentiate(
            lambda x, s: run_keras_cell(layer, tf.repeat(x[:, None], steps, axis=1), s), layer, source, states
        )
    else:
        source = draw(batch, steps, FEATURES, dtype=dtype)
        if form == "symbols":
            source = tf.one_hot(tf.argmax(source, axis=-1), FEATURES, dtype=dtype)
        expected = differentiate(lambda x, s: run_keras_cell(layer, x, s), layer, source, states)
    num_steps = steps if form == "repeated" else None
    found = differentiate(
        lambda x, s: run_own(cell, layer, x, s, form=form, num_steps=num_steps, run=run), layer, source, states
    )
    if form == "symbols":
        assert found[1][0] is None, "ids have no gradient"
        found, expected = ((sequences, gradients[1:]) for sequences, gradients in (found, expected))
    for own, reference in zip(found, expected, strict=True):
        assert_close(own, reference, TOLERANCE[dtype])


@every_cell
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("batch", "steps"), [(3, 6), (1, 5), (2, 1)])
def test_states_and_gradients_equal_those_of_the_keras_cell(cell, form, batch, steps):
    assert_equals_keras(cell, form, batch, steps)


@every_cell
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.slow
def test_states_and_gradients_equal_those_of_the_keras_cell_in_single_precision(cell, form):
    assert_equals_keras(cell, form, 3, 6, dtype="float32")


@every_cell
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("batch", "steps"), [(3, 6), (1, 5), (2, 1)])
def test_the_formulation_for_xla_gives_the_same(cell, form, batch, steps):
    with formulate_for_xla():
        assert_equals_keras(cell, form, batch, steps)


@pytest.mark.slow
@every_cell
@pytest.mark.parametrize("form", FORMS)
def test_xla_compiles_it(cell, form):
    compiled = tf.function(run_own, jit_compile=True, autograph=False)

    def run(cell, inputs, *weights, num_steps):
        with formulate_for_xla():
            return run_recurrence(cell, inputs, *weights, num_steps=num_steps)

    layer, states = build_layer(cell), draw_states(cell, 3)
    source = draw(3, FEATURES) if form == "repeated" else draw(3, 6, FEATURES)
    num_steps = 6 if form == "repeated" else None
    expected = differentiate(
        lambda x, s: run_own(cell, layer, x, s, form=form, num_steps=num_steps), layer, source, states
    )
    found = differentiate(
        lambda x, s: compiled(cell, layer, x, s, form=form, num_steps=num_steps, run=run), layer, source, states
    )
    if form == "symbols":  # ids have no gradient
        found, expected = ((sequences, gradients[1:]) for sequences, gradients in (found, expected))
    for own, reference in zip(found, expected, strict=True):
        assert_close(own, reference, 1e-8)  # XLA approximates exp and tanh


@every_cell
@pytest.mark.parametrize("batch", [5, 7, 8])
def test_parts_of_the_batch_add_up_whether_even_or_not(cell, batch, monkeypatch):
    monkeypatch.setattr(parts, "PART_SIZE", 2 * UNITS)
    assert_equals_keras(cell, "unprojected", batch, 5)


@every_cell
def test_the_path_for_a_gpu_gives_the_same(cell, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: ["GPU:0"])
    assert_equals_keras(cell, "unprojected", 3, 6)


@every_cell
@pytest.mark.parametrize("form", ["unprojected", "symbols"])
def test_inference_gives_the_same_with_gradients_on_demand(cell, form):
    assert_equals_keras(cell, form, 3, 6, run=infer_recurrence)


@every_cell
@pytest.mark.parametrize("formulation", [contextlib.nullcontext, formulate_for_xla])
def test_outputs_without_the_other_states_train_as_the_keras_cell(cell, formulation):
    layer, source, states = build_layer(cell), draw(3, 6, FEATURES), draw_states(cell, 3)

    def run(*arguments, num_steps):
        return (run_outputs(*arguments, num_steps=num_steps),)

    expected = differentiate(lambda x, s: run_keras_cell(layer, x, s)[:1], layer, source, states)
    with formulation():
        found = differentiate(
            lambda x, s: run_own(cell, layer, x, s, form="unprojected", run=run), layer, source, states
        )
    for own, reference in zip(found, expected, strict=True):
        assert_close(own, reference, 1e-10)


@every_cell
def test_dynamic_shapes_equal_the_keras_layer(cell):
    layer = build_layer(cell, "float32")

    @tf.function(input_signature=[tf.TensorSpec((None, None, FEATURES))])
    def run(source):
        zeros = tf.zeros((tf.shape(source)[0], UNITS))
        states = (zeros, zeros) if cell == "lstm" else (zeros,)
        sequences = run_own(cell, layer, source, states, form="projected")
        assert sequences[0].shape.as_list() == [None, None, UNITS]
        return sequences

    for batch, steps in ((3, 9), (5, 2)):
        source = draw(batch, steps, FEATURES, dtype="float32")
        outputs, *final = layer(source)
        sequences = run(source)
        assert_close([sequences[0], *(states[:, -1] for states in sequences)], [outputs, *final], 1e-5)


@every_cell
def test_states_gathered_at_the_last_real_step_train_as_under_a_mask(cell):
    layer = build_layer(cell)
    source, states, lengths = draw(4, 6, FEATURES), draw_states(cell, 4), tf.constant([6, 1, 3, 5])

    def run_masked(values, states):
        _, *final = layer(values, initial_state=list(states), mask=tf.sequence_mask(lengths, 6))
        return tuple(final)

    def run_gathered(values, states):
        sequences = run_own(cell, layer, values, states, form="projected")
        return tuple(tf.gather(sequence, lengths - 1, batch_dims=1) for sequence in sequences)

    expected = differentiate(run_masked, layer, source, states)
    found = differentiate(run_gathered, layer, source, states)
    for own, reference in zip(found, expected, strict=True):
        assert_close(own, reference, 1e-10)


@every_cell
def test_no_steps_give_empty_sequences_and_no_gradients(cell):
    layer, states = build_layer(cell), draw_states(cell, 2)
    sequences, gradients = differentiate(
        lambda x, s: run_own(cell, layer, x, s, form="unprojected"), layer, draw(2, 0, FEATURES), states
    )
    assert [tuple(sequence.shape) for sequence in sequences] == [(2, 0, UNITS)] * len(states)
    assert all(np.all(gradient == 0) for gradient in gradients)


class Wrapped(keras.layers.Layer):
    """A Keras layer's weights, run by `run_recurrence`."""

    def __init__(self, cell):
        super().__init__()
        self.cell, self.layer = cell, LAYERS[cell](UNITS)

    def build(self, shape):
        self.layer.build(shape)

    def call(self, source):
        kernel, recurrent_kernel, bias, recurrent_bias = read_weights(self.cell, self.layer)
        zeros = tf.zeros((tf.shape(source)[0], UNITS), source.dtype)
        states = (zeros, zeros) if self.cell == "lstm" else (zeros,)
        return run_recurrence(self.cell, Unprojected(source, kernel, bias), recurrent_kernel, recurrent_bias, states)[0]


@pytest.mark.parametrize("cell", ["lstm", *(pytest.param(cell, marks=pytest.mark.slow) for cell in ("gru", "rnn"))])
def test_fitting_moves_the_weights_as_keras_does(cell):
    layers = [Wrapped(cell), LAYERS[cell](UNITS, return_sequences=True)]
    weights = []
    for layer in layers:
        model = keras.Sequential([keras.Input((None, FEATURES)), layer])
        model.set_weights([draw(*weight.shape, seed=3 + i).numpy() for i, weight in enumerate(model.get_weights())])
        model.compile(keras.optimizers.SGD(0.5), "mse")
        # Two batches of different size, so that nothing may be fixed to the first.
        model.fit(draw(5, 6, FEATURES).numpy(), draw(5, 6, UNITS).numpy(), batch_size=3, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    assert_close(*weights, 1e-5)


@every_cell
def test_single_steps_in_a_loop_equal_the_whole(cell):
    layer, source, states = build_layer(cell), draw(3, 5, FEATURES), draw_states(cell, 3)

    def run_steps(values, states):
        kernel, recurrent_kernel, bias, recurrent_bias = read_weights(cell, layer)
        projected = tf.transpose(tf.tensordot(values, kernel, 1) + bias, (1, 0, 2))
        reached = tf.TensorArray(tf.float64, 5, element_shape=(3, UNITS))

        def body(step, states, reached):
            states = step_cell(cell, projected[step], states, recurrent_kernel, recurrent_bias)
            return step + 1, states, reached.write(step, states[0])

        loop = tf.while_loop(lambda step, *_: step < 5, body, (tf.constant(0), tuple(states), reached))
        return (tf.transpose(loop[2].stack(), (1, 0, 2)),)

    expected = differentiate(lambda x, s: run_keras_cell(layer, x, s)[:1], layer, source, states)
    found = differentiate(tf.function(run_steps), layer, source, states)
    for own, reference in zip(found, expected, strict=True):
        assert_close(own, reference, 1e-10)


@every_cell
@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 5e-3), ("bfloat16", 5e-2)])
@pytest.mark.slow
def test_half_precision_stays_close(cell, dtype, tolerance):
    layer, source, states = build_layer(cell, "float32"), draw(3, 6, FEATURES, dtype="float32"), draw_states(cell, 3)
    kernel, recurrent_kernel, bias, recurrent_bias = (
        None if weight is None else tf.cast(weight, dtype) for weight in read_weights(cell, layer)
    )
    states = [tf.cast(state, dtype) for state in states]
    with tf.GradientTape() as tape:
        tape.watch(recurrent_kernel)
        inputs = Unprojected(tf.cast(source, dtype), kernel, bias)
        outputs = run_recurrence(cell, inputs, recurrent_kernel, recurrent_bias, states)[0]
    assert outputs.dtype == dtype
    assert tape.gradient(outputs, recurrent_kernel).dtype == dtype
    reference = layer(source, initial_state=[tf.cast(state, tf.float32) for state in states])[0]
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), reference, atol=tolerance)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cell_kind": "elman"}, "one of lstm, gru, rnn"),
        ({"inputs": tf.zeros((2, 15))}, "do not fit together"),
        ({"inputs": Unprojected(tf.zeros((2, 5, 3)), tf.zeros((2, 16)), tf.zeros(16))}, "do not fit together"),
        ({"inputs": Symbols(tf.zeros((2, 5), tf.int32), tf.zeros((3, 15)), tf.zeros(16))}, "do not fit together"),
        ({"initial_states": (tf.zeros((2, 4)),)}, "do not fit together"),
        ({"initial_states": (tf.zeros((2, 5)),) * 2}, "do not fit together"),
        ({"recurrent_kernel": tf.zeros((4, 12))}, "do not fit together"),
        ({"recurrent_kernel": tf.zeros((4, 16), tf.float16)}, "one dtype"),
        ({"recurrent_bias": tf.zeros(16)}, "only a GRU has a recurrent bias"),
        ({"num_steps": None}, "num_steps is given with"),
        ({"inputs": tf.zeros((2, 5, 16))}, "num_steps is given with"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    arguments = {
        "cell_kind": "lstm",
        "inputs": tf.zeros((2, 16)),
        "recurrent_kernel": tf.zeros((4, 16)),
        "recurrent_bias": None,
        "initial_states": (tf.zeros((2, 4)),) * 2,
        "num_steps": 5,
    }
    with pytest.raises(ValueError, match=message):
        run_recurrence(**arguments | changes)


class Exported(tf.Module):
    """Both ways to run, to be stored."""

    def __init__(self):
        super().__init__()
        self.layer = build_layer("gru", "float32")
        self.weights = [variable.value for variable in self.layer.trainable_variables]

    @tf.function(input_signature=[tf.TensorSpec((None, None, FEATURES))])
    def run(self, source):
        states = (tf.zeros((tf.shape(source)[0], UNITS)),)
        runs = (run_recurrence, infer_recurrence)
        return [run_own("gru", self.layer, source, states, form="unprojected", run=run)[0] for run in runs]


@pytest.mark.slow
def test_a_saved_model_runs_in_a_process_without_this_package(tmp_path: Path):
    source, module = draw(3, 6, FEATURES, dtype="float32"), Exported()
    tf.saved_model.save(module, str(tmp_path / "model"))
    np.save(tmp_path / "source.npy", source)
    np.save(tmp_path / "gradient.npy", differentiate(lambda x, _: module.run(x)[:1], module.layer, source, [])[1][0])
    np.save(tmp_path / "outputs.npy", module.layer(source)[0])
    script = f"""
import numpy as np, os, sys, tensorflow as tf
os.chdir({str(tmp_path)!r})
source, weights = tf.constant(np.load("source.npy")), np.random.default_rng(50).normal(size=(3, 6, 4))
model = tf.saved_model.load("model")
with tf.GradientTape() as tape:
    tape.watch(source)
    trained, inferred = model.run(source)
    loss = tf.reduce_sum(trained * tf.constant(weights, tf.float32))
np.testing.assert_allclose(trained, np.load("outputs.npy"), atol=1e-5)
np.testing.assert_allclose(inferred, np.load("outputs.npy"), atol=1e-5)
np.testing.assert_allclose(tape.gradient(loss, source), np.load("gradient.npy"), atol=1e-5)
assert "lengthwise" not in sys.modules
"""
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert finished.returncode == 0, finished.stderr
