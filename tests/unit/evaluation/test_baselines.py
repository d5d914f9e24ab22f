"""Baselines whose answers are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from lengthwise.data.assembly import autoencoder_split
from lengthwise.data.scaler import Scaler
from lengthwise.data.sequences import Sequences
from lengthwise.data.vocabulary import Vocabulary
from lengthwise.evaluation.baselines import predict_baselines, predict_copy
from lengthwise.evaluation.metrics import score_predictions

LETTERS = Vocabulary(("a", "b", "c"), "characters")


def test_majority_answers_are_those_counted_by_hand(make_split, make_dataset):
    train = make_split([[4, 5], [4, 5], [6, 5, 4], [6, 4, 4], [6]])
    dataset = make_dataset(train, kind="tokens", source_codec=LETTERS, target_codec=LETTERS)
    test = make_split([[4, 5], [6, 5], [6, 6, 6]])
    made = predict_baselines(dataset, test)
    assert list(made) == ["majority_target", "majority_symbol", "copy"]
    assert made["majority_target"].values.tolist() == [[4, 5]] * 3
    # Lengths 2, 2, 3, 3, 1: median 2. First symbols 4 4 6 6 6, second 5 5 5 4.
    assert made["majority_symbol"].values.tolist() == [[6, 5]] * 3
    assert made["majority_symbol"].length.tolist() == [2, 2, 2]
    scores = {name: score_predictions(made[name], test, "tokens").summary["exact_match"] for name in made}
    assert scores == pytest.approx({"majority_target": 1 / 3, "majority_symbol": 1 / 3, "copy": 1})


def test_the_lower_of_two_middle_lengths_is_the_median(make_split, make_dataset):
    train = make_split([[4], [4, 5, 6]])
    dataset = make_dataset(train, kind="tokens", source_codec=LETTERS, target_codec=LETTERS)
    assert predict_baselines(dataset, train)["majority_symbol"].values.tolist() == [[4]] * 2


def test_an_unknown_symbol_is_never_the_majority(make_split, make_dataset):
    train = make_split([[3], [3], [5]])
    dataset = make_dataset(train, kind="tokens", source_codec=LETTERS, target_codec=LETTERS)
    assert predict_baselines(dataset, train)["majority_symbol"].values.tolist() == [[5]] * 3


def test_copy_goes_by_the_symbols_not_their_ids(make_split, make_dataset):
    target_codec = Vocabulary(("c", "z", "a"), "characters")
    split = make_split([[6, 4]], sources=[[4, 6, 5, 3]])
    dataset = make_dataset(split, kind="tokens", source_codec=LETTERS, target_codec=target_codec)
    copied = predict_copy(dataset, split)
    assert copied is not None
    assert copied.length.tolist() == [4]
    assert target_codec.decode(copied.values[0].tolist()) == "ac<unknown><unknown>"


def test_nothing_is_copied_between_foreign_alphabets(make_split, make_dataset):
    split = make_split([[4]])
    dataset = make_dataset(split, kind="tokens", source_codec=LETTERS, target_codec=Vocabulary(("x",), "words"))
    assert predict_copy(dataset, split) is None
    assert list(predict_baselines(dataset, split)) == ["majority_target", "majority_symbol"]


def test_copy_of_the_reversal_scores_like_palindromes(make_split, make_dataset):
    split = make_split([[4, 5, 4], [5, 4], [6]], sources=[[4, 5, 4], [4, 5], [6]])
    dataset = make_dataset(split, kind="tokens", source_codec=LETTERS, target_codec=LETTERS)
    summary = score_predictions(predict_baselines(dataset, split)["copy"], split, "tokens").summary
    assert summary["exact_match"] == pytest.approx(2 / 3)


def test_mean_has_the_variance_as_its_squared_error(make_dataset):
    values = np.random.default_rng(1).normal(size=(200, 5, 3)).astype(np.float32)
    length = np.full(200, 5, np.int32)
    train = autoencoder_split(Sequences.from_padded(values, length))
    scaler = Scaler((0.0,) * 3, (1.0,) * 3)
    dataset = make_dataset(train, kind="features", source_codec=scaler, target_codec=scaler)
    made = predict_baselines(dataset, train)
    assert list(made) == ["mean"]
    summary = score_predictions(made["mean"], train, "features").summary
    assert summary["mean_squared_error"] == pytest.approx(values.astype(np.float64).var(axis=0).mean(), rel=1e-5)


def test_mean_leaves_padding_out(make_dataset):
    values = np.array([[[2.0], [0.0]], [[4.0], [7.0]], [[6.0], [9.0]]], np.float32)
    length = np.array([1, 2, 2], np.int32)
    train = autoencoder_split(Sequences.from_padded(values, length))
    scaler = Scaler((0.0,), (1.0,))
    dataset = make_dataset(train, kind="features", source_codec=scaler, target_codec=scaler)
    made = predict_baselines(dataset, train)["mean"]
    assert made.values[0].tolist() == [[4.0], [8.0]]
    assert made.length.tolist() == [2, 2, 2]
