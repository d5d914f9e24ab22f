"""The backward pass: gradients through all steps of a recurrence, from the last to the first, derived by hand.

For step t, with h the output, c the other states, x the input, W and b its kernel and bias, U and u the recurrent
kernel and bias:

    projected_t = x_t W + b          recurrent_t = h_(t-1) U + u          (h_t, c_t) = cell(projected_t, recurrent_t,
                                                                                           h_(t-1), c_(t-1))

The gradients, where `dy` is that of the loss with respect to y:

    dh_t = what arrives at output t from outside + what step t + 1 sends back; dc_t likewise
    (dprojected_t, drecurrent_t, dh_(t-1), dc_(t-1)) = the cell's own, from dh_t and dc_t: `cells.py`
    dh_(t-1) += drecurrent_t U'      the part through the recurrent product
    dU = sum over t of h_(t-1)' drecurrent_t,   du = sum over t and rows of drecurrent_t
    dW = sum over t of x_t' dprojected_t,       dx_t = dprojected_t W'

The first three lines are the loop. The sums for dU and dW are one matrix product over all steps and rows after the
loop, and so is dx: a product of large matrices takes less time than many of small ones.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import tensorflow as tf

from lengthwise.models.recurrence.cells import StepGradients, Tensors
from lengthwise.models.recurrence.plan import Plan, cut, trace
from lengthwise.models.recurrence.tensor_lists import repeat, reserve, stack, swap_rows_and_steps, take, write


@cache
def trace_backward(plan: Plan) -> Any:
    """Trace the backward pass over the rows of one part.

    Returns:
        A function of the gradients of every returned state after every step `(rows, steps, units)`, the values or ids
        that the loop projects, the history of the forward pass, and what all rows share. It returns the gradients of
        the initial states `(rows, units)`, of the projected inputs, the recurrent kernel and the recurrent bias, each
        in the shape of what it is the gradient of; for inputs that the loop projects also that of their kernel, and for
        values the list of dprojected for `trace_project_backward`.
    """
    cell = plan.cell
    sequences = (plan.describe(3),) * plan.num_sequences
    histories = (tf.TensorSpec((), tf.variant),) * (cell.num_states + cell.num_activations)
    signature = (*sequences, *plan.describe_values(), *histories, *plan.describe_shared())
    return trace(partial(_backward, plan), *signature)


@cache
def trace_project_backward(plan: Plan) -> Any:
    """Trace dx = dprojected W'.

    Returns:
        A function of the backward pass's list, a state `(rows, units)`, for its number of rows, and W
        `(features, gates * units)` that returns dx `(rows, steps, features)`.
    """
    return trace(partial(_project_backward, plan), tf.TensorSpec((), tf.variant), plan.describe(2), plan.describe(2))


def _backward(plan: Plan, *tensors: tf.Tensor) -> Tensors:
    num_states, num_sequences = plan.cell.num_states, plan.num_sequences
    arriving, values, tensors = cut(tensors, num_sequences, len(plan.describe_values()))
    arriving = tuple(map(swap_rows_and_steps, arriving))
    histories, _, shared = cut(tensors, num_states + plan.cell.num_activations, 0)
    num_steps, recurrent_kernel = shared[:2]
    transposed = tf.transpose(recurrent_kernel)
    rows, (units, width) = tf.shape(arriving[0])[1], tf.unstack(tf.shape(recurrent_kernel))

    def step(index: tf.Tensor, d_states: Tensors, sums: Tensors, lists: Tensors) -> tuple[Tensors, Tensors, Tensors]:
        time = num_steps - 1 - index
        kept = tuple(take(history, time, plan.dtype) for history in histories)
        # From outside at step t, and from step t + 1.
        from_outside = (sequence[time] for sequence in arriving)
        d_after = (*map(tf.add, d_states[:num_sequences], from_outside), *d_states[num_sequences:])
        gradients = plan.cell.backward(d_after, kept[:num_states], kept[num_states:])
        # The output before the step, through the recurrent product and directly.
        d_before = _add(tf.matmul(gradients.recurrent, transposed), gradients.states)
        summed, listed = _sort(plan, gradients)
        sums = tuple(total + value for total, value in zip(sums, summed, strict=True))
        lists = tuple(write(history, time, value) for history, value in zip(lists, listed, strict=True))
        return d_before, sums, lists

    # Nothing arrives from beyond the last step; the sums start at zero; the lists have room for every step.
    nothing = StepGradients(*(tf.zeros((rows, width), plan.dtype),) * 2, (None,) * num_states)
    zeros, listed = _sort(plan, nothing)
    start = (tf.zeros((rows, units), plan.dtype),) * num_states, zeros, (reserve(num_steps, plan.dtype),) * len(listed)
    d_initial, sums, lists = repeat(step, num_steps, start)

    d_steps = [stack(values, (rows, width), plan.dtype) for values in lists]
    outputs_before = stack(histories[0], (rows, units), plan.dtype)[:-1]  # h_0 to h_(T-1)
    d_inputs = swap_rows_and_steps(d_steps[-1]) if plan.source == "projected" else sums[0]
    d_bias = tf.reduce_sum(sums[-1], axis=0) if plan.cell_kind == "gru" else tf.zeros((width,), plan.dtype)
    results = (*d_initial, d_inputs, _multiply(outputs_before, d_steps[0]), d_bias)
    if not values:
        return results
    by_step = swap_rows_and_steps(values[0])
    if plan.source == "symbols":
        flat = tf.reshape(d_steps[-1], (-1, width))
        return (*results, tf.math.unsorted_segment_sum(flat, tf.reshape(by_step, (-1,)), tf.shape(shared[3])[0]))
    return (*results, _multiply(by_step, d_steps[-1]), lists[-1])


def _project_backward(plan: Plan, d_projected: tf.Tensor, state: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    features, width = tf.unstack(tf.shape(kernel))
    d_steps = stack(d_projected, (tf.shape(state)[0], width), plan.dtype)
    flat = tf.matmul(tf.reshape(d_steps, (-1, width)), tf.transpose(kernel))
    shape = tf.concat((tf.shape(d_steps)[:2], (features,)), axis=0)
    return swap_rows_and_steps(tf.reshape(flat, shape))


def _sort(plan: Plan, gradients: StepGradients) -> tuple[Tensors, Tensors]:
    """Choose what of a step's gradients is summed over the steps, and what is listed for every step.

    Returns:
        First the summed: dprojected where one tensor stands for the inputs of all steps, and a GRU's drecurrent, for
        the recurrent bias. Then the listed: drecurrent, and dprojected where every step has its own input. In other
        cells than the GRU dprojected is drecurrent, and listed once. `(rows, gates * units)` each.
    """
    is_gru = plan.cell_kind == "gru"
    summed: Tensors = ()
    if plan.source != "projected":
        summed += (gradients.projected,)
    if is_gru:
        summed += (gradients.recurrent,)
    listed: Tensors = (gradients.recurrent,)
    if is_gru and plan.source != "repeated":
        listed += (gradients.projected,)
    return summed, listed


def _multiply(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Multiply over steps and rows: `(steps, rows, a)` and `(steps, rows, b)` give `(a, b)`."""
    left, right = (tf.reshape(factor, (-1, tf.shape(factor)[-1])) for factor in (left, right))
    return tf.matmul(left, right, transpose_a=True)


def _add(through_kernel: tf.Tensor, states: tuple[tf.Tensor | None, ...]) -> Tensors:
    """Add the output's gradient through the recurrent product to what reaches the states directly."""
    first = through_kernel if states[0] is None else through_kernel + states[0]
    return (first, *states[1:])
