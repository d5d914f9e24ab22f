"""Intervals: closed forms of Student, Satterthwaite, Clopper and Pearson."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lengthwise.studies.intervals import Noise, bound_failures, estimate_mean, find_quantile

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


@pytest.mark.parametrize("value", [0.25, 0.0])
def test_equal_values_of_unknown_examples_have_no_interval(value: float) -> None:
    found = estimate_mean(np.full(3, value))
    assert found.mean == value
    assert math.isnan(found.low)
    assert found.p_value == 1.0 if value == 0 else math.isnan(found.p_value)


def test_equal_seeds_are_known_to_one_example_at_best() -> None:
    """200 examples of a share: a standard error of 1 in 200 and the normal distribution's quantile."""
    found = estimate_mean(np.ones(5), Noise(0.0, math.inf, (1 / 200) ** 2))
    assert found.error == pytest.approx(1 / 200)
    assert found.high - found.mean == pytest.approx(1.959964 / 200, rel=1e-5)


def test_the_noise_of_the_examples_is_added_with_satterthwaites_degrees_of_freedom() -> None:
    values, noise = np.array([1.0, 2.0, 3.0]), Noise(0.5, 99, 0.0)
    found = estimate_mean(values, noise)
    of_seeds = 1 / 3
    assert found.error == pytest.approx(math.sqrt(of_seeds + 0.5))
    assert found.freedom == pytest.approx((of_seeds + 0.5) ** 2 / (of_seeds**2 / 2 + 0.5**2 / 99))
    assert found.high - found.mean == pytest.approx(find_quantile(found.freedom) * found.error)
    assert found.deviation == 1


@pytest.mark.parametrize("num_seeds", [1, 3, 5, 10])
def test_where_no_seed_failed_the_bound_is_the_root_of_the_level(num_seeds: int) -> None:
    """With a failure rate f no failure is seen with probability (1 - f)^n, which is 5 % at the bound."""
    assert bound_failures(0, num_seeds) == pytest.approx(1 - 0.05 ** (1 / num_seeds))
    assert bound_failures(num_seeds, num_seeds) == 1


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("num_seeds", [3, 5, 10])
def test_the_bound_covers_every_share_of_failing_seeds(share: float, num_seeds: int) -> None:
    """By summing over all counts of failures: the chance that the bound lies below the truth is at most 5 %."""
    chances = [math.comb(num_seeds, k) * share**k * (1 - share) ** (num_seeds - k) for k in range(num_seeds + 1)]
    missed = sum(chance for k, chance in enumerate(chances) if bound_failures(k, num_seeds) < share)
    assert missed <= 0.05
