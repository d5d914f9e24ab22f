"""How each decoded sequence ended up: right, stopped early, stopped late, or of the right length but wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lengthwise.evaluation.comparison import TokenComparison
from lengthwise.evaluation.metrics import Scores

OUTCOMES = ("right", "stopped_early", "stopped_late", "wrong_content")
"""Names of the codes 0 to 3; every example has exactly one."""

RIGHT, STOPPED_EARLY, STOPPED_LATE, WRONG_CONTENT = range(4)


@dataclass(frozen=True, kw_only=True, slots=True)
class OutcomeShares:
    """Outcomes of a set of examples, as shares of it; the first four add up to 1.

    Args:
        right: right in length and content; for features in length alone.
        stopped_early: shorter than the nearest reference.
        stopped_late: longer.
        wrong_content: of its length, but another content; 0 for features.
        only_early: of `stopped_early`, where all that was made is right: nothing but the stop was wrong.
        only_late: of `stopped_late`, where the whole reference was made first, and more after it.
        cut: not ended by the model itself but by the most steps allowed, or by a length rule.
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
        """The four that add up to 1, in the order of `OUTCOMES`."""
        return self.right, self.stopped_early, self.stopped_late, self.wrong_content

    @property
    def summary(self) -> dict[str, float]:
        """Name -> share, without `right`, which other scores hold already."""
        names = (*OUTCOMES[1:], "only_early", "only_late", "cut")
        return {name: float(getattr(self, name)) for name in names}


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcomes:
    """The outcome of every example.

    The stop decision is isolated by length alone: a sequence of the wrong length is a stopping error whatever it
    holds, one of the right length is not. `only_stop` is the stricter reading, in which content must be right as far
    as both reach.

    Args:
        codes: `(examples,)` int8, an index into `OUTCOMES`.
        only_stop: `(examples,)` bool, whether the stop is all that is wrong.
        cut: `(examples,)` bool, whether the model did not end the sequence itself.
    """

    codes: NDArray[np.int8]
    only_stop: NDArray[np.bool_]
    cut: NDArray[np.bool_]

    @property
    def names(self) -> list[str]:
        """The outcome of each example in words."""
        return [OUTCOMES[code] for code in self.codes]

    def share(self, chosen: NDArray[np.bool_] | None = None) -> OutcomeShares:
        """Return the shares of all examples, or of the chosen ones `(examples,)`; NaN where none is chosen."""
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
    """Give every example its one outcome.

    Features are never equal to the last digit, so for them only the length is judged: `right` is the right length.
    """
    comparison = scores.comparison
    if isinstance(comparison, TokenComparison):
        true_length = comparison.reference_length
        wrong = comparison.edits > 0
        reach = np.minimum(comparison.predicted_length, true_length)
        prefix_right = comparison.correct_steps == reach
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
