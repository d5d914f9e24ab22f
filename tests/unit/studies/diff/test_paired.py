"""Paired differences against closed forms, exact enumeration and simulations."""

from __future__ import annotations

import math
from math import comb

import numpy as np
import pytest

from lengthwise.evaluation.metrics import ExampleScores
from lengthwise.studies.diff.paired import compare_scores, compare_shares


def lay_out(both: int, only_first: int, only_second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which examples the two models get right, `(examples,)` each, from the four counts."""
    first = np.repeat([True, True, False, False], [both, only_first, only_second, neither])
    second = np.repeat([True, False, True, False], [both, only_first, only_second, neither])
    return first, second


def find_mcnemar(only_first: int, only_second: int) -> float:
    """Return the p-value of McNemar's exact test: twice the smaller tail of a fair coin."""
    count = only_first + only_second
    tail = sum(comb(count, k) for k in range(min(only_first, only_second) + 1)) / 2**count
    return min(1.0, 2 * tail)


def test_shares_on_every_table_of_ten_examples() -> None:
    """The p-value is McNemar's, the interval agrees with it and covers the truth in 95 of 100 cases."""
    total, truth = 10, np.array([0.3, 0.1, 0.3, 0.3])  # both, only the first, only the second, neither
    covered = 0.0
    for both in range(total + 1):
        for only_first in range(total + 1 - both):
            for only_second in range(total + 1 - both - only_first):
                counts = [both, only_first, only_second, total - both - only_first - only_second]
                found = compare_shares(*lay_out(*counts))
                expected = find_mcnemar(only_first, only_second)
                assert math.isclose(found.p_value, expected, abs_tol=1e-12)
                assert math.isclose(found.mean, (only_second - only_first) / total)
                assert -1 <= found.low <= found.mean <= found.high <= 1 + 1e-12
                assert expected < 0.05 or found.low <= 0 <= found.high, "an interval that contradicts the test"
                chance = math.factorial(total) * math.prod(
                    share**count / math.factorial(count) for share, count in zip(truth, counts, strict=True)
                )
                covered += chance * (found.low <= truth[2] - truth[1] <= found.high)
    assert covered >= 0.95


def test_the_bootstrap_agrees_with_students_interval_of_many_means() -> None:
    rng = np.random.default_rng(1)
    before, after, ones = rng.normal(0.5, 0.1, 900), rng.normal(0.52, 0.2, 900), np.ones(900)
    found = compare_scores("length_error", ExampleScores(before, ones), ExampleScores(after, ones), is_share=False)
    change = after - before
    half = 1.9626 * change.std(ddof=1) / 30  # Student's t of 899 degrees of freedom
    assert math.isclose(found.estimate.mean, change.mean())
    assert found.estimate.low == pytest.approx(change.mean() - half, abs=0.1 * half)
    assert found.estimate.high == pytest.approx(change.mean() + half, abs=0.1 * half)


def test_a_quotient_is_that_of_the_sums_and_equal_models_have_no_difference() -> None:
    edits = ExampleScores(np.array([1.0, 0.0, 4.0]), np.array([2.0, 3.0, 5.0]))
    fewer = ExampleScores(np.array([1.0, 0.0, 2.0]), np.array([2.0, 3.0, 5.0]))
    found = compare_scores("error_rate", edits, fewer, is_share=False)
    assert (found.first, found.second) == (0.5, 0.3)
    assert found.estimate.low <= found.estimate.mean <= found.estimate.high
    assert found.estimate.mean == pytest.approx(-0.2)
    same = compare_scores("error_rate", edits, edits, is_share=False)
    assert (same.estimate.low, same.estimate.mean, same.estimate.high) == (0.0, 0.0, 0.0)
    assert not same.is_significant


def test_two_decoders_with_the_same_chances_are_called_different_in_five_of_a_hundred_pairs() -> None:
    """Simulated tokens and features: each example has a chance, or a size of error, that both models share."""
    rng = np.random.default_rng(7)
    num_pairs, ones = 400, np.ones(150)
    called = {"exact_match": 0, "mean_absolute_error": 0}
    for index in range(num_pairs):
        chance = rng.beta(0.5, 0.5, 150)
        shares = [ExampleScores((rng.random(150) < chance).astype(np.float64), ones) for _ in range(2)]
        called["exact_match"] += compare_scores("exact_match", *shares, is_share=True).is_significant
        if index % 4 == 0:
            steps = rng.integers(1, 9, 150).astype(np.float64)
            errors = [ExampleScores(steps * rng.gamma(2, chance + 0.1), steps) for _ in range(2)]
            found = compare_scores("mean_absolute_error", *errors, is_share=False)
            called["mean_absolute_error"] += found.is_significant
    assert called["exact_match"] <= 0.05 * num_pairs
    most = 0.05 * num_pairs / 4 + 3.9 * math.sqrt(0.05 * 0.95 * num_pairs / 4)  # in 9,999 of 10,000 cases
    assert called["mean_absolute_error"] <= most


def test_a_real_difference_is_found() -> None:
    first, second = lay_out(40, 5, 30, 25)
    ones = np.ones(100)
    found = compare_scores(
        "exact_match", ExampleScores(first * 1.0, ones), ExampleScores(second * 1.0, ones), is_share=True
    )
    assert found.is_significant
    assert (found.first, found.second) == (0.45, 0.7)
