"""Beam search: the most probable whole sequences that a search of limited width finds.

At each step every open hypothesis is extended by every symbol, and the extensions are ranked by their probability.
Those among the best `width` that end are finished and kept; the best `width` of those that do not end stay open.
A row is done when `width` hypotheses have finished (Sutskever et al. 2014, section 3.2), so that a width of 1 is greedy
decoding, or earlier, when no open hypothesis can still score better than the worst of the finished ones asked for.

The score is Wu et al. 2016, equation 14, without coverage: log P / ((5 + n) / 6) ** a, with n steps, the end included.
The published values of a belong to this form, such as 0.6 in Vaswani et al. 2017; a = 0 leaves log P as it is;
and the 5 keeps the first few steps, where log P / n changes most, from deciding between short sequences.

The bound on an open hypothesis: log P never rises and is at most 0, and the divisor never falls. So no extension
scores better than its present log P divided by the divisor of the longest sequence that the row may have.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

from lengthwise.config.options import BeamOptions
from lengthwise.data.vocabulary import START
from lengthwise.decoding.contract import Hypotheses, Nest, Sequences, StepFunction
from lengthwise.decoding.stop_rule import StopRule, forbid_stop
from lengthwise.decoding.strategies.registry import decode_batch

Tensor: TypeAlias = tf.Tensor
DEFAULT_LENGTH_PENALTY = 0.6
"""Value of `decoding.length_penalty=auto` (Vaswani et al. 2017, section 6.1)."""

_NONE = float("-inf")
"""Log probability, and score, where there is no hypothesis."""


class _Finished(NamedTuple):
    """Finished hypotheses, `(batch, width)` each, best first.

    Args:
        score: float64, minus infinity where there is none.
        log_probability: float64.
        length: int32, symbols.
        slot: int32, index of its last symbol among the open hypotheses of that step.
        stopped: bool, whether the model ended it itself.
    """

    score: Tensor
    log_probability: Tensor
    length: Tensor
    slot: Tensor
    stopped: Tensor


class _Extension(NamedTuple):
    """The search after a step.

    Args:
        is_searched: `(batch,)` bool, whether the search of a row continues.
        log_probability: `(batch, width)` float64, of the open hypotheses, best first.
        finished: The best finished hypotheses.
        symbols: `(batch, width)` int32, last symbol of each open hypothesis.
        parents: `(batch, width)` int32, index among the open hypotheses of the step before.
    """

    is_searched: Tensor
    log_probability: Tensor
    finished: _Finished
    symbols: Tensor
    parents: Tensor


def decode_beam(
    step: StepFunction,
    constants: Nest,
    state: Nest,
    rule: StopRule,
    *,
    options: BeamOptions,
    num_best: int = 1,
) -> Hypotheses:
    """Search for the best sequences of every row.

    Args:
        step: The model's step.
        constants: Of the model's beginning, batch first.
        state: Of the model's beginning, batch first.
        rule: The stop rule. The end symbol itself is not part of a sequence.
        options: The width, and the exponent of the length penalty.
        num_best: Hypotheses to return, from 1 to the width.

    Returns:
        Hypotheses `(batch, num_best, steps)`, best first.
    """
    width = options.width
    penalty = DEFAULT_LENGTH_PENALTY if options.length_penalty == "auto" else options.length_penalty
    search = _Search(rule, width, penalty, num_best)
    batch = tf.shape(rule.limit)[0]
    # Each row of the batch becomes `width` rows of the model.
    constants, state = (
        {name: tf.repeat(value, width, axis=0) for name, value in nest.items()} for nest in (constants, state)
    )
    history = tuple(tf.TensorArray(tf.int32, rule.max_steps, element_shape=(None, width)) for _ in range(2))

    def body(index: Tensor, previous: Tensor, state: Nest, rows: Any, history: Any) -> tuple[Any, ...]:
        is_searched, log_probability, finished = rows
        outputs, state = step(previous, constants, state)
        new = search.extend(index, outputs.values, is_searched, log_probability, _Finished(*finished))
        flat_parents = tf.reshape(new.parents + tf.range(batch)[:, None] * width, (-1,))
        state = {name: tf.gather(value, flat_parents) for name, value in state.items()}
        history = tuple(array.write(index, value) for array, value in zip(history, new[-2:], strict=True))
        rows = (new.is_searched, new.log_probability, tuple(new.finished))
        return index + 1, tf.reshape(new.symbols, (-1,)), state, rows, history

    def is_any_searched(_index: Tensor, _previous: Tensor, _state: Nest, rows: Any, _history: Any) -> Tensor:
        return tf.reduce_any(rows[0])

    start = tf.fill((batch * width,), START)
    first = (tf.constant(0), start, state, _start_rows(batch, width), history)
    *_, rows, history = tf.while_loop(is_any_searched, body, first)
    symbols, parents = (array.stack() for array in history)
    return _collect_best(_Finished(*(tensor[:, :num_best] for tensor in rows[2])), rule.limit, symbols, parents)


@decode_batch.register
def _decode_batch(
    options: BeamOptions,
    step: StepFunction,
    constants: Nest,
    state: Nest,
    rule: StopRule,
    rows: Tensor,  # noqa: ARG001
) -> Sequences:
    *fields, _score = decode_beam(step, constants, state, rule, options=options)
    return Sequences(*(tensor[:, 0] for tensor in fields))


class _Search(NamedTuple):
    """The rules of the search, apart from the loop over steps."""

    rule: StopRule
    width: int
    length_penalty: float
    num_best: int

    def extend(
        self, index: Tensor, scores: Tensor, is_searched: Tensor, log_probability: Tensor, finished: _Finished
    ) -> _Extension:
        """Extend the open hypotheses by one step.

        Args:
            index: Of the step, a scalar.
            scores: Logits `(batch * width, symbols)`.
            is_searched: `(batch,)` bool, whether the search of a row continues.
            log_probability: `(batch, width)` float64, of the open hypotheses.
            finished: The best finished hypotheses so far.
        """
        totals, parents, symbols = self._rank(scores, log_probability)
        end_symbol, width = self.rule.end_symbol, self.width
        ends = tf.zeros_like(symbols, tf.bool) if end_symbol is None else tf.equal(symbols, end_symbol)
        # Among the best `width` extensions those that end are finished; the best `width` of the others are open.
        ending = tf.where(ends & is_searched[:, None], totals, _NONE)
        finished = self._add(finished, ending[:, :width], parents[:, :width], index, stopped=True)
        log_probability, chosen = tf.math.top_k(tf.where(ends, tf.constant(_NONE, tf.float64), totals), width)
        symbols, parents = (tf.gather(tensor, chosen, batch_dims=1) for tensor in (symbols, parents))
        is_searched &= tf.math.is_inf(finished.score[:, -1])
        # At the row's limit the open hypotheses are cut, and compete as they are.
        is_last = is_searched & (index + 1 >= self.rule.limit)
        slots = tf.broadcast_to(tf.range(width), tf.shape(parents))
        cut = tf.where(is_last[:, None], log_probability, _NONE)
        finished = self._add(finished, cut, slots, index + 1, stopped=False)
        bound = log_probability[:, 0] / self._divisor(self.rule.limit)
        is_searched &= ~is_last & (bound > finished.score[:, self.num_best - 1])
        return _Extension(is_searched, log_probability, finished, symbols, parents)

    def _rank(self, scores: Tensor, log_probability: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rank all extensions of a step.

        Returns:
            Of the best `2 * width` extensions, since at most `width` of them end: log probabilities, parents and
            symbols, `(batch, 2 * width)` each.
        """
        size, width = scores.shape[-1], self.width
        # The logits are added in double precision and their normaliser as one number a row: then logits that differ
        # stay different, and a width of 1 chooses as greedy decoding does.
        totals = tf.reshape(tf.cast(scores, tf.float64), (-1, width, size))
        normaliser = tf.reduce_logsumexp(totals, axis=-1)
        totals += (log_probability - normaliser)[..., None]
        totals = forbid_stop(totals, self.rule)
        totals, flat = tf.math.top_k(tf.reshape(totals, (-1, width * size)), min(2, size) * width)
        return totals, flat // size, flat % size

    def _add(self, finished: _Finished, totals: Tensor, slots: Tensor, length: Tensor, *, stopped: bool) -> _Finished:
        """Add hypotheses `(batch, width)` of one length to the finished ones, of which the best `width` are kept."""
        new = _Finished(
            totals / self._divisor(length + int(stopped)),
            totals,
            tf.fill(tf.shape(slots), length),
            slots,
            tf.fill(tf.shape(slots), stopped),
        )
        both = [tf.concat(pair, axis=1) for pair in zip(finished, new, strict=True)]
        score, chosen = tf.math.top_k(both[0], self.width)
        return _Finished(score, *(tf.gather(tensor, chosen, batch_dims=1) for tensor in both[1:]))

    def _divisor(self, num_steps: Tensor) -> Tensor:
        return ((5 + tf.cast(num_steps, tf.float64)) / 6) ** self.length_penalty


