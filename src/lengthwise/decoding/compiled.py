"""The functions of a model that decoding calls batch by batch, compiled for batches of any size.

Each is traced once, at its first call. All take `source`, ids `(batch, steps)` int32 or features `(batch, steps,
features)` float32, and `source_length` `(batch,)` int32 first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lengthwise.config.options import BeamOptions, DecodingOptions
from lengthwise.decoding.contract import Hypotheses, Nest, Sequences, StepOutputs
from lengthwise.decoding.parallel import run_in_parts
from lengthwise.decoding.replay import replay_steps
from lengthwise.decoding.stop_rule import build_stop_rule
from lengthwise.decoding.strategies.beam import decode_beam
from lengthwise.decoding.strategies.greedy import decode_features
from lengthwise.decoding.strategies.registry import decode_batch
from lengthwise.models.bundle import Models
from lengthwise.models.decoder import Outputs
from lengthwise.models.wiring import Wiring

Tensor: TypeAlias = tf.Tensor
DecodeFunction: TypeAlias = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Sequences]
SearchFunction: TypeAlias = Callable[[Tensor, Tensor, Tensor], Hypotheses]
ScoreFunction: TypeAlias = Callable[[dict[str, NDArray[np.generic]]], Tensor]
ReplayFunction: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]


def compile_decode(models: Models, options: DecodingOptions) -> DecodeFunction:
    """Compile the decoding of a batch.

    Returns:
        A function of `source`, `source_length`, `limit` `(batch,)` int32, the most steps of each row, `row` `(batch,)`
        int32, its index in the input, from which its random numbers follow, and `may_stop` `(batch,)` bool, whether it
        may end before its limit; of the options' length rule nothing else remains.
    """
    wiring, decoder = models.wiring, models.network.decoder

    def loop(
        constants: Nest, state: Nest, limit: Tensor, row: Tensor, may_stop: Tensor, max_steps: Tensor
    ) -> Sequences:
        rule = build_stop_rule(wiring, limit, max_steps, may_stop=may_stop)
        if wiring.is_tokens:
            return decode_batch(options, decoder.step, constants, state, rule, row)
        size = wiring.spec.target_size
        return decode_features(decoder.step, constants, state, rule, num_features=size, dtype=decoder.variable_dtype)

    def decode(source: Tensor, source_length: Tensor, limit: Tensor, row: Tensor, may_stop: Tensor) -> Sequences:
        _, constants, state = models.network.begin(source, source_length)
        size = wiring.decoder_dim * (options.width if isinstance(options, BeamOptions) else 1)
        max_steps = tf.maximum(tf.reduce_max(limit), 1)
        sequences = run_in_parts(loop, (constants, state, limit, row, may_stop), max_steps, values_per_row=size)
        return sequences._replace(values=sequences.values[:, : tf.reduce_max(sequences.length)])

    rows = [tf.TensorSpec((None,), tf.int32, name=name) for name in ("limit", "row")]
    rows.append(tf.TensorSpec((None,), tf.bool, name="may_stop"))
    compiled: DecodeFunction = tf.function(decode, input_signature=[*_sign_source(wiring), *rows], autograph=False)
    return compiled


def compile_search(models: Models, options: BeamOptions, num_best: int) -> SearchFunction:
    """Compile the beam search of a batch for its best `num_best` sequences, from 1 to `options.width`.

    Returns:
        A function of `source`, `source_length` and `limit` `(batch,)` int32, the most steps of each row.
    """
    wiring, decoder = models.wiring, models.network.decoder

    def loop(constants: Nest, state: Nest, limit: Tensor, max_steps: Tensor) -> Hypotheses:
        rule = build_stop_rule(wiring, limit, max_steps, may_stop=options.length == "model")
        return decode_beam(decoder.step, constants, state, rule, options=options, num_best=num_best)

    def search(source: Tensor, source_length: Tensor, limit: Tensor) -> Hypotheses:
        _, constants, state = models.network.begin(source, source_length)
        size, max_steps = wiring.decoder_dim * options.width, tf.maximum(tf.reduce_max(limit), 1)
        found = run_in_parts(loop, (constants, state, limit), max_steps, values_per_row=size)
        return found._replace(values=found.values[..., : tf.reduce_max(found.length)])

    signature = [*_sign_source(wiring), tf.TensorSpec((None,), tf.int32, name="limit")]
    compiled: SearchFunction = tf.function(search, input_signature=signature, autograph=False)
    return compiled


def compile_score(models: Models) -> ScoreFunction:
    """Return a function of the network's inputs that returns the values `(batch, steps, values)` of all steps.

    It is compiled where Keras' operations make the steps in a loop. Elsewhere the loops are compiled already, and
    tracing what is around them would take longer than calling it does.
    """
    wiring = models.wiring

    def score(inputs: dict[str, Tensor]) -> Tensor:
        return models.network(inputs, training=False)["values"]

    if wiring.runs_in_parallel:
        return score
    source, source_length = _sign_source(wiring)
    signature = {"source": source, "source_length": source_length, "previous": _sign_target(wiring)}
    compiled: ScoreFunction = tf.function(score, input_signature=[signature], autograph=False)
    return compiled


def compile_measure(models: Models) -> ReplayFunction:
    """Compile the distributions `(batch, steps, symbols)` before each symbol of emitted ids `(batch, steps)`."""

    def measure(source: Tensor, source_length: Tensor, emitted: Tensor) -> Tensor:
        _, constants, state = models.network.begin(source, source_length)
        return tf.nn.softmax(replay_steps(models.network.decoder.step, constants, state, emitted))

    return _compile_replay(measure, models.wiring)


def compile_attend(models: Models) -> ReplayFunction:
    """Compile the attention weights `(batch, steps, source steps)` while known outputs are emitted.

    Returns:
        A function of `source`, `source_length` and the emitted ids `(batch, steps)` or features `(batch, steps,
        features)`.

    Raises:
        ValueError: The model has no attention.
    """
    decoder = models.network.decoder
    if decoder.attention is None:
        raise ValueError("the model has no attention: its model.attention is none")

    def step(previous: Tensor, constants: Nest, state: Nest) -> tuple[StepOutputs, Nest]:
        weights = decoder.attend(previous, constants, state)
        return Outputs(weights, None), decoder.step(previous, constants, state)[1]

    def attend(source: Tensor, source_length: Tensor, emitted: Tensor) -> Tensor:
        _, constants, state = models.network.begin(source, source_length)
        return replay_steps(step, constants, state, emitted)

    return _compile_replay(attend, models.wiring)


def _compile_replay(function: ReplayFunction, wiring: Wiring) -> ReplayFunction:
    compiled: ReplayFunction = tf.function(
        function, input_signature=[*_sign_source(wiring), _sign_target(wiring)], autograph=False
    )
    return compiled


def _sign_source(wiring: Wiring) -> list[tf.TensorSpec]:
    """Return the signature of `source` and `source_length` of any batch."""
    shape, dtype = ((None, None), tf.int32) if wiring.is_tokens else ((None, None, wiring.spec.source_size), tf.float32)
    return [tf.TensorSpec(shape, dtype, name="source"), tf.TensorSpec((None,), tf.int32, name="source_length")]


def _sign_target(wiring: Wiring) -> tf.TensorSpec:
    """Return the signature of the outputs of any batch."""
    if wiring.is_tokens:
        return tf.TensorSpec((None, None), tf.int32)
    return tf.TensorSpec((None, None, wiring.spec.target_size), tf.float32)
