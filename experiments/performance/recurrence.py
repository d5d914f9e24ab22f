"""Time the recurrences of `lengthwise.models.recurrence` against Keras' layers, interleaved, on the same weights.

Run: python experiments/performance/recurrence.py [--threads 2] [--rounds 15] [--model-only]

Every line is one comparison in one compiled function each, with batch and steps left open: medians in milliseconds,
the middle half of the measurements in brackets, and how many times as fast as Keras the recurrence is.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from lengthwise.models.recurrence import run_recurrence

LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}
FEATURES, STEPS = 64, 59
Forward = Callable[[tf.Tensor], tf.Tensor]


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


def run_layer(cell: str, layer: keras.layers.Layer, inputs: tf.Tensor, num_steps: tf.Tensor | None = None) -> tf.Tensor:
    """Run a Keras layer's weights through `run_recurrence`: all outputs; inputs `(batch, features)` are repeated."""
    kernel, recurrent_kernel, bias = (variable.value for variable in layer.trainable_variables)
    bias, recurrent_bias = tf.unstack(bias) if cell == "gru" else (bias, None)
    zeros = tf.zeros((tf.shape(inputs)[0], layer.units))
    states = (zeros, zeros) if cell == "lstm" else (zeros,)
    gates = tf.nn.bias_add(tf.matmul(tf.reshape(inputs, (-1, inputs.shape[-1])), kernel), bias)
    gates = tf.reshape(gates, tf.concat((tf.shape(inputs)[:-1], (kernel.shape[1],)), axis=0))
    return run_recurrence(cell, gates, recurrent_kernel, recurrent_bias, states, num_steps=num_steps)[0]


def compile_forward(forward: Forward, inputs: tf.Tensor) -> Callable[[], Any]:
    """Compile a forward pass for any batch and number of steps."""
    signature = tf.TensorSpec((None,) * (len(inputs.shape) - 1) + inputs.shape[-1:], inputs.dtype)
    compiled = tf.function(forward, input_signature=[signature])
    return lambda: compiled(inputs)


def compile_training(forward: Forward, variables: list[Any], inputs: tf.Tensor) -> Callable[[], Any]:
    """Compile a forward pass, its gradients, and an update by Adam."""
    optimizer = keras.optimizers.Adam(1e-6)
    optimizer.build(variables)

    def step(batch: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(forward(batch) - 0.5))
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)

    return compile_forward(step, inputs)


def measure(functions: list[Callable[[], Any]], rounds: int) -> list[list[float]]:
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
    report(f"{name} forward", *measure([compile_forward(forward, inputs) for forward in forwards], rounds))
    report(f"{name} training", *measure([compile_training(f, variables, inputs) for f in forwards], rounds))


def compare_models(rounds: int) -> None:
    """Compare encoder, repeated latent, decoder as a whole."""
    for cell in LAYERS:
        units = 256
        encoder, decoder = build_layer(cell, units, FEATURES, False), build_layer(cell, units, units)

        def standard(inputs: tf.Tensor, encoder: Any = encoder, decoder: Any = decoder) -> tf.Tensor:
            return decoder(keras.layers.RepeatVector(STEPS)(encoder(inputs)))

        def own(inputs: tf.Tensor, cell: str = cell, encoder: Any = encoder, decoder: Any = decoder) -> tf.Tensor:
            latent = run_layer(cell, encoder, inputs)[:, -1]
            return run_layer(cell, decoder, latent, tf.shape(inputs)[1])

        inputs = tf.random.normal((64, STEPS, FEATURES))
        compare(f"repeat model {cell} 256 x {STEPS}, batch 64", (standard, own), [encoder, decoder], inputs, rounds)


def list_sizes() -> Iterator[tuple[str, int, int, int]]:
    """List cells, units, steps and batches."""
    return itertools.product(LAYERS, (32, 64, 256), (8, STEPS), (8, 64, 256))


def main() -> None:
    """Print the table."""
    options = read_options()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    compare_models(options.rounds)
    for cell, units, steps, batch in () if options.model_only else list_sizes():
        layer = build_layer(cell, units, FEATURES)

        def own(inputs: tf.Tensor, cell: str = cell, layer: Any = layer) -> tf.Tensor:
            return run_layer(cell, layer, inputs)

        inputs = tf.random.normal((batch, steps, FEATURES))
        compare(f"{cell} {units} x {steps}, batch {batch}", (layer, own), [layer], inputs, options.rounds)


if __name__ == "__main__":
    main()
