"""Define a dataset: splits of padded examples, and what their numbers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.scaler import Scaler
from lengthwise.data.vocabulary import Vocabulary

Kind = Literal["tokens", "features"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSpec:
    """The properties of the data that a model is built from.

    Args:
        kind: `tokens` (symbol ids in and out) or `features` (real-valued steps in and out).
        source_size: Number of symbol ids, special ones included, or of features.
        target_size: The same for the target.
        source_timesteps: Longest source of any split, in steps.
        timesteps: Most steps of a decoded target, the stop symbol not counted.
    """

    kind: Kind
    source_size: int
    target_size: int
    source_timesteps: int
    timesteps: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """The examples for training, validation or test, padded on the right with zeros (id 0 is padding).

    Args:
        source: `(examples, steps)` int32, or `(examples, steps, features)` float32.
        source_length: `(examples,)` int32, real steps, at least 1.
        target: As `source`; without start or stop symbols. The same array as `source` for an autoencoder.
        target_length: `(examples,)` int32, at least 1.
        references: For each example every accepted target, ids without padding, the example's own target first; None
            where each example has only its own.
        labels: `(examples,)` class of each example, for figures only; None where there is none.
    """

    source: NDArray[np.generic]
    source_length: NDArray[np.int32]
    target: NDArray[np.generic]
    target_length: NDArray[np.int32]
    references: tuple[tuple[NDArray[np.int32], ...], ...] | None = None
    labels: NDArray[np.generic] | None = None

    def __len__(self) -> int:
        return len(self.source_length)

    def keep_first(self, count: int) -> Split:
        """Return a split of the first examples: all where there are no more than `count`."""
        source = self.source[:count]
        return Split(
            source=source,
            source_length=self.source_length[:count],
            target=source if self.target is self.source else self.target[:count],
            target_length=self.target_length[:count],
            references=None if self.references is None else self.references[:count],
            labels=None if self.labels is None else self.labels[:count],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """Source sequences to decode, whose targets are not known; padded on the right with zeros.

    Args:
        source: `(examples, steps)` int32, or `(examples, steps, features)` float32.
        source_length: `(examples,)` int32, real steps, at least 1.
    """

    source: NDArray[np.generic]
    source_length: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.source_length)


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """Number of examples that were left out, or kept with a change, for one reason."""

    reason: str
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """Data ready for training.

    Args:
        name: The option `dataset.name`.
        spec: Sizes and lengths.
        splits: `train`, `val` and `test`; for generated tasks also `longer`, a test with targets longer than
            any trained on.
        source_codec: Turns what a person writes into the numbers of a source, and back.
        target_codec: The same for the target.
        content_hash: SHA-256, hexadecimal, of every array of every split and of the codecs: equal data, equal hash.
        skipped: Counts of what was left out or changed; empty where nothing was.
        warnings: What makes the data hard to learn from, each with its remedy; empty where nothing does.
    """

    name: str
    spec: DataSpec
    splits: Mapping[str, Split]
    source_codec: Vocabulary | Scaler
    target_codec: Vocabulary | Scaler
    content_hash: str
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...] = ()
