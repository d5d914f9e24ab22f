"""What the decoder is taught: the steps to score, which of them count, and the true previous outputs.

Shapes: B batch, T target steps, V features.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.batching import Batch
from lengthwise.data.vocabulary import START, STOP
from lengthwise.models.wiring import Wiring

Arrays = dict[str, NDArray[np.generic]]


class Lesson(NamedTuple):
    """A batch as Keras' fit takes it.

    Args:
        inputs: `source`, `source_length` and `previous` (the targets one step late, the start first).
        targets: `values` `(B, T)` ids or `(B, T, V)`; where a stop probability is learnt `stop` `(B, T, 1)`.
        weights: the same names, `(B, T)`, 1 for steps that count and 0 for padding.
    """

    inputs: Arrays
    targets: Arrays
    weights: Arrays


def prepare_lesson(batch: Batch, wiring: Wiring) -> Lesson:
    """Turn a batch into what its model is taught.

    With `length=stop` a target of n symbols has n + 1 steps, the last of which is the stop; n features have n steps,
    and the stop probability is 1 at the last. With `fixed` every target has `timesteps` steps and its padding counts.
    With `oracle` only the n steps count.
    """
    values, length = batch.target, batch.target_length
    if wiring.reverse_target:
        values = reverse_rows(values, length)
    rows = np.arange(len(length))
    extra = int(wiring.length == "stop" and wiring.is_tokens)
    num_steps = wiring.spec.timesteps if wiring.length == "fixed" else int(length.max()) + extra
    values = _fit_steps(values, num_steps)
    if extra:
        values[rows, length] = STOP
    if wiring.length == "fixed":
        weights = np.ones((len(length), num_steps), np.float32)
    else:
        weights = (np.arange(num_steps) < (length + extra)[:, None]).astype(np.float32)
    previous = np.roll(values, 1, axis=1)
    previous[:, 0] = START if wiring.is_tokens else 0
    targets: Arrays = {"values": values}
    if wiring.learns_stop_probability:
        targets["stop"] = (np.arange(num_steps) == (length - 1)[:, None])[..., None].astype(np.float32)
    inputs: Arrays = {"source": batch.source, "source_length": batch.source_length, "previous": previous}
    return Lesson(inputs, targets, dict.fromkeys(targets, weights))


def reverse_rows(values: NDArray[np.generic], length: NDArray[np.int32]) -> NDArray[np.generic]:
    """Turn each row `(B, T, ...)` round within its length; what stands behind stays."""
    steps = np.arange(values.shape[1])
    order = np.where(steps < length[:, None], length[:, None] - 1 - steps, steps)
    return values[np.arange(len(values))[:, None], order]


def _fit_steps(values: NDArray[np.generic], num_steps: int) -> NDArray[np.generic]:
    """Return a copy with exactly so many steps, padded with zeros."""
    fitted = np.zeros((len(values), num_steps, *values.shape[2:]), values.dtype)
    kept = min(num_steps, values.shape[1])
    fitted[:, :kept] = values[:, :kept]
    return fitted
