"""The loop over steps shared by all strategies that follow one sequence a row.

The operations of a single step are few and small, so the loop's own overhead counts. The loop therefore does only what
the next step needs; all that can be computed afterwards, for all steps at once, is computed afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

from lengthwise.data.vocabulary import START
from lengthwise.decoding.contract import Nest, Sequences, StepFunction, StepOutputs
from lengthwise.decoding.stop_rule import StopRule, allow_end, find_end, forbid_stop

Tensor: TypeAlias = tf.Tensor

STEPS_PER_ITERATION = 4
"""Steps unrolled in the loop's body, since one iteration costs as much as several operations of a small step."""


class Emission(NamedTuple):
    """What each row emits at a step.

    Args:
        output: Fed to the next step, ids `(batch,)` or features `(batch, features)`.
        ends: `(batch,)` bool, whether a row ends here; None where none may.
        recorded: Tensors recorded at every step, batch first.
    """

    output: Tensor
    ends: Tensor | None
    recorded: tuple[Tensor, ...]


Emit: TypeAlias = Callable[[Tensor, StepOutputs], Emission]
"""From the index of a step (a scalar) and the step's outputs to its emission."""

Choose: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From the index of a step (a scalar) and logits `(batch, symbols)`, some minus infinity, to ids `(batch,)`."""


def run_steps(
    step: StepFunction,
    rule: StopRule,
    *,
    start: tuple[Tensor, Nest, Nest],
    emit: Emit,
    recorded: tuple[tf.TensorSpec, ...],
) -> tuple[Tensor, ...]:
    """Make steps until every row has ended or reached its limit; after an end a few more, to finish an iteration.

    Args:
        step: The model's step.
        rule: The stop rule.
        start: The first step's previous output, and the model's initial constants and state.
        emit: Turns a step's outputs into what is fed back and what is recorded.
        recorded: Shape and type of what is recorded at a step, batch first.

    Returns:
        What was recorded, `(batch, max_steps, ...)`; zeros at the steps that were not made.
    """
    previous, constants, state = start
    arrays = tuple(tf.TensorArray(spec.dtype, rule.max_steps, element_shape=spec.shape) for spec in recorded)

    def make_step(index: Tensor, previous: Tensor, state: Nest, is_open: Tensor, arrays: Any) -> tuple[Any, ...]:
        outputs, state = step(previous, constants, state)
        emission = emit(index, outputs)
        if emission.ends is not None:
            is_open &= ~emission.ends
        arrays = tuple(array.write(index, value) for array, value in zip(arrays, emission.recorded, strict=True))
        return index + 1, emission.output, state, is_open, arrays

    def repeat(count: int, values: tuple[Any, ...]) -> Any:
        """Make `count` steps an iteration, as long as an open row has that many left."""

        def is_any_open(index: Tensor, _previous: Tensor, _state: Nest, is_open: Tensor, _arrays: Any) -> Tensor:
            return tf.reduce_any(is_open & (index + count <= limit))

        def make_steps(*values: Any) -> tuple[Any, ...]:
            for _ in range(count):
                values = make_step(*values)
            return values

        return tf.while_loop(is_any_open, make_steps, values)

    # At least one step, even if all rows only fill up the batch: an array without a single entry has no shape.
    limit, is_open = tf.maximum(rule.limit, 1), tf.ones_like(rule.limit, tf.bool)
    values = repeat(STEPS_PER_ITERATION, (tf.constant(0), previous, state, is_open, arrays))
    arrays = repeat(1, values)[-1]
    return tuple(_stack_batch_first(array, len(spec.shape)) for array, spec in zip(arrays, recorded, strict=True))


def _stack_batch_first(array: tf.TensorArray, rank: int) -> Tensor:
    """Stack the entries `(batch, ...)` of an array, each of a rank, to `(batch, steps, ...)`."""
    return tf.transpose(array.stack(), (1, 0, *range(2, 1 + rank)))


def decode_tokens(step: StepFunction, constants: Nest, state: Nest, rule: StopRule, *, choose: Choose) -> Sequences:
    """Decode symbols, one a step, until every row has ended.

    Args:
        step: The model's step.
        constants: Of the model's beginning.
        state: Of the model's beginning.
        rule: The stop rule. The end symbol itself is not part of the sequence.
        choose: Chooses a step's symbols.
    """

    def emit(index: Tensor, outputs: StepOutputs) -> Emission:
        choice = choose(index, forbid_stop(outputs.values, rule))
        ends = None if rule.end_symbol is None else allow_end(tf.equal(choice, rule.end_symbol), rule)
        return Emission(choice, ends, (choice, compute_negative_log_likelihood(outputs.values, choice)))

    start = tf.fill(tf.shape(rule.limit), START)
    recorded = (tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None,), tf.float32))
    choices, losses = run_steps(step, rule, start=(start, constants, state), emit=emit, recorded=recorded)
    ends = None if rule.end_symbol is None else allow_end(tf.equal(choices, rule.end_symbol), rule)
    length, stopped = find_end(ends, rule)
    num_steps = tf.shape(choices)[1]
    # The probability of a sequence includes that of its end symbol; its values do not include the symbol.
    made, scored = (tf.sequence_mask(count, num_steps) for count in (length, length + tf.cast(stopped, tf.int32)))
    log_probability = -tf.reduce_sum(tf.where(scored, losses, 0.0), axis=1)
    return Sequences(tf.where(made, choices, 0), length, stopped, log_probability)


def compute_negative_log_likelihood(scores: Tensor, choice: Tensor) -> Tensor:
    """Return -log p `(batch,)` float32 of ids `(batch,)` under logits `(batch, symbols)`."""
    # The operation inside sparse cross-entropy: one instead of a softmax, a gather and their shapes.
    loss, _ = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(features=scores, labels=choice)
    return tf.cast(loss, tf.float32)
