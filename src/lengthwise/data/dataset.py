"""Define a dataset: splits of examples, and what their numbers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.numbers.times import Times
from lengthwise.data.scaler import Scaler
from lengthwise.data.sequences import Indices, Sequences
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
class References:
    """The accepted targets of examples beside their own; only examples that have several are listed.

    Args:
        example: `(references,)` int64, ascending, index of the example that each belongs to.
        target: Their ids, in the order of preference within an example.
    """

    example: Indices
    target: Sequences

    def take(self, indices: Indices, num_examples: int) -> References:
        """Return the references of some of `num_examples` examples, under their indices in `indices`."""
        bounds = np.searchsorted(self.example, np.arange(num_examples + 1))
        first, count = bounds[:-1][indices], np.diff(bounds)[indices]
        rows = np.arange(int(count.sum())) + np.repeat(first - (np.cumsum(count) - count), count)
        return References(example=np.repeat(np.arange(len(indices)), count), target=self.target.take(rows))


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """The examples for training, validation or test.

    Args:
        source: Ids or features, each sequence at least 1 step long.
        target: As `source`; without start or stop symbols. The same object as `source` for an autoencoder.
        references: Further accepted targets; None where each example has only its own.
        labels: `(examples,)` class of each example, for figures only; None where there is none.
    """

    source: Sequences
    target: Sequences
    references: References | None = None
    labels: NDArray[np.generic] | None = None

    def __len__(self) -> int:
        return len(self.source)

    def take(self, indices: Indices) -> Split:
        """Return a split of some examples, in the order given."""
        source = self.source.take(indices)
        return Split(
            source=source,
            target=source if self.target is self.source else self.target.take(indices),
            references=None if self.references is None else self.references.take(indices, len(self)),
            labels=None if self.labels is None else self.labels[indices],
        )

    def keep_first(self, count: int) -> Split:
        """Return a split of the first examples: all where there are no more than `count`."""
        return self.take(np.arange(min(count, len(self))))

    def list_accepted(self) -> References:
        """Return all accepted targets of every example, its own first."""
        own = np.arange(len(self))
        if self.references is None:
            return References(example=own, target=self.target)
        example = np.concatenate([own, self.references.example])
        order = np.argsort(example, kind="stable")
        targets = self.target.concatenate(self.references.target)
        return References(example=example[order], target=targets.take(order))


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """Source sequences to decode, whose targets are not known.

    Args:
        source: Ids or features, each sequence at least 1 step long.
    """

    source: Sequences

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """The place of each example in the user's file, for figures and for scores of single rows.

    Args:
        rows: Split -> `(examples,)` int64, row of each example's first target step in the file, from 0.
        ids: Split -> `(examples,)` text that names each example in the file; empty where none does.
        dates: `(rows,)` datetime64[s], date of each row of the file; None where it has none.
        is_anomalous: `(rows,)` bool, whether the user has labelled a row as an anomaly; None where there are no labels.
    """

    rows: Mapping[str, NDArray[np.int64]]
    ids: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    dates: Times | None = None
    is_anomalous: NDArray[np.bool_] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What baselines and scaled errors of a forecast are computed from, beside the examples.

    Args:
        history: Steps of a source that are the past; steps after them hold only what is known ahead.
        columns: Place of each target feature among the features of the source.
        period: Steps of a season; None where there is none.
        naive_error: For each target feature the mean absolute error of the naive forecast over the training rows, in
            the data's unit, by which MASE divides (Hyndman and Koehler 2006): that of the value one period before, or
            one row before without a period. 0 where the feature never changes.
        scaler: That of the target.
    """

    history: int
    columns: tuple[int, ...]
    period: int | None
    naive_error: tuple[float, ...]
    scaler: Scaler


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
        content_hash: SHA-256, hexadecimal, of the codecs and of all splits as padded arrays: equal data, equal hash.
        skipped: Counts of what was left out or changed; empty where nothing was.
        warnings: What makes the data hard to learn from, each with its remedy; empty where nothing does.
        origin: Where the examples are in the user's file of numbers; None for other data.
        forecast: What a forecast is measured by; None for other data.
    """

    name: str
    spec: DataSpec
    splits: Mapping[str, Split]
    source_codec: Vocabulary | Scaler
    target_codec: Vocabulary | Scaler
    content_hash: str
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...] = ()
    origin: Origin | None = None
    forecast: Forecast | None = None
