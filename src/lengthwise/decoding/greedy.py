"""Greedy decoding: the most probable symbol at each step, or the features as they come.

Shapes: B batch, T steps made, V symbols or features.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from lengthwise.data.vocabulary import START
from lengthwise.decoding.contract import Ending, Nest, Sequences, StepFunction

Tensor = tf.Tensor


def decode_greedy_tokens(step: StepFunction, constants: Nest, state: Nest, ending: Ending) -> Sequences:
    """Decode symbols until every row has ended.

    Args:
        step: the model's step.
        constants: of the model's beginning.
        state: of the model's beginning.
        ending: how rows end. The end symbol itself is not part of the sequence.
    """
    batch = tf.shape(ending.limit)[0]

    def body(
        index: Tensor, previous: Tensor, state: Nest, sequences: tuple[Tensor, ...], made: Any
    ) -> tuple[Tensor, Tensor, Nest, tuple[Tensor, ...], Any]:
        alive, length, stopped, log_probability = sequences
        outputs, state = step(previous, constants, state)
        scores = tf.cast(outputs.values, tf.float32)
        choice = tf.argmax(_forbid(scores, ending), axis=-1, output_type=tf.int32)
        chosen = tf.gather(tf.nn.log_softmax(scores), choice, batch_dims=1)
        log_probability += tf.where(alive, chosen, 0.0)
        ends = tf.fill((batch,), False) if ending.symbol is None else tf.equal(choice, ending.symbol)
        stopped = stopped | (alive & ends)
        made_now = alive & ~ends
        length += tf.cast(made_now, tf.int32)
        alive = made_now & (length < ending.limit)
        made = made.write(index, tf.where(made_now, choice, 0))
        return index + 1, choice, state, (alive, length, stopped, log_probability), made

    rows = (
        tf.fill((batch,), True),
        tf.zeros((batch,), tf.int32),
        tf.fill((batch,), False),
        tf.zeros((batch,), tf.float32),
    )
    made = tf.TensorArray(tf.int32, 0, dynamic_size=True, element_shape=(None,))
    start = tf.fill((batch,), START)
    num_steps, _, _, rows, made = tf.while_loop(_any_alive, body, (tf.constant(0), start, state, rows, made))
    values = tf.transpose(made.stack())
    # The step at which the last rows ended by a symbol made nothing.
    return Sequences(values[:, : tf.minimum(num_steps, tf.reduce_max(rows[1]))], *rows[1:])


def decode_features(step: StepFunction, constants: Nest, state: Nest, ending: Ending, width: int) -> Sequences:
    """Decode features until every row has ended: at the step whose stop probability is above one half, or at its limit.

    Args:
        step: the model's step.
        constants: of the model's beginning.
        state: of the model's beginning.
        ending: how rows end.
        width: V, number of features.
    """
    batch = tf.shape(ending.limit)[0]
    dtype = state["h_0"].dtype if "h_0" in state else tf.float32

    def body(
        index: Tensor, previous: Tensor, state: Nest, rows: tuple[Tensor, ...], made: Any
    ) -> tuple[Tensor, Tensor, Nest, tuple[Tensor, ...], Any]:
        alive, length, stopped = rows
        outputs, state = step(previous, constants, state)
        length += tf.cast(alive, tf.int32)
        made = made.write(index, tf.where(alive[:, None], outputs.values, 0.0))
        if ending.allowed and outputs.stop is not None:
            stopped = stopped | (alive & (outputs.stop > 0))
        alive = alive & ~stopped & (length < ending.limit)
        return index + 1, outputs.values, state, (alive, length, stopped), made

    rows = (tf.fill((batch,), True), tf.zeros((batch,), tf.int32), tf.fill((batch,), False))
    made = tf.TensorArray(dtype, 0, dynamic_size=True, element_shape=(None, width))
    start = tf.zeros((batch, width), dtype)
    _, _, _, rows, made = tf.while_loop(_any_alive, body, (tf.constant(0), start, state, rows, made))
    return Sequences(tf.transpose(made.stack(), (1, 0, 2)), rows[1], rows[2], tf.zeros((batch,), tf.float32))


def _any_alive(_index: Tensor, _previous: Tensor, _state: Nest, rows: tuple[Tensor, ...], _made: Any) -> Tensor:
    return tf.reduce_any(rows[0])


def _forbid(scores: Tensor, ending: Ending) -> Tensor:
    if ending.allowed or ending.symbol is None:
        return scores
    forbidden = tf.one_hot(ending.symbol, tf.shape(scores)[-1], on_value=True, off_value=False)
    return tf.where(forbidden, scores.dtype.min, scores)
