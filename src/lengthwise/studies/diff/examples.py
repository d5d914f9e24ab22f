"""Examples that one of two models decodes right and the other wrong, with the errors marked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.dataset import Dataset, Split
from lengthwise.data.vocabulary import Vocabulary
from lengthwise.evaluation.comparison import TokenComparison
from lengthwise.evaluation.samples import show_side
from lengthwise.evaluation.tables import Entry, Table
from lengthwise.studies.diff.alignment import mark_alignment
from lengthwise.studies.diff.pair import SplitDifference
from lengthwise.studies.diff.scored import ScoredSplit

SIDES = ("A", "B")
"""What the two models are called in tables and sentences."""


def tabulate_examples(difference: SplitDifference, dataset: Dataset, *, count: int) -> Mapping[str, Table]:
    """Choose examples that the two models decode differently, and write them down.

    Args:
        difference: Two runs on a split of which both have kept what they decoded.
        dataset: The data.
        count: Most examples of each table.

    Returns:
        Caption -> examples. Of tokens, those that only one of the two gets right, spread evenly over the split, with
        the other's errors marked; of features, those in which one is better by most.
    """
    gains, first, second = difference.gains, difference.first, difference.second
    if gains is None or first is None or second is None or first.scores is None or second.scores is None:
        return {}
    split = dataset.splits[difference.split]
    if isinstance(dataset.target_codec, Vocabulary):
        tables = {}
        for better, worse, own, is_better in (("B", "A", first, gains > 0), ("A", "B", second, gains < 0)):
            chosen = _spread(np.flatnonzero(is_better), count)
            caption = f"Only {better} is right: {int(is_better.sum()):,} examples. The errors of {worse} are marked"
            tables[caption] = _tabulate_tokens(own, split, dataset, chosen)
        return tables
    order = np.argsort(-gains, kind="stable")
    best, worst = order[:count], order[::-1][:count]
    return {
        f"{name} is better by most": _tabulate_features(difference, split, dataset, chosen)
        for name, chosen in (("B", best), ("A", worst))
    }


def _spread(indices: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return that many of the indices, evenly spaced, in order."""
    places = np.linspace(0, len(indices) - 1, min(count, len(indices))).round().astype(np.int64)
    return indices[np.unique(places)] if len(indices) else indices


def _tabulate_tokens(own: ScoredSplit, split: Split, dataset: Dataset, chosen: NDArray[np.int64]) -> Table:
    """Write examples with the errors of one model against the nearest of their references."""
    comparison, predictions, codec = own.scores and own.scores.comparison, own.predictions, dataset.target_codec
    rows: list[tuple[Entry, ...]] = []
    if isinstance(comparison, TokenComparison) and predictions is not None and isinstance(codec, Vocabulary):
        for index in chosen.tolist():
            predicted = predictions.values[index, : predictions.length[index]].tolist()
            nearest = comparison.list_reference(index)
            source = show_side(split.source[index], dataset.source_codec)
            rows.append((index, source, codec.decode(nearest), mark_alignment(nearest, predicted, codec)))
    return Table(columns=("example", "source", "target", "prediction"), rows=tuple(rows))


def _tabulate_features(difference: SplitDifference, split: Split, dataset: Dataset, chosen: NDArray[np.int64]) -> Table:
    rows: list[tuple[Entry, ...]] = []
    for index in chosen.tolist():
        row: list[Entry] = [index, show_side(split.target[index], dataset.target_codec)]
        for own in (difference.first, difference.second):
            if own is not None and own.predictions is not None:
                values = own.predictions.values[index, : own.predictions.length[index]]
                error = own.examples[difference.primary.metric].values[index]
                row += [show_side(values, dataset.target_codec), float(error)]
        rows.append(tuple(row))
    columns = [name for side in SIDES for name in (f"prediction of {side}", f"error of {side}")]
    return Table(columns=("example", "target", *columns), rows=tuple(rows))
