"""The loop over steps that all strategies share which follow one sequence a row.

A step's own operations are few and small, so those of the loop count: it does what the next step needs, and whatever
can be found out afterwards, for all steps at once, is.

Shapes: B batch, T steps, V symbols or features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

from lengthwise.data.vocabulary import START
from lengthwise.decoding.contract import Ending, Nest, Sequences, StepFunction, StepOutputs, forbid_end

Tensor: TypeAlias = tf.Tensor

STEPS_PER_ITERATION = 4
"""Steps written out in the loop's body, since an iteration costs as much as several of a small step's operations."""


class Emission(NamedTuple):
    """What a row emits at a step.

    Args:
        output: fed back to the next step, ids `(B,)` or features `(B, V)`.
        ends: `(B,)` bool, whether a row ends here; None where none may.
        kept: tensors to be kept of every step, batch first.
    """

    output: Tensor
    ends: Tensor | None
    kept: tuple[Tensor, ...]


Emit = Callable[[Tensor, StepOutputs], Emission]
"""Makes the emission of the step of an index (a scalar) from the step's outputs."""

Choose = Callable[[Tensor, Tensor], Tensor]
"""Chooses ids `(B,)` at the step of an index (a scalar) from logits `(B, V)`, of which some may be minus infinity."""


def run_steps(
    step: StepFunction,
    ending: Ending,
    *,
    start: tuple[Tensor, Nest, Nest],
    emit: Emit,
    kept: tuple[tf.TensorSpec, ...],
) -> tuple[Tensor, ...]:
    """Make steps until every row has ended or reached its limit; after an end a few more, to finish an iteration.

    Args:
        step: the model's step.
        ending: how rows end.
        start: what the first step is told, the constants and the state of the model's beginning.
        emit: turns a step's outputs into what is fed back and kept.
        kept: shape and type of what is kept of a step.

    Returns:
        what was kept, `(B, longest, ...)`; zeros at the steps after the last one made.
    """
    previous, constants, state = start
    arrays = tuple(tf.TensorArray(spec.dtype, ending.longest, element_shape=spec.shape) for spec in kept)

    def body(index: Tensor, previous: Tensor, state: Nest, alive: Tensor, arrays: Any) -> tuple[Any, ...]:
        outputs, state = step(previous, constants, state)
        emission = emit(index, outputs)
        if emission.ends is not None:
            alive &= ~emission.ends
        arrays = tuple(array.write(index, value) for array, value in zip(arrays, emission.kept, strict=True))
        return index + 1, emission.output, state, alive, arrays

    def repeat(count: int, values: tuple[Any, ...]) -> Any:
        """Make `count` steps an iteration, as long as a living row has so many left."""

        def goes_on(index: Tensor, _previous: Tensor, _state: Nest, alive: Tensor, _arrays: Any) -> Tensor:
            return tf.reduce_any(alive & (index + count <= limit))

        def advance(*values: Any) -> tuple[Any, ...]:
            for _ in range(count):
                values = body(*values)
            return values

        return tf.while_loop(goes_on, advance, values)

    # One step at least, even for rows that only fill up: a list of tensors of which none was written has no shape.
    limit, alive = tf.maximum(ending.limit, 1), tf.ones_like(ending.limit, tf.bool)
    values = repeat(STEPS_PER_ITERATION, (tf.constant(0), previous, state, alive, arrays))
    arrays = repeat(1, values)[-1]
    return tuple(
        tf.transpose(array.stack(), (1, 0, *range(2, 1 + len(spec.shape))))
        for array, spec in zip(arrays, kept, strict=True)
    )


def decode_tokens(step: StepFunction, constants: Nest, state: Nest, ending: Ending, *, choose: Choose) -> Sequences:
    """Decode symbols, one a step, until every row has ended.

    Args:
        step: the model's step.
        constants: of the model's beginning.
        state: of the model's beginning.
        ending: how rows end. The end symbol itself is not part of the sequence.
        choose: chooses a step's symbols.
    """

    def emit(index: Tensor, outputs: StepOutputs) -> Emission:
        choice = choose(index, forbid_end(outputs.values, ending))
        ends = tf.equal(choice, ending.symbol) if ending.allowed and ending.symbol is not None else None
        return Emission(choice, ends, (choice, measure_cost(outputs.values, choice)))

    start = tf.fill(tf.shape(ending.limit), START)
    kept = (tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None,), tf.float32))
    choices, costs = run_steps(step, ending, start=(start, constants, state), emit=emit, kept=kept)
    ends_with = ending.symbol if ending.allowed else None
    length, stopped = find_end(None if ends_with is None else tf.equal(choices, ends_with), ending)
    num_steps = tf.shape(choices)[1]
    made, scored = (tf.sequence_mask(count, num_steps) for count in (length, length + tf.cast(stopped, tf.int32)))
    log_probability = -tf.reduce_sum(tf.where(scored, costs, 0.0), axis=1)
    return Sequences(tf.where(made, choices, 0), length, stopped, log_probability)


def measure_cost(scores: Tensor, choice: Tensor) -> Tensor:
    """Return minus the logarithm of the probability of ids `(B,)` under logits `(B, V)`, float32 `(B,)`."""
    # The operation that sparse cross-entropy is made of: one in the place of a softmax, a gather and their shapes.
    loss, _ = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(features=scores, labels=choice)
    return tf.cast(loss, tf.float32)


def find_end(ends: Tensor | None, ending: Ending) -> tuple[Tensor, Tensor]:
    """Find where rows end.

    Args:
        ends: `(B, longest)` bool, whether a row would end at a step; None where none may.
        ending: the rows' limits.

    Returns:
        the steps before the first end, or the limit where there is none, `(B,)` int32; and whether there is one.
    """
    if ends is None:
        return ending.limit, tf.zeros_like(ending.limit, tf.bool)
    ends &= tf.sequence_mask(ending.limit, tf.shape(ends)[1])
    stopped = tf.reduce_any(ends, axis=1)
    return tf.where(stopped, tf.argmax(ends, axis=1, output_type=tf.int32), ending.limit), stopped
