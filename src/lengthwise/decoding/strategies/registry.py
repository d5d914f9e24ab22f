"""Decode a batch by the strategy that is registered for the class of the decoding options."""

from __future__ import annotations

from functools import singledispatch
from typing import TypeAlias

import tensorflow as tf

from lengthwise.config.options import DecodingOptions
from lengthwise.decoding.contract import Nest, Sequences, StepFunction
from lengthwise.decoding.stop_rule import StopRule

Tensor: TypeAlias = tf.Tensor


@singledispatch
def decode_batch(
    options: DecodingOptions,
    step: StepFunction,  # noqa: ARG001
    constants: Nest,  # noqa: ARG001
    state: Nest,  # noqa: ARG001
    rule: StopRule,  # noqa: ARG001
    rows: Tensor,  # noqa: ARG001
) -> Sequences:
    """Decode symbols until every row of the batch has ended.

    A module of this folder adds a strategy with a function of the same arguments, whose first is annotated with the
    strategy's options class, under `@decode_batch.register`.

    Args:
        options: The section `decoding` of the configuration.
        step: The model's step.
        constants: Of the model's beginning, batch first.
        state: Of the model's beginning, batch first.
        rule: The stop rule.
        rows: `(batch,)` int32, each row's index in the input, from which its random numbers follow.

    Returns:
        Ids `(batch, steps)` with their lengths and log probabilities.
    """
    raise TypeError(f"no module in decoding/strategies/ registers a strategy for {type(options).__name__}")
