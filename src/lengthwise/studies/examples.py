"""Noise of a score that comes from the choice of its test examples, for any weighted sum of runs.

Runs that are scored on the same data share their examples. What these add to the variance of a weighted sum of scores
is the variance, over the examples, of the same weighted sum for each of them, divided by their number; so what is easy
or hard for all runs alike cancels in a difference. Where every seed has data of its own, the spread over the seeds
holds this noise already, and nothing is added.

Where a run has not kept what each example adds to its score, a share p of right sequences is taken to vary by
p (1 - p), and the examples that one side of a difference gets right are taken to be unrelated to the other side's:
more than the noise can be expected to be.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lengthwise.studies.intervals import Noise

Weights = NDArray[np.float64]


class Scored(NamedTuple):
    """How one run was scored.

    Args:
        place: Its index among the weights, flattened.
        replicate: Index of its seed.
        data: Names the data; runs with the same have the same examples.
        num_examples: Number of examples; 0 where it is not known.
        score: The score.
        by_example: What each example adds to the score, `(examples,)`; None where it was not kept.
    """

    place: int
    replicate: int
    data: Hashable
    num_examples: int
    score: float
    by_example: NDArray[np.float32] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shared:
    """Runs that were scored on the same examples."""

    places: NDArray[np.int64]
    by_example: NDArray[np.float32] | None
    deviations: Weights
    count: int
    is_shared: bool


class ExampleNoise:
    """The noise that the choice of the examples gives to sums of runs.

    Args:
        runs: How each run was scored.
        is_share: Whether the score is a share of right examples.
    """

    def __init__(self, runs: Sequence[Scored], *, is_share: bool) -> None:
        by_data: dict[Hashable, list[Scored]] = {}
        for run in runs:
            by_data.setdefault(run.data, []).append(run)
        self._groups = [_group(own, is_share=is_share) for own in by_data.values()]
        self._is_share = is_share

    @property
    def is_complete(self) -> bool:
        """Whether the noise of all examples is known, or bounded."""
        return all(
            group.by_example is not None or not group.is_shared or (self._is_share and group.count > 0)
            for group in self._groups
        )

    def measure(self, weights: Weights) -> Noise:
        """Return the noise of the sum of all scores, each times its weight.

        Args:
            weights: In any shape; run `place` has the weight at that flat index.
        """
        flat = weights.ravel()
        parts, smallest = [], 0.0
        for group in self._groups:
            own = flat[group.places]
            if not own.any() or group.count < 2:
                continue
            if self._is_share:
                smallest += (float(np.abs(own).sum()) / 2 / group.count) ** 2
            if group.is_shared:
                parts.append((self._measure_group(group, own), group.count - 1))
        total = sum(variance for variance, _ in parts)
        squared = sum(variance**2 / freedom for variance, freedom in parts)
        return Noise(total, total**2 / squared if squared else math.inf, smallest)

    def _measure_group(self, group: _Shared, weights: Weights) -> float:
        used = weights != 0
        if group.by_example is not None:
            summed = weights[used] @ group.by_example[used]
            return float(summed.var(ddof=1)) / group.count
        spreads = weights * group.deviations
        above, below = spreads[spreads > 0].sum(), spreads[spreads < 0].sum()
        return float(above**2 + below**2) / group.count


def _group(runs: Sequence[Scored], *, is_share: bool) -> _Shared:
    kept = [run.by_example for run in runs if run.by_example is not None]
    is_kept = len(kept) == len(runs) and len({len(own) for own in kept}) == 1
    scores = np.clip([run.score for run in runs], 0.0, 1.0)
    return _Shared(
        places=np.array([run.place for run in runs]),
        by_example=np.stack(kept) if is_kept else None,
        deviations=np.sqrt(scores * (1 - scores)) if is_share else np.zeros(len(runs)),
        count=max(run.num_examples for run in runs),
        is_shared=len({run.replicate for run in runs}) > 1,
    )


NO_NOISE = ExampleNoise((), is_share=False)
"""Of scores whose examples are not known."""
