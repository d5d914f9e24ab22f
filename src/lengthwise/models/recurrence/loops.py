"""The loops over the steps of a recurrence, forwards and backwards, run on parts of the batch side by side.

A step's operations are small: spread over threads they wait for each other longer than they work. So the rows of the
batch are cut into parts; each part runs its whole loop on one thread, and the parts run at the same time (`MapDefun`,
the operation behind vectorised `tf.data` pipelines). What the way back needs stays in lists of tensors that are handed
over without a copy, and the weights' gradient is one product over all steps after the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, Literal, NamedTuple

import tensorflow as tf

from lengthwise.models.recurrence.cells import CELLS, Cell, CellKind, StepGradients, Tensors

STEPS_PER_ITERATION = 4
"""Steps written out in a loop's body: an iteration costs about as much as three of a small step's operations."""

PART_SIZE = 8192
"""Values of a state, rows times units, that a part of the batch has at least; half of that where there are two."""


class Plan(NamedTuple):
    """What a traced loop is specialised to; widths are not among it, so that models of all widths share one.

    Args:
        cell_kind: the cell.
        dtype: of all floating point tensors.
        source: what the inputs are: projected at every step `(batch, steps, gates * units)`; the same at every step
            and projected `(batch, gates * units)`; or values to be projected `(batch, steps, features)`, with the same
            at every step to be added.
        keeps_activations: whether the history has what the way back needs.
    """

    cell_kind: CellKind
    dtype: tf.DType
    source: Literal["projected", "repeated", "values"]
    keeps_activations: bool

    @property
    def cell(self) -> Cell:
        """The cell's formulae."""
        return CELLS[self.cell_kind]

    @property
    def num_inputs(self) -> int:
        """Number of tensors that are the inputs."""
        return 2 if self.source == "values" else 1


