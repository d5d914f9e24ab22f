"""Hold a split as tensors, from which a graph gathers and pads its own training batches.

Shapes: N examples, B rows of a batch, S source steps, T target steps, V features.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import tensorflow as tf

from lengthwise.data.dataset import Split
from lengthwise.data.sequences import Sequences
from lengthwise.data.vocabulary import START, STOP
from lengthwise.models.wiring import Wiring

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


class HeldSplit:
    """The examples of a split as tensors, and the batches that a wiring trains on.

    Args:
        split: The examples.
        wiring: Decides which steps are scored.
    """

    def __init__(self, split: Split, wiring: Wiring) -> None:
        self.wiring = wiring
        self.source = _hold(split.source)
        self.target = self.source if split.target is split.source else _hold(split.target)

    def take(self, rows: Tensor) -> TensorBatch:
        """Gather a batch, padded to the longest of its rows: the numbers of `models.targets.prepare_batch`.

        Args:
            rows: `(B,)` int32, at least one.
        """
        wiring = self.wiring
        length = tf.gather(self.target.length, rows)
        extra = int(wiring.length == "stop" and wiring.is_tokens)
        num_steps = wiring.spec.timesteps if wiring.length == "fixed" else tf.reduce_max(length) + extra
        steps = tf.range(num_steps)
        values = self.target.take(rows, num_steps, is_reversed=wiring.reverse_target)
        if extra:
            values = tf.where(steps == length[:, None], tf.constant(STOP, values.dtype), values)
        start = tf.constant(START if wiring.is_tokens else 0, values.dtype)
        first = tf.fill(tf.shape(values[:, :1]), start)
        targets = {"values": values}
        if wiring.learns_stop_probability:
            targets["stop"] = tf.cast(steps == length[:, None] - 1, tf.float32)[..., None]
        if wiring.length == "fixed":
            weights = tf.ones((tf.shape(rows)[0], num_steps))
        else:
            weights = tf.cast(steps < length[:, None] + extra, tf.float32)
        source_length = tf.gather(self.source.length, rows)
        inputs = {
            "source": self.source.take(rows, tf.reduce_max(source_length)),
            "source_length": source_length,
            "previous": tf.concat((first, values[:, :-1]), axis=1),
        }
        return inputs, targets, dict.fromkeys(targets, weights)


def _hold(sequences: Sequences) -> HeldSequences:
    sequences = sequences.compact()
    return HeldSequences(tf.constant(sequences.values), tf.constant(sequences.start), tf.constant(sequences.length))
