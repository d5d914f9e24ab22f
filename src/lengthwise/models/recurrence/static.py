"""The recurrence for XLA: the numbers of rows and steps are known, and sequences are time-major.

XLA fuses a step's small operations into few, which pays as long as they, and not the products, take the time: up to
some 4,000 units times rows (`experiments/performance/compile.csv`). The backward pass is written by hand here too.
Automatic differentiation would add the gradient of the recurrent kernel up step by step; kept for all steps, it is a
single product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from lengthwise.models.recurrence.cells import Tensors
from lengthwise.models.recurrence.plan import Plan
from lengthwise.models.recurrence.tensor_lists import swap_rows_and_steps


def run_static(plan: Plan, num_steps: int, inputs: Tensors, states: Tensors, shared: Tensors) -> Tensors:
    """Run a cell over all steps.

    Args:
        plan: The cell, and what the inputs are.
        num_steps: Number of steps, at least 1.
        inputs: As the plan describes them, batch-major.
        states: The initial states, `(batch, units)` each.
        shared: Recurrent kernel `(units, gates * units)`, recurrent bias `(gates * units,)`, and for values that are
            not projected yet their kernel `(features, gates * units)`.

    Returns:
        The returned states after every step, `(batch, steps, units)` each.
    """
    recurrent_kernel, recurrent_bias, *kernel = shared
    projected = _project(plan, inputs, kernel)
    run = tf.custom_gradient(lambda *tensors: _run(plan, num_steps, *tensors))
    sequences = run(projected, recurrent_kernel, recurrent_bias, *states)
    return tuple(map(swap_rows_and_steps, sequences[: plan.num_sequences]))


def _project(plan: Plan, inputs: Tensors, kernel: list[tf.Tensor]) -> tf.Tensor:
    """Return the projected inputs: `(steps, batch, gates * units)`, or `(batch, gates * units)` where repeated."""
    if plan.source == "repeated":
        return inputs[0]
    by_step = swap_rows_and_steps(inputs[0])
    if plan.source == "symbols":
        return tf.gather(kernel[0], by_step) + inputs[1]
    if plan.source == "projected":
        return by_step
    steps, batch, features = by_step.shape
    flat = tf.matmul(tf.reshape(by_step, (steps * batch, features)), kernel[0])
    return tf.reshape(flat, (steps, batch, kernel[0].shape[1])) + inputs[1]


def _run(
    plan: Plan,
    num_steps: int,
    projected: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    recurrent_bias: tf.Tensor,
    *initial: tf.Tensor,
) -> tuple[Tensors, Callable[..., Tensors]]:
    """Return all states `(steps, batch, units)`, and the function of their gradients, as `tf.custom_gradient` wants."""
    cell, (batch, units) = plan.cell, initial[0].shape

    def step(index: tf.Tensor, states: Tensors, histories: Tensors, kept: Any) -> tuple[Any, ...]:
        recurrent = tf.matmul(states[0], recurrent_kernel)
        if plan.cell_kind == "gru":
            recurrent += recurrent_bias
        now = projected if plan.source == "repeated" else projected[index]
        states, activations = cell.forward(now, recurrent, states)
        histories = tuple(history.write(index + 1, state) for history, state in zip(histories, states, strict=True))
        return index + 1, states, histories, kept.write(index, tf.concat(activations, axis=1))

    histories = tuple(_reserve(plan, num_steps + 1, (batch, units)).write(0, state) for state in initial)
    start = (0, initial, histories, _reserve(plan, num_steps, (batch, cell.num_activations * units)))
    _, _, histories, kept = _repeat(step, num_steps, start)
    all_states, all_activations = tuple(history.stack() for history in histories), kept.stack()

    def backward(*arriving: tf.Tensor) -> Tensors:
        d_initial, d_projected, d_recurrent = _run_backward(
            plan, recurrent_kernel, all_states, all_activations, arriving
        )
        outputs_before = all_states[0][:-1]  # h_0 to h_(T-1)
        d_kernel = tf.matmul(_flatten(outputs_before), _flatten(d_recurrent), transpose_a=True)
        is_gru = plan.cell_kind == "gru"
        d_bias = tf.reduce_sum(d_recurrent, axis=(0, 1)) if is_gru else tf.zeros_like(recurrent_bias)
        if plan.source == "repeated":
            d_projected = tf.reduce_sum(d_projected, axis=0)
        return (d_projected, d_kernel, d_bias, *d_initial)

    return tuple(states[1:] for states in all_states), backward


def _run_backward(
    plan: Plan, recurrent_kernel: tf.Tensor, all_states: Tensors, all_activations: tf.Tensor, arriving: Tensors
) -> tuple[Tensors, tf.Tensor, tf.Tensor]:
    """Run from the last step to the first.

    Args:
        plan: The cell, and what the inputs are.
        recurrent_kernel: `(units, gates * units)`.
        all_states: Every state before the first and after every step, `(steps + 1, batch, units)` each.
        all_activations: `(steps, batch, activations * units)`.
        arriving: Gradients of every state after every step, `(steps, batch, units)` each.

    Returns:
        Gradients of the initial states `(batch, units)`, and of every step's projected input and recurrent product,
        `(steps, batch, gates * units)` each.
    """
    cell, (num_steps, batch, _) = plan.cell, arriving[0].shape
    is_gru = plan.cell_kind == "gru"

    def step(index: tf.Tensor, d_states: Tensors, projected: Any, recurrent: Any) -> tuple[Any, ...]:
        time = num_steps - 1 - index
        # From outside at step t, and from step t + 1.
        d_after = tuple(state + sequence[time] for state, sequence in zip(d_states, arriving, strict=True))
        before = tuple(states[time] for states in all_states)
        activations = tuple(tf.split(all_activations[time], cell.num_activations, axis=1))
        gradients = cell.backward(d_after, before, activations)
        # The output before the step, through the recurrent product and directly.
        d_output = tf.matmul(gradients.recurrent, recurrent_kernel, transpose_b=True)
        if gradients.states[0] is not None:
            d_output += gradients.states[0]
        projected = projected.write(time, gradients.projected)
        if is_gru:
            recurrent = recurrent.write(time, gradients.recurrent)
        return index + 1, (d_output, *gradients.states[1:]), projected, recurrent

    shape = (batch, recurrent_kernel.shape[1])
    nothing = tuple(tf.zeros_like(sequence[0]) for sequence in arriving)
    # Only in a GRU the recurrent product has another gradient than the projected input.
    start = (0, nothing, _reserve(plan, num_steps, shape), _reserve(plan, num_steps if is_gru else 1, shape))
    _, d_initial, projected, recurrent = _repeat(step, num_steps, start)
    d_projected = projected.stack()
    return d_initial, d_projected, recurrent.stack() if is_gru else d_projected


def _reserve(plan: Plan, num_steps: int, shape: tuple[int, int]) -> Any:
    return tf.TensorArray(plan.dtype, num_steps, element_shape=shape)


def _repeat(step: Callable[..., Any], num_steps: int, start: tuple[Any, ...]) -> Any:
    return tf.while_loop(lambda index, *_: index < num_steps, step, start, maximum_iterations=num_steps)


def _flatten(sequences: tf.Tensor) -> tf.Tensor:
    """Join steps and rows: `(steps, batch, width)` becomes `(steps * batch, width)`."""
    return tf.reshape(sequences, (-1, sequences.shape[-1]))
