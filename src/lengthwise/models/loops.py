"""The loops over the steps of a recurrence, forwards and backwards, run on parts of the batch side by side.

A step's operations are small: spread over threads they wait for each other longer than they work. So the rows of the
batch are cut into parts; each part runs its whole loop on one thread, and the parts run at the same time (`MapDefun`,
the operation behind vectorised `tf.data` pipelines). What the way back needs stays in lists of tensors that are handed
over without a copy, and the weights' gradient is one product over all steps after the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import tensorflow as tf

from lengthwise.models.cells import CELLS, CellKind, Tensors

STEPS_PER_ITERATION = 4
"""Steps written out in a loop's body: an iteration costs about as much as three of a small step's operations."""

PART_SIZE = 8192
"""Values of a state, rows times units, that a part of the batch has about: enough to be worth a thread, and small
enough to stay in its cache."""


class Plan(NamedTuple):
    """What a traced loop is specialised to.

    Args:
        cell_kind: the cell.
        units: width of a state.
        dtype: of all floating point tensors.
        is_repeated: whether the projected input is the same at every step, `(batch, gates * units)`.
    """

    cell_kind: CellKind
    units: int
    dtype: tf.DType
    is_repeated: bool


class Functions(NamedTuple):
    """The traced loops of a plan, each for the rows of one part.

    Args:
        advance: from (projected inputs, initial states; number of steps, recurrent kernel, recurrent bias) to the
            history: a list of each state, the initial one first, and a list of each activation.
        read: from a state's list to its values after every step, `(rows, steps, units)`.
        retreat: from (gradients of every state after every step, history; number of steps, recurrent kernel) to the
            gradients of the initial states, the projected inputs, the recurrent kernel and bias.
    """

    advance: Any
    read: Any
    retreat: Any


class Parts:
    """The rows of a batch, cut into parts that run side by side.

    Args:
        batch: number of rows, a scalar.
        units: width of a state.
    """

    def __init__(self, batch: tf.Tensor, units: int) -> None:
        self._batch = batch
        # MapDefun has no kernel for a GPU; there the whole batch is one part, called as a function.
        self._is_whole = bool(tf.config.list_physical_devices("GPU"))
        self._count = tf.clip_by_value((batch * units + PART_SIZE // 2) // PART_SIZE, 1, tf.maximum(batch, 1))
        self._rows = (batch + self._count - 1) // self._count

    def split(self, tensor: tf.Tensor) -> tf.Tensor:
        """Cut `(batch, ...)` into `(parts, rows, ...)`, with rows of zeros where the parts are uneven."""
        if self._is_whole:
            return tensor
        missing = self._count * self._rows - self._batch
        padded = tf.pad(tensor, [(0, missing)] + [(0, 0)] * (len(tensor.shape) - 1))
        return tf.reshape(padded, tf.concat(((self._count, self._rows), tf.shape(tensor)[1:]), axis=0))

    def merge(self, tensor: tf.Tensor) -> tf.Tensor:
        """Undo `split`."""
        if self._is_whole:
            return tensor
        shape = tf.concat(((self._count * self._rows,), tf.shape(tensor)[2:]), axis=0)
        return tf.reshape(tensor, shape)[: self._batch]

    def add_up(self, tensor: tf.Tensor) -> tf.Tensor:
        """Sum what each part contributes."""
        return tensor if self._is_whole else tf.reduce_sum(tensor, axis=0)

    def run(self, function: Any, of_parts: Sequence[tf.Tensor], shared: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Run a traced function on every part: arguments split by part, then those that all parts share."""
        if self._is_whole:
            return list(function(*of_parts, *shared))
        results = tf.raw_ops.MapDefun(
            arguments=list(of_parts),
            captured_inputs=list(shared),
            output_types=[output.dtype for output in function.outputs],
            output_shapes=[output.shape for output in function.outputs],
            f=function,
            max_intra_op_parallelism=1,
        )
        return list(results)


@lru_cache(maxsize=None)
def trace_loops(plan: Plan) -> Functions:
    """Trace the loops of a plan, once in a process; all sizes but the units' may vary."""
    cell, gates = CELLS[plan.cell_kind], CELLS[plan.cell_kind].num_gates * plan.units
    inputs = tf.TensorSpec((None, gates) if plan.is_repeated else (None, None, gates), plan.dtype)
    state, sequence = (tf.TensorSpec(shape, plan.dtype) for shape in ((None, plan.units), (None, None, plan.units)))
    steps, history = tf.TensorSpec((), tf.int32), tf.TensorSpec((), tf.variant)
    kernel, bias = tf.TensorSpec((plan.units, gates), plan.dtype), tf.TensorSpec((gates,), plan.dtype)
    num_lists = cell.num_states + cell.num_activations

    def trace(function: Callable[..., Any], *signature: tf.TensorSpec) -> Any:
        return tf.function(function, input_signature=signature, autograph=False).get_concrete_function()

    # Outside of any graph under construction, which the cache would else keep alive.
    with tf.init_scope():
        return Functions(
            trace(lambda *tensors: _advance(plan, *tensors), inputs, *[state] * cell.num_states, steps, kernel, bias),
            trace(lambda values: _read(plan, values), history),
            trace(
                lambda *tensors: _retreat(plan, tensors[: cell.num_states], *tensors[cell.num_states :]),
                *[sequence] * cell.num_states,
                *[history] * num_lists,
                steps,
                kernel,
            ),
        )


