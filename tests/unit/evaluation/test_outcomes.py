"""Each example has one outcome, and the stop is judged apart from the content."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lengthwise.evaluation.metrics import score_predictions
from lengthwise.evaluation.outcomes import OUTCOMES, classify_outcomes

TARGET = [4, 5, 6]
CASES = [
    ([4, 5, 6], "right", False),
    ([4, 5], "stopped_early", True),
    ([], "stopped_early", True),
    ([4, 9], "stopped_early", False),
    ([4, 5, 6, 6], "stopped_late", True),
    ([4, 9, 6, 6], "stopped_late", False),
    ([4, 5, 9], "wrong_content", False),
    ([4, 5, 3], "wrong_content", False),
    ([3, 5], "stopped_early", False),
]


def test_outcomes_by_hand(score_tokens):
    outcomes = classify_outcomes(score_tokens([answer for answer, _, _ in CASES], [TARGET] * len(CASES)))
    assert outcomes.names == [name for _, name, _ in CASES]
    assert outcomes.only_stop.tolist() == [only for _, _, only in CASES]
    share = outcomes.share()
    assert share.parts == pytest.approx((1 / 9, 4 / 9, 2 / 9, 2 / 9))
    assert (share.only_early, share.only_late, share.cut) == pytest.approx((2 / 9, 1 / 9, 0))
    assert set(share.summary) == {*OUTCOMES[1:], "only_early", "only_late", "cut"}


def test_the_nearest_reference_decides(score_tokens):
    scores = score_tokens([[7, 8]], [[4, 5, 6]], references=[[[4, 5, 6], [7, 8, 9]]])
    outcomes = classify_outcomes(scores)
    assert outcomes.names == ["stopped_early"]
    assert outcomes.only_stop.tolist() == [True]


def test_what_the_model_did_not_end_itself_is_counted(make_split, make_predictions):
    split = make_split([TARGET, TARGET])
    predictions = replace(make_predictions([[4, 5], [4, 5, 6]]), stopped=np.array([False, True]))
    share = classify_outcomes(score_predictions(predictions, split, "tokens")).share()
    assert share.cut == 0.5


def test_features_are_judged_by_length_alone(feature_pair):
    split, predictions = feature_pair(np.ones((3, 4, 2)), [3, 3, 3])
    moved = replace(predictions, length=np.array([2, 3, 4], np.int32), values=predictions.values * 7)
    outcomes = classify_outcomes(score_predictions(moved, split, "features"))
    assert outcomes.names == ["stopped_early", "right", "stopped_late"]
    assert outcomes.share().parts == pytest.approx((1 / 3, 1 / 3, 1 / 3, 0))
    assert not outcomes.only_stop.any()


def test_shares_of_random_examples_add_up_to_one(score_tokens):
    rng = np.random.default_rng(0)
    rows = [rng.integers(4, 6, rng.integers(1, 4)).tolist() for _ in range(300)]
    others = [rng.integers(4, 6, rng.integers(0, 4)).tolist() for _ in range(300)]
    scores = score_tokens(others, rows)
    outcomes = classify_outcomes(scores)
    assert sum(outcomes.share().parts) == pytest.approx(1)
    assert outcomes.share().right == pytest.approx(scores.summary["exact_match"])
    assert np.isnan(outcomes.share(np.zeros(300, bool)).right)
