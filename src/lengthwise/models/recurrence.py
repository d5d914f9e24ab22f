"""Recurrences on a CPU: the numbers of Keras' recurrent layers from projected inputs, in about half the time.

The weights stay in standard Keras layers; here are only functions of tensors. The input's projection belongs to the
caller, who can make it once for all steps, or look it up for symbols. There are no masks: sequences are padded on the
right, so that no real step depends on padding, and the state after a row's last real step can be gathered.
On a GPU the standard layers, with cuDNN behind them, are faster; the functions work there too.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from lengthwise.models.cells import CELLS, CellKind, Tensors
from lengthwise.models.loops import Functions, Parts, Plan, trace_loops


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
        projected: the input times the kernel, plus the (input's) bias, `(batch, gates * units)`.
        states: `(batch, units)` each; the first is the output.
        recurrent_kernel: `(units, gates * units)`.
        recurrent_bias: of a GRU, `(gates * units,)`; None is zero.

    Returns:
        The new states.
    """
    recurrent = tf.matmul(states[0], recurrent_kernel)
    if recurrent_bias is not None:
        recurrent += recurrent_bias
    return CELLS[cell_kind].advance(projected, recurrent, states)[0]


def run_recurrence(
    cell_kind: CellKind,
    projected: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    recurrent_bias: tf.Tensor | None,
    initial_states: Tensors,
    *,
    num_steps: tf.Tensor | int | None = None,
) -> Tensors:
    """Run a cell over all steps of a batch of sequences.

    All tensors have one floating point dtype. First-order gradients only. XLA cannot compile the operations behind it.

    Args:
        cell_kind: `lstm`, `gru` (with `reset_after`) or `rnn`.
        projected: the inputs times the kernel, plus the (input's) bias: `(batch, steps, gates * units)`, or
            `(batch, gates * units)` where the input is the same at every step.
        recurrent_kernel: `(units, gates * units)`.
        recurrent_bias: of a GRU, `(gates * units,)`; None is zero.
        initial_states: `(batch, units)` each; of an LSTM the output and the memory.
        num_steps: number of steps, a scalar, at least 0; needed for, and allowed with, an input that is the same at
            every step only.

    Returns:
        Every state after every step, `(batch, steps, units)` each; the first is the output.

    Raises:
        ValueError: if shapes, dtypes or arguments do not fit together.
    """
    initial_states = tuple(tf.convert_to_tensor(state) for state in initial_states)
    projected, recurrent_kernel = tf.convert_to_tensor(projected), tf.convert_to_tensor(recurrent_kernel)
    width = recurrent_kernel.shape[-1]
    if recurrent_bias is None:
        recurrent_bias = tf.zeros((width,), recurrent_kernel.dtype)
    elif cell_kind != "gru":
        raise ValueError(f"only a GRU has a recurrent bias, not cell {cell_kind!r}; add it to the projected inputs")
    tensors = (projected, *initial_states, recurrent_kernel, tf.convert_to_tensor(recurrent_bias))
    _check(cell_kind, tensors)
    is_repeated = len(projected.shape) == 2
    if is_repeated == (num_steps is None):
        raise ValueError(
            "num_steps goes with projected inputs (batch, gates * units) and only with them, "
            f"received shape {projected.shape} and num_steps={num_steps}"
        )
    steps = tf.cast(num_steps, tf.int32) if is_repeated else tf.shape(projected)[1]
    plan = Plan(cell_kind, recurrent_kernel.shape[0], projected.dtype, is_repeated)
    outputs = tf.custom_gradient(lambda *inputs: _run(plan, steps, inputs))(*tensors)
    batch = projected.shape[:1].merge_with(initial_states[0].shape[:1])
    static_steps = tf.get_static_value(steps)
    return tuple(tf.ensure_shape(output, (*batch, static_steps, plan.units)) for output in outputs)


def _run(plan: Plan, num_steps: tf.Tensor, inputs: Tensors) -> tuple[Tensors, Any]:
    """Return all states and the function of their gradients that `tf.custom_gradient` asks for."""
    functions: Functions = trace_loops(plan)
    num_states = CELLS[plan.cell_kind].num_states
    *by_row, kernel, bias = inputs
    parts = Parts(tf.shape(by_row[0])[0], plan.units)
    history = parts.run(functions.advance, [parts.split(tensor) for tensor in by_row], [num_steps, kernel, bias])
    # Apart from the loop, so that a state nobody asks for is never copied out of its list.
    sequences = tuple(parts.merge(parts.run(functions.read, [values], [])[0]) for values in history[:num_states])

    def retreat(*gradients: tf.Tensor) -> Tensors:
        results = parts.run(
            functions.retreat, [*(parts.split(tensor) for tensor in gradients), *history], [num_steps, kernel]
        )
        *of_states, of_inputs, of_kernel, of_bias = results
        merged = (parts.merge(of_inputs), *(parts.merge(tensor) for tensor in of_states))
        return (*merged, parts.add_up(of_kernel), parts.add_up(of_bias))

    return sequences, retreat


def _check(cell_kind: CellKind, tensors: Tensors) -> None:
    if cell_kind not in CELLS:
        raise ValueError(f"a recurrent cell is one of {', '.join(CELLS)}, received {cell_kind!r}")
    cell = CELLS[cell_kind]
    projected, *states, kernel, bias = tensors
    if len({tensor.dtype for tensor in tensors}) > 1:
        raise ValueError(f"all tensors of a recurrence have one dtype, received {[t.dtype.name for t in tensors]}")
    units, width = kernel.shape
    fits = (
        units is not None
        and width == cell.num_gates * units
        and bias.shape.is_compatible_with((width,))
        and len(projected.shape) in (2, 3)
        and projected.shape[-1] == width
        and len(states) == cell.num_states
        and all(state.shape.is_compatible_with((None, units)) for state in states)
    )
    if not fits:
        raise ValueError(
            f"the shapes of a recurrence of cell {cell_kind!r} do not fit together: recurrent kernel {kernel.shape}, "
            f"recurrent bias {bias.shape}, projected inputs {projected.shape}, "
            f"initial states {', '.join(str(state.shape) for state in states)}"
        )
