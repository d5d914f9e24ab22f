"""What a page may call different: one family of comparisons at 5 % in all, and which conditions may be the best.

The effects that the sentences of a page speak of, main and simple, share 4 of its 5 %; which conditions are ruled out
as the best has the rest. With one axis both are the same comparisons, its pairs of levels, and have all of it. So in 95
of 100 studies in which nothing differs, a page calls nothing different and rules nothing out.

Effects are judged by Holm's weighted procedure (Holm 1979, "A simple sequentially rejective multiple test procedure",
section 3): each axis has the same share, and in it each pair of levels; half of that is for the main effect, and the
other half is divided among its simple effects. So an axis of many levels does not hide the effects of the others.

A condition is ruled out as the best where another is better, by Holm's procedure over all pairs of conditions. Hsu's
comparisons with the best (1996, Multiple Comparisons, chapter 4) rule out more, but of several conditions that are
equally good they promise to keep one; of 12 they would leave another out on 17 % of pages, which reads as if it were
worse.

A study whose seeds stop where the answer is clear is looked at several times, and stops sooner where chance makes it
look clear. Each look has an equal part of the level, so that the chance that any page it might have ended with is wrong
is at most 5 % (Bonferroni over the looks: a spending of the level as in Lan and DeMets 1983, "Discrete sequential
boundaries for clinical trials", that asks nothing of the scores; for two looks at normal scores, Pocock 1977, "Group
sequential methods in the design and analysis of clinical trials", has 2.94 % for each instead of 2.5).
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

_OF_EFFECTS = 0.8
"""Share of the page's level for its effects, beside the comparisons of conditions."""

_MOST_RULING, _LEAST_RULING, _MOST_COMPARISONS = 20, 3, 6000
"""Only conditions with the highest means are tried for ruling out others: this many, fewer of a very large study."""


def find_set_confidence(num_axes: int, *, is_grid: bool, num_looks: int = 1) -> float:
    """Return the confidence of the set that may hold the best condition: 99 %, or 95 % where it is the only family.

    Args:
        num_axes: Axes of the study.
        is_grid: Whether their effects are measured.
        num_looks: How many times the study may be looked at, each with an equal part of the level.
    """
    return 1 - PAGE_LEVEL * (1 - _OF_EFFECTS if is_grid and num_axes > 1 else 1.0) / num_looks


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
    main: Sequence[Effect], simple: Sequence[Sequence[Effect]], *, num_looks: int = 1
) -> tuple[list[float], list[list[float]]]:
    """Correct the p-values of the effects of a page; below 5 % they may be called different.

    Effects of fewer than five seeds are not judged: theirs is NaN.

    Args:
        main: The main effects.
        simple: For each of them its simple effects.
        num_looks: How many times the study may be looked at, each with an equal part of the level.

    Returns:
        The corrected p-values, in the same order.
    """
    pairs = Counter(effect.contrasts[0].axis for effect in main)
    p_values, weights = [], []
    for effect, own in zip(main, simple, strict=True):
        part = 1 / (len(pairs) * pairs[effect.contrasts[0].axis])
        for each, weight in ((effect, part if not own else part / 2), *((one, part / 2 / len(own)) for one in own)):
            p_values.append(each.estimate.p_value if each.seeds_used >= MIN_SEEDS else math.nan)
            weights.append(weight)
    share = (_OF_EFFECTS if len(pairs) > 1 else 1.0) / num_looks
    corrected = iter(p if math.isnan(p) else min(1.0, p / share) for p in correct_holm(p_values, weights))
    found = [(next(corrected), [next(corrected) for _ in own]) for own in simple]
    return [first for first, _ in found], [rest for _, rest in found]


def find_possible_best(grid: Grid, *, higher_is_better: bool, confidence: float) -> NDArray[np.bool_]:
    """Find the conditions that may be the best: none that is as good as any other is left out, with that confidence.

    Args:
        grid: Scores `(conditions, seeds)`; conditions without a score are in the set.
        higher_is_better: Whether more is better.
        confidence: As of `find_set_confidence`.

    Returns:
        `(conditions,)`; all True where there are fewer than five seeds.
    """
    values = grid.values if higher_is_better else -grid.values
    count = len(values)
    means = [row[np.isfinite(row)].mean() if np.isfinite(row).any() else -math.inf for row in values]
    found: dict[tuple[int, int], float] = {}
    num_ruling = max(_LEAST_RULING, min(_MOST_RULING, _MOST_COMPARISONS // max(1, count)))
    for other in np.argsort(means)[::-1][:num_ruling].tolist():
        for index, effect in enumerate(compare_with(Grid(values, grid.noise), other)):
            if effect is None or effect.seeds_used < MIN_SEEDS or math.isnan(effect.estimate.p_value):
                continue
            if effect.estimate.mean < 0:
                found[index, other] = effect.estimate.p_value
    possible, left = np.ones(count, bool), count * (count - 1) // 2
    for (index, _), p_value in sorted(found.items(), key=lambda item: item[1]):
        if not p_value * left < 1 - confidence:
            break
        possible[index] = False
        left -= 1
    return possible
