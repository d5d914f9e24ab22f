"""Sampling: each step's symbol is drawn from the model's distribution, after temperature, top-k and top-p.

A row's random numbers are a function of the seed, the row's index in the input, and the step: neither the other rows of
its batch nor their order matter.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import tensorflow as tf

from lengthwise.config.options import SampleOptions
from lengthwise.decoding.contract import Nest, Sequences, StepFunction
from lengthwise.decoding.loop import decode_tokens
from lengthwise.decoding.stop_rule import StopRule
from lengthwise.decoding.strategies.registry import decode_batch

Tensor: TypeAlias = tf.Tensor

_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_BITS = 23
"""Random bits of a number. One fewer than a float32 holds, so that a number times a sum stays below the sum."""


def decode_samples(
    step: StepFunction, constants: Nest, state: Nest, rule: StopRule, *, rows: Tensor, options: SampleOptions
) -> Sequences:
    """Decode symbols drawn at random until every row has ended.

    Args:
        step: The model's step.
        constants: Of the model's beginning.
        state: Of the model's beginning.
        rule: The stop rule.
        rows: `(batch,)` int32, each row's index in the input.
        options: Temperature, top-k, top-p and seed.

    Returns:
        Ids `(batch, steps)`; `log_probability` is that of the model, before temperature, top-k and top-p.
    """
    streams = start_streams(options.seed, rows)

    def choose(index: Tensor, scores: Tensor) -> Tensor:
        scores, ids = cut_candidates(tf.cast(scores, tf.float32) / options.temperature, options)
        drawn = draw_by_weight(tf.nn.softmax(scores), draw_uniform(streams, index))
        return drawn if ids is None else tf.gather(ids, drawn, batch_dims=1)

    return decode_tokens(step, constants, state, rule, choose=choose)


@decode_batch.register
def _decode_batch(
    options: SampleOptions, step: StepFunction, constants: Nest, state: Nest, rule: StopRule, rows: Tensor
) -> Sequences:
    return decode_samples(step, constants, state, rule, rows=rows, options=options)


def cut_candidates(scores: Tensor, options: SampleOptions) -> tuple[Tensor, Tensor | None]:
    """Keep the candidates that may be drawn.

    Args:
        scores: Logits `(batch, symbols)`, the temperature applied.
        options: `top_k` keeps that many of the most probable; `top_p`, of those, the fewest whose probability together
            is at least that (Holtzman et al. 2020, section 3.1). Of ties the first is kept.

    Returns:
        Logits `(batch, candidates)`, most probable first, minus infinity where cut; and their ids `(batch,
        candidates)`, None where nothing is cut and the logits are as they were.
    """
    if options.top_k is None and options.top_p is None:
        return scores, None
    size = scores.shape[-1]
    scores, ids = tf.math.top_k(scores, min(options.top_k or size, size))
    if options.top_p is not None:
        before = tf.cumsum(tf.nn.softmax(scores), axis=-1, exclusive=True)
        scores = tf.where(before < options.top_p, scores, float("-inf"))
    return scores, ids


def draw_by_weight(weights: Tensor, uniform: Tensor) -> Tensor:
    """Draw indices by inverting the cumulative distribution.

    A weight of zero is never drawn; for weights below 2 ** -23 rounding decides how often they are drawn.

    Args:
        weights: Probabilities `(batch, candidates)`.
        uniform: Random numbers `(batch,)` in [0, 1).

    Returns:
        Indices `(batch,)` int32 into the candidates.
    """
    sums = tf.cumsum(weights, axis=-1)
    return tf.argmax(sums > uniform[:, None] * sums[:, -1:], axis=-1, output_type=tf.int32)


def start_streams(seed: int, rows: Tensor) -> Tensor:
    """Return the state `(batch,)` uint64 of each row's generator, from the indices `(batch,)` of the rows."""
    # The seed is mixed before the row is added, so that row 1 of a seed is not row 0 of the next.
    return _mix(_mix(tf.constant(seed, tf.uint64)) + tf.cast(rows, tf.uint64) * np.uint64(_GOLDEN))


def draw_uniform(streams: Tensor, index: Tensor) -> Tensor:
    """Return number `index` of each stream, `(batch,)` float32 in [0, 1).

    The generator is SplitMix64 (Steele et al. 2014, figure 16).
    """
    mixed = _mix(streams + tf.cast(index + 1, tf.uint64) * np.uint64(_GOLDEN))
    return tf.cast(tf.bitwise.right_shift(mixed, np.uint64(64 - _BITS)), tf.float32) * 2.0**-_BITS


def _mix(value: Tensor) -> Tensor:
    value = tf.bitwise.bitwise_xor(value, tf.bitwise.right_shift(value, np.uint64(30))) * np.uint64(_FIRST)
    value = tf.bitwise.bitwise_xor(value, tf.bitwise.right_shift(value, np.uint64(27))) * np.uint64(_SECOND)
    return tf.bitwise.bitwise_xor(value, tf.bitwise.right_shift(value, np.uint64(31)))
