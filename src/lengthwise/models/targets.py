"""Prepare training batches: the targets to score, which of their steps count, and the true previous outputs.

Shapes: B batch, S source steps, T target steps, F source features, V target features.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.batching import Batch
from lengthwise.data.vocabulary import START, STOP
from lengthwise.models.wiring import Wiring

Arrays = dict[str, NDArray[np.generic]]


class TrainingBatch(NamedTuple):
    """A training batch in the form that Keras takes.

    Args:
        inputs: `source` `(B, S)` ids or `(B, S, F)`, `source_length` `(B,)`, and `previous`: the targets one step late,
            the start first, `(B, T)` ids or `(B, T, V)`.
        targets: `values` `(B, T)` ids or `(B, T, V)`; where a stop probability is learnt `stop` `(B, T, 1)`.
        weights: Sample weights of the same names, `(B, T)`: 1 for steps that count and 0 for padding.
    """

    inputs: Arrays
    targets: Arrays
    weights: Arrays


def prepare_batch(batch: Batch, wiring: Wiring) -> TrainingBatch:
    """Turn a batch of examples into a training batch.

    With `length=stop` a target of n symbols has n + 1 steps, the last of which is the stop; n features have n steps,
    and the stop probability is 1 at the last. With `fixed` every target has `timesteps` steps and its padding counts.
    With `oracle` only the n steps count.
    """
    values, length = batch.target, batch.target_length
    if wiring.reverse_target:
        values = reverse_rows(values, length)
    rows = np.arange(len(length))
    num_scored = length + 1 if wiring.has_stop_symbol else length
    num_steps = wiring.spec.timesteps if wiring.length == "fixed" else int(num_scored.max())
    values = _fit_steps(values, num_steps)
    if wiring.has_stop_symbol:
        values[rows, length] = STOP
    if wiring.length == "fixed":
        weights = np.ones((len(length), num_steps), np.float32)
    else:
        weights = (np.arange(num_steps) < num_scored[:, None]).astype(np.float32)
    previous = np.roll(values, 1, axis=1)
    previous[:, 0] = START if wiring.is_tokens else 0
    targets: Arrays = {"values": values}
    if wiring.learns_stop_probability:
        targets["stop"] = (np.arange(num_steps) == (length - 1)[:, None])[..., None].astype(np.float32)
    inputs: Arrays = {"source": batch.source, "source_length": batch.source_length, "previous": previous}
    return TrainingBatch(inputs, targets, dict.fromkeys(targets, weights))


def reverse_rows(values: NDArray[np.generic], length: NDArray[np.int32]) -> NDArray[np.generic]:
    """Reverse each row of `(B, T, ...)` within its length `(B,)`; the padding stays where it is."""
    steps = np.arange(values.shape[1])
    order = np.where(steps < length[:, None], length[:, None] - 1 - steps, steps)
    return values[np.arange(len(values))[:, None], order]


def _fit_steps(values: NDArray[np.generic], num_steps: int) -> NDArray[np.generic]:
    """Return a copy `(B, num_steps, ...)`, cut or padded with zeros."""
    fitted = np.zeros((len(values), num_steps, *values.shape[2:]), values.dtype)
    kept = min(num_steps, values.shape[1])
    fitted[:, :kept] = values[:, :kept]
    return fitted
