"""What each example adds to the primary metric."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lengthwise.evaluation.assessment import Assessment
from lengthwise.evaluation.metrics import Scores, score_predictions


def assess(scores: Scores) -> Assessment:
    rest: Any = SimpleNamespace()
    return Assessment(split="test", scores=scores, exposure=rest, baselines={}, outcomes=rest, by_length=rest)


def test_of_tokens_each_example_is_right_or_not(score_tokens) -> None:
    parts = assess(score_tokens([[4, 5], [4], [6, 6]], [[4, 5], [4, 5], [6, 6]])).by_example
    assert parts.dtype == np.uint8
    assert parts.tolist() == [1, 0, 1]


def test_of_features_the_mean_over_examples_is_the_score_of_the_split(feature_pair) -> None:
    """By hand: errors of .5 a value on 1 step and .1 a value on 3 steps of 2 features are 1.0 and .6 in 8 values."""
    true = np.zeros((2, 3, 2))
    split, _ = feature_pair(true, [1, 3])
    wrong = true + np.array([0.5, 0.1])[:, None, None]
    wrong[0, 1:] = 0
    _, predictions = feature_pair(wrong, [1, 3])
    assessment = assess(score_predictions(predictions, split, "features"))
    assert assessment.by_example.dtype == np.float32
    assert assessment.by_example == pytest.approx([1.0 / 4, 0.6 / 4])
    assert assessment.by_example.mean() == pytest.approx(assessment.scores.summary["mean_absolute_error"])
