"""Contrasts, intervals and verdicts: closed forms, plain loops, brute force, and simulated studies of known effects."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from lengthwise.studies.effects import (
    Contrast,
    choose_complete,
    compare_conditions,
    correct_holm,
    estimate_mean,
    measure_at_levels,
    measure_interactions,
    measure_main_effects,
)

NUM_STUDIES = 1000
T_TWO = 4.302652729696142
"""Student's t at 97.5 % with 2 degrees of freedom, whose closed form is .95 sqrt(2 / .0975)."""


def test_an_interval_is_students() -> None:
    assert pytest.approx(0.95 * math.sqrt(2 / 0.0975)) == T_TWO
    found = estimate_mean(np.array([1.0, 2.0, 3.0]))
    assert found.mean == 2
    assert found.high - found.mean == pytest.approx(T_TWO / math.sqrt(3))
    assert found.mean - found.low == pytest.approx(T_TWO / math.sqrt(3))
    # With 2 degrees of freedom the distribution function is 1/2 + t / (2 sqrt(2 + t^2)).
    t = 2 / (1 / math.sqrt(3))
    assert found.p_value == pytest.approx(1 - t / math.sqrt(2 + t * t))


def test_one_value_has_no_interval_and_none_no_mean() -> None:
    one = estimate_mean(np.array([0.5]))
    assert one.mean == 0.5
    assert math.isnan(one.low)
    assert math.isnan(one.p_value)
    assert math.isnan(estimate_mean(np.empty(0)).mean)


@pytest.mark.parametrize(("value", "p_value"), [(0.25, 0.0), (0.0, 1.0)])
def test_equal_values_have_an_interval_of_no_width(value: float, p_value: float) -> None:
    found = estimate_mean(np.full(3, value))
    assert (found.low, found.mean, found.high, found.p_value) == (value, value, value, p_value)


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


def test_main_effects_are_mean_differences_within_seeds() -> None:
    values = np.random.default_rng(1).normal(size=(3, 2, 2, 4))
    effects = measure_main_effects(values)
    assert [effect.contrasts for effect in effects] == [
        (Contrast(0, 1, 0),),
        (Contrast(0, 2, 0),),
        (Contrast(1, 1, 0),),
        (Contrast(2, 1, 0),),
    ]
    by_seed = [np.mean([values[a, 1, c, s] - values[a, 0, c, s] for a in range(3) for c in range(2)]) for s in range(4)]
    assert effects[2].estimate.mean == pytest.approx(np.mean(by_seed))
    assert effects[2].estimate.deviation == pytest.approx(np.std(by_seed, ddof=1))
    assert (effects[2].contexts_used, effects[2].contexts_total) == (6, 6)
    assert (effects[2].seeds_used, effects[2].seeds_total) == (4, 4)


def test_interactions_are_differences_of_differences() -> None:
    values = np.random.default_rng(2).normal(size=(2, 2, 3, 4))
    effects = measure_interactions(values)
    assert len(effects) == 1 + 2 + 2
    own = next(e for e in effects if e.contrasts == (Contrast(0, 1, 0), Contrast(2, 2, 0)))
    by_seed = [
        np.mean([values[1, b, 2, s] - values[0, b, 2, s] - values[1, b, 0, s] + values[0, b, 0, s] for b in range(2)])
        for s in range(4)
    ]
    assert own.estimate.mean == pytest.approx(np.mean(by_seed))
    assert own.estimate.deviation == pytest.approx(np.std(by_seed, ddof=1))


def test_main_effects_agree_with_a_regression_on_a_balanced_design() -> None:
    values = np.random.default_rng(3).normal(size=(2, 2, 5))
    a, b, s = np.indices(values.shape).reshape(3, -1)
    columns = [np.ones(a.size), a, b, *(s == seed for seed in range(1, 5))]
    solution = np.linalg.lstsq(np.stack(columns, axis=1).astype(float), values.ravel(), rcond=None)[0]
    assert [effect.estimate.mean for effect in measure_main_effects(values)] == pytest.approx(solution[1:3])


def test_what_is_chosen_is_complete_and_never_less_than_one_seed() -> None:
    rng = np.random.default_rng(4)
    for _ in range(300):
        present = rng.random((rng.integers(1, 6), rng.integers(1, 6))) < rng.uniform(0.2, 1)
        rows, columns = choose_complete(present)
        assert present[np.ix_(rows, columns)].all()
        assert bool(len(rows)) == bool(present.any())
        if present.all():
            assert (len(rows), len(columns)) == present.shape


def test_a_failed_run_costs_its_condition_and_a_seed_hardly_begun_costs_itself() -> None:
    present = np.ones((4, 3), bool)
    present[1, 2] = False
    rows, columns = choose_complete(present)
    assert (rows.tolist(), columns.tolist()) == ([0, 2, 3], [0, 1, 2])
    present = np.ones((4, 6), bool)
    present[1:, 3] = False
    rows, columns = choose_complete(present)
    assert (rows.tolist(), columns.tolist()) == ([0, 1, 2, 3], [0, 1, 2, 4, 5])


def test_a_contrast_uses_what_is_complete_and_counts_it() -> None:
    values = np.random.default_rng(5).normal(size=(2, 3, 4))
    whole = values.copy()
    values[1, 2, 0] = np.nan
    (effect, *_) = measure_main_effects(values)
    assert (effect.contexts_used, effect.contexts_total) == (2, 3)
    assert (effect.seeds_used, effect.seeds_total) == (4, 4)
    assert effect.estimate.mean == pytest.approx((whole[1, :2] - whole[0, :2]).mean())


