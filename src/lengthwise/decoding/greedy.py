"""Greedy decoding: the most probable symbol at each step, or the features as they come.

Shapes: B batch, V symbols or features.
"""

from __future__ import annotations

from typing import TypeAlias

import tensorflow as tf

from lengthwise.decoding.contract import Ending, Nest, Sequences, StepFunction, StepOutputs
from lengthwise.decoding.loop import Emission, decode_tokens, find_end, run_steps

Tensor: TypeAlias = tf.Tensor


def decode_greedy(step: StepFunction, constants: Nest, state: Nest, ending: Ending) -> Sequences:
    """Decode the most probable symbol at each step, of equal ones the first.

    Args:
        step: the model's step.
        constants: of the model's beginning.
        state: of the model's beginning.
        ending: how rows end.
    """

    def choose(_index: Tensor, scores: Tensor) -> Tensor:
        return tf.argmax(scores, axis=-1, output_type=tf.int32)

    return decode_tokens(step, constants, state, ending, choose=choose)


def decode_features(
    step: StepFunction, constants: Nest, state: Nest, ending: Ending, *, width: int, dtype: tf.DType
) -> Sequences:
    """Decode features: a row ends with the step whose stop probability is above one half, or at its limit.

    Args:
        step: the model's step.
        constants: of the model's beginning.
        state: of the model's beginning.
        ending: how rows end.
        width: V, number of features.
        dtype: of the features that a step makes.
    """
    batch = tf.shape(ending.limit)[0]

    def emit(_index: Tensor, outputs: StepOutputs) -> Emission:
        ends = tf.fill((batch,), False) if outputs.stop is None or not ending.allowed else outputs.stop > 0
        return Emission(outputs.values, ends, (outputs.values, ends))

    start = tf.zeros((batch, width), dtype)
    kept = (tf.TensorSpec((None, width), dtype), tf.TensorSpec((None,), tf.bool))
    values, ends = run_steps(step, ending, start=(start, constants, state), emit=emit, kept=kept)
    before, stopped = find_end(ends, ending)
    length = before + tf.cast(stopped, tf.int32)  # the last step is part of the sequence
    made = tf.sequence_mask(length, tf.shape(values)[1])[..., None]
    return Sequences(tf.where(made, values, 0), length, stopped, tf.zeros(tf.shape(length)))
