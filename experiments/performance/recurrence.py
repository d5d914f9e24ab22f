"""Time the recurrences of `lengthwise.models.recurrence.run` against Keras' layers, interleaved, on the same weights.

Run: python experiments/performance/recurrence.py [--threads 2] [--rounds 15] [--model-only]

Every line is one comparison in one compiled function each, with batch and steps left open: medians in milliseconds,
the middle half of the measurements in brackets, and how many times as fast as Keras the recurrence is.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from lengthwise.models.recurrence.run import Unprojected, infer_recurrence, run_recurrence

LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}
FEATURES, STEPS = 64, 59
Forward = Callable[[tf.Tensor, bool], tf.Tensor]
Compiled = Callable[[], Any]


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--model-only", action="store_true", help="leave out the table of single layers")
    return parser.parse_args()


def build_layer(cell: str, units: int, features: int, return_sequences: bool = True) -> keras.layers.Layer:
    """Create a Keras layer with its weights."""
    layer = LAYERS[cell](units, return_sequences=return_sequences)
    layer.build((None, None, features))
    return layer


def run_layer(cell: str, layer: keras.layers.Layer, inputs: tf.Tensor, *, training: bool) -> tf.Tensor:
    """Run a Keras layer's weights as a recurrence: all outputs; inputs `(batch, features)` are repeated."""
    kernel, recurrent_kernel, bias = (variable.value for variable in layer.trainable_variables)
    bias, recurrent_bias = tf.unstack(bias) if cell == "gru" else (bias, None)
    zeros = tf.zeros((tf.shape(inputs)[0], layer.units))
    states = (zeros, zeros) if cell == "lstm" else (zeros,)
    run = run_recurrence if training else infer_recurrence
    if len(inputs.shape) == 3:
        return run(cell, Unprojected(inputs, kernel, bias), recurrent_kernel, recurrent_bias, states)[0]
    return run(cell, inputs @ kernel + bias, recurrent_kernel, recurrent_bias, states, num_steps=STEPS)[0]


def compile_open(function: Callable[[tf.Tensor], Any], inputs: tf.Tensor) -> Compiled:
    """Compile a function for any batch and number of steps."""
    signature = tf.TensorSpec((None,) * (len(inputs.shape) - 1) + inputs.shape[-1:], inputs.dtype)
    compiled = tf.function(function, input_signature=[signature])
    return lambda: compiled(inputs)


def compile_training(forward: Forward, variables: list[Any], inputs: tf.Tensor) -> Compiled:
    """Compile a forward pass, its gradients, and an update by Adam."""
    optimizer = keras.optimizers.Adam(1e-6)
    optimizer.build(variables)

    def step(batch: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(forward(batch, True) - 0.5))
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)

    return compile_open(step, inputs)


def measure(functions: list[Compiled], rounds: int) -> list[list[float]]:
    """Run the functions in turn, so that what else the machine does hits them alike: milliseconds."""
    times: list[list[float]] = [[] for _ in functions]
    for turn in range(rounds + 3):
        for function, values in zip(functions, times, strict=True):
            began = time.perf_counter()
            function()
            if turn >= 3:
                values.append((time.perf_counter() - began) * 1e3)
    return times


def report(name: str, reference: list[float], own: list[float]) -> None:
    """Print one line of the table."""

    def show(values: list[float]) -> str:
        low, middle, high = statistics.quantiles(values, n=4)
        return f"{middle:8.2f} [{low:7.2f} {high:7.2f}]"

    ratio = statistics.median(reference) / statistics.median(own)
    print(f"{name:42} keras {show(reference)}   own {show(own)}   {ratio:5.2f} x", flush=True)


def compare(name: str, forwards: tuple[Forward, Forward], layers: list[Any], inputs: tf.Tensor, rounds: int) -> None:
    """Compare Keras' forward pass and training step with those of the recurrence."""
    variables = [variable for layer in layers for variable in layer.trainable_variables]
    inferences = [compile_open(lambda batch, f=f: f(batch, False), inputs) for f in forwards]
    report(f"{name} forward", *measure(inferences, rounds))
    report(f"{name} training", *measure([compile_training(f, variables, inputs) for f in forwards], rounds))


def compare_layers(cell: str, units: int, steps: int, batch: int, rounds: int) -> None:
    """Compare a layer that returns all outputs."""
    layer = build_layer(cell, units, FEATURES)
    inputs = tf.random.normal((batch, steps, FEATURES))
    forwards = (lambda x, _: layer(x)), (lambda x, training: run_layer(cell, layer, x, training=training))
    compare(f"{cell} {units} x {steps}, batch {batch}", forwards, [layer], inputs, rounds)


def compare_models(cell: str, units: int, batch: int, rounds: int) -> None:
    """Compare encoder, repeated latent and decoder as a whole."""
    encoder, decoder = build_layer(cell, units, FEATURES, False), build_layer(cell, units, units)
    inputs = tf.random.normal((batch, STEPS, FEATURES))

    def run_model(x: tf.Tensor, training: bool) -> tf.Tensor:
        latent = run_layer(cell, encoder, x, training=training)[:, -1]
        return run_layer(cell, decoder, latent, training=training)

    forwards = (lambda x, _: decoder(keras.layers.RepeatVector(STEPS)(encoder(x)))), run_model
    name = f"repeat model {cell} {units} x {STEPS}, batch {batch}"
    compare(name, forwards, [encoder, decoder], inputs, rounds)


def main() -> None:
    """Print the table."""
    options = read_options()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    for cell in LAYERS:
        compare_models(cell, 256, 64, options.rounds)
    if not options.model_only:
        for sizes in itertools.product(LAYERS, (32, 64, 256), (8, STEPS), (8, 64, 256)):
            compare_layers(*sizes, options.rounds)


if __name__ == "__main__":
    main()