def _advance(plan: Plan, inputs: tf.Tensor, *tensors: tf.Tensor) -> Tensors:
    cell = CELLS[plan.cell_kind]
    *initial, num_steps, kernel, bias = tensors
    histories = [_write(_reserve(plan, num_steps + 1), 0, state) for state in initial]
    histories += [_reserve(plan, num_steps) for _ in range(cell.num_activations)]

    def step(index: tf.Tensor, states: Tensors, histories: Tensors) -> tuple[Tensors, Tensors]:
        recurrent = tf.matmul(states[0], kernel)
        if plan.cell_kind == "gru":
            recurrent += bias
        states, activations = cell.advance(inputs if plan.is_repeated else inputs[:, index], recurrent, states)
        new = [_write(history, index + 1, state) for history, state in zip(histories, states, strict=False)]
        new += [
            _write(history, index, value)
            for history, value in zip(histories[cell.num_states :], activations, strict=True)
        ]
        return states, tuple(new)

    return _repeat(step, num_steps, (tuple(initial), tuple(histories)))[1]


def _read(plan: Plan, history: tf.Tensor) -> tf.Tensor:
    return tf.transpose(_stack(plan, history, (-1, plan.units))[1:], (1, 0, 2))


def _retreat(plan: Plan, of_sequences: Tensors, *tensors: tf.Tensor) -> Tensors:
    cell, width = CELLS[plan.cell_kind], CELLS[plan.cell_kind].num_gates * plan.units
    *histories, num_steps, kernel = tensors
    transposed = tf.transpose(kernel)
    rows = tf.shape(of_sequences[0])[0]
    nothing = tf.zeros((rows, width), plan.dtype)

    def step(index: tf.Tensor, of_states: Tensors, sums: Tensors, lists: Tensors) -> tuple[Tensors, Tensors, Tensors]:
        time = num_steps - 1 - index
        before = [_take(plan, history, time) for history in histories]
        states, activations = tuple(before[: cell.num_states]), tuple(before[cell.num_states :])
        arriving = tuple(state + sequence[:, time] for state, sequence in zip(of_states, of_sequences, strict=True))
        gradients = cell.retreat(arriving, states, activations)
        return (
            _join(tf.matmul(gradients.recurrent, transposed), gradients.states),
            (sums[0] + gradients.projected, sums[1] + gradients.recurrent),
            (_write(lists[0], time, gradients.projected), _write(lists[1], time, gradients.recurrent)),
        )

    start = (
        tuple(tf.zeros((rows, plan.units), plan.dtype) for _ in of_sequences),
        (nothing, nothing),
        (_reserve(plan, num_steps), _reserve(plan, num_steps)),
    )
    of_states, sums, lists = _repeat(step, num_steps, start)
    of_recurrent = tf.reshape(_stack(plan, lists[1], (rows, width)), (-1, width))
    outputs = tf.reshape(_stack(plan, histories[0], (rows, plan.units))[:-1], (-1, plan.units))
    of_inputs = sums[0] if plan.is_repeated else tf.transpose(_stack(plan, lists[0], (rows, width)), (1, 0, 2))
    of_kernel = tf.matmul(outputs, of_recurrent, transpose_a=True)
    return (*of_states, of_inputs, of_kernel, tf.reduce_sum(sums[1], axis=0))


def _join(through_kernel: tf.Tensor, states: tuple[tf.Tensor | None, ...]) -> Tensors:
    """Add the part of the output's gradient that went through the recurrent product."""
    first = through_kernel if states[0] is None else through_kernel + states[0]
    return (first, *states[1:])


def _repeat(step: Callable[..., Any], num_steps: tf.Tensor, start: tuple[Any, ...]) -> tuple[Any, ...]:
    """Make all steps: several an iteration, then those left over one by one."""

    def advance_by(count: int) -> Callable[..., Any]:
        def body(index: tf.Tensor, *values: Any) -> tuple[Any, ...]:
            for offset in range(count):
                values = step(index + offset, *values)
            return (index + count, *values)

        return body

    many, values = STEPS_PER_ITERATION, (tf.constant(0), *start)
    values = tf.while_loop(lambda index, *_: index + many <= num_steps, advance_by(many), values)
    values = tf.while_loop(lambda index, *_: index < num_steps, advance_by(1), values)
    return tuple(values[1:])


def _reserve(plan: Plan, length: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.TensorListReserve(element_shape=-1, num_elements=length, element_dtype=plan.dtype)


def _write(history: tf.Tensor, index: tf.Tensor | int, value: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.TensorListSetItem(input_handle=history, index=index, item=value)


def _take(plan: Plan, history: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    shape = (-1, plan.units)
    return tf.raw_ops.TensorListGetItem(
        input_handle=history, index=index, element_shape=shape, element_dtype=plan.dtype
    )


def _stack(plan: Plan, history: tf.Tensor, shape: tuple[tf.Tensor | int, ...]) -> tf.Tensor:
    stacked = tf.raw_ops.TensorListStack(input_handle=history, element_shape=shape, element_dtype=plan.dtype)
    stacked.set_shape((None, None, shape[-1]))
    return stacked
