"""Greedy decoding: the most probable symbol at each step, or the features that the step returns."""

from __future__ import annotations

from typing import TypeAlias

import tensorflow as tf

from lengthwise.config.options import GreedyOptions
from lengthwise.decoding.contract import Nest, Sequences, StepFunction, StepOutputs
from lengthwise.decoding.loop import Emission, decode_tokens, run_steps
from lengthwise.decoding.stop_rule import StopRule, allow_end, find_end
from lengthwise.decoding.strategies.registry import decode_batch

Tensor: TypeAlias = tf.Tensor


def decode_greedy(step: StepFunction, constants: Nest, state: Nest, rule: StopRule) -> Sequences:
    """Decode the most probable symbol at each step; of ties the one with the lowest id.

    Args:
        step: The model's step.
        constants: Of the model's beginning.
        state: Of the model's beginning.
        rule: The stop rule.

    Returns:
        Ids `(batch, steps)` with their lengths and log probabilities.
    """

    def choose(_index: Tensor, scores: Tensor) -> Tensor:
        return tf.argmax(scores, axis=-1, output_type=tf.int32)

    return decode_tokens(step, constants, state, rule, choose=choose)


@decode_batch.register
def _decode_batch(
    options: GreedyOptions,  # noqa: ARG001
    step: StepFunction,
    constants: Nest,
    state: Nest,
    rule: StopRule,
    rows: Tensor,  # noqa: ARG001
) -> Sequences:
    return decode_greedy(step, constants, state, rule)


def decode_features(
    step: StepFunction, constants: Nest, state: Nest, rule: StopRule, *, num_features: int, dtype: tf.DType
) -> Sequences:
    """Decode features: a row ends with the step whose stop probability is above one half, or at its limit.

    Args:
        step: The model's step.
        constants: Of the model's beginning.
        state: Of the model's beginning.
        rule: The stop rule.
        num_features: Features of a step.
        dtype: Of the features that a step makes.

    Returns:
        Features `(batch, steps, features)` with their lengths.
    """
    batch = tf.shape(rule.limit)[0]

    def emit(_index: Tensor, outputs: StepOutputs) -> Emission:
        ends = None if outputs.stop is None else allow_end(outputs.stop > 0, rule)
        ends = tf.fill((batch,), False) if ends is None else ends
        return Emission(outputs.values, ends, (outputs.values, ends))

    start = tf.zeros((batch, num_features), dtype)
    recorded = (tf.TensorSpec((None, num_features), dtype), tf.TensorSpec((None,), tf.bool))
    values, ends = run_steps(step, rule, start=(start, constants, state), emit=emit, recorded=recorded)
    before, stopped = find_end(ends, rule)
    length = before + tf.cast(stopped, tf.int32)  # unlike an end symbol, the last step is part of the sequence
    made = tf.sequence_mask(length, tf.shape(values)[1])[..., None]
    return Sequences(tf.where(made, values, 0), length, stopped, tf.zeros(tf.shape(length)))
