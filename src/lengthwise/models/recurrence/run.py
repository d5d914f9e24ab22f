"""Run a recurrent cell over all steps of a batch: the numbers of Keras' recurrent layers, faster on a CPU.

The weights stay in standard Keras layers; this module has only functions of tensors. There are no masks: sequences are
padded on the right, so that no real step depends on padding, and the state after a row's last real step can be
gathered. On a GPU the standard layers, with cuDNN behind them, are faster; the functions work there too.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

import tensorflow as tf

from lengthwise.models.recurrence.backward import trace_backward, trace_project_backward
from lengthwise.models.recurrence.cells import CELLS, CellKind, Tensors
from lengthwise.models.recurrence.formulation import is_for_xla
from lengthwise.models.recurrence.forward import infer, run_forward, trace_forward
from lengthwise.models.recurrence.parts import Parts
from lengthwise.models.recurrence.plan import Plan, Source
from lengthwise.models.recurrence.static import run_static


class Unprojected(NamedTuple):
    """Inputs that the loop projects itself, one step at a time, so that they are never held projected for all steps.

    Args:
        values: `(batch, steps, features)`.
        kernel: `(features, gates * units)`.
        constant: What is added at every step: the bias, and what else is projected already. `(gates * units,)` or
            `(batch, gates * units)`.
    """

    values: tf.Tensor
    kernel: tf.Tensor
    constant: tf.Tensor


class Symbols(NamedTuple):
    """One-hot inputs, whose projections the loop looks up, one step at a time.

    Args:
        ids: `(batch, steps)` int32.
        kernel: `(symbols, gates * units)`.
        constant: As of `Unprojected`.
    """

    ids: tf.Tensor
    kernel: tf.Tensor
    constant: tf.Tensor


Inputs: TypeAlias = "tf.Tensor | Unprojected | Symbols"
"""The inputs times the kernel, plus the (input's) bias: `(batch, steps, gates * units)`, or `(batch, gates * units)`
where they are the same at every step; or inputs that the loop projects."""


def step_cell(
    cell_kind: CellKind,
    projected: tf.Tensor,
    states: Tensors,
    recurrent_kernel: tf.Tensor,
    recurrent_bias: tf.Tensor | None = None,
) -> Tensors:
    """Make one step of a cell; its gradients are TensorFlow's own.

    Args:
        cell_kind: `lstm`, `gru` (with `reset_after`) or `rnn`.
        projected: The input times the kernel, plus the (input's) bias, `(batch, gates * units)`.
        states: `(batch, units)` each; the first is the output.
        recurrent_kernel: `(units, gates * units)`.
        recurrent_bias: Of a GRU, `(gates * units,)`; None is zero.

    Returns:
        The states after the step, `(batch, units)` each.
    """
    recurrent = tf.matmul(states[0], recurrent_kernel)
    if recurrent_bias is not None:
        recurrent += recurrent_bias
    return CELLS[cell_kind].forward(projected, recurrent, states)[0]


def run_recurrence(
    cell_kind: CellKind,
    inputs: Inputs,
    recurrent_kernel: tf.Tensor,
    recurrent_bias: tf.Tensor | None,
    initial_states: Tensors,
    *,
    num_steps: tf.Tensor | int | None = None,
) -> Tensors:
    """Run a cell over all steps of a batch of sequences, to be trained.

    All tensors have one floating point dtype. First-order gradients only. XLA compiles it inside `formulate_for_xla`.

    Args:
        cell_kind: `lstm`, `gru` (with `reset_after`) or `rnn`.
        inputs: Projected, or to be projected by the loop.
        recurrent_kernel: `(units, gates * units)`.
        recurrent_bias: Of a GRU, `(gates * units,)`; None is zero.
        initial_states: `(batch, units)` each; of an LSTM the output and the cell state.
        num_steps: Number of steps, a scalar, at least 0; given with inputs that are the same at every step, and with
            no others.

    Returns:
        Every state after every step, `(batch, steps, units)` each; the first is the output.

    Raises:
        ValueError: If shapes, dtypes or arguments do not fit together.
    """
    return _start(cell_kind, inputs, (recurrent_kernel, recurrent_bias), initial_states, num_steps, mode="states")


def run_outputs(
    cell_kind: CellKind,
    inputs: Inputs,
    recurrent_kernel: tf.Tensor,
    recurrent_bias: tf.Tensor | None,
    initial_states: Tensors,
    *,
    num_steps: tf.Tensor | int | None = None,
) -> tf.Tensor:
    """Run as `run_recurrence`, and return the outputs `(batch, steps, units)` only.

    No gradients of the other states are added up, which otherwise are there, if only as zeros.
    """
    return _start(cell_kind, inputs, (recurrent_kernel, recurrent_bias), initial_states, num_steps, mode="outputs")[0]


def infer_recurrence(
    cell_kind: CellKind,
    inputs: Inputs,
    recurrent_kernel: tf.Tensor,
    recurrent_bias: tf.Tensor | None,
    initial_states: Tensors,
    *,
    num_steps: tf.Tensor | int | None = None,
) -> Tensors:
    """Run a cell over all steps of a batch of sequences, where no gradients are expected.

    As `run_recurrence`, but little is kept of a step. Gradients that are asked for all the same are right; they cost
    another forward pass.
    """
    return _start(cell_kind, inputs, (recurrent_kernel, recurrent_bias), initial_states, num_steps, mode="inference")


def _start(
    cell_kind: CellKind,
    inputs: Inputs,
    weights: tuple[tf.Tensor, tf.Tensor | None],
    initial_states: Tensors,
    num_steps: tf.Tensor | int | None,
    *,
    mode: Literal["states", "outputs", "inference"],
) -> Tensors:
    if weights[1] is not None and cell_kind != "gru":
        raise ValueError(f"only a GRU has a recurrent bias, not cell {cell_kind!r}: add it to the inputs' projection")
    states = tuple(tf.convert_to_tensor(state) for state in initial_states)
    recurrent_kernel = tf.convert_to_tensor(weights[0])
    bias = tf.zeros(recurrent_kernel.shape[-1:], recurrent_kernel.dtype) if weights[1] is None else weights[1]
    by_step, kernel = _convert(inputs)
    shared = (recurrent_kernel, tf.convert_to_tensor(bias), *kernel)
    source = _check(cell_kind, by_step, states, shared)
    plan = Plan(cell_kind, recurrent_kernel.dtype, source, mode != "inference", mode != "outputs")
    if (plan.source == "repeated") == (num_steps is None):
        raise ValueError(
            "num_steps is given with projected inputs (batch, gates * units), the same at every step, and with no "
            f"others: received inputs {by_step[0].shape} and num_steps={num_steps}"
        )
    steps = tf.shape(by_step[0])[1] if num_steps is None else tf.cast(num_steps, tf.int32)
    if is_for_xla():
        known_steps = by_step[0].shape[1] if num_steps is None else tf.get_static_value(steps)
        return run_static(plan, int(known_steps), by_step, states, shared)
    outputs = tf.custom_gradient(lambda *tensors: _run(plan, steps, tensors))(*by_step, *states, *shared)
    batch, units = by_step[0].shape[:1].merge_with(states[0].shape[:1])[0], states[0].shape[1]
    return tuple(tf.ensure_shape(output, (batch, tf.get_static_value(steps), units)) for output in outputs)


def _convert(inputs: Inputs) -> tuple[Tensors, Tensors]:
    """Return what is cut by rows, the inputs, and what is not, the kernel of inputs that the loop projects."""
    if not isinstance(inputs, (Unprojected, Symbols)):
        return (tf.convert_to_tensor(inputs),), ()
    values, kernel, constant = (tf.convert_to_tensor(tensor) for tensor in inputs)
    if constant.shape.rank == 1:
        constant = tf.broadcast_to(constant, (tf.shape(values)[0], constant.shape[0]))
    return (values, constant), (kernel,)


def _check(cell_kind: CellKind, inputs: Tensors, states: Tensors, weights: Tensors) -> Source:
    """Check that the tensors fit together, and return what the inputs are."""
    if cell_kind not in CELLS:
        raise ValueError(f"a recurrent cell is one of {', '.join(CELLS)}; received {cell_kind!r}")
    tensors = (*inputs, *states, *weights)
    are_symbols = len(inputs) == 2 and inputs[0].shape.rank == 2
    if len({tensor.dtype for tensor in tensors[are_symbols:]}) > 1:
        dtypes = ", ".join(tensor.dtype.name for tensor in tensors)
        raise ValueError(f"the tensors of a recurrence have one dtype: cast them; received {dtypes}")
    units = weights[0].shape[0]
    features = weights[-1].shape[0] if are_symbols else inputs[0].shape[-1]
    width = units * CELLS[cell_kind].num_gates
    last = inputs[-1].shape
    fits = (
        weights[0].shape == (units, width)
        and weights[1].shape == (width,)
        and len(states) == CELLS[cell_kind].num_states
        and all(state.shape.rank == 2 and state.shape[1] == units for state in states)
        and last[-1] == width
        and (last.rank in (2, 3) if len(inputs) == 1 else last.rank == 2 and inputs[0].shape.rank in (2, 3))
        and (len(inputs) == 1 or weights[2].shape == (features, width))
    )
    if not fits:
        shapes = ", ".join(str(tensor.shape) for tensor in tensors)
        raise ValueError(
            f"the shapes of a recurrence of cell {cell_kind!r} do not fit together; "
            f"received inputs, initial states, recurrent kernel, recurrent bias, kernel: {shapes}"
        )
    if len(inputs) == 2:
        return "symbols" if are_symbols else "values"
    return "repeated" if last.rank == 2 else "projected"


def _run(plan: Plan, num_steps: tf.Tensor, tensors: Tensors) -> tuple[Tensors, Any]:
    """Return the states `(batch, steps, units)`, and the function of their gradients, as `tf.custom_gradient` wants."""
    num_states, num_inputs = plan.cell.num_states, plan.num_inputs
    parts = Parts(tf.shape(tensors[0])[0], tensors[num_inputs].shape[1])
    of_rows, shared = tensors[: num_inputs + num_states], (num_steps, *tensors[num_inputs + num_states :])
    by_part = [parts.split(tensor) for tensor in of_rows]
    history: list[tf.Tensor] = []
    if plan.keeps_activations:
        sequences, history = run_forward(plan, parts, by_part, shared)
    else:
        sequences = infer(plan, *of_rows, *shared)

    def backward(*arriving: tf.Tensor) -> Tensors:
        complete = plan._replace(keeps_activations=True)
        # Where a SavedModel stores gradients, it traces them in another graph, which cannot reach the history's lists.
        kept = history
        if not history or not (tf.executing_eagerly() or history[0].graph is tf.compat.v1.get_default_graph()):
            _, *kept = parts.run(trace_forward(complete), by_part, shared, training=True)
        values = by_part[: num_inputs - 1]
        arguments = [*(parts.split(gradient) for gradient in arriving), *values, *kept]
        results = parts.run(trace_backward(complete), arguments, shared, training=True)
        d_states, (d_projected, *d_weights) = results[:num_states], results[num_states:]
        d_inputs = [d_projected]
        if plan.source == "values":
            *d_weights, projected_list = d_weights
            arguments = [projected_list, by_part[num_inputs]]
            d_values = parts.run(trace_project_backward(complete), arguments, shared[-1:], training=True)
            d_inputs = [*d_values, d_projected]
        by_row: list[tf.Tensor | None] = [parts.merge(gradient) for gradient in (*d_inputs, *d_states)]
        if plan.source == "symbols":
            by_row.insert(0, None)  # ids have no gradient
        gradients = (*by_row, *(parts.add_up(gradient) for gradient in d_weights))
        # In the order of the tensors, and with as much of their shapes as is known.
        pairs = zip(gradients, tensors, strict=True)
        return tuple(None if found is None else tf.ensure_shape(found, tensor.shape) for found, tensor in pairs)

    return tuple(sequences), backward
