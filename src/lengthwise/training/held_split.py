"""Hold a split as tensors, from which a graph gathers and pads its own training batches.

Shapes: N examples, B rows of a batch, S source steps, T target steps, V features.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lengthwise.data.dataset import Split
from lengthwise.data.sequences import Sequences
from lengthwise.data.vocabulary import START, STOP
from lengthwise.models.wiring import Wiring
from lengthwise.training.batch_shapes import BatchShape

Tensor: TypeAlias = tf.Tensor
TensorBatch: TypeAlias = tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]
"""Inputs, targets and sample weights of a batch, as `models.targets` describes them."""


class HeldSequences(NamedTuple):
    """Sequences of any length, slices of one tensor without padding.

    Args:
        values: Ids `(steps,)` in a small integer type, or features `(steps, V)`.
        start: `(N,)` int64, index of each sequence's first step in `values`.
        length: `(N,)` int32, steps of each sequence.
    """

    values: Tensor
    start: Tensor
    length: Tensor

    def take(self, rows: Tensor, num_steps: Tensor | int, *, is_reversed: bool = False) -> Tensor:
        """Return some sequences, `(B, num_steps)` int32 or `(B, num_steps, V)`, padded with zeros on the right.

        Args:
            rows: `(B,)` int32, indices of the sequences.
            num_steps: Steps of the result; longer sequences are cut.
            is_reversed: Whether each sequence begins with its last step.
        """
        length = tf.gather(self.length, rows)[:, None]
        steps = tf.range(num_steps)
        is_real = steps < length
        place = length - 1 - steps if is_reversed else steps[None]
        place = tf.gather(self.start, rows)[:, None] + tf.cast(place, tf.int64)
        taken = tf.gather(self.values, tf.where(is_real, place, 0))
        if taken.dtype.is_integer:
            taken = tf.cast(taken, tf.int32)
        zero = tf.zeros((), taken.dtype)
        return tf.where(is_real if taken.shape.rank == 2 else is_real[..., None], taken, zero)


class HeldSplit(NamedTuple):
    """The examples of a split as tensors; for an autoencoder source and target share theirs."""

    source: HeldSequences
    target: HeldSequences


def hold_split(split: Split, *, is_rounded: bool = False) -> HeldSplit:
    """Hold a split.

    Args:
        split: The examples.
        is_rounded: Whether to fill the tensors up to sizes that splits of almost the same size share, so that what XLA
            compiles for one serves the others.
    """
    source = _hold(split.source, is_rounded=is_rounded)
    return HeldSplit(source, source if split.target is split.source else _hold(split.target, is_rounded=is_rounded))


def describe_held(held: HeldSplit) -> HeldSplit:
    """Describe a held split of any number of examples, as the signature of a function."""
    return HeldSplit(
        *(
            HeldSequences(*(tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype) for tensor in sequences))
            for sequences in held
        )
    )


def take_batch(held: HeldSplit, wiring: Wiring, rows: Tensor, shape: BatchShape | None = None) -> TensorBatch:
    """Gather a batch: the numbers of `models.targets.prepare_batch`.

    Args:
        held: The examples.
        wiring: Decides which steps are scored.
        rows: `(B,)` int32, at least one; a negative row fills the batch up, and no step of it is scored.
        shape: What the batch is padded to; None: to the longest of its rows.
    """
    is_real, rows = rows >= 0, tf.maximum(rows, 0)
    length = tf.gather(held.target.length, rows)
    extra = int(wiring.has_stop_symbol)
    if wiring.length == "fixed":
        num_steps = wiring.spec.timesteps
    else:
        num_steps = shape.target_steps if shape else tf.reduce_max(length) + extra
    steps = tf.range(num_steps)
    values = held.target.take(rows, num_steps, is_reversed=wiring.reverse_target)
    if extra:
        values = tf.where(steps == length[:, None], tf.constant(STOP, values.dtype), values)
    start = tf.constant(START if wiring.is_tokens else 0, values.dtype)
    first = tf.fill(tf.shape(values[:, :1]), start)
    targets = {"values": values}
    if wiring.learns_stop_probability:
        targets["stop"] = tf.cast(steps == length[:, None] - 1, tf.float32)[..., None]
    num_scored = num_steps if wiring.length == "fixed" else length[:, None] + extra
    weights = tf.cast(is_real[:, None] & (steps < num_scored), tf.float32)
    source_length = tf.gather(held.source.length, rows)
    if shape:  # a row that only fills the batch up may be longer than the batch is
        source_length = tf.minimum(source_length, shape.source_steps)
    inputs = {
        "source": held.source.take(rows, shape.source_steps if shape else tf.reduce_max(source_length)),
        "source_length": source_length,
        "previous": tf.concat((first, values[:, :-1]), axis=1),
    }
    return inputs, targets, dict.fromkeys(targets, weights)


def _hold(sequences: Sequences, *, is_rounded: bool) -> HeldSequences:
    sequences = sequences.compact()
    arrays = (sequences.values, sequences.start, sequences.length)
    return HeldSequences(*(tf.constant(_fill_up(array) if is_rounded else array) for array in arrays))


def _fill_up(array: NDArray[Any]) -> NDArray[Any]:
    """Append zeros up to a length with three significant bits: an eighth more at most."""
    grain = 1 << max(len(array).bit_length() - 4, 0)
    missing = -len(array) % grain
    return np.concatenate((array, np.zeros((missing, *array.shape[1:]), array.dtype)))
