from __future__ import annotations

from collections.abc import Callable

import pytest

from lengthwise.data.dataset import Dataset
from lengthwise.data.vocabulary import Vocabulary


def _read_pairs(dataset: Dataset, name: str) -> list[tuple[str, str]]:
    split = dataset.splits[name]
    assert isinstance(dataset.source_codec, Vocabulary)
    assert isinstance(dataset.target_codec, Vocabulary)
    return [
        (dataset.source_codec.decode(split.source[row]), dataset.target_codec.decode(split.target[row]))
        for row in range(len(split))
    ]


@pytest.fixture
def read_pairs() -> Callable[[Dataset, str], list[tuple[str, str]]]:
    """Written (source, target) of every example of a split."""
    return _read_pairs
