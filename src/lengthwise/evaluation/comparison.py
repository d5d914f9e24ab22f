"""Align predictions with their targets: the nearest reference of tokens, the padded steps of features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from lengthwise.data.dataset import Forecast, Split
from lengthwise.data.vocabulary import UNKNOWN
from lengthwise.decoding.predictions import Predictions

_END, _UNMATCHABLE, _FIRST = 0, 1, 2
"""Codes of steps: after the end of a sequence; a predicted `UNKNOWN`; the offset added to every other id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenComparison:
    """Predicted ids and the nearest of each example's references.

    The nearest reference is that of the fewest edits, as in the phoneme error rates of the literature; ties go to the
    longest, then to the first listed. Where the prediction equals a reference, that one is the nearest. A predicted
    `UNKNOWN` matches nothing, not even an `UNKNOWN` in the target: it names no symbol.

    Args:
        predicted: `(examples, steps)` uint32 codes, 0 after the end.
        predicted_length: `(examples,)` int64, steps.
        reference: `(examples, steps)` uint32 codes of the nearest reference, 0 after the end; as wide as `predicted`.
        reference_length: `(examples,)` int64, steps, at least 1.
        edits: `(examples,)` int64, insertions, deletions and substitutions between the two (Levenshtein 1966).
        target_length: `(examples,)` int64, steps of the example's own target, by which examples are grouped by length.
        stopped: `(examples,)` bool, whether the model ended the sequence itself.
    """

    predicted: NDArray[np.uint32]
    predicted_length: NDArray[np.int64]
    reference: NDArray[np.uint32]
    reference_length: NDArray[np.int64]
    edits: NDArray[np.int64]
    target_length: NDArray[np.int64]
    stopped: NDArray[np.bool_]

    @property
    def correct_steps(self) -> NDArray[np.int64]:
        """Number of steps `(examples,)` at which prediction and reference have the same symbol."""
        agree = (self.predicted == self.reference) & (self.reference != _END)
        correct: NDArray[np.int64] = agree.sum(axis=1, dtype=np.int64)
        return correct

    def list_reference(self, example: int) -> list[int]:
        """Return the ids of an example's nearest reference, without padding."""
        codes = self.reference[example, : self.reference_length[example]].astype(np.int64)
        ids: list[int] = (codes - _FIRST).tolist()
        return ids


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureComparison:
    """Predicted and true steps in scaled units, zero after the end of each sequence.

    Args:
        predicted: `(examples, steps, features)` float64.
        predicted_length: `(examples,)` int64, steps.
        target: `(examples, steps, features)` float64; as wide as `predicted`.
        target_length: `(examples,)` int64, steps, at least 1.
        stopped: `(examples,)` bool, whether the model ended the sequence itself.
        forecast: What a forecast is measured by; None for other data.
    """

    predicted: NDArray[np.float64]
    predicted_length: NDArray[np.int64]
    target: NDArray[np.float64]
    target_length: NDArray[np.int64]
    stopped: NDArray[np.bool_]
    forecast: Forecast | None = None

    @property
    def num_features(self) -> int:
        """Number of features of a step."""
        return int(self.target.shape[2])


def compare_tokens(predictions: Predictions, split: Split) -> TokenComparison:
    """Find each prediction's nearest reference and its edit distance.

    Args:
        predictions: Decoded ids `(examples, steps)`, one row for each example of the split, in its order.
        split: The targets, with all their references where there are several.

    Raises:
        ValueError: The predictions do not belong to the split.
    """
    _check_pair(predictions, split, dimensions=2)
    accepted = split.list_accepted()
    reference_length = accepted.target.length.astype(np.int64)
    if reference_length.min() < 1:
        raise ValueError("every reference must have at least one step, got one of none")
    reference = _code(accepted.target.pad(), reference_length)
    predicted_length = predictions.length.astype(np.int64)
    predicted = _code(predictions.values, predicted_length, is_predicted=True)
    predicted_texts = _texts(predicted)
    edits = _edit_distances([predicted_texts[index] for index in accepted.example], _texts(reference))
    nearest = _nearest(accepted.example, edits, reference_length)
    width = max(predicted.shape[1], reference.shape[1])
    return TokenComparison(
        predicted=_widen(predicted, width),
        predicted_length=predicted_length,
        reference=_widen(reference[nearest], width),
        reference_length=reference_length[nearest],
        edits=edits[nearest],
        target_length=split.target.length.astype(np.int64),
        stopped=predictions.stopped,
    )


