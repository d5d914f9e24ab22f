"""Small splits and predictions from plain lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from lengthwise.data.assembly import autoencoder_split
from lengthwise.data.dataset import Dataset, DataSpec, Kind, References, Split
from lengthwise.data.scaler import Scaler
from lengthwise.data.sequences import Sequences
from lengthwise.data.vocabulary import Vocabulary
from lengthwise.decoding.predictions import Predictions
from lengthwise.evaluation.metrics import Scores, score_predictions

Ids = Sequence[Sequence[int]]


def pad_ids(rows: Ids, fill: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pad rows of ids; `fill` after the end shows that nothing reads it."""
    padded = np.full((len(rows), max(map(len, rows), default=0)), fill, dtype=np.int32)
    for row, ids in zip(padded, rows, strict=True):
        row[: len(ids)] = ids
    return padded, np.array([len(ids) for ids in rows], dtype=np.int32)


@pytest.fixture
def make_split() -> Callable[..., Split]:
    def make(targets: Ids, *, sources: Ids | None = None, references: Sequence[Ids] | None = None) -> Split:
        further = None
        if references is not None:
            example = np.repeat(np.arange(len(references)), [len(own) - 1 for own in references])
            further = References(
                example=example, target=Sequences.from_lists([ids for own in references for ids in own[1:]])
            )
        return Split(
            source=Sequences.from_lists(targets if sources is None else sources),
            target=Sequences.from_lists(targets),
            references=further,
        )

    return make


@pytest.fixture
def make_predictions() -> Callable[..., Predictions]:
    def make(rows: Ids, *, fill: int = 0, stopped: bool = True) -> Predictions:
        values, length = pad_ids(rows, fill)
        return Predictions(
            values=values, length=length, stopped=np.full(len(rows), stopped), log_probability=np.zeros(len(rows), "f4")
        )

    return make


@pytest.fixture
def score_tokens(
    make_split: Callable[..., Split], make_predictions: Callable[..., Predictions]
) -> Callable[..., Scores]:
    def score(predicted: Ids, targets: Ids, *, references: Sequence[Ids] | None = None) -> Scores:
        return score_predictions(make_predictions(predicted), make_split(targets, references=references), "tokens")

    return score


def make_features(values: np.ndarray, length: Sequence[int]) -> tuple[Split, Predictions]:
    """The same steps as a target and as predictions of it."""
    steps, lengths = np.asarray(values, np.float32), np.asarray(length, np.int32)
    split = autoencoder_split(Sequences.from_padded(steps, lengths))
    stopped = np.ones(len(steps), bool)
    return split, Predictions(values=steps, length=lengths, stopped=stopped, log_probability=None)


@pytest.fixture
def feature_pair() -> Callable[..., tuple[Split, Predictions]]:
    return make_features


@pytest.fixture
def make_dataset() -> Callable[..., Dataset]:
    def make(
        train: Split, *, kind: Kind, source_codec: Vocabulary | Scaler, target_codec: Vocabulary | Scaler
    ) -> Dataset:
        return Dataset(
            name="made",
            spec=DataSpec(
                kind=kind,
                source_size=source_codec.size,
                target_size=target_codec.size,
                source_timesteps=train.source.longest,
                timesteps=train.target.longest,
            ),
            splits={"train": train},
            source_codec=source_codec,
            target_codec=target_codec,
            content_hash="0",
            skipped=(),
        )

    return make
