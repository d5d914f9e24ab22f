"""Batches as TensorFlow reads them: made ahead in a thread of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lengthwise.config.options import TrainingOptions
from lengthwise.data.batching import plan_batches, plan_evaluation_batches, take_batch
from lengthwise.data.dataset import Split
from lengthwise.models.targets import Lesson, prepare_lesson
from lengthwise.models.wiring import Wiring

BATCHES_AHEAD = 8


class TrainingStream:
    """The training split, epoch after epoch, in an order that is a function of (seed, epoch).

    Attributes:
        epoch: the epoch, from 0, that the next pass reads; the trainer sets it before each.
    """

    def __init__(self, split: Split, wiring: Wiring, options: TrainingOptions, seed: int) -> None:
        self.split, self.wiring, self.options, self.seed = split, wiring, options, seed
        self.epoch = 0
        self.num_batches = len(self._plan())

    def _plan(self) -> list[NDArray[np.int64]]:
        return plan_batches(
            self.split.source_length,
            self.split.target_length,
            batch_size=self.options.batch_size,
            seed=self.seed,
            epoch=self.epoch,
            batches_per_epoch=self.options.batches_per_epoch,
        )

    def _read(self) -> Iterator[Lesson]:
        for indices in self._plan():
            yield prepare_lesson(take_batch(self.split, indices), self.wiring)

    def as_tensors(self) -> tf.data.Dataset:
        """Return the stream; each pass over it reads the epoch that is set by then."""
        return _as_tensors(
            self._read, prepare_lesson(take_batch(self.split, np.arange(1)), self.wiring), self.num_batches
        )


def build_evaluation_stream(split: Split, wiring: Wiring, batch_size: int) -> tf.data.Dataset:
    """Return a split in batches of like length, each example once."""
    batches = plan_evaluation_batches(split.source_length, split.target_length, batch_size)

    def read() -> Iterator[Lesson]:
        for indices in batches:
            yield prepare_lesson(take_batch(split, indices), wiring)

    return _as_tensors(read, prepare_lesson(take_batch(split, np.arange(1)), wiring), len(batches))


def _as_tensors(read: Callable[[], Iterator[Lesson]], example: Lesson, num_batches: int) -> tf.data.Dataset:
    signature = tuple(
        {
            name: tf.TensorSpec((None,) if array.ndim == 1 else (None, None, *array.shape[2:]), array.dtype)
            for name, array in part.items()
        }
        for part in example
    )
    dataset = tf.data.Dataset.from_generator(lambda: map(tuple, read()), output_signature=signature)
    return dataset.apply(tf.data.experimental.assert_cardinality(num_batches)).prefetch(BATCHES_AHEAD)
