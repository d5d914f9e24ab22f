"""Anomaly scores, by hand and by plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from lengthwise.data.dataset import Split
from lengthwise.data.scaler import Scaler
from lengthwise.data.sequences import Sequences
from lengthwise.decoding.predictions import Predictions
from lengthwise.evaluation.anomalies import (
    AnomalyScores,
    RowErrors,
    Windows,
    measure_row_errors,
    score_anomalies,
    score_naively,
)
from lengthwise.evaluation.by_column import measure_by_step, tabulate_columns
from lengthwise.evaluation.comparison import FeatureComparison, compare_features


def compare(target: list[np.ndarray], made: np.ndarray, length: list[int]) -> FeatureComparison:
    side = Sequences.from_arrays([values.astype(np.float32) for values in target])
    predictions = Predictions(
        values=made.astype(np.float32),
        length=np.array(length, np.int32),
        stopped=np.ones(len(made), bool),
        log_probability=None,
    )
    return compare_features(predictions, Split(source=side, target=side))


def test_the_error_of_a_row_is_its_mean_over_the_windows_that_hold_it() -> None:
    rng = np.random.default_rng(0)
    series, made = rng.normal(size=(10, 2)), rng.normal(size=(3, 4, 2))
    starts = np.array([1, 3, 6])
    comparison = compare([series[start : start + 4] for start in starts], made, [4, 4, 4])
    found = measure_row_errors(Windows(comparison=comparison, starts=starts))
    expected: dict[int, list[np.ndarray]] = {}
    for window, start in enumerate(starts):
        for step in range(4):
            expected.setdefault(start + step, []).append(np.abs(series[start + step] - made[window, step]))
    assert found.rows.tolist() == sorted(expected)
    np.testing.assert_allclose(found.errors, [np.mean(expected[row], axis=0) for row in sorted(expected)], atol=1e-6)


def test_a_score_is_the_mahalanobis_distance_from_the_normal_errors() -> None:
    rng = np.random.default_rng(1)
    val = RowErrors(rows=np.arange(200), errors=np.abs(rng.normal(size=(200, 3)) @ rng.normal(size=(3, 3))))
    test = RowErrors(rows=np.arange(200, 220), errors=np.abs(rng.normal(size=(20, 3))))
    found = score_anomalies(val, test, alarm_share=0.05)
    covariance = np.cov(val.errors.T, bias=True)
    centred = test.errors - val.errors.mean(axis=0)
    expected = [each @ np.linalg.inv(covariance) @ each for each in centred]
    np.testing.assert_allclose(found.scores, expected, rtol=1e-3)
    own = score_anomalies(val, val, alarm_share=0.05)
    assert own.alarms.sum() == 9, "of 200 validation rows 5 % lie at or above the threshold, itself one of them"
    assert own.summary == {"anomaly_alarms": 9 / 200}


def test_errors_that_never_vary_have_finite_scores() -> None:
    val = RowErrors(rows=np.arange(4), errors=np.zeros((4, 2)))
    test = RowErrors(rows=np.arange(4, 6), errors=np.array([[0.0, 0.0], [1.0, 0.0]]))
    found = score_anomalies(val, test, alarm_share=0.5)
    assert np.isfinite(found.scores).all()
    assert found.alarms.tolist() == [False, True]


def test_labels_of_validation_choose_the_threshold_and_do_not_count_as_normal() -> None:
    errors = np.array([[0.1], [0.2], [0.3], [5.0], [0.2], [6.0]])
    labels = np.array([False, False, False, True, False, True, False, True, False])
    val = RowErrors(rows=np.arange(6), errors=errors, is_anomalous=labels[:6])
    test = RowErrors(rows=np.arange(6, 9), errors=np.array([[0.15], [4.9], [5.5]]), is_anomalous=labels[6:])
    found = score_anomalies(val, test, alarm_share=0.5)
    normal = errors[~labels[:6]]
    mean, variance = normal.mean(), normal.var() * (1 + 1e-6)
    assert found.threshold == pytest.approx((5.0 - mean) ** 2 / variance)
    assert found.is_learnt
    assert found.alarms.tolist() == [False, False, True]
    # One alarm, which is wrong; the one anomaly is the second of three by score.
    assert found.summary == {
        "anomaly_alarms": pytest.approx(1 / 3),
        "anomaly_precision": 0.0,
        "anomaly_recall": 0.0,
        "anomaly_f_score": 0.0,
        "anomaly_average_precision": 0.5,
    }


def test_precision_recall_and_f_are_counted_by_hand() -> None:
    found = AnomalyScores(
        rows=np.arange(5),
        scores=np.array([9.0, 8.0, 7.0, 1.0, 0.0]),
        threshold=6.0,
        is_learnt=False,
        is_anomalous=np.array([True, False, True, True, False]),
    )
    assert found.summary["anomaly_precision"] == pytest.approx(2 / 3)
    assert found.summary["anomaly_recall"] == pytest.approx(2 / 3)
    assert found.summary["anomaly_f_score"] == pytest.approx(2 / 3)
    assert found.summary["anomaly_average_precision"] == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_columns_have_errors_in_their_own_units() -> None:
    target, made = [np.array([[1.0, 0.0], [2.0, 0.0]]), np.array([[0.0, 4.0]])], np.zeros((2, 2, 2))
    comparison = compare(target, made, [2, 1])
    table = tabulate_columns(comparison, Scaler((5.0, 6.0), (10.0, 0.5), ("load", "wind")))
    assert table.columns == ("column", "mean_absolute_error_scaled", "mean_absolute_error", "root_mean_squared_error")
    assert table.rows[0] == ("load", 1.0, 10.0, pytest.approx(10 * (5 / 3) ** 0.5))
    assert table.rows[1] == ("wind", pytest.approx(4 / 3), pytest.approx(2 / 3), pytest.approx(0.5 * (16 / 3) ** 0.5))
    # At the first step |1|, 0, 0 and |4|, two features a step; at the second only the first example.
    assert measure_by_step(comparison).tolist() == [1.25, 1.0]


def test_naive_scores_are_distances_from_the_mean_and_from_the_row_before() -> None:
    series = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 4.0], [6.0, 8.0]])
    comparison = compare([series[:3], series[1:]], np.zeros((2, 3, 2)), [3, 3])
    found = score_naively(Windows(comparison=comparison, starts=np.array([5, 6])))
    assert found["mean"].tolist() == [5, 0, 0, 5]
    assert found["last_value"].tolist() == [0, 5, 0, 5]
    scores = AnomalyScores(
        rows=np.arange(5, 9),
        scores=np.array([1.0, 9.0, 1.0, 1.0]),
        threshold=5.0,
        is_learnt=False,
        is_anomalous=np.array([False, True, False, False]),
        baselines=found,
    )
    # The anomaly shares the third and fourth place by the first, and the first two places by the second.
    assert scores.summary["baseline_mean_anomaly_average_precision"] == 0.25
    assert scores.summary["baseline_last_value_anomaly_average_precision"] == 0.5
