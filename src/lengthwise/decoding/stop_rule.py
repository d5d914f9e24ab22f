"""The stop rule: which symbol ends a sequence, whether it may, and after how many steps a sequence is cut."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lengthwise.config.options import DecodingOptions
from lengthwise.data.dataset import Sources, Split
from lengthwise.data.vocabulary import PADDING, STOP
from lengthwise.models.wiring import Wiring

Tensor: TypeAlias = tf.Tensor

END_SYMBOLS = {"stop": STOP, "fixed": PADDING, "oracle": None}
"""Symbol that ends a sequence, by `model.length`. Where padding is learnt as a symbol, the first one is the end."""


class StopRule(NamedTuple):
    """When the sequences of a batch end.

    Args:
        limit: `(batch,)` int32, most steps of each row; 0 for a row that only fills up the batch.
        max_steps: Scalar int32, at least 1 and at least every limit: the width of the results in steps.
        end_symbol: Id of the symbol that ends a sequence; None where no symbol does.
        may_stop: Whether a row may end before its limit; where it may not, the end symbol is never chosen. As a tensor
            `(batch,)` bool, so that one graph serves all length rules.
    """

    limit: Tensor
    max_steps: Tensor
    end_symbol: int | None
    may_stop: bool | Tensor


def build_stop_rule(wiring: Wiring, limit: Tensor, max_steps: Tensor, *, may_stop: bool | Tensor) -> StopRule:
    """Return the stop rule of a model for the limits `(batch,)` and the width `max_steps`."""
    end_symbol = END_SYMBOLS[wiring.length] if wiring.is_tokens else None
    return StopRule(limit, max_steps, end_symbol, may_stop)


def unify_options(options: DecodingOptions) -> DecodingOptions:
    """Return the same options for all that one graph decodes: limits, batch, and whether rows may stop are inputs."""
    return replace(options, length="model", batch_size=1)


def may_end(options: DecodingOptions, wiring: Wiring) -> bool:
    """Tell whether a sequence may end before its limit: the rule leaves that to the model, and it learns an end."""
    learns_end = wiring.length == "stop" or (wiring.is_tokens and END_SYMBOLS[wiring.length] is not None)
    return options.length == "model" and learns_end


def gives_length(options: DecodingOptions, wiring: Wiring) -> bool:
    """Tell whether each sequence is cut at its true length, where that is known."""
    return options.length == "oracle" or (options.length == "model" and wiring.length == "oracle")


def set_limits(examples: Split | Sources, wiring: Wiring, options: DecodingOptions) -> NDArray[np.int32]:
    """Return the most steps `(examples,)` int32 that each decoded sequence may have.

    True lengths are read only where they must be given: by the rule `oracle`, and for a model that learns no end. Where
    they are not known, as for mere sources, and elsewhere, the limit is `timesteps`.
    """
    if gives_length(options, wiring) and not isinstance(examples, Sources):
        return examples.target.length
    return np.full(len(examples), wiring.spec.timesteps, np.int32)


def forbid_stop(scores: Tensor, rule: StopRule) -> Tensor:
    """Set the end symbol's logit to minus infinity in rows that may not end before their limit.

    Args:
        scores: Logits `(batch, ..., symbols)`, the number of symbols known while the graph is traced.
        rule: The stop rule.
    """
    if rule.may_stop is True or rule.end_symbol is None:
        return scores
    is_end = tf.one_hot(rule.end_symbol, scores.shape[-1], on_value=True, off_value=False)
    if rule.may_stop is not False:
        is_end &= ~tf.reshape(rule.may_stop, [-1, *[1] * (len(scores.shape) - 1)])
    return tf.where(is_end, tf.constant(float("-inf"), scores.dtype), scores)


def allow_end(ends: Tensor, rule: StopRule) -> Tensor | None:
    """Return where rows `(batch,)` or `(batch, steps)` end, of those that may; None where none may."""
    if isinstance(rule.may_stop, bool):
        return ends if rule.may_stop else None
    return ends & tf.reshape(rule.may_stop, [-1, *[1] * (len(ends.shape) - 1)])


def find_end(ends: Tensor | None, rule: StopRule) -> tuple[Tensor, Tensor]:
    """Find where rows end.

    Args:
        ends: `(batch, steps)` bool, whether a row would end at a step; None where none may.
        rule: The stop rule.

    Returns:
        The steps before the first end, or the limit where there is none, `(batch,)` int32; and whether there is one,
        `(batch,)` bool.
    """
    if ends is None:
        return rule.limit, tf.zeros_like(rule.limit, tf.bool)
    ends &= tf.sequence_mask(rule.limit, tf.shape(ends)[1])
    stopped = tf.reduce_any(ends, axis=1)
    return tf.where(stopped, tf.argmax(ends, axis=1, output_type=tf.int32), rule.limit), stopped
