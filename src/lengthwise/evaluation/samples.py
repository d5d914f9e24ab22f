"""Choose and tabulate examples to look at: source, target and prediction, the worst first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.dataset import Dataset, Split
from lengthwise.data.scaler import Scaler
from lengthwise.data.vocabulary import Vocabulary
from lengthwise.decoding.predictions import Predictions
from lengthwise.evaluation.comparison import TokenComparison
from lengthwise.evaluation.metrics import Scores
from lengthwise.evaluation.outcomes import LABELS, OUTCOMES, classify_outcomes
from lengthwise.evaluation.tables import Entry, Table

_SHOWN_NUMBERS = 6


def select_samples(scores: Scores, *, num_worst: int, num_random: int, seed: int) -> NDArray[np.int64]:
    """Choose which examples to show.

    Args:
        scores: Scores of a split.
        num_worst: Number of examples with the highest error rate, or absolute error for features, the worst first;
            ties in the order of the split. NaN counts as worse than any number.
        num_random: Number of further examples, drawn uniformly from the rest, in the order of the split.
        seed: Seed of the draw.

    Returns:
        `(chosen,)` int64 indices into the split, all different; fewer where the split is smaller.
    """
    name = "error_rate" if scores.kind == "tokens" else "mean_absolute_error"
    if name not in scores.examples:
        raise ValueError(f"choosing the worst examples needs the metric {name}, got {', '.join(scores.examples)}")
    error = np.nan_to_num(scores.examples[name].values, nan=np.inf)
    order = np.argsort(-error, kind="stable")
    worst, rest = order[:num_worst], order[num_worst:]
    drawn = np.random.default_rng(seed).choice(np.sort(rest), size=min(num_random, len(rest)), replace=False)
    return np.concatenate([worst, np.sort(drawn)])


def tabulate_samples(
    predictions: Predictions, *, split: Split, scores: Scores, dataset: Dataset, chosen: NDArray[np.int64]
) -> Table:
    """Write examples as text, one row each.

    Args:
        predictions: Values `(examples, steps)` or `(examples, steps, features)`, one for each example of the split.
        split: Sources and targets.
        scores: The scores of these predictions.
        dataset: The data; its codecs turn ids into text, or scaled values into the data's unit.
        chosen: `(chosen,)` indices of the examples, in the order wanted.

    Returns:
        The table. Tokens: all references, joined by ` / `, and the edits to the nearest. Features: shapes, the absolute
        error (scaled), and the first values in the data's unit.
    """
    is_tokens = isinstance(scores.comparison, TokenComparison)
    tabulate = _tabulate_tokens if is_tokens else _tabulate_features
    return tabulate(predictions, split, scores, dataset, chosen)


def _tabulate_tokens(
    predictions: Predictions, split: Split, scores: Scores, dataset: Dataset, chosen: NDArray[np.int64]
) -> Table:
    source_codec, target_codec = dataset.source_codec, dataset.target_codec
    if not isinstance(scores.comparison, TokenComparison) or not isinstance(target_codec, Vocabulary):
        raise ValueError("tokens need a vocabulary for the target, got a scaler")
    outcomes = classify_outcomes(scores)
    accepted = split.take(chosen).list_accepted()
    rows: list[tuple[Entry, ...]] = []
    for row, index in enumerate(chosen.tolist()):
        references = np.flatnonzero(accepted.example == row).tolist()
        rows.append(
            (
                index,
                show_side(split.source[index], source_codec),
                " / ".join(target_codec.decode(accepted.target[each].tolist()) for each in references),
                target_codec.decode(predictions.values[index, : predictions.length[index]].tolist()),
                bool(outcomes.codes[index] == 0),
                int(scores.comparison.edits[index]),
                LABELS[OUTCOMES[outcomes.codes[index]]],
            )
        )
    return Table(columns=("example", "source", "target", "prediction", "right", "edits", "outcome"), rows=tuple(rows))


def _tabulate_features(
    predictions: Predictions, split: Split, scores: Scores, dataset: Dataset, chosen: NDArray[np.int64]
) -> Table:
    error = scores.examples["mean_absolute_error"].values
    rows: list[tuple[Entry, ...]] = []
    for index in chosen.tolist():
        target = split.target[index]
        prediction = predictions.values[index, : predictions.length[index]]
        rows.append(
            (
                index,
                _show_shape(target),
                _show_shape(prediction),
                float(error[index]),
                show_side(target, dataset.target_codec),
                show_side(prediction, dataset.target_codec),
            )
        )
    columns = ("example", "target_shape", "prediction_shape", "absolute_error", "target", "prediction")
    return Table(columns=columns, rows=tuple(rows))


def show_side(values: NDArray[np.generic], codec: Vocabulary | Scaler) -> str:
    """Write a source or a target without padding as text: symbols, or its first numbers in the data's unit."""
    if isinstance(codec, Vocabulary):
        return codec.decode(values.tolist())
    numbers = codec.decode(values.astype(np.float64)).ravel()
    shown = " ".join(f"{number:.3g}" for number in numbers[:_SHOWN_NUMBERS])
    return f"{shown} …" if len(numbers) > _SHOWN_NUMBERS else shown


def _show_shape(values: NDArray[np.generic]) -> str:
    return f"{values.shape[0]} x {values.shape[1]}"
