"""The formulae of one step of a recurrent cell, forwards and backwards: the same numbers as Keras' cells.

A step is split where the recurrent product stands: `projected` is what the inputs give to the gates, bias included;
`recurrent` is the previous output times the recurrent kernel, plus the recurrent bias where the cell has one. Gates are
in Keras' order: LSTM input, forget, candidate, output; GRU update, reset, candidate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import tensorflow as tf

CellKind = Literal["lstm", "gru", "rnn"]
Tensors = tuple[tf.Tensor, ...]


class StepGradients(NamedTuple):
    """Gradients of one step's inputs.

    Args:
        projected: of the projected inputs, `(batch, gates * units)`.
        recurrent: of the recurrent product, `(batch, gates * units)`; the same tensor as `projected` where the two are
            only ever added.
        states: of the states before the step, but for the part that goes through the recurrent product; None is zero.
    """

    projected: tf.Tensor
    recurrent: tf.Tensor
    states: tuple[tf.Tensor | None, ...]


class Cell(NamedTuple):
    """A recurrent cell.

    Args:
        num_gates: width of the gates, in units.
        num_states: number of states; the first is the output.
        num_activations: number of tensors that the way back needs of a step, beside the states before it.
        advance: from (projected, recurrent, states) to the new states and those activations.
        retreat: from (gradients of the new states, states before the step, activations) to the step's gradients.
    """

    num_gates: int
    num_states: int
    num_activations: int
    advance: Callable[[tf.Tensor, tf.Tensor, Tensors], tuple[Tensors, Tensors]]
    retreat: Callable[[Tensors, Tensors, Tensors], StepGradients]


def _advance_lstm(projected: tf.Tensor, recurrent: tf.Tensor, states: Tensors) -> tuple[Tensors, Tensors]:
    gates = tf.split(projected + recurrent, 4, axis=1)
    write, keep, candidate, show = tf.sigmoid(gates[0]), tf.sigmoid(gates[1]), tf.tanh(gates[2]), tf.sigmoid(gates[3])
    memory = keep * states[1] + write * candidate
    shown = tf.tanh(memory)
    return (show * shown, memory), (write, keep, candidate, show, shown)


def _retreat_lstm(gradients: Tensors, states: Tensors, activations: Tensors) -> StepGradients:
    write, keep, candidate, show, shown = activations
    of_output, of_memory = gradients
    of_memory += _through_tanh(shown, of_output * show)
    gates = (
        _through_sigmoid(write, of_memory * candidate),
        _through_sigmoid(keep, of_memory * states[1]),
        _through_tanh(candidate, of_memory * write),
        _through_sigmoid(show, of_output * shown),
    )
    of_gates = tf.concat(gates, axis=1)
    return StepGradients(of_gates, of_gates, (None, of_memory * keep))


def _advance_gru(projected: tf.Tensor, recurrent: tf.Tensor, states: Tensors) -> tuple[Tensors, Tensors]:
    from_input, from_state = tf.split(projected, 3, axis=1), tf.split(recurrent, 3, axis=1)
    keep, reset = tf.sigmoid(from_input[0] + from_state[0]), tf.sigmoid(from_input[1] + from_state[1])
    candidate = tf.tanh(from_input[2] + reset * from_state[2])
    output = candidate + keep * (states[0] - candidate)
    return (output,), (keep, reset, candidate, from_state[2])


def _retreat_gru(gradients: Tensors, states: Tensors, activations: Tensors) -> StepGradients:
    keep, reset, candidate, from_state = activations
    (of_output,) = gradients
    kept = of_output * keep
    of_keep = _through_sigmoid(keep, of_output * (states[0] - candidate))
    of_candidate = _through_tanh(candidate, of_output - kept)
    of_reset = _through_sigmoid(reset, of_candidate * from_state)
    projected = tf.concat((of_keep, of_reset, of_candidate), axis=1)
    recurrent = tf.concat((of_keep, of_reset, of_candidate * reset), axis=1)
    return StepGradients(projected, recurrent, (kept,))


def _advance_rnn(projected: tf.Tensor, recurrent: tf.Tensor, states: Tensors) -> tuple[Tensors, Tensors]:
    del states  # they reach this cell through the recurrent product alone
    output = tf.tanh(projected + recurrent)
    return (output,), (output,)


def _retreat_rnn(gradients: Tensors, states: Tensors, activations: Tensors) -> StepGradients:
    del states
    of_gates = _through_tanh(activations[0], gradients[0])
    return StepGradients(of_gates, of_gates, (None,))


def _through_sigmoid(value: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.SigmoidGrad(y=value, dy=gradient)


def _through_tanh(value: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.TanhGrad(y=value, dy=gradient)


CELLS: dict[CellKind, Cell] = {
    "lstm": Cell(4, 2, 5, _advance_lstm, _retreat_lstm),
    "gru": Cell(3, 1, 4, _advance_gru, _retreat_gru),
    "rnn": Cell(1, 1, 1, _advance_rnn, _retreat_rnn),
}