def compare_features(predictions: Predictions, split: Split, forecast: Forecast | None = None) -> FeatureComparison:
    """Pad predicted and true steps to the same width, zero after the end of each sequence.

    Args:
        predictions: Decoded steps `(examples, steps, features)`, one row for each example of the split, in its order.
        split: The targets.
        forecast: What a forecast is measured by; None for other data.

    Raises:
        ValueError: The predictions do not belong to the split.
    """
    _check_pair(predictions, split, dimensions=3)
    num_features = split.target.values.shape[1]
    if predictions.values.shape[2] != num_features:
        raise ValueError(
            f"predictions must have the target's {num_features} features a step, got {predictions.values.shape[2]}"
        )
    width = max(predictions.values.shape[1], split.target.longest)
    return FeatureComparison(
        predicted=_mask_steps(predictions.values, predictions.length, width),
        predicted_length=predictions.length.astype(np.int64),
        target=split.target.pad(width=width).astype(np.float64),
        target_length=split.target.length.astype(np.int64),
        stopped=predictions.stopped,
        forecast=forecast,
    )


def _check_pair(predictions: Predictions, split: Split, *, dimensions: int) -> None:
    if len(split) == 0:
        raise ValueError("a split without examples cannot be scored")
    if len(predictions) != len(split):
        raise ValueError(f"each of the split's {len(split)} examples needs one prediction, got {len(predictions)}")
    target_dimensions = split.target.values.ndim + 1
    if predictions.values.ndim != dimensions or target_dimensions != dimensions:
        raise ValueError(
            f"values and targets of this kind have {dimensions} dimensions, got {predictions.values.ndim} and "
            f"{target_dimensions}"
        )
    if predictions.length.min() < 0 or predictions.length.max() > predictions.values.shape[1]:
        raise ValueError(
            f"predicted lengths must lie within the {predictions.values.shape[1]} steps of the values, got "
            f"{predictions.length.min()} to {predictions.length.max()}"
        )
    if split.target.length.min() < 1:
        raise ValueError("every target must have at least one step, got one of none")


def _code(ids: NDArray[np.generic], length: NDArray[np.integer], *, is_predicted: bool = False) -> NDArray[np.uint32]:
    """Return the codes `(rows, steps)` of ids `(rows, steps)`, at least one step wide."""
    codes = ids.astype(np.uint32) + np.uint32(_FIRST)
    if is_predicted:
        codes[ids == UNKNOWN] = _UNMATCHABLE
    codes[np.arange(ids.shape[1]) >= length[:, None]] = _END
    return _widen(codes, max(1, ids.shape[1]))


def _widen(codes: NDArray[np.uint32], width: int) -> NDArray[np.uint32]:
    """Return codes `(rows, steps)` as `(rows, width)`, 0 on the right."""
    return np.pad(codes, ((0, 0), (0, width - codes.shape[1])))


def _texts(codes: NDArray[np.uint32]) -> list[str]:
    """Return each row of `(rows, steps)` as a string of one code point per step, the fastest input for rapidfuzz."""
    # NumPy strips trailing zeros from strings, which here are exactly the steps after the end.
    texts: list[str] = np.ascontiguousarray(codes).view(f"<U{codes.shape[1]}").ravel().tolist()
    return texts


def _edit_distances(first: list[str], second: list[str]) -> NDArray[np.int64]:
    """Return the edit distance `(pairs,)` of each pair of texts."""
    distances: NDArray[np.int64] = process.cpdist(first, second, scorer=Levenshtein.distance, dtype=np.int64)
    return distances.reshape(-1)


def _nearest(example: NDArray[np.int64], edits: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each example the index `(examples,)` of its reference with the fewest edits.

    Args:
        example: `(references,)` index of the example of each reference.
        edits: `(references,)` edits between prediction and reference.
        length: `(references,)` steps of the reference; of ties the longest is chosen, then the first.
    """
    order = np.lexsort((np.arange(len(example)), -length, edits, example))
    _, first = np.unique(example[order], return_index=True)
    return order[first]


def _mask_steps(values: NDArray[np.generic], length: NDArray[np.integer], width: int) -> NDArray[np.float64]:
    """Return values `(examples, steps, features)` as `(examples, width, features)`, zero after the end of each."""
    real = np.arange(values.shape[1]) < length[:, None]
    masked = np.where(real[:, :, None], values.astype(np.float64), 0.0)
    return np.pad(masked, ((0, 0), (0, width - values.shape[1]), (0, 0)))
