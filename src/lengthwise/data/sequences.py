"""Keep sequences of different lengths in one array without padding; only a batch is padded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """Many sequences of ids or of features, each a slice of one array.

    A choice of sequences shares the array, so that splits, and overlapping windows of a series, take no memory of
    their own. Sequences are compared by identity: an autoencoder's targets are the same object as its sources.

    Args:
        values: `(steps,)` ids in a small integer type, or `(steps, features)` float32. It may be memory-mapped.
        start: `(sequences,)` int64, index in `values` of each sequence's first step.
        length: `(sequences,)` int32, steps of each.

    >>> Sequences.from_lists([[4, 5], [6]]).pad().tolist()
    [[4, 5], [6, 0]]
    """

    values: NDArray[Any]
    start: Indices
    length: NDArray[np.int32]

    @classmethod
    def join(cls, values: NDArray[Any], length: NDArray[np.int32]) -> Sequences:
        """Return the sequences that lie in `values` one after the other, without gaps."""
        return cls(values, np.cumsum(length, dtype=np.int64) - length, length)

    @classmethod
    def from_lists(cls, lists: Sequence[Sequence[int]]) -> Sequences:
        """Concatenate lists of ids."""
        values = np.array([value for ids in lists for value in ids], np.int32)
        return cls.join(values, np.array([len(ids) for ids in lists], np.int32))

    @classmethod
    def from_arrays(cls, arrays: Sequence[NDArray[Any]]) -> Sequences:
        """Concatenate arrays `(steps,)` or `(steps, features)`, at least one."""
        return cls.join(np.concatenate(arrays), np.array([len(array) for array in arrays], np.int32))

    @classmethod
    def from_padded(cls, padded: NDArray[Any], length: NDArray[np.int32]) -> Sequences:
        """Concatenate the first `length` steps of each row of an array `(sequences, steps, ...)`."""
        return cls.join(padded[np.arange(padded.shape[1]) < length[:, None]], length)

    def __len__(self) -> int:
        return len(self.length)

    def __getitem__(self, index: int) -> NDArray[Any]:
        """Return one sequence, a view of `values`."""
        first = int(self.start[index])
        sequence: NDArray[Any] = self.values[first : first + int(self.length[index])]
        return sequence

    @property
    def longest(self) -> int:
        """Steps of the longest sequence; 0 where there is none."""
        return int(self.length.max(initial=0))

    def pad(self, indices: Indices | slice = slice(None), *, width: int | None = None) -> NDArray[Any]:
        """Copy some sequences, with zeros on the right.

        Args:
            indices: Which ones, in the order wanted.
            width: Steps of the result, at least those of the longest sequence chosen; None: those.

        Returns:
            `(chosen, width)` int32 ids, or `(chosen, width, features)` of the type of `values`.
        """
        start, length = self.start[indices], self.length[indices]
        steps = np.arange(int(length.max(initial=0)) if width is None else width)
        is_real = steps < length[:, None]
        dtype = np.dtype(np.int32) if self.values.dtype.kind in "iu" else self.values.dtype
        padded = np.zeros((*is_real.shape, *self.values.shape[1:]), dtype)
        padded[is_real] = self.values[(start[:, None] + steps)[is_real]]
        return padded

    def take(self, indices: Indices | slice) -> Sequences:
        """Return the sequences at these indices, in the order given; the values are shared."""
        return Sequences(self.values, self.start[indices], self.length[indices])

    def flatten(self) -> NDArray[Any]:
        """Return the steps of all sequences one after the other; `values` itself where they lie so."""
        ends = np.cumsum(self.length, dtype=np.int64)
        before = ends - self.length
        if np.array_equal(self.start, before) and len(self.values) == (ends[-1] if len(ends) else 0):
            return self.values
        places = np.repeat(self.start - before, self.length)
        places += np.arange(len(places))
        flat: NDArray[Any] = self.values[places]
        return flat

    def compact(self) -> Sequences:
        """Return the same sequences in values of their own, where they are less than half of the values they share."""
        is_small = 2 * int(self.length.sum(dtype=np.int64)) < len(self.values)
        return Sequences.join(self.flatten(), self.length) if is_small else self

    def concatenate(self, other: Sequences) -> Sequences:
        """Return these sequences and then the other's, in values of their own."""
        values = np.concatenate([self.flatten(), other.flatten()])
        return Sequences.join(values, np.concatenate([self.length, other.length]))

    def at_step(self, step: int) -> NDArray[Any]:
        """Return the values `(longer,)` or `(longer, features)` at one step of all sequences that are long enough."""
        found: NDArray[Any] = self.values[self.start[self.length > step] + step]
        return found

    def contain(self, symbol: int) -> NDArray[np.bool_]:
        """Return `(sequences,)`, whether an id occurs in each."""
        found = np.zeros(len(self), bool)
        places = np.flatnonzero(self.flatten() == symbol)
        found[np.searchsorted(np.cumsum(self.length, dtype=np.int64), places, side="right")] = True
        return found


def smallest_integer(size: int) -> np.dtype[Any]:
    """Return the smallest type of ids from 0 to `size` - 1: uint8, uint16 or int32.

    >>> smallest_integer(256), smallest_integer(257)
    (dtype('uint8'), dtype('uint16'))
    """
    return np.dtype(np.uint8 if size <= 1 << 8 else np.uint16 if size <= 1 << 16 else np.int32)
