"""The forward pass: all steps of a recurrence, from the first to the last."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import tensorflow as tf

from lengthwise.models.recurrence.cells import Tensors
from lengthwise.models.recurrence.parts import Parts
from lengthwise.models.recurrence.plan import Plan, call, cut, trace
from lengthwise.models.recurrence.tensor_lists import repeat, reserve, stack, swap_rows_and_steps, write


def run_forward(
    plan: Plan, parts: Parts, by_part: Sequence[tf.Tensor], shared: Sequence[tf.Tensor]
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Run all steps on every part.

    Args:
        plan: Of the loop.
        parts: Of the rows.
        by_part: The inputs and the initial states, split: `(parts, rows, ...)`.
        shared: Number of steps, recurrent kernel and bias, and the kernel of inputs that the loop projects.

    Returns:
        The returned states after every step, `(batch, steps, units)` each, and the history, by part, as `trace_forward`
        has it.
    """
    training = plan.keeps_activations
    outputs, *history = parts.run(trace_forward(plan), by_part, shared, training=training)
    # In a call of its own, so that a cell state nobody uses is never copied out of its list.
    cell_states = (
        parts.run(_trace_read(plan), [values], [], training=training)[0] for values in history[1 : plan.num_sequences]
    )
    return [parts.merge(sequence) for sequence in (outputs, *cell_states)], history


def infer(plan: Plan, *tensors: tf.Tensor) -> list[tf.Tensor]:
    """Run all steps for all rows, where only the states are needed.

    In a graph this is one call of a function that is traced once, however many graphs have it.

    Args:
        plan: Of a loop that keeps no activations.
        tensors: The inputs, the initial states `(batch, units)` and what all rows share, as `trace_forward` has them.

    Returns:
        The returned states after every step, `(batch, steps, units)` each.
    """
    return call(_trace_infer(plan), *tensors)


@cache
def trace_forward(plan: Plan) -> Any:
    """Trace the forward pass over the rows of one part; rows and steps may vary.

    Returns:
        A function of the inputs, the initial states `(rows, units)` and what all rows share. It returns the outputs
        after every step `(rows, steps, units)` and the history: for each state a list of `steps + 1` matrices, the
        initial state first, and for each activation a list of `steps` matrices, `(rows, units)` each.
    """
    return trace(partial(_forward, plan), *_describe_arguments(plan))


@cache
def _trace_infer(plan: Plan) -> Any:
    return trace(partial(_infer, plan), *_describe_arguments(plan))


@cache
def _trace_read(plan: Plan) -> Any:
    return trace(partial(_read, plan), tf.TensorSpec((), tf.variant))


def _describe_arguments(plan: Plan) -> Tensors:
    projected = plan.describe(3 if plan.source == "projected" else 2)
    states = (plan.describe(2),) * plan.cell.num_states
    return (*plan.describe_values(), projected, *states, *plan.describe_shared())


def _infer(plan: Plan, *tensors: tf.Tensor) -> Tensors:
    num_of_rows = plan.num_inputs + plan.cell.num_states
    parts = Parts(*tf.unstack(tf.shape(tensors[plan.num_inputs])))
    by_part = [parts.split(tensor) for tensor in tensors[:num_of_rows]]
    return tuple(run_forward(plan, parts, by_part, tensors[num_of_rows:])[0])


def _forward(plan: Plan, *tensors: tf.Tensor) -> Tensors:
    num_states = plan.cell.num_states
    inputs, states, shared = cut(tensors, plan.num_inputs, num_states)
    num_steps, recurrent_kernel, recurrent_bias, *kernel = shared
    by_step = inputs[0] if plan.source == "repeated" else swap_rows_and_steps(inputs[0])
    histories = [write(reserve(num_steps + 1, plan.dtype), 0, state) for state in states]
    if plan.keeps_activations:
        histories += [reserve(num_steps, plan.dtype) for _ in range(plan.cell.num_activations)]

    def project(index: tf.Tensor) -> tf.Tensor:
        """Return the projected input of a step, `(rows, gates * units)`."""
        if plan.source == "repeated":
            return by_step
        if plan.source == "projected":
            return by_step[index]
        if plan.source == "symbols":
            return tf.gather(kernel[0], by_step[index]) + inputs[1]
        return tf.matmul(by_step[index], kernel[0]) + inputs[1]

    def step(index: tf.Tensor, states: Tensors, histories: Tensors) -> tuple[Tensors, Tensors]:
        recurrent = tf.matmul(states[0], recurrent_kernel)
        if plan.cell_kind == "gru":
            recurrent += recurrent_bias
        states, activations = plan.cell.forward(project(index), recurrent, states)
        of_states, of_activations = histories[:num_states], histories[num_states:]
        written = [write(values, index + 1, state) for values, state in zip(of_states, states, strict=True)]
        if plan.keeps_activations:
            kept = zip(of_activations, activations, strict=True)
            written += [write(values, index, activation) for values, activation in kept]
        return states, tuple(written)

    _, histories = repeat(step, num_steps, (tuple(states), tuple(histories)))
    return (_read(plan, histories[0]), *histories)


def _read(plan: Plan, history: tf.Tensor) -> tf.Tensor:
    """Return a state's list as its values after every step, `(rows, steps, units)`, without the initial one."""
    return swap_rows_and_steps(stack(history, (-1, -1), plan.dtype)[1:])
