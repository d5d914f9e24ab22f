"""Tables of samples, and tables as such."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from lengthwise.data.scaler import Scaler
from lengthwise.data.vocabulary import Vocabulary
from lengthwise.evaluation.metrics import score_predictions
from lengthwise.evaluation.samples import select_samples, tabulate_samples
from lengthwise.evaluation.tables import Table

LETTERS = Vocabulary(("a", "b", "c"), "characters")
WORDS = Vocabulary(("ah", "bee", "see"), "words")


def test_the_worst_come_first_and_the_rest_is_drawn_by_seed(score_tokens):
    targets = [[4, 5, 6, 4]] * 8
    predicted = [[4, 5, 6, 4]] * 5 + [[4, 5], [6], [4, 5, 6, 5]]
    scores = score_tokens(predicted, targets)
    chosen = select_samples(scores, num_worst=3, num_random=2, seed=1).tolist()
    assert chosen[:3] == [6, 5, 7]
    assert sorted(chosen[3:]) == chosen[3:]
    assert set(chosen[3:]) < set(range(5))
    assert select_samples(scores, num_worst=3, num_random=2, seed=1).tolist() == chosen
    draws = {tuple(select_samples(scores, num_worst=3, num_random=2, seed=seed)) for seed in range(20)}
    assert len(draws) > 3
    assert sorted(select_samples(scores, num_worst=5, num_random=50, seed=0).tolist()) == list(range(8))


def test_tokens_are_written_as_people_read_them(make_split, make_predictions, make_dataset):
    split = make_split([[4, 5], [6]], sources=[[4, 5], [6]], references=[[[4, 5], [4, 6]], [[6]]])
    predictions = make_predictions([[4, 6], [5, 3]])
    scores = score_predictions(predictions, split, "tokens")
    dataset = make_dataset(split, kind="tokens", source_codec=LETTERS, target_codec=WORDS)
    table = tabulate_samples(predictions, split=split, scores=scores, dataset=dataset, chosen=np.array([1, 0]))
    assert table.columns == ("example", "source", "target", "prediction", "right", "edits", "outcome")
    assert table.rows == (
        (1, "c", "see", "bee <unknown>", False, 2, "stopped late"),
        (0, "ab", "ah bee / ah see", "ah see", True, 0, "right"),
    )
    assert json.loads(json.dumps(table.to_json_table()))["data"][1][2] == "ah bee / ah see"


def test_features_show_shapes_and_numbers_in_the_data_s_unit(feature_pair, make_dataset):
    split, predictions = feature_pair(np.full((2, 3, 2), 0.5), [3, 2])
    shorter = replace(predictions, values=predictions.values * 0, length=np.array([3, 1], np.int32))
    scores = score_predictions(shorter, split, "features")
    scaler = Scaler((10.0, 0.0), (2.0, 1.0))
    dataset = make_dataset(split, kind="features", source_codec=scaler, target_codec=scaler)
    table = tabulate_samples(shorter, split=split, scores=scores, dataset=dataset, chosen=np.array([0, 1]))
    assert table.columns == ("example", "target_shape", "prediction_shape", "absolute_error", "target", "prediction")
    assert table.rows[0] == (0, "3 x 2", "3 x 2", 0.5, "11 0.5 11 0.5 11 0.5", "10 0 10 0 10 0")
    assert table.rows[1] == (1, "2 x 2", "1 x 2", 0.5, "11 0.5 11 0.5", "10 0")


def test_a_prediction_of_nan_is_the_worst(feature_pair):
    split, predictions = feature_pair(np.ones((3, 2, 1)), [2, 2, 2])
    values = predictions.values.copy()
    values[1] = np.nan
    values[2] = 9
    scores = score_predictions(replace(predictions, values=values), split, "features")
    assert select_samples(scores, num_worst=2, num_random=0, seed=0).tolist() == [1, 2]


def test_choosing_the_worst_needs_its_metric(make_split, make_predictions):
    scores = score_predictions(make_predictions([[4]]), make_split([[4]]), "tokens", names=["exact_match"])
    with pytest.raises(ValueError, match="needs the metric error_rate, got exact_match"):
        select_samples(scores, num_worst=1, num_random=0, seed=0)


def test_markdown_keeps_one_line_a_row_whatever_the_text():
    table = Table(columns=("text", "edits", "right"), rows=(("a|b\nc\t" + "d" * 50, 3, True), ("$x$", 12, False)))
    lines = table.to_markdown(max_width=10).splitlines()
    assert lines == [
        "| text        | edits | right |",
        "| ----------- | ----: | ----- |",
        "| a\\|b c ddd… |     3 | yes   |",
        "| $x$         |    12 | no    |",
    ]


def test_numbers_that_json_cannot_hold_become_null():
    table = Table(columns=("score",), rows=((float("nan"),), (float("inf"),), (0.25,)))
    assert table.to_json_table() == {"columns": ["score"], "data": [[None], [None], [0.25]]}
    assert Table(columns=("score",), rows=()).to_markdown() == "| score |\n| ----: |\n"
