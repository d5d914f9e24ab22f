from __future__ import annotations

from collections.abc import Callable

import pytest

from lengthwise.data.dataset import Dataset
from lengthwise.data.vocabulary import Vocabulary


def _read_pairs(dataset: Dataset, name: str) -> list[tuple[str, str]]:
    split = dataset.splits[name]
    assert isinstance(dataset.source_codec, Vocabulary)
    assert isinstance(dataset.target_codec, Vocabulary)
    rows = zip(split.source, split.source_length, split.target, split.target_length, strict=True)
    return [
        (dataset.source_codec.decode(source[:steps]), dataset.target_codec.decode(target[:target_steps]))
        for source, steps, target, target_steps in rows
    ]


@pytest.fixture
def read_pairs() -> Callable[[Dataset, str], list[tuple[str, str]]]:
    """Written (source, target) of every example of a split."""
    return _read_pairs
