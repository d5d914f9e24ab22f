"""Classify each decoded sequence: right, stopped early, stopped late, or of the right length but wrong content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lengthwise.evaluation.comparison import TokenComparison
from lengthwise.evaluation.metrics import Scores

OUTCOMES = ("right", "stopped_early", "stopped_late", "wrong_content")
"""Names of the outcome codes 0 to 3; every example has exactly one."""

RIGHT, STOPPED_EARLY, STOPPED_LATE, WRONG_CONTENT = range(4)


@dataclass(frozen=True, kw_only=True, slots=True)
class OutcomeShares:
    """Outcomes of a set of examples, as shares of it from 0 to 1; the first four add up to 1.

    Args:
        right: Right in length and content; for features only in length.
        stopped_early: Shorter than the nearest reference.
        stopped_late: Longer than the nearest reference.
        wrong_content: Of the right length, but with other content; 0 for features.
        only_early: The part of `stopped_early` whose decoded symbols are all right: only the stop was wrong.
        only_late: The part of `stopped_late` that begins with the whole reference: only the stop was wrong.
        cut: Not ended by the model but by the limit of steps or by a length rule.
    """

    right: float
    stopped_early: float
    stopped_late: float
    wrong_content: float
    only_early: float
    only_late: float
    cut: float

    @property
    def parts(self) -> tuple[float, float, float, float]:
        """The four shares that add up to 1, in the order of `OUTCOMES`."""
        return self.right, self.stopped_early, self.stopped_late, self.wrong_content

    @property
    def summary(self) -> dict[str, float]:
        """Name -> share, without `right`, which is already among the scores."""
        names = (*OUTCOMES[1:], "only_early", "only_late", "cut")
        return {name: float(getattr(self, name)) for name in names}


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcomes:
    """The outcome of every example.

    The length decides what is a stopping error: a sequence of the wrong length is one, whatever its content, and a
    sequence of the right length is not. `only_stop` is stricter: the content must be right over the common steps.

    Args:
        codes: `(examples,)` int8, an index into `OUTCOMES`.
        only_stop: `(examples,)` bool, whether the stop is the only error.
        cut: `(examples,)` bool, whether the sequence was ended by a limit and not by the model.
    """

    codes: NDArray[np.int8]
    only_stop: NDArray[np.bool_]
    cut: NDArray[np.bool_]

    @property
    def names(self) -> list[str]:
        """The name of each example's outcome."""
        return [OUTCOMES[code] for code in self.codes]

    def share(self, chosen: NDArray[np.bool_] | None = None) -> OutcomeShares:
        """Return the shares of all examples, or of those where `chosen` `(examples,)` is True; NaN where none is."""
        chosen = np.ones(len(self.codes), bool) if chosen is None else chosen
        codes, only_stop = self.codes[chosen], self.only_stop[chosen]
        share = {name: _mean(codes == code) for code, name in enumerate(OUTCOMES)}
        return OutcomeShares(
            **share,
            only_early=_mean(only_stop & (codes == STOPPED_EARLY)),
            only_late=_mean(only_stop & (codes == STOPPED_LATE)),
            cut=_mean(self.cut[chosen]),
        )


LABELS: Mapping[str, str] = {
    "right": "right",
    "stopped_early": "stopped early",
    "stopped_late": "stopped late",
    "wrong_content": "wrong content",
}
"""Names of the outcomes in tables and figures."""


def classify_outcomes(scores: Scores) -> Outcomes:
    """Return the outcome `(examples,)` of every example.

    Real values are never exactly equal, so for features only the length counts: `right` means the right length.
    """
    comparison = scores.comparison
    if isinstance(comparison, TokenComparison):
        true_length = comparison.reference_length
        wrong = comparison.edits > 0
        num_common = np.minimum(comparison.predicted_length, true_length)
        prefix_right = comparison.correct_steps == num_common
    else:
        true_length = comparison.target_length
        wrong = np.zeros(len(true_length), bool)
        prefix_right = np.zeros(len(true_length), bool)
    codes = np.where(wrong, WRONG_CONTENT, RIGHT).astype(np.int8)
    codes[comparison.predicted_length < true_length] = STOPPED_EARLY
    codes[comparison.predicted_length > true_length] = STOPPED_LATE
    is_stop_error = (codes == STOPPED_EARLY) | (codes == STOPPED_LATE)
    return Outcomes(codes=codes, only_stop=is_stop_error & prefix_right, cut=~comparison.stopped)


def _mean(flags: NDArray[np.bool_]) -> float:
    return float(flags.mean()) if len(flags) else float("nan")
