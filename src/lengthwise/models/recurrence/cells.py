"""One step of each recurrent cell, forward and backward, with the same numbers as Keras' cells.

A step is split where the recurrent product stands. `projected` is the input times the kernel, plus the input's bias;
`recurrent` is the previous output times the recurrent kernel, plus the recurrent bias where the cell has one. Both are
`(batch, gates * units)`, the gates in Keras' order: LSTM i, f, g, o; GRU z, r, g.

Letters: h and c are the output and the cell state after the step, h_before and c_before those before it; i, f, g, o are
the input gate, the forget gate, the candidate and the output gate; z and r the update and the reset gate. Each is
`(batch, units)`. dx is the gradient of the loss with respect to x, and a_x the sum that x is the activation of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import tensorflow as tf

CellKind = Literal["lstm", "gru", "rnn"]
Tensors = tuple[tf.Tensor, ...]


class StepGradients(NamedTuple):
    """Gradients with respect to what goes into one step.

    Args:
        projected: Of the projected input, `(batch, gates * units)`.
        recurrent: Of the recurrent product, `(batch, gates * units)`; the same tensor as `projected` in cells that
            only add the two.
        states: Of the states before the step, `(batch, units)` each, without what goes through the recurrent product;
            None is zero.
    """

    projected: tf.Tensor
    recurrent: tf.Tensor
    states: tuple[tf.Tensor | None, ...]


class Cell(NamedTuple):
    """A recurrent cell.

    Args:
        num_gates: Width of the gates, in units.
        num_states: Number of states; the first is the output.
        num_activations: Number of tensors `(batch, units)` that the backward pass needs of a step, beside the states
            before it.
        forward: From (projected, recurrent, states before the step) to the states after it and those activations.
        backward: From (gradients of the states after the step, states before it, activations) to the step's gradients.
    """

    num_gates: int
    num_states: int
    num_activations: int
    forward: Callable[[tf.Tensor, tf.Tensor, Tensors], tuple[Tensors, Tensors]]
    backward: Callable[[Tensors, Tensors, Tensors], StepGradients]


def _forward_lstm(projected: tf.Tensor, recurrent: tf.Tensor, states: Tensors) -> tuple[Tensors, Tensors]:
    """Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000, without peepholes."""
    _, c_before = states
    a_i, a_f, a_g, a_o = tf.split(projected + recurrent, 4, axis=1)
    i, f, g, o = tf.sigmoid(a_i), tf.sigmoid(a_f), tf.tanh(a_g), tf.sigmoid(a_o)
    c = f * c_before + i * g
    tanh_c = tf.tanh(c)
    return (o * tanh_c, c), (i, f, g, o, tanh_c)


def _backward_lstm(gradients: Tensors, states: Tensors, activations: Tensors) -> StepGradients:
    """The whole gradient, as in Graves and Schmidhuber 2005, appendix A; that of 1997 was truncated."""
    _, c_before = states
    i, f, g, o, tanh_c = activations
    dh, dc = gradients
    # h = o * tanh(c): what arrives at h goes on to c, beside what the next step sent to c directly.
    dc += _through_tanh(tanh_c, dh * o)
    # c = f * c_before + i * g and h = o * tanh(c): the gradient of each factor is the other factor's multiple,
    # and the derivative of its activation leads to the sum it was made from.
    da_i = _through_sigmoid(i, dc * g)
    da_f = _through_sigmoid(f, dc * c_before)
    da_g = _through_tanh(g, dc * i)
    da_o = _through_sigmoid(o, dh * tanh_c)
    # The sums are projected + recurrent, so both have the same gradient.
    d_gates = tf.concat((da_i, da_f, da_g, da_o), axis=1)
    # h_before is used in the recurrent product only; c_before also in c = f * c_before + ...
    return StepGradients(d_gates, d_gates, (None, dc * f))


def _forward_gru(projected: tf.Tensor, recurrent: tf.Tensor, states: Tensors) -> tuple[Tensors, Tensors]:
    """Cho et al. 2014, section 2.3, but the reset gate acts after the recurrent product: Keras' `reset_after`, cuDNN's.

    The recurrent product of the candidate, bias included, is kept as `recurrent_g`, since r is multiplied with it.
    """
    (h_before,) = states
    projected_z, projected_r, projected_g = tf.split(projected, 3, axis=1)
    recurrent_z, recurrent_r, recurrent_g = tf.split(recurrent, 3, axis=1)
    z, r = tf.sigmoid(projected_z + recurrent_z), tf.sigmoid(projected_r + recurrent_r)
    g = tf.tanh(projected_g + r * recurrent_g)
    # h = z * h_before + (1 - z) * g, with one multiplication less.
    h = g + z * (h_before - g)
    return (h,), (z, r, g, recurrent_g)


def _backward_gru(gradients: Tensors, states: Tensors, activations: Tensors) -> StepGradients:
    (h_before,) = states
    z, r, g, recurrent_g = activations
    (dh,) = gradients
    # h = g + z * (h_before - g): dh reaches h_before times z, g times 1 - z, and z times their difference.
    dh_before = dh * z
    da_z = _through_sigmoid(z, dh * (h_before - g))
    da_g = _through_tanh(g, dh - dh_before)
    # a_g = projected_g + r * recurrent_g: the reset gate stands between the candidate and its recurrent product.
    da_r = _through_sigmoid(r, da_g * recurrent_g)
    d_projected = tf.concat((da_z, da_r, da_g), axis=1)
    d_recurrent = tf.concat((da_z, da_r, da_g * r), axis=1)
    return StepGradients(d_projected, d_recurrent, (dh_before,))


def _forward_rnn(projected: tf.Tensor, recurrent: tf.Tensor, states: Tensors) -> tuple[Tensors, Tensors]:
    """Elman 1990: h = tanh(projected + recurrent)."""
    del states  # this cell uses h_before in the recurrent product only
    h = tf.tanh(projected + recurrent)
    return (h,), (h,)


def _backward_rnn(gradients: Tensors, states: Tensors, activations: Tensors) -> StepGradients:
    del states
    (h,), (dh,) = activations, gradients
    da_h = _through_tanh(h, dh)
    return StepGradients(da_h, da_h, (None,))


def _through_sigmoid(y: tf.Tensor, dy: tf.Tensor) -> tf.Tensor:
    """Return the gradient of a, where y = sigmoid(a): dy * y * (1 - y)."""
    return tf.raw_ops.SigmoidGrad(y=y, dy=dy)


def _through_tanh(y: tf.Tensor, dy: tf.Tensor) -> tf.Tensor:
    """Return the gradient of a, where y = tanh(a): dy * (1 - y * y)."""
    return tf.raw_ops.TanhGrad(y=y, dy=dy)


CELLS: dict[CellKind, Cell] = {
    "lstm": Cell(4, 2, 5, _forward_lstm, _backward_lstm),
    "gru": Cell(3, 1, 4, _forward_gru, _backward_gru),
    "rnn": Cell(1, 1, 1, _forward_rnn, _backward_rnn),
}