class Parts:
    """The rows of a batch, cut into parts that run side by side.

    Args:
        batch: number of rows, a scalar.
        units: width of a state.
    """

    def __init__(self, batch: tf.Tensor, units: int | tf.Tensor) -> None:
        self._batch = batch
        # MapDefun has no kernel for a GPU; there the whole batch is one part, called as a function.
        self._is_whole = bool(tf.config.list_physical_devices("GPU"))
        # Whatever the number of threads, so that it does not change the order in which the parts are summed.
        size = batch * units
        count = tf.maximum(size // PART_SIZE, tf.minimum(2 * size // PART_SIZE, 2))
        self._count = tf.clip_by_value(count, 1, tf.maximum(batch, 1))
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

    def run(
        self, function: Any, of_parts: Sequence[tf.Tensor], shared: Sequence[tf.Tensor], *, training: bool
    ) -> list[tf.Tensor]:
        """Run a traced function on every part: arguments split by part, then those that all parts share.

        Args:
            function: a concrete function of tensors, first those of the part.
            of_parts: results of `split`.
            shared: given whole to every part.
            training: whether the sums must not depend on the number of threads, in any bit.
        """
        if self._is_whole:
            return _call(function, *of_parts, *shared)

        def map_parts() -> list[tf.Tensor]:
            return list(
                tf.raw_ops.MapDefun(
                    arguments=list(of_parts),
                    captured_inputs=[*shared, *function.captured_inputs],
                    output_types=[output.dtype for output in function.outputs],
                    output_shapes=[output.shape for output in function.outputs],
                    f=function,
                    max_intra_op_parallelism=1,
                )
            )

        def call_once() -> list[tf.Tensor]:
            return [result[None] for result in _call(function, *(tensor[0] for tensor in of_parts), *shared)]

        if training:
            return map_parts()
        # To hand one part alone to another thread takes longer than a short loop of few rows.
        result: list[tf.Tensor] = tf.cond(tf.equal(self._count, 1), call_once, map_parts)
        return result


@cache
def trace_advance(plan: Plan) -> Any:
    """Trace the way forwards for the rows of one part; batch and steps may vary.

    Returns:
        A function of the inputs, the initial states, then shared by all parts: the number of steps, the recurrent
        kernel and bias, and the kernel of values to be projected. It gives the outputs after every step
        `(rows, steps, units)` and the history: a list of each state, the initial one first, and of each activation.
    """
    return _trace(partial(_advance, plan), *_sign_advance(plan))


def infer(plan: Plan, *tensors: tf.Tensor) -> list[tf.Tensor]:
    """Run the way forwards for all rows, where nothing but the states is wanted.

    In a graph this is one call of a function that is traced once, however many graphs have it.

    Args:
        plan: of a loop that keeps no activations.
        tensors: as the function of `trace_advance` takes them, of the whole batch.

    Returns:
        Every state after every step, `(batch, steps, units)` each.
    """
    return _call(_trace_infer(plan), *tensors)


@cache
def _trace_infer(plan: Plan) -> Any:
    return _trace(partial(_infer, plan), *_sign_advance(plan))


def _infer(plan: Plan, *tensors: tf.Tensor) -> Tensors:
    num_of_rows = plan.num_inputs + plan.cell.num_states
    parts = Parts(*tf.unstack(tf.shape(tensors[plan.num_inputs])))
    by_part = [parts.split(tensor) for tensor in tensors[:num_of_rows]]
    return tuple(advance_parts(plan, parts, by_part, tensors[num_of_rows:])[0])


def advance_parts(
    plan: Plan, parts: Parts, by_part: Sequence[tf.Tensor], shared: Sequence[tf.Tensor]
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Run the way forwards on every part.

    Args:
        plan: of the loop.
        parts: of the rows.
        by_part: the inputs and the initial states, split.
        shared: number of steps, recurrent kernel and bias, and the kernel of values to be projected.

    Returns:
        Every state after every step, `(batch, steps, units)` each, and the history, by part, as `trace_advance` has it.
    """
    training = plan.keeps_activations
    outputs, *history = parts.run(trace_advance(plan), by_part, shared, training=training)
    # Apart from the loop, so that a memory nobody asks for is never copied out of its list.
    memories = (
        parts.run(trace_read(plan), [values], [], training=training)[0] for values in history[1 : plan.cell.num_states]
    )
    return [parts.merge(sequence) for sequence in (outputs, *memories)], history


@cache
def trace_read(plan: Plan) -> Any:
    """Trace the function from a state's list to its values after every step, `(rows, steps, units)`."""
    return _trace(partial(_read, plan), tf.TensorSpec((), tf.variant))


@cache
def trace_retreat(plan: Plan) -> Any:
    """Trace the way back for the rows of one part.

    Returns:
        A function of the gradients of every state after every step, the values to be projected, the history, then what
        is shared by all parts. It gives the gradients of the initial states, the projected inputs, the recurrent kernel
        and bias; for values to be projected also that of their kernel, and a list for `trace_project_back`.
    """
    values, shared = _describe(plan)
    sequences = (_spec(plan, 3),) * plan.cell.num_states
    histories = (tf.TensorSpec((), tf.variant),) * (plan.cell.num_states + plan.cell.num_activations)
    return _trace(partial(_retreat, plan), *sequences, *values, *histories, *shared)


@cache
def trace_project_back(plan: Plan) -> Any:
    """Trace the function from the list of the way back, a state and the values' kernel to the values' gradients."""
    return _trace(partial(_project_back, plan), tf.TensorSpec((), tf.variant), _spec(plan, 2), _spec(plan, 2))


def _sign_advance(plan: Plan) -> Tensors:
    values, shared = _describe(plan)
    projected = _spec(plan, 3 if plan.source == "projected" else 2)
    states = (_spec(plan, 2),) * plan.cell.num_states
    return (*values, projected, *states, *shared)


def _call(function: Any, *arguments: tf.Tensor) -> list[tf.Tensor]:
    # A tape that saw the arguments would have the loop inside keep what its own gradients would need.
    return list(tf.nest.flatten(function(*map(tf.stop_gradient, arguments))))


def _spec(plan: Plan, rank: int) -> tf.TensorSpec:
    return tf.TensorSpec((None,) * rank, plan.dtype)


def _describe(plan: Plan) -> tuple[Tensors, Tensors]:
    """Return what values to be projected, if any, and what the parts share look like."""
    has_values = plan.source == "values"
    kernel = (_spec(plan, 2),) * has_values
    shared = (tf.TensorSpec((), tf.int32), _spec(plan, 2), _spec(plan, 1), *kernel)
    return (_spec(plan, 3),) * has_values, shared


def _trace(function: Callable[..., Any], *signature: tf.TensorSpec) -> Any:
    # Outside of any graph under construction, which the caches would else keep alive.
    with tf.init_scope():
        return tf.function(function, input_signature=signature, autograph=False).get_concrete_function()


def _advance(plan: Plan, *tensors: tf.Tensor) -> Tensors:
    num_states = plan.cell.num_states
    inputs, states, (num_steps, recurrent_kernel, bias, *kernel) = _cut(tensors, plan.num_inputs, num_states)
    histories = [_write(_reserve(plan, num_steps + 1), 0, state) for state in states]
    histories += [_reserve(plan, num_steps) for _ in range(plan.keeps_activations * plan.cell.num_activations)]

    def project(index: tf.Tensor) -> tf.Tensor:
        if plan.source == "values":
            return tf.matmul(inputs[0][:, index], kernel[0]) + inputs[1]
        return inputs[0] if plan.source == "repeated" else inputs[0][:, index]

    def step(index: tf.Tensor, states: Tensors, histories: Tensors) -> tuple[Tensors, Tensors]:
        recurrent = tf.matmul(states[0], recurrent_kernel)
        if plan.cell_kind == "gru":
            recurrent += bias
        states, activations = plan.cell.advance(project(index), recurrent, states)
        written = [_write(values, index + 1, state) for values, state in zip(histories, states, strict=False)]
        kept = zip(histories[num_states:], activations, strict=False)  # neither where nothing is kept
        written += [_write(values, index, activation) for values, activation in kept]
        return states, tuple(written)

    histories = _repeat(step, num_steps, (tuple(states), tuple(histories)))[1]
    return (_read(plan, histories[0]), *histories)


def _read(plan: Plan, history: tf.Tensor) -> tf.Tensor:
    return tf.transpose(_stack(plan, history, (-1, -1))[1:], (1, 0, 2))


def _retreat(plan: Plan, *tensors: tf.Tensor) -> Tensors:
    num_states, has_values = plan.cell.num_states, plan.source == "values"
    of_sequences, values, tensors = _cut(tensors, num_states, int(has_values))
    histories, _, shared = _cut(tensors, num_states + plan.cell.num_activations, 0)
    num_steps, transposed = shared[0], tf.transpose(shared[1])
    rows, (units, width) = tf.shape(of_sequences[0])[0], tf.unstack(tf.shape(shared[1]))

    def step(index: tf.Tensor, of_states: Tensors, sums: Tensors, lists: Tensors) -> tuple[Tensors, Tensors, Tensors]:
        time = num_steps - 1 - index
        before = tuple(_take(plan, history, time) for history in histories)
        arriving = tuple(state + sequence[:, time] for state, sequence in zip(of_states, of_sequences, strict=True))
        gradients = plan.cell.retreat(arriving, before[:num_states], before[num_states:])
        summed, listed = _choose(plan, gradients)
        return (
            _join(tf.matmul(gradients.recurrent, transposed), gradients.states),
            tuple(total + value for total, value in zip(sums, summed, strict=True)),
            tuple(_write(history, time, value) for history, value in zip(lists, listed, strict=True)),
        )

    nothing = StepGradients(*(tf.zeros((rows, width), plan.dtype),) * 2, (None,) * num_states)
    summed, listed = _choose(plan, nothing)
    start = (tf.zeros((rows, units), plan.dtype),) * num_states, summed, (_reserve(plan, num_steps),) * len(listed)
    of_states, sums, lists = _repeat(step, num_steps, start)
    of_steps = [_stack(plan, history, (rows, width)) for history in lists]
    outputs = _stack(plan, histories[0], (rows, units))[:-1]
    of_inputs = tf.transpose(of_steps[-1], (1, 0, 2)) if plan.source == "projected" else sums[0]
    of_bias = tf.reduce_sum(sums[-1], axis=0) if plan.cell_kind == "gru" else tf.zeros((width,), plan.dtype)
    results = (*of_states, of_inputs, _multiply(outputs, of_steps[0]), of_bias)
    if has_values:
        results += (_multiply(tf.transpose(values[0], (1, 0, 2)), of_steps[-1]), lists[-1])
    return results


def _project_back(plan: Plan, of_gates: tf.Tensor, state: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    features, width = tf.unstack(tf.shape(kernel))
    of_steps = _stack(plan, of_gates, (tf.shape(state)[0], width))
    flat = tf.matmul(tf.reshape(of_steps, (-1, width)), tf.transpose(kernel))
    shape = tf.concat((tf.shape(of_steps)[:2], (features,)), axis=0)
    return tf.transpose(tf.reshape(flat, shape), (1, 0, 2))


def _multiply(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Multiply over steps and rows: `(steps, rows, a)` and `(steps, rows, b)` give `(a, b)`."""
    left, right = (tf.reshape(factor, (-1, tf.shape(factor)[-1])) for factor in (left, right))
    return tf.matmul(left, right, transpose_a=True)


def _cut(tensors: Tensors, first: int, second: int) -> tuple[Tensors, Tensors, Tensors]:
    """Cut a function's arguments in three."""
    return tensors[:first], tensors[first : first + second], tensors[first + second :]


def _choose(plan: Plan, gradients: StepGradients) -> tuple[Tensors, Tensors]:
    """Choose what of a step's gradients is summed over the steps, and what is kept of every step, recurrent first.

    Only a GRU tells the two gradients of the gates apart.
    """
    is_gru = plan.cell_kind == "gru"
    summed = (gradients.projected,) * (plan.source != "projected") + (gradients.recurrent,) * is_gru
    listed = (gradients.recurrent,) + (gradients.projected,) * (is_gru and plan.source != "repeated")
    return summed, listed


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
    return tf.raw_ops.TensorListGetItem(
        input_handle=history, index=index, element_shape=(-1, -1), element_dtype=plan.dtype
    )


def _stack(plan: Plan, history: tf.Tensor, shape: tuple[tf.Tensor | int, ...]) -> tf.Tensor:
    stacked = tf.raw_ops.TensorListStack(input_handle=history, element_shape=shape, element_dtype=plan.dtype)
    stacked.set_shape((None, None, None))
    return stacked
