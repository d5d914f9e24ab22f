"""Keep sequences of ids of different lengths end to end in one array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Sequences:
    """Many sequences of ids in two arrays, so that padding and selection need no Python loop.

    Args:
        values: `(steps of all sequences,)` int32, one sequence after the other.
        lengths: `(sequences,)` int32, steps of each.

    >>> Sequences.from_lists([[4, 5], [6]]).padded().tolist()
    [[4, 5], [6, 0]]
    """

    values: NDArray[np.int32]
    lengths: NDArray[np.int32]

    @classmethod
    def from_lists(cls, lists: Sequence[Sequence[int]]) -> Sequences:
        """Concatenate lists of ids."""
        values = np.array([value for ids in lists for value in ids], np.int32)
        return cls(values, np.array([len(ids) for ids in lists], np.int32))

    @classmethod
    def from_padded(cls, matrix: NDArray[np.int32], lengths: NDArray[np.int32]) -> Sequences:
        """Concatenate the first `lengths` ids of each row of a `(sequences, steps)` matrix."""
        return cls(matrix[real_steps(lengths, matrix.shape[1])], lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(self) -> NDArray[np.int32]:
        """Return `(sequences, longest)` int32, zeros on the right."""
        matrix = np.zeros((len(self), int(self.lengths.max(initial=0))), np.int32)
        matrix[real_steps(self.lengths, matrix.shape[1])] = self.values
        return matrix

    def take(self, indices: NDArray[np.int64]) -> Sequences:
        """Return the sequences at these indices, in the order given."""
        lengths = self.lengths[indices]
        starts = (np.cumsum(self.lengths, dtype=np.int64) - self.lengths)[indices]
        before = np.cumsum(lengths, dtype=np.int64) - lengths
        positions = np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths)
        return Sequences(self.values[positions], lengths)

    def arrays(self) -> list[NDArray[np.int32]]:
        """Return each sequence as a separate array, a view of `values`."""
        ends = np.cumsum(self.lengths, dtype=np.int64).tolist()
        return [self.values[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def real_steps(lengths: NDArray[np.int32], width: int) -> NDArray[np.bool_]:
    """Return `(sequences, width)`, True where a step is not padding."""
    return np.asarray(np.arange(width) < lengths[:, None])
