"""Emits known sequences again, to read what the model computes at each of their steps: distribution or attention."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lengthwise.data.vocabulary import START
from lengthwise.decoding.contract import Nest, StepFunction, StepOutputs
from lengthwise.decoding.loop import Emission, run_steps
from lengthwise.decoding.predictions import Predictions
from lengthwise.decoding.stop_rule import END_SYMBOLS, StopRule
from lengthwise.models.targets import reverse_rows
from lengthwise.models.wiring import Wiring

Tensor: TypeAlias = tf.Tensor


def replay_steps(step: StepFunction, constants: Nest, state: Nest, emitted: Tensor) -> Tensor:
    """Return the values of each step while known sequences are emitted.

    Args:
        step: The model's step.
        constants: Of the model's beginning.
        state: Of the model's beginning.
        emitted: Ids `(batch, steps)` or features `(batch, steps, features)`, at least one step; they are emitted
            whatever the model would choose.

    Returns:
        `(batch, steps, values)` float32.
    """
    batch, num_steps = tf.shape(emitted)[0], tf.shape(emitted)[1]

    def emit(index: Tensor, outputs: StepOutputs) -> Emission:
        return Emission(emitted[:, index], None, (tf.cast(outputs.values, tf.float32),))

    rule = StopRule(tf.fill((batch,), num_steps), num_steps, None, may_stop=False)
    recorded = (tf.TensorSpec((None, None), tf.float32),)
    first = tf.fill((batch,), START) if len(emitted.shape) == 2 else tf.zeros_like(emitted[:, 0])
    return run_steps(step, rule, start=(first, constants, state), emit=emit, recorded=recorded)[0]


def count_steps(predictions: Predictions, wiring: Wiring) -> NDArray[np.int32]:
    """Return the steps `(examples,)` int32 that the decoder made: for tokens, the end symbol's step included."""
    return predictions.length + (predictions.stopped if wiring.is_tokens else 0)


def restore_emitted(values: NDArray[np.generic], length: NDArray[np.int32], wiring: Wiring) -> NDArray[np.generic]:
    """Return what the decoder emitted, in the order in which it did.

    Args:
        values: Of predictions, ids `(batch, steps)` or features `(batch, steps, features)`.
        length: `(batch,)` int32.
        wiring: The model's.

    Returns:
        Features `(batch, steps, features)` float32; or ids `(batch, steps + 1)` int32, each row's end symbol after its
        last symbol.
    """
    if wiring.reverse_target:
        values = reverse_rows(values, length)
    if not wiring.is_tokens:
        return values.astype(np.float32)
    emitted = np.pad(values, ((0, 0), (0, 1))).astype(np.int32)
    end = END_SYMBOLS[wiring.length]
    if end is not None:
        emitted[np.arange(len(emitted)), length] = end
    return emitted


def order_steps(
    steps: NDArray[np.float32], length: NDArray[np.int32], num_steps: NDArray[np.int32], wiring: Wiring
) -> list[NDArray[np.float32]]:
    """Cut what was read at the steps of each row to its steps, in the order of the prediction, the end's step last.

    Args:
        steps: `(batch, steps, values)`, in the order in which the decoder made them.
        length: `(batch,)` int32, steps without the end's.
        num_steps: `(batch,)` int32, as `count_steps` returns them.
        wiring: The model's.
    """
    ordered = []
    for row, made, count in zip(steps, length, num_steps, strict=True):
        if wiring.reverse_target:
            ordered.append(np.concatenate([row[:made][::-1], row[made:count]]))
        else:
            ordered.append(row[:count])
    return ordered
