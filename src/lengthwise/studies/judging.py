"""What a page may call different: one family of comparisons at 5 % in all, and the set that holds the best condition.

The effects that the sentences of a page speak of, main and simple, share one half of its 5 %; which conditions may be
the best has the other half. So in 95 of 100 studies in which nothing differs, a page calls nothing different.

Effects are judged by Holm's weighted procedure (Holm 1979, "A simple sequentially rejective multiple test procedure",
section 3): each axis has the same share, and in it each pair of levels; half of that is for the main effect, and the
other half is divided among its simple effects. So an axis of many levels does not hide the effects of the others.

A condition is ruled out as the best where any other is better by a one-sided test at the level divided by the number
of the others. The set that is left holds the truly best one with that confidence, whichever was chosen (Hsu 1996,
Multiple Comparisons, chapter 4; Bonferroni's bound instead of Dunnett's, since the conditions' variances differ).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lengthwise.studies.effects import Effect, Grid, compare_with
from lengthwise.studies.intervals import LEVEL

PAGE_LEVEL = 1 - LEVEL
"""Chance that a page calls anything different where nothing differs, at most."""

MIN_SEEDS = 5
"""Fewer seeds have no verdict."""

_HALF = 0.5
_MOST_RULING = 20
"""Only conditions with the highest means, this many, are tried for ruling out others."""

SET_CONFIDENCE = 1 - _HALF * PAGE_LEVEL
"""Of the set that holds the best condition."""


def correct_holm(p_values: Sequence[float], weights: Sequence[float] | None = None) -> list[float]:
    """Correct the p-values of a family so that the chance of any false one below a level is at most that level.

    NaN stays NaN, and its weight goes to the others.

    >>> correct_holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]

    Args:
        p_values: One for each comparison.
        weights: Share of the level for each, above 0; None: equal shares.
    """
    shares = [1.0] * len(p_values) if weights is None else weights
    corrected = [math.nan] * len(p_values)
    known = sorted((p / shares[index], index) for index, p in enumerate(p_values) if not math.isnan(p))
    left, highest = sum(shares[index] for _, index in known), 0.0
    for ratio, index in known:
        highest = max(highest, min(1.0, left * ratio))
        corrected[index] = highest
        left -= shares[index]
    return corrected


def correct_effects(
    main: Sequence[Effect], simple: Sequence[Sequence[Effect]]
) -> tuple[list[float], list[list[float]]]:
    """Correct the p-values of the effects of a page; below 5 % they may be called different.

    Effects of fewer than five seeds are not judged: theirs is NaN.

    Args:
        main: The main effects.
        simple: For each of them its simple effects.

    Returns:
        The corrected p-values, in the same order.
    """
    pairs = Counter(effect.contrasts[0].axis for effect in main)
    p_values, weights = [], []
    for effect, own in zip(main, simple, strict=True):
        share = 1 / (len(pairs) * pairs[effect.contrasts[0].axis])
        for each, part in ((effect, share if not own else share / 2), *((one, share / 2 / len(own)) for one in own)):
            p_values.append(each.estimate.p_value if each.seeds_used >= MIN_SEEDS else math.nan)
            weights.append(part)
    corrected = iter(p if math.isnan(p) else min(1.0, p / _HALF) for p in correct_holm(p_values, weights))
    found = [(next(corrected), [next(corrected) for _ in own]) for own in simple]
    return [first for first, _ in found], [rest for _, rest in found]


def find_possible_best(grid: Grid, *, higher_is_better: bool) -> NDArray[np.bool_]:
    """Find the conditions that may be the best: with 97.5 % confidence the truly best one is among them.

    Args:
        grid: Scores `(conditions, seeds)`; conditions without a score are in the set.
        higher_is_better: Whether more is better.

    Returns:
        `(conditions,)`; all True where there are fewer than five seeds.
    """
    values = grid.values if higher_is_better else -grid.values
    count = len(values)
    possible = np.ones(count, bool)
    level = (1 - SET_CONFIDENCE) / max(1, count - 1)
    means = [row[np.isfinite(row)].mean() if np.isfinite(row).any() else -math.inf for row in values]
    for other in np.argsort(means)[::-1][:_MOST_RULING].tolist():  # who loses against none of these stays
        for index, effect in enumerate(compare_with(Grid(values, grid.noise), other)):
            if effect is not None and effect.seeds_used >= MIN_SEEDS and effect.estimate.test_below() < level:
                possible[index] = False
    return possible