def _start_rows(batch: Tensor, width: int) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Return the search before its first step: one open hypothesis a row, the empty one, and none finished."""
    log_probability = tf.repeat(tf.constant([[0.0] + [_NONE] * (width - 1)], tf.float64), batch, axis=0)
    zeros = tf.zeros((batch, width), tf.int32)
    missing = tf.fill((batch, width), tf.constant(_NONE, tf.float64))
    return tf.fill((batch,), True), log_probability, (missing, missing, zeros, zeros, tf.fill((batch, width), False))


def _collect_best(best: _Finished, limit: Tensor, symbols: Tensor, parents: Tensor) -> Hypotheses:
    """Return the best hypotheses `(batch, hypotheses)` with their symbols; arguments as those of `_trace_back`."""
    # A row that only fills up the batch was searched for one step, as all are; its result is empty.
    limit = limit[:, None]
    best = best._replace(length=tf.minimum(best.length, limit), stopped=best.stopped & (limit > 0))
    log_probability, score = (tf.cast(tensor, tf.float32) for tensor in (best.log_probability, best.score))
    return Hypotheses(_trace_back(best, symbols, parents), best.length, best.stopped, log_probability, score)


def _trace_back(best: _Finished, symbols: Tensor, parents: Tensor) -> Tensor:
    """Follow hypotheses back from their last symbols to their first.

    Args:
        best: Hypotheses `(batch, hypotheses)`.
        symbols: `(steps, batch, width)` int32.
        parents: `(steps, batch, width)` int32.

    Returns:
        Ids `(batch, hypotheses, steps)` int32, zeros after the end.
    """
    max_steps = tf.shape(symbols)[0]
    made = tf.TensorArray(tf.int32, max_steps, element_shape=best.slot.shape)

    def body(index: Tensor, slot: Tensor, made: Any) -> tuple[Tensor, Tensor, Any]:
        is_made = index < best.length
        symbol, parent = (tf.gather(tensor[index], slot, batch_dims=1) for tensor in (symbols, parents))
        made = made.write(index, tf.where(is_made, symbol, 0))
        return index - 1, tf.where(is_made, parent, slot), made

    last = tf.maximum(tf.reduce_max(best.length), 1) - 1
    made = tf.while_loop(lambda index, *_: index >= 0, body, (last, best.slot, made))[2]
    return tf.transpose(made.stack(), (1, 2, 0))