def test_a_linear_model_is_used_where_no_condition_has_both_levels() -> None:
    """Three axes, every second condition run: no two differ in one axis only, yet sums give the effects exactly."""
    a, b, c = np.indices((2, 2, 2))
    noise = np.random.default_rng(6).normal(scale=1e-9, size=(2, 2, 2, 3))
    values = (1 + 2 * a - 3 * b + 5 * c)[..., None] + np.array([0, 10, 20]) + noise
    values[(a + b + c) % 2 == 1] = np.nan
    effects = measure_main_effects(values)
    assert {effect.method for effect in effects} == {"linear model"}
    assert [effect.estimate.mean for effect in effects] == pytest.approx([2, -3, 5])
    assert all(effect.estimate.low < effect.estimate.mean < effect.estimate.high for effect in effects)


def test_levels_that_always_change_together_have_no_effect_of_their_own() -> None:
    values = np.full((2, 2, 3), np.nan)
    values[0, 0], values[1, 1] = 1.0, 2.0
    for effect in measure_main_effects(values):
        assert math.isnan(effect.estimate.mean)
        assert not effect.is_significant


def test_one_seed_is_never_significant() -> None:
    values = np.array([[0.0], [1.0]])
    (effect,) = measure_main_effects(values)
    assert effect.estimate.mean == 1
    assert not effect.is_significant


def test_effects_at_each_level_are_those_of_its_part_corrected_together() -> None:
    values = np.random.default_rng(10).normal(size=(3, 2, 4))
    found = measure_at_levels(values, 0)
    assert [len(effects) for effects in found] == [1, 1, 1]
    for level in range(3):
        assert found[level][0].estimate == estimate_mean(values[level, 1] - values[level, 0])
    uncorrected = [effects[0].estimate.p_value for effects in found]
    assert [effects[0].corrected_p for effects in found] == correct_holm(uncorrected)


def test_conditions_are_compared_with_the_best_over_shared_seeds() -> None:
    values = np.array([[0.9, 0.8, 0.85], [0.5, 0.6, np.nan]])
    none, effect = compare_conditions(values, 0)
    assert none is None
    assert effect is not None
    assert effect.estimate.mean == pytest.approx(((0.5 - 0.9) + (0.6 - 0.8)) / 2)


def simulate(rng: np.random.Generator, truth: np.ndarray) -> np.ndarray:
    """Draw a study of 5 seeds: each shifts all its conditions, and the noise of conditions differs fivefold."""
    spread = np.linspace(0.01, 0.05, truth.size).reshape(truth.shape)
    return truth[..., None] + rng.normal(0, 0.05, 5) + spread[..., None] * rng.normal(size=(*truth.shape, 5))


def find_bounds(share: float) -> tuple[float, float]:
    """Return what the count of `NUM_STUDIES` draws of a share stays within in all but 1 of 10,000 cases (normal)."""
    half = 3.9 * math.sqrt(NUM_STUDIES * share * (1 - share))
    return NUM_STUDIES * share - half, NUM_STUDIES * share + half


def test_intervals_cover_the_truth_at_their_level() -> None:
    """1,000 simulated 2 x 3 x 2 studies: every interval of every effect holds the truth in 923 to 977 of them."""
    a, b, c = np.indices((2, 3, 2))
    truth = 0.4 + 0.2 * a + np.array([0, 0.05, 0.1])[b] - 0.1 * c + 0.08 * a * c
    true_main = [0.2 + 0.04, 0.05, 0.1, -0.1 + 0.04]
    true_pairs = [0, 0, 0.08, 0, 0]
    rng = np.random.default_rng(7)
    covered, found_significant = np.zeros(9), np.zeros(9)
    for _ in range(NUM_STUDIES):
        values = simulate(rng, truth)
        effects = [*measure_main_effects(values), *measure_interactions(values)]
        for place, (effect, true) in enumerate(zip(effects, true_main + true_pairs, strict=True)):
            covered[place] += effect.estimate.low <= true <= effect.estimate.high
            found_significant[place] += effect.is_significant
    low, high = find_bounds(0.95)
    assert ((low <= covered) & (covered <= high)).all(), covered
    assert found_significant[0] > 0.95 * NUM_STUDIES  # the large effect is found


def test_a_study_without_effects_seldom_calls_one_significant() -> None:
    """1,000 simulated studies in which nothing has an effect: at most 5 % call anything significant."""
    rng = np.random.default_rng(8)
    false = {"main": 0, "pairs": 0}
    for _ in range(NUM_STUDIES):
        values = simulate(rng, np.full((2, 3, 2), 0.5))
        false["main"] += any(effect.is_significant for effect in measure_main_effects(values))
        false["pairs"] += any(effect.is_significant for effect in measure_interactions(values))
    assert all(count <= find_bounds(0.05)[1] for count in false.values()), false
    assert min(false.values()) > 0.01 * NUM_STUDIES  # nor is it never: the level is used


def test_every_pair_of_axes_has_its_interactions() -> None:
    effects = measure_interactions(np.random.default_rng(9).normal(size=(2, 3, 2, 2)))
    pairs = {tuple(contrast.axis for contrast in effect.contrasts) for effect in effects}
    assert pairs == set(itertools.combinations(range(3), 2))
