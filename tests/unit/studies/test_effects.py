"""Contrasts: closed forms, plain loops and brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from lengthwise.studies.effects import (
    Contrast,
    Grid,
    choose_complete,
    compare_with,
    list_contrasts,
    measure_interactions,
    measure_main_effects,
    measure_simple_effects,
)
from lengthwise.studies.intervals import estimate_mean


def test_main_effects_are_mean_differences_within_seeds() -> None:
    values = np.random.default_rng(1).normal(size=(3, 2, 2, 4))
    effects = measure_main_effects(Grid(values))
    assert [effect.contrasts for effect in effects] == [
        (Contrast(0, 1, 0),),
        (Contrast(0, 2, 0),),
        (Contrast(0, 2, 1),),
        (Contrast(1, 1, 0),),
        (Contrast(2, 1, 0),),
    ]
    by_seed = [np.mean([values[a, 1, c, s] - values[a, 0, c, s] for a in range(3) for c in range(2)]) for s in range(4)]
    assert effects[3].estimate.mean == pytest.approx(np.mean(by_seed))
    assert effects[3].estimate.deviation == pytest.approx(np.std(by_seed, ddof=1))
    assert (effects[3].contexts_used, effects[3].contexts_total) == (6, 6)
    assert (effects[3].seeds_used, effects[3].seeds_total) == (4, 4)


def test_interactions_are_differences_of_differences() -> None:
    values = np.random.default_rng(2).normal(size=(2, 2, 3, 4))
    effects = measure_interactions(Grid(values))
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
    assert [effect.estimate.mean for effect in measure_main_effects(Grid(values))] == pytest.approx(solution[1:3])


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
    (effect, *_) = measure_main_effects(Grid(values))
    assert (effect.contexts_used, effect.contexts_total) == (2, 3)
    assert (effect.seeds_used, effect.seeds_total) == (4, 4)
    assert effect.estimate.mean == pytest.approx((whole[1, :2] - whole[0, :2]).mean())


def test_a_linear_model_is_used_where_no_condition_has_both_levels() -> None:
    """Three axes, every second condition run: no two differ in one axis only, yet sums give the effects exactly."""
    a, b, c = np.indices((2, 2, 2))
    noise = np.random.default_rng(6).normal(scale=1e-9, size=(2, 2, 2, 3))
    values = (1 + 2 * a - 3 * b + 5 * c)[..., None] + np.array([0, 10, 20]) + noise
    values[(a + b + c) % 2 == 1] = np.nan
    effects = measure_main_effects(Grid(values))
    assert {effect.method for effect in effects} == {"linear model"}
    assert [effect.estimate.mean for effect in effects] == pytest.approx([2, -3, 5])
    assert all(effect.estimate.low < effect.estimate.mean < effect.estimate.high for effect in effects)


def test_levels_that_always_change_together_have_no_effect_of_their_own() -> None:
    values = np.full((2, 2, 3), np.nan)
    values[0, 0], values[1, 1] = 1.0, 2.0
    for effect in measure_main_effects(Grid(values)):
        assert math.isnan(effect.estimate.mean)
        assert math.isnan(effect.estimate.p_value)


def test_one_seed_has_a_difference_and_no_interval() -> None:
    values = np.array([[0.0], [1.0]])
    (effect,) = measure_main_effects(Grid(values))
    assert effect.estimate.mean == 1
    assert math.isnan(effect.estimate.low)


def test_simple_effects_are_differences_at_each_combination_and_average_to_the_main_effect() -> None:
    values = np.random.default_rng(10).normal(size=(3, 2, 2, 4))
    main, simple = measure_main_effects(Grid(values)), measure_simple_effects(Grid(values))
    assert [len(own) for own in simple] == [4, 4, 4, 6, 6]
    for effect, own in zip(main, simple, strict=True):
        assert np.mean([each.estimate.mean for each in own]) == pytest.approx(effect.estimate.mean)
    (contrast,) = main[2].contrasts
    assert contrast == Contrast(0, 2, 1)
    for each in simple[2]:
        _, b, c = each.context
        assert each.estimate == estimate_mean(values[2, b, c] - values[1, b, c])


def test_one_axis_has_no_simple_effects() -> None:
    assert measure_simple_effects(Grid(np.zeros((3, 4)))) == [[], [], []]


def test_conditions_are_compared_with_the_best_over_shared_seeds() -> None:
    values = np.array([[0.9, 0.8, 0.85], [0.5, 0.6, np.nan]])
    none, effect = compare_with(Grid(values), 0)
    assert none is None
    assert effect is not None
    assert effect.estimate.mean == pytest.approx(((0.5 - 0.9) + (0.6 - 0.8)) / 2)


def test_every_pair_of_axes_has_its_interactions() -> None:
    effects = measure_interactions(Grid(np.random.default_rng(9).normal(size=(2, 3, 2, 2))))
    pairs = {tuple(contrast.axis for contrast in effect.contrasts) for effect in effects}
    assert pairs == set(itertools.combinations(range(3), 2))


def test_of_very_many_levels_each_is_compared_with_the_first() -> None:
    """All pairs of 300 levels would be 45,000: the time of a report stays in proportion to its runs."""
    assert len(list_contrasts(np.zeros((24, 3)))) == 24 * 23 / 2
    assert list_contrasts(np.zeros((25, 3))) == [Contrast(0, level, 0) for level in range(1, 25)]
