"""Keep sequences of different lengths in one array without padding; only a batch is padded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

PART_STEPS = 1 << 20
"""Steps of the sequences that are worked on at a time, so that what is computed of a step takes little memory."""

_MOST_HASHES = 8
"""Hashes of 64 bits to try: even of ten million sequences, one in a hundred thousand has two with the same hash."""


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
        return cls(values, _find_starts(length), length)

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
        chosen = self.take(indices)
        width = chosen.longest if width is None else width
        dtype = np.dtype(np.int32) if self.values.dtype.kind in "iu" else self.values.dtype
        padded = np.zeros((len(chosen) * width, *self.values.shape[1:]), dtype)
        padded[spread(np.arange(len(chosen)) * width, chosen.length)] = chosen.flatten()
        return padded.reshape(len(chosen), width, *self.values.shape[1:])

    def take(self, indices: Indices | slice) -> Sequences:
        """Return the sequences at these indices, in the order given; the values are shared."""
        return Sequences(self.values, self.start[indices], self.length[indices])

    def split(self, num_steps: int = PART_STEPS) -> Iterator[Sequences]:
        """Yield consecutive sequences that have together about `num_steps` steps, or one that has more."""
        ends = np.cumsum(self.length, dtype=np.int64)
        first = 0
        while first < len(self):
            before = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(ends, before + num_steps, side="right")))
            yield self.take(slice(first, last))
            first = last

    def flatten(self) -> NDArray[Any]:
        """Return the steps of all sequences one after the other; `values` itself where they lie so."""
        num_steps = int(self.length.sum(dtype=np.int64))
        if num_steps == len(self.values) and np.array_equal(self.start, _find_starts(self.length)):
            return self.values
        flat = np.empty((num_steps, *self.values.shape[1:]), self.values.dtype)
        done = 0
        for part in self.split():
            places = spread(part.start, part.length)
            flat[done : done + len(places)] = self.values[places]
            done += len(places)
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

    def count_symbols(self, size: int) -> Indices:
        """Return how often each id below `size` occurs, `(size,)`."""
        counts = np.zeros(size, np.int64)
        for part in self.split():
            counts += np.bincount(part.flatten(), minlength=size)
        return counts

    def contain(self, symbol: int) -> NDArray[np.bool_]:
        """Return `(sequences,)`, whether an id occurs in each."""
        found = []
        for part in self.split():
            row = np.repeat(np.arange(len(part)), part.length)[part.flatten() == symbol]
            found.append(np.bincount(row, minlength=len(part)) > 0)
        return np.concatenate(found) if found else np.zeros(0, bool)

    def find_first_equal(self) -> Indices:
        """Return for each sequence of ids the index of the first that equals it, `(sequences,)` int64."""
        for seed in range(_MOST_HASHES):
            found = self._find_first_hash(np.random.default_rng(seed))
            repeated = np.flatnonzero(found != np.arange(len(self)))
            if _are_equal(self.take(repeated), self.take(found[repeated])):
                return found
        raise ArithmeticError("different sequences have the same hashes")

    def _find_first_hash(self, rng: np.random.Generator) -> Indices:
        """Return for each sequence the index of the first with the same hash: a sum of odd random factors by place."""
        factors = rng.integers(1 << 63, size=self.longest, dtype=np.uint64) * 2 + 1
        hashes = np.zeros(len(self), np.uint64)
        done = 0
        for part in self.split():
            terms = (part.flatten().astype(np.uint64) + 1) * factors[spread(np.zeros(len(part), np.int64), part.length)]
            sums = np.zeros(len(terms) + 1, np.uint64)  # modulo 2^64, as are their differences
            np.cumsum(terms, out=sums[1:])
            ends = np.cumsum(part.length, dtype=np.int64)
            hashes[done : done + len(part)] = sums[ends] - sums[ends - part.length]
            done += len(part)
        order = np.argsort(hashes, kind="stable")
        is_new = np.concatenate([[True], np.diff(hashes[order]) != 0])[: len(order)]
        found = np.empty(len(self), np.int64)
        found[order] = order[np.flatnonzero(is_new)][np.cumsum(is_new) - 1]
        return found


def smallest_integer(size: int) -> np.dtype[Any]:
    """Return the smallest type of ids from 0 to `size` - 1: uint8, uint16 or int32.

    >>> smallest_integer(256), smallest_integer(257)
    (dtype('uint8'), dtype('uint16'))
    """
    return np.dtype(np.uint8 if size <= 1 << 8 else np.uint16 if size <= 1 << 16 else np.int32)


def spread(start: Indices, length: NDArray[np.integer]) -> Indices:
    """Return the place of every step of sequences that begin at `start`, one after the other.

    >>> spread(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    places = np.repeat(start - _find_starts(length), length)
    places += np.arange(len(places))
    return places


def _find_starts(length: NDArray[np.integer]) -> Indices:
    """Return where sequences begin that lie one after the other without gaps."""
    return np.cumsum(length, dtype=np.int64) - length


def _are_equal(first: Sequences, second: Sequences) -> bool:
    """Tell whether sequences are pairwise equal."""
    if not np.array_equal(first.length, second.length):
        return False
    parts = zip(first.split(), second.split(), strict=True)
    return all(np.array_equal(one.flatten(), other.flatten()) for one, other in parts)
