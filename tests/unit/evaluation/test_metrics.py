"""Metrics against brute force, by hand, and on what must not count."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from lengthwise.decoding.predictions import Predictions
from lengthwise.evaluation.exposure import measure_exposure
from lengthwise.evaluation.metrics import describe_metric, score_predictions

UNKNOWN = 3


def pick(scores, expected):
    """Return the scores of the expected metrics: others that are added to the table have tests of their own."""
    return {name: scores[name] for name in expected}


def levenshtein(first, second):
    """Textbook table of Wagner and Fischer (1974)."""
    above = list(range(len(second) + 1))
    for row, left in enumerate(first, start=1):
        line = [row]
        for column, right in enumerate(second, start=1):
            line.append(min(above[column] + 1, line[-1] + 1, above[column - 1] + (left != right)))
        above = line
    return above[-1]


def score_by_hand(predicted, references):
    """Return exact match, correct steps, steps counted, edits, true length, length error; plain Python."""
    answer = [object() if symbol == UNKNOWN else symbol for symbol in predicted]
    exact = any(answer == list(reference) for reference in references)
    edits = [levenshtein(answer, reference) for reference in references]
    best = min(range(len(references)), key=lambda index: (edits[index], -len(references[index])))
    nearest = references[best]
    correct = sum(left == right for left, right in zip(answer, nearest, strict=False))
    longer = max(len(answer), len(nearest))
    return exact, correct, longer, edits[best], len(nearest), abs(len(answer) - len(nearest))


def draw_pairs(count, *, most_references):
    """Random pairs of a small alphabet, UNKNOWN in it, with predictions near the target, far off, or empty."""
    rng = np.random.default_rng(7)
    predicted, references = [], []
    for _ in range(count):
        own = [rng.integers(3, 8, rng.integers(1, 9)).tolist() for _ in range(rng.integers(1, most_references + 1))]
        answer = list(own[rng.integers(len(own))])
        for _ in range(rng.integers(0, 4)):
            place = int(rng.integers(0, len(answer) + 1))
            answer[place : place + rng.integers(0, 2)] = rng.integers(3, 8, rng.integers(0, 2)).tolist()
        predicted.append(answer if rng.random() < 0.8 else rng.integers(3, 8, rng.integers(0, 9)).tolist())
        references.append(own)
    return predicted, references


def test_token_metrics_agree_with_brute_force_on_ten_thousand_pairs(score_tokens):
    predicted, references = draw_pairs(10_000, most_references=3)
    scores = score_tokens(predicted, [own[0] for own in references], references=references)
    by_hand = np.array([score_by_hand(*pair) for pair in zip(predicted, references, strict=True)], float)
    exact, correct, longer, edits, length, length_error = by_hand.T
    np.testing.assert_array_equal(scores.examples["exact_match"].values, exact)
    np.testing.assert_array_equal(scores.examples["token_accuracy"].amount, correct)
    np.testing.assert_array_equal(scores.examples["token_accuracy"].weight, longer)
    np.testing.assert_array_equal(scores.examples["error_rate"].amount, edits)
    np.testing.assert_array_equal(scores.examples["error_rate"].weight, length)
    np.testing.assert_array_equal(scores.examples["length_error"].values, length_error)
    expected = {
        "exact_match": exact.mean(),
        "token_accuracy": correct.sum() / longer.sum(),
        "error_rate": edits.sum() / length.sum(),
        "length_error": length_error.mean(),
    }
    assert pick(scores.summary, expected) == pytest.approx(expected, abs=1e-15)
    assert 0.05 < expected["exact_match"] < 0.95


def test_a_missing_or_surplus_step_is_a_wrong_one(score_tokens):
    scores = score_tokens([[4, 5], [4, 5, 6, 7, 8]], [[4, 5, 6], [4, 5, 6]])
    assert scores.examples["token_accuracy"].values.tolist() == [2 / 3, 3 / 5]
    assert scores.summary["token_accuracy"] == 5 / 8
    assert scores.summary["error_rate"] == 3 / 6
    assert scores.summary["length_error"] == 1.5
    assert scores.summary["exact_match"] == 0


def test_predictions_of_padding_alone_score_zero(make_split):
    split = make_split([[4, 5, 6], [7]])
    padding = Predictions(
        values=np.zeros((2, 6), np.int32),
        length=np.array([6, 6], np.int32),
        stopped=np.zeros(2, bool),
        log_probability=None,
    )
    for predictions in (padding, replace(padding, length=np.zeros(2, np.int32))):
        summary = score_predictions(predictions, split, "tokens").summary
        assert summary["exact_match"] == 0
        assert summary["token_accuracy"] == 0
        assert summary["error_rate"] >= 1


def test_what_stands_after_the_end_changes_nothing(make_split, make_predictions):
    split = make_split([[4, 5, 6], [7]])
    rows = [[4, 5], [7]]
    clean = score_predictions(make_predictions(rows), split, "tokens").summary
    assert score_predictions(make_predictions(rows, fill=6), split, "tokens").summary == clean
    wide = make_split([[4, 5, 6], [7], [8] * 9]).take(np.arange(2))
    assert score_predictions(make_predictions(rows), wide, "tokens").summary == clean


def test_any_reference_makes_an_exact_match_and_the_nearest_one_counts(score_tokens):
    references = [[[4, 5, 6], [7, 8]], [[4, 4, 4, 4], [5, 6, 7, 8, 9, 10, 11, 12]]]
    scores = score_tokens([[7, 8], [5, 6, 7, 8, 4]], [own[0] for own in references], references=references)
    assert scores.examples["exact_match"].values.tolist() == [1, 0]
    # The second answer is 4 edits from both: the longer counts.
    assert scores.examples["error_rate"].amount.tolist() == [0, 4]
    assert scores.examples["error_rate"].weight.tolist() == [2, 8]


def test_the_reference_of_the_fewest_edits_counts_not_that_of_the_lowest_rate(score_tokens):
    """One edit of a reference of 2 symbols, two of one of 5: 1 / 2, though 2 / 5 is the lower rate."""
    answer, short, long = [4, 5, 6], [4, 5], [4, 5, 6, 7, 8]
    scores = score_tokens([answer], [short], references=[[short, long]])
    assert scores.summary["error_rate"] == 1 / 2  # 2 / 5 of the long one


def test_padding_counts_as_the_examples_of_keras_count_it(score_tokens):
    """By hand, 4 places as in a sum of up to 1998: 3 right of `12` for `13`, all of `1998`, 3 of `99` for `991`."""
    scores = score_tokens([[4, 5], [4, 12, 12, 11], [12, 12]], [[4, 6], [4, 12, 12, 11], [12, 12, 4]])
    assert scores.examples["padded_token_accuracy"].amount.tolist() == [3, 4, 3]
    assert scores.summary["padded_token_accuracy"] == 10 / 12
    assert scores.summary["token_accuracy"] == (1 + 4 + 2) / 9


def test_a_predicted_unknown_matches_nothing(score_tokens):
    scores = score_tokens([[4, UNKNOWN], [UNKNOWN]], [[4, UNKNOWN], [5]])
    assert scores.summary["exact_match"] == 0
    assert scores.examples["token_accuracy"].values.tolist() == [0.5, 0]
    assert scores.examples["error_rate"].amount.tolist() == [1, 1]


def test_ids_of_a_large_vocabulary_stay_different(score_tokens):
    # Around the surrogates of Unicode and above the first plane, where strings of code points could go wrong.
    ids = [127, 255, 256, 0xD7FD, 0xD7FE, 0xDFFD, 0xDFFE, 0xFFFF, 0x10000, 200_000]
    scores = score_tokens([ids, ids], [ids, [other + 1 for other in ids]])
    assert scores.examples["exact_match"].values.tolist() == [1, 0]
    assert scores.examples["error_rate"].amount[0] == 0


def test_empty_predictions_have_no_steps_at_all(score_tokens):
    scores = score_tokens([[], []], [[4, 5], [6]])
    expected = {"exact_match": 0, "token_accuracy": 0, "error_rate": 1, "length_error": 1.5}
    assert pick(scores.summary, expected) == expected


def test_feature_errors_by_hand(feature_pair):
    split, predictions = feature_pair([[[1, 2], [3, 4]], [[5, 0], [9, 9]]], [2, 1])
    moved = replace(predictions, values=predictions.values + np.float32(0.5))
    summary = score_predictions(moved, split, "features").summary
    expected = {"mean_absolute_error": 0.5, "mean_squared_error": 0.25, "length_error": 0}
    assert pick(summary, expected) == expected
    unmoved = score_predictions(predictions, split, "features").summary
    assert pick(unmoved, expected) == dict.fromkeys(expected, 0)


def test_missing_and_surplus_steps_cost_what_they_hold(feature_pair):
    split, predictions = feature_pair([[[1.0], [2.0], [4.0]]] * 3, [3, 3, 2])
    lengths = replace(predictions, length=np.array([3, 1, 3], np.int32))
    scores = score_predictions(lengths, split, "features")
    assert scores.examples["mean_absolute_error"].values.tolist() == [0, (2 + 4) / 3, 4 / 2]
    assert scores.examples["mean_squared_error"].values.tolist() == [0, (4 + 16) / 3, 16 / 2]
    assert scores.examples["length_error"].values.tolist() == [0, 2, 1]
    assert scores.summary["mean_absolute_error"] == 10 / 8


def test_stopping_at_once_is_not_free_of_error(feature_pair):
    split, predictions = feature_pair([[[1.0], [3.0]]], [2])
    summary = score_predictions(replace(predictions, length=np.zeros(1, np.int32)), split, "features").summary
    assert summary["mean_absolute_error"] == 2
    assert summary["time_warping"] == 2


def test_features_of_nan_are_not_hidden(feature_pair):
    split, predictions = feature_pair([[[1.0], [3.0]]], [2])
    broken = replace(predictions, values=np.full((1, 2, 1), np.nan, np.float32))
    assert math.isnan(score_predictions(broken, split, "features").summary["mean_absolute_error"])


def test_time_warping_is_left_out_where_lengths_agree_unless_named(feature_pair):
    split, predictions = feature_pair([[[1.0], [3.0]]], [2])
    assert "time_warping" not in score_predictions(predictions, split, "features").summary
    named = score_predictions(predictions, split, "features", names=["time_warping"])
    assert named.summary == {"time_warping": 0.0}


def test_exposure_gap_is_positive_where_free_running_is_worse(make_split, make_predictions):
    exposure = measure_exposure(
        teacher_forced=make_predictions([[4, 5], [6, 7]]),
        free_running=make_predictions([[4, 5], [6, 6]]),
        split=make_split([[4, 5], [6, 7]]),
        kind="tokens",
    )
    expected = {"exact_match": 0.5, "token_accuracy": 0.25, "error_rate": 0.25, "length_error": 0}
    assert pick(exposure.gap, expected) == expected
    assert exposure.teacher_forced["exact_match"] == 1
    assert exposure.free_running["exact_match"] == 0.5


def test_exposure_gap_of_features(feature_pair):
    split, exact = feature_pair([[[1.0], [3.0]]], [2])
    moved = replace(exact, values=exact.values + np.float32(2))
    exposure = measure_exposure(teacher_forced=exact, free_running=moved, split=split, kind="features")
    expected = {"mean_absolute_error": 2, "mean_squared_error": 4, "length_error": 0}
    assert pick(exposure.gap, expected) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": np.zeros((1, 2), np.int32), "length": np.array([2], np.int32)}, "2 examples needs one prediction"),
        ({"values": np.zeros((2, 2, 1), np.float32)}, "have 2 dimensions, got 3"),
        ({"length": np.array([1, 3], np.int32)}, "within the 2 steps of the values, got 1 to 3"),
    ],
)
def test_predictions_of_another_split_are_refused(make_split, make_predictions, change, message):
    predictions = replace(make_predictions([[4, 5], [6, 7]]), **change)
    with pytest.raises(ValueError, match=message):
        score_predictions(predictions, make_split([[4, 5], [6, 7]]), "tokens")


def test_other_misuse_is_refused(make_split, make_predictions, feature_pair):
    split, predictions = make_split([[4, 5]]), make_predictions([[4, 5]])
    with pytest.raises(ValueError, match=r"are exact_match, .*; got perplexity"):
        score_predictions(predictions, split, "tokens", names=["perplexity"])
    with pytest.raises(ValueError, match="got perplexity"):
        describe_metric("perplexity")
    with pytest.raises(ValueError, match="at least one step, got one of none"):
        score_predictions(predictions, make_split([[4, 5]], references=[[[4, 5], []]]), "tokens")
    nothing = split.keep_first(0)
    with pytest.raises(ValueError, match="without examples"):
        score_predictions(predictions, nothing, "tokens")
    steps, _ = feature_pair(np.ones((1, 2, 3)), [2])
    _, narrow = feature_pair(np.ones((1, 2, 2)), [2])
    with pytest.raises(ValueError, match="the target's 3 features a step, got 2"):
        score_predictions(narrow, steps, "features")


def test_every_metric_says_whether_higher_is_better():
    shares = {"exact_match", "token_accuracy", "padded_token_accuracy"}
    errors = {"error_rate", "length_error", "mean_absolute_error", "mean_squared_error", "time_warping"}
    for name in shares | errors:
        assert describe_metric(name).higher_is_better == (name in shares)
