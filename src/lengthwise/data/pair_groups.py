"""Group pairs by their source, and choose those of a split, without a Python object for each of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lengthwise.data.dataset import References, Split
from lengthwise.data.sequences import Indices, Sequences, spread
from lengthwise.data.symbol_store import translate
from lengthwise.data.vocabulary import Vocabulary

MOST_REFERENCES = 100
"""Training examples of a source with more targets than this have only their own target as reference: listing all for
each example would take memory by the square of their number, as in a file of a few labels with many texts each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PairGroups:
    """Different pairs, those of one source together: sources and targets in the order in which they first occur.

    Args:
        source: Source of each pair, as ids of the first of `codecs`.
        target: Target of each pair, as ids of the second.
        codecs: Vocabularies of the sources and of the targets.
        bounds: `(sources + 1,)` int64: the pairs of source i are those from `bounds[i]` to `bounds[i + 1]`.
    """

    source: Sequences
    target: Sequences
    codecs: tuple[Vocabulary, Vocabulary]
    bounds: Indices

    def __len__(self) -> int:
        """Return the number of different sources."""
        return len(self.bounds) - 1

    @property
    def num_targets(self) -> Indices:
        """Number of different targets of each source, `(sources,)`."""
        return np.diff(self.bounds)

    @property
    def sources(self) -> Sequences:
        """The different sources."""
        return self.source.take(self.bounds[:-1])

    def find_pairs(self, sources: Indices) -> Indices:
        """Return the indices of all pairs of some sources, those of one source after those of another."""
        return spread(self.bounds[sources], self.num_targets[sources])

    def translate(self, codecs: tuple[Vocabulary, Vocabulary]) -> PairGroups:
        """Return the same pairs as ids of other vocabularies; symbols that they lack become `UNKNOWN`."""
        source = translate(self.source, self.codecs[0], codecs[0])
        return replace(self, source=source, target=translate(self.target, self.codecs[1], codecs[1]), codecs=codecs)

    def choose_every(self, sources: Indices) -> Split:
        """Return an example for each pair of some sources, in whose order they are.

        The references of an example are the other targets of its source, if these are no more than `MOST_REFERENCES`.
        """
        pairs = self.find_pairs(sources)
        group = np.repeat(sources, self.num_targets[sources])
        count = self.num_targets[group]
        count = np.where(count > MOST_REFERENCES, 0, count)
        others, example = spread(self.bounds[group], count), np.repeat(np.arange(len(pairs)), count)
        is_other = others != pairs[example]
        return self._build_split(
            sources, pairs, References(example=example[is_other], target=self.target.take(others[is_other]))
        )

    def choose_first(self, sources: Indices) -> Split:
        """Return an example for each of some sources: its first target, its other targets the references."""
        pairs = self.bounds[sources]
        count = self.num_targets[sources] - 1
        references = References(
            example=np.repeat(np.arange(len(pairs)), count), target=self.target.take(spread(pairs + 1, count))
        )
        return self._build_split(sources, pairs, references)

    def _build_split(self, sources: Indices, pairs: Indices, references: References) -> Split:
        several = bool((self.num_targets[sources] > 1).any())
        return Split(
            source=self.source.take(pairs), target=self.target.take(pairs), references=references if several else None
        )


def group_pairs(source: Sequences, target: Sequences, codecs: tuple[Vocabulary, Vocabulary]) -> PairGroups:
    """Group pairs by source; a pair that occurs again is left out.

    Args:
        source: Source of each pair, in the order of the file, at least one.
        target: Target of each pair.
        codecs: Their vocabularies.
    """
    first_source, first_target = source.find_first_equal(), target.find_first_equal()
    # Different pairs have different numbers, and np.unique returns the first place of each.
    _, kept = np.unique(first_source * len(source) + first_target, return_index=True)
    kept.sort()
    kept = kept[np.argsort(first_source[kept], kind="stable")]
    starts = np.flatnonzero(np.diff(first_source[kept], prepend=-1))
    return PairGroups(
        source=source.take(kept), target=target.take(kept), codecs=codecs, bounds=np.append(starts, len(kept))
    )
