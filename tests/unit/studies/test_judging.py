"""What a page calls different: Holm's procedure by hand, the shares of a page, and the set of the best."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lengthwise.studies.effects import Grid, measure_main_effects, measure_simple_effects
from lengthwise.studies.judging import correct_effects, correct_holm, find_possible_best, find_set_confidence


def reject_step_by_step(p_values: list[float], level: float) -> set[int]:
    """Holm's procedure as he wrote it: the smallest against level / m, the next against level / (m - 1), and so on."""
    rejected: set[int] = set()
    left = sorted(range(len(p_values)), key=lambda place: p_values[place])
    for rank, place in enumerate(left):
        if p_values[place] >= level / (len(left) - rank):
            break
        rejected.add(place)
    return rejected


def test_the_correction_rejects_what_holms_procedure_rejects() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        p_values = list(rng.beta(0.3, 2, rng.integers(1, 8)))
        corrected = correct_holm(p_values)
        assert {place for place, p in enumerate(corrected) if p < 0.05} == reject_step_by_step(p_values, 0.05)


def test_the_correction_passes_over_what_is_not_known() -> None:
    corrected = correct_holm([float("nan"), 0.02, 0.04])
    assert math.isnan(corrected[0])
    assert corrected[1:] == [0.04, 0.04]


def test_weights_are_shares_of_the_level() -> None:
    """By hand (Holm 1979, section 3): .01 / .5 is smallest, its sum of weights 1; then .04 / .2, .5 left, of three."""
    corrected = correct_holm([0.01, 0.04, 0.3], [0.5, 0.2, 0.3])
    assert corrected == pytest.approx([0.02, 0.1, 0.3])


def test_an_axis_of_many_levels_leaves_the_other_its_share() -> None:
    """Axes of 6 and of 2 levels: the second has half of the effects' 80 %, and its one average half of that."""
    values = np.random.default_rng(0).normal(0, 1e-2, size=(6, 2, 5))
    values[:, 1] += 0.05
    main, simple = measure_main_effects(Grid(values)), measure_simple_effects(Grid(values))
    corrected, _ = correct_effects(main, simple)
    assert min(effect.estimate.p_value for own in simple for effect in own) > main[-1].estimate.p_value
    assert corrected[-1] == pytest.approx(main[-1].estimate.p_value / 0.8 * 2 * 2)


@pytest.mark.parametrize("num_seeds", [2, 3, 4])
def test_fewer_than_five_seeds_are_not_judged(num_seeds: int) -> None:
    values = np.array([0.1, 0.9])[:, None] + np.random.default_rng(1).normal(0, 1e-6, size=(2, num_seeds))
    grid = Grid(values)
    ((p_value,), _) = correct_effects(measure_main_effects(grid), measure_simple_effects(grid))
    assert math.isnan(p_value)
    assert find_possible_best(grid, higher_is_better=True, confidence=0.975).all()


def test_the_set_of_the_best_leaves_out_what_is_clearly_worse() -> None:
    noise = np.random.default_rng(2).normal(0, 0.01, size=(4, 5))
    values = np.array([0.9, 0.9, 0.5, 0.1])[:, None] + noise
    highest, lowest = (find_possible_best(Grid(values), higher_is_better=up, confidence=0.975) for up in (True, False))
    assert highest.tolist() == [True, True, False, False]
    assert lowest.tolist() == [False, False, False, True]


def test_with_one_axis_the_set_of_the_best_follows_from_the_verdicts() -> None:
    """Pairs of levels are the pairs of conditions then: one family, with all of the page's 5 %."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        grid = Grid(rng.normal(0, 1, size=(4, 5)) + np.array([0, 1, 2, 8])[:, None])
        effects = measure_main_effects(grid)
        corrected, _ = correct_effects(effects, measure_simple_effects(grid))
        worse = set()
        for effect, p_value in zip(effects, corrected, strict=True):
            if p_value < 0.05:
                (contrast,) = effect.contrasts
                worse.add(contrast.level if effect.estimate.mean < 0 else contrast.reference)
        confidence = find_set_confidence(1, is_grid=True)
        found = find_possible_best(grid, higher_is_better=True, confidence=confidence)
        assert set(np.flatnonzero(~found).tolist()) == worse
