"""Scores by length add up to the whole."""

from __future__ import annotations

import numpy as np
import pytest

from lengthwise.evaluation.by_length import bin_lengths, score_by_length


@pytest.fixture
def scores(score_tokens):
    rng = np.random.default_rng(5)
    targets = [rng.integers(4, 8, rng.integers(1, 41)).tolist() for _ in range(800)]
    predicted = [row[: len(row) - int(rng.integers(0, 2))] + [5] * int(rng.integers(0, 2)) for row in targets]
    return score_tokens(predicted, targets)


def test_bins_hold_every_example_once_and_add_up_to_the_totals(scores):
    result = score_by_length(scores, trained_max_length=17)
    length = scores.comparison.target_length
    assert sum(length_bin.count for length_bin in result.bins) == 800
    assert len(result.bins) <= 12
    for name, total in scores.summary.items():
        examples = scores.examples[name]
        weight = [
            examples.weight[(length >= length_bin.low) & (length <= length_bin.high)].sum()
            for length_bin in result.bins
        ]
        summed = np.dot(weight, [length_bin.scores[name] for length_bin in result.bins])
        assert summed / examples.weight.sum() == pytest.approx(total)
    right = sum(length_bin.outcomes.right * length_bin.count for length_bin in result.bins)
    assert right / 800 == pytest.approx(scores.summary["exact_match"])


def test_no_bin_straddles_the_trained_lengths(scores):
    result = score_by_length(scores, trained_max_length=17)
    for length_bin in result.bins:
        assert length_bin.is_beyond == (length_bin.low > 17)
        assert length_bin.is_beyond or length_bin.high <= 17
    length = scores.comparison.target_length
    assert result.trained == pytest.approx(scores.summarise(length <= 17))
    assert result.beyond == pytest.approx(scores.summarise(length > 17))


def test_splits_on_one_side_of_the_border(scores):
    assert score_by_length(scores, trained_max_length=40).beyond is None
    assert score_by_length(scores, trained_max_length=0).trained is None


def test_few_lengths_are_a_bin_each():
    lengths = np.array([24, 25, 26, 27, 28, 30, 32, 33, 36, 40, 48])
    assert bin_lengths(np.repeat(lengths, 3), 22) == [(length, length) for length in lengths.tolist()]


@pytest.mark.parametrize("trained", [-5, 0, 1, 7, 12, 13, 50, 99, 100, 101, 500])
@pytest.mark.parametrize("most", [2, 3, 12])
def test_bins_cover_what_occurs_without_overlap(trained, most):
    length = np.random.default_rng(trained + 9).integers(1, 101, 3000)
    bins = bin_lengths(length, trained, most)
    assert len(bins) <= most
    covered = [value for low, high in bins for value in range(low, high + 1)]
    assert len(covered) == len(set(covered))
    assert set(length.tolist()) <= set(covered)
    assert all(high <= trained or low > trained for low, high in bins)
    assert bins == sorted(bins)


def test_a_range_that_holds_nothing_is_left_out():
    length = np.concatenate([np.arange(1, 11), np.arange(91, 101)])
    bins = bin_lengths(length, 10, 5)
    assert all(((length >= low) & (length <= high)).any() for low, high in bins)
    assert bins[0] == (1, 10)
    assert bins[-1] == (91, 100)
    assert len(bins) == 2


def test_one_bin_cannot_separate_trained_from_longer():
    with pytest.raises(ValueError, match="at least 2 bins are needed"):
        bin_lengths(np.array([1]), 1, 1)


def test_the_table_has_a_row_for_each_bin(scores):
    result = score_by_length(scores, trained_max_length=17)
    table = result.to_table()
    assert len(table.rows) == len(result.bins)
    assert table.columns[:4] == ("target_length", "beyond_trained", "examples", "exact_match")
    assert table.rows[0][0] == result.bins[0].label
    assert table.rows[0][3] == result.bins[0].scores["exact_match"]
