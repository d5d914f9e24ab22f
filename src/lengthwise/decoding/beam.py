"""Beam search: the most probable whole sequences that a limited search finds.

At each step every hypothesis that is alive is continued by every symbol, and the continuations are ranked by their
probability. Those that end, among the best `width`, are kept; the best `width` of those that do not end stay alive.
A row is done when `width` hypotheses have ended (Sutskever et al. 2014, section 3.2), so that a width of 1 is greedy
decoding, or earlier, when none that is alive can become better than those asked for.

The score is Wu et al. 2016, equation 14, without coverage: log P / ((5 + n) / 6) ** a, with n steps, the end included.
The values of a that are published belong to this form, such as 0.6 in Vaswani et al. 2017; a = 0 leaves log P as it is;
and the 5 keeps the first few steps, where log P / n changes most, from deciding between short sequences.

What an alive hypothesis can come to: log P never rises, and is at most 0; the divisor never falls. So no continuation
scores better than its present log P, divided by the divisor of the longest sequence that the row may have.

Shapes: B batch, W width, V symbols, N hypotheses asked for, T steps.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

from lengthwise.config.options import BeamOptions
from lengthwise.data.vocabulary import START
from lengthwise.decoding.contract import Ending, Hypotheses, Nest, StepFunction

Tensor: TypeAlias = tf.Tensor
_NONE = float("-inf")
"""Logarithm of the probability, and score, where there is no hypothesis."""


class _Ended(NamedTuple):
    """Hypotheses that have ended, `(B, W)` each, the best first.

    Args:
        score: float64, minus infinity where there is none.
        log_probability: float64.
        length: symbols, int32.
        place: among the alive ones, after its last symbol, int32.
        stopped: whether it ended itself.
    """

    score: Tensor
    log_probability: Tensor
    length: Tensor
    place: Tensor
    stopped: Tensor


def decode_beam(
    step: StepFunction,
    constants: Nest,
    state: Nest,
    ending: Ending,
    *,
    options: BeamOptions,
    num_best: int = 1,
) -> Hypotheses:
    """Search for the best sequences of every row.

    Args:
        step: the model's step.
        constants: of the model's beginning.
        state: of the model's beginning.
        ending: how rows end. The end symbol itself is not part of a sequence.
        options: the width W, and the exponent of the length penalty.
        num_best: N, hypotheses to return, from 1 to W.
    """
    width = options.width
    search = _Search(ending, width, options.length_penalty, num_best)
    batch = tf.shape(ending.limit)[0]
    constants, state = (
        {name: tf.repeat(value, width, axis=0) for name, value in nest.items()} for nest in (constants, state)
    )
    alive = tf.repeat(tf.constant([[0.0] + [_NONE] * (width - 1)], tf.float64), batch, axis=0)
    nowhere = tf.zeros((batch, width), tf.int32)
    missing = tf.fill((batch, width), tf.constant(_NONE, tf.float64))
    ended = _Ended(missing, missing, nowhere, nowhere, tf.fill((batch, width), False))
    steps = tuple(tf.TensorArray(tf.int32, ending.longest, element_shape=(None, width)) for _ in range(2))

    def body(index: Tensor, previous: Tensor, state: Nest, rows: Any, steps: Any) -> tuple[Any, ...]:
        is_open, alive, ended = rows
        outputs, state = step(previous, constants, state)
        is_open, alive, ended, symbols, parents = search.advance(index, outputs.values, is_open, alive, _Ended(*ended))
        places = tf.reshape(parents + tf.range(batch)[:, None] * width, (-1,))
        state = {name: tf.gather(value, places) for name, value in state.items()}
        steps = tuple(array.write(index, value) for array, value in zip(steps, (symbols, parents), strict=True))
        return index + 1, tf.reshape(symbols, (-1,)), state, (is_open, alive, tuple(ended)), steps

    def goes_on(_index: Tensor, _previous: Tensor, _state: Nest, rows: Any, _steps: Any) -> Tensor:
        return tf.reduce_any(rows[0])

    start = tf.fill((batch * width,), START)
    first = (tf.constant(0), start, state, (tf.fill((batch,), True), alive, tuple(ended)), steps)
    *_, rows, steps = tf.while_loop(goes_on, body, first)
    best = _Ended(*(tensor[:, :num_best] for tensor in rows[2]))
    # A row that only fills up was searched for a step, as all are, and has nothing to show for it.
    limit = ending.limit[:, None]
    best = best._replace(length=tf.minimum(best.length, limit), stopped=best.stopped & (limit > 0))
    values = _trace_back(best, *(array.stack() for array in steps))
    return Hypotheses(
        values, best.length, best.stopped, tf.cast(best.log_probability, tf.float32), tf.cast(best.score, tf.float32)
    )


class _Search(NamedTuple):
    """The search's rules, apart from the loop."""

    ending: Ending
    width: int
    length_penalty: float
    num_best: int

    def advance(
        self, index: Tensor, scores: Tensor, is_open: Tensor, alive: Tensor, ended: _Ended
    ) -> tuple[Tensor, Tensor, _Ended, Tensor, Tensor]:
        """Rank the continuations of a step.

        Args:
            index: of the step.
            scores: logits `(B * W, V)`.
            is_open: `(B,)`, whether a row is still searched.
            alive: logarithms of the probabilities `(B, W)` of the alive hypotheses.
            ended: the best that have ended.

        Returns:
            the last three anew; and of the hypotheses now alive the last symbol and the place before, `(B, W)` each.
        """
        totals, parents, symbols = self._rank(scores, alive)
        ends = tf.zeros_like(symbols, tf.bool) if self.ending.symbol is None else tf.equal(symbols, self.ending.symbol)
        width = self.width
        ended = self._keep(
            ended, tf.where(ends & is_open[:, None], totals, _NONE)[:, :width], parents[:, :width], index, stopped=True
        )
        alive, chosen = tf.math.top_k(tf.where(ends, tf.constant(_NONE, tf.float64), totals), width)
        symbols, parents = (tf.gather(tensor, chosen, batch_dims=1) for tensor in (symbols, parents))
        is_open &= tf.math.is_inf(ended.score[:, -1])
        is_last = is_open & (index + 1 >= self.ending.limit)
        places = tf.broadcast_to(tf.range(width), tf.shape(parents))
        cut = tf.where(is_last[:, None], alive, _NONE)
        ended = self._keep(ended, cut, places, index + 1, stopped=False)
        best_to_come = alive[:, 0] / self._divisor(self.ending.limit)
        is_open &= ~is_last & (best_to_come > ended.score[:, self.num_best - 1])
        return is_open, alive, ended, symbols, parents

    def _rank(self, scores: Tensor, alive: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the best 2 W continuations, since at most W of them end: totals, places and symbols `(B, 2 W)`."""
        size, width = scores.shape[-1], self.width
        # The logits are added in double precision and their normaliser as one number a row: then no two that differ
        # fall together, and a width of 1 chooses as greedy decoding does.
        totals = tf.reshape(tf.cast(scores, tf.float64), (-1, width, size))
        normaliser = tf.reduce_logsumexp(totals, axis=-1)
        totals += (alive - normaliser)[..., None]
        if self.ending.symbol is not None and not self.ending.allowed:
            is_end = tf.one_hot(self.ending.symbol, size, on_value=True, off_value=False)
            totals = tf.where(is_end, tf.constant(_NONE, tf.float64), totals)
        totals, flat = tf.math.top_k(tf.reshape(totals, (-1, width * size)), min(2, size) * width)
        return totals, flat // size, flat % size

    def _keep(self, ended: _Ended, totals: Tensor, places: Tensor, length: Tensor, *, stopped: bool) -> _Ended:
        """Add hypotheses `(B, W)` of one length to those that have ended, of which the best W stay."""
        new = _Ended(
            totals / self._divisor(length + int(stopped)),
            totals,
            tf.fill(tf.shape(places), length),
            places,
            tf.fill(tf.shape(places), stopped),
        )
        both = [tf.concat(pair, axis=1) for pair in zip(ended, new, strict=True)]
        score, chosen = tf.math.top_k(both[0], self.width)
        return _Ended(score, *(tf.gather(tensor, chosen, batch_dims=1) for tensor in both[1:]))

    def _divisor(self, num_steps: Tensor) -> Tensor:
        return ((5 + tf.cast(num_steps, tf.float64)) / 6) ** self.length_penalty


def _trace_back(best: _Ended, symbols: Tensor, parents: Tensor) -> Tensor:
    """Follow hypotheses `(B, N)` back from their ends, through symbols and places `(T, B, W)`: ids `(B, N, T)`."""
    longest = tf.shape(symbols)[0]
    made = tf.TensorArray(tf.int32, longest, element_shape=best.place.shape)

    def body(index: Tensor, place: Tensor, made: Any) -> tuple[Tensor, Tensor, Any]:
        is_made = index < best.length
        symbol, before = (tf.gather(tensor[index], place, batch_dims=1) for tensor in (symbols, parents))
        made = made.write(index, tf.where(is_made, symbol, 0))
        return index - 1, tf.where(is_made, before, place), made

    last = tf.maximum(tf.reduce_max(best.length), 1) - 1
    made = tf.while_loop(lambda index, *_: index >= 0, body, (last, best.place, made))[2]
    return tf.transpose(made.stack(), (1, 2, 0))
