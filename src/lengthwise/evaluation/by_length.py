"""Every score by the length of the target, within the trained lengths and beyond."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lengthwise.evaluation.metrics import Scores
from lengthwise.evaluation.outcomes import OutcomeShares, classify_outcomes
from lengthwise.evaluation.tables import Cell, Table

MAX_BINS = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class LengthBin:
    """Scores of the examples whose target length falls into a range.

    Args:
        low: shortest target length, steps.
        high: longest, steps, itself included.
        is_beyond: whether these lengths are longer than any trained on.
        count: examples, at least 1.
        scores: name of the metric -> score.
        outcomes: how these examples ended up.
    """

    low: int
    high: int
    is_beyond: bool
    count: int
    scores: Mapping[str, float]
    outcomes: OutcomeShares

    @property
    def label(self) -> str:
        """The range in words, such as `7` or `8-9`."""
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


@dataclass(frozen=True, kw_only=True, slots=True)
class LengthScores:
    """Scores of a split by target length.

    Args:
        bins: from short to long; together they hold every example once, none is empty or straddles the trained range.
        trained_max_length: longest target trained on, steps.
        trained: name of the metric -> score of all targets up to that length; None where the split has none.
        beyond: the same of all longer ones.
    """

    bins: tuple[LengthBin, ...]
    trained_max_length: int
    trained: Mapping[str, float] | None
    beyond: Mapping[str, float] | None

    def to_table(self) -> Table:
        """Return one row for each bin: lengths, whether beyond the trained ones, examples, scores, outcomes."""
        names = list(self.bins[0].scores)
        outcomes = list(self.bins[0].outcomes.summary)
        rows: list[tuple[Cell, ...]] = [
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
        scores: scores of the split; an example's length is that of its own target, whatever reference is nearest, so
            that the groups are the same for every model.
        trained_max_length: longest target of the training split, steps.
        max_bins: most groups, at least 2.
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
    """Cut the lengths that occur into ranges: one for each length where they are few, else equally wide ones.

    Args:
        length: `(examples,)` steps.
        trained_max_length: where a range must end.
        max_bins: most ranges, at least 2: one up to the trained length and one beyond.

    Returns:
        `(low, high)` of each range, both lengths that occur and both included, from short to long; none is empty.
    """
    if max_bins < 2:
        raise ValueError(f"at least 2 bins are needed, within the trained lengths and beyond; got {max_bins}")
    present = np.unique(length)
    if len(present) <= max_bins:
        return [(int(value), int(value)) for value in present]
    low, high = int(present[0]), int(present[-1])
    # The trained side is cut from its end downwards, the other from its start upwards, so both meet at the border.
    border = min(max(trained_max_length, low - 1), high)
    width = -(-(high - low + 1) // max_bins)
    while -(-(border - low + 1) // width) - (-(high - border) // width) > max_bins:
        width += 1
    within = [(max(low, end - width + 1), end) for end in range(border, low - 1, -width)]
    beyond = [(start, min(high, start + width - 1)) for start in range(border + 1, high + 1, width)]
    ranges = within[::-1] + beyond
    held = [present[(present >= first) & (present <= last)] for first, last in ranges]
    return [(int(lengths[0]), int(lengths[-1])) for lengths in held if len(lengths)]
