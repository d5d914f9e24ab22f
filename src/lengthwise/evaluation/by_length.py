"""Score a split by target length, within the trained lengths and beyond."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lengthwise.evaluation.metrics import Scores
from lengthwise.evaluation.outcomes import OutcomeShares, classify_outcomes
from lengthwise.evaluation.tables import Entry, Table

MAX_BINS = 12
"""Most bars and points that a figure of scores by length shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LengthBin:
    """Scores of the examples whose target length falls into a range.

    Args:
        low: Shortest target length of the range, steps.
        high: Longest target length of the range, steps, included.
        is_beyond: Whether these lengths are longer than any trained on.
        count: Number of examples, at least 1.
        scores: Name of the metric -> score.
        outcomes: Shares of outcomes of these examples.
    """

    low: int
    high: int
    is_beyond: bool
    count: int
    scores: Mapping[str, float]
    outcomes: OutcomeShares

    @property
    def label(self) -> str:
        """The range as text, such as `7` or `8-9`."""
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


@dataclass(frozen=True, kw_only=True, slots=True)
class LengthScores:
    """Scores of a split by target length.

    Args:
        bins: From short to long; each example is in exactly one, none is empty, none straddles the trained range.
        trained_max_length: Longest target of the training split, steps.
        trained: Name of the metric -> score of all targets up to that length; None where the split has none.
        beyond: Name of the metric -> score of all longer targets; None where the split has none.
    """

    bins: tuple[LengthBin, ...]
    trained_max_length: int
    trained: Mapping[str, float] | None
    beyond: Mapping[str, float] | None

    def to_table(self) -> Table:
        """Return one row for each bin: its lengths, whether beyond the trained ones, examples, scores, outcomes."""
        names = list(self.bins[0].scores)
        outcomes = list(self.bins[0].outcomes.summary)
        rows: list[tuple[Entry, ...]] = [
            (
                length_bin.label,
                length_bin.is_beyond,
                length_bin.count,
                *(length_bin.scores[name] for name in names),
                *length_bin.outcomes.summary.values(),
            )
            for length_bin in self.bins
        ]
        return Table(columns=("target_length", "beyond_trained", "examples", *names, *outcomes), rows=tuple(rows))


def score_by_length(scores: Scores, *, trained_max_length: int, max_bins: int = MAX_BINS) -> LengthScores:
    """Group the examples of a split by target length and score each group.

    Args:
        scores: Scores of the split. The length of an example is that of its own target, whichever reference is
            nearest, so that the groups are the same for every model.
        trained_max_length: Longest target of the training split, steps.
        max_bins: Most groups, at least 2.
    """
    length = scores.comparison.target_length
    outcomes = classify_outcomes(scores)
    bins = []
    for low, high in bin_lengths(length, trained_max_length, max_bins):
        chosen = (length >= low) & (length <= high)
        bins.append(
            LengthBin(
                low=low,
                high=high,
                is_beyond=low > trained_max_length,
                count=int(chosen.sum()),
                scores=scores.summarise(chosen),
                outcomes=outcomes.share(chosen),
            )
        )
    is_beyond = length > trained_max_length
    return LengthScores(
        bins=tuple(bins),
        trained_max_length=trained_max_length,
        trained=None if is_beyond.all() else scores.summarise(~is_beyond),
        beyond=scores.summarise(is_beyond) if is_beyond.any() else None,
    )


def bin_lengths(length: NDArray[np.int64], trained_max_length: int, max_bins: int = MAX_BINS) -> list[tuple[int, int]]:
    """Cut the lengths that occur into ranges: one for each length where there are few, else equally wide ones.

    Args:
        length: `(examples,)` steps.
        trained_max_length: Longest trained length, steps; no range straddles it.
        max_bins: Most ranges, at least 2: one up to the trained length and one beyond.

    Returns:
        `(low, high)` of each range, from short to long; both are lengths that occur, and both belong to the range.
    """
    if max_bins < 2:
        raise ValueError(f"at least 2 bins are needed, within the trained lengths and beyond; got {max_bins}")
    present = np.unique(length)
    if len(present) <= max_bins:
        return [(int(value), int(value)) for value in present]
    low, high = int(present[0]), int(present[-1])
    # Ranges up to the border are cut from the border downwards, ranges beyond it upwards, so that none straddles it.
    border = min(max(trained_max_length, low - 1), high)
    width = math.ceil((high - low + 1) / max_bins)
    while math.ceil((border - low + 1) / width) + math.ceil((high - border) / width) > max_bins:
        width += 1
    within = [(max(low, end - width + 1), end) for end in range(border, low - 1, -width)]
    beyond = [(start, min(high, start + width - 1)) for start in range(border + 1, high + 1, width)]
    ranges = within[::-1] + beyond
    occurring = [present[(present >= first) & (present <= last)] for first, last in ranges]
    return [(int(lengths[0]), int(lengths[-1])) for lengths in occurring if len(lengths)]
