"""Scores under the length rules that are not the run's own."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lengthwise.config.compose import compose_options
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.decoding.inference import Inference
from lengthwise.models.bundle import build_models
from lengthwise.models.wiring import resolve_wiring
from lengthwise.pipeline.length_rules import list_other_rules, score_length_rules
from lengthwise.pipeline.stages import evaluate_model

SMALL = (
    *("dataset=copy", "dataset.num_symbols=3", "dataset.num_train=8", "dataset.num_validation=3", "latent_dim=4"),
    *("dataset.num_test=20", "dataset.max_length=3", "dataset.longer_length=4"),
)


def resolve(*changes):
    options = compose_options([*SMALL, *changes])
    dataset = load_dataset(options.dataset, options.timesteps)
    return options, dataset, resolve_wiring(options.model, options.latent_dim, dataset.spec)


@pytest.mark.parametrize(
    ("changes", "others"),
    [
        (["model=stateful"], ["oracle", "max"]),
        (["model=repeat"], ["oracle", "max"]),
        (["model=stateful", "decoding.length=max"], ["model", "oracle"]),
        (["model=stateful", "model.length=oracle"], ["max"]),
        (["dataset=digits", "model=repeat"], ["oracle"]),
    ],
)
def test_rules_that_decode_as_another_does_are_left_out(changes, others):
    """A model that learns no end is decoded by `model` as by `oracle` (tokens), or as by `max` (features)."""
    known = [change for change in SMALL if "dataset" not in change] if "dataset=digits" in changes else SMALL
    options = compose_options([*known, *changes])
    wiring = resolve_wiring(options.model, options.latent_dim, load_dataset(options.dataset, options.timesteps).spec)
    assert list_other_rules(options.decoding, wiring) == others


def test_scores_under_the_oracle_are_those_of_sequences_of_the_true_length():
    """Untrained, of three symbols: exact match and token accuracy of what is decoded under the rule, by hand."""
    options, dataset, wiring = resolve("model=stateful")
    models = build_models(wiring)
    result = evaluate_model(Inference(models, options.decoding), options, dataset, SimpleNamespace(epochs=1))
    found = score_length_rules(result)
    metrics = ("exact_match", "token_accuracy")
    assert set(found) == {
        f"{split}/greedy_{rule}/{metric}"
        for split in ("val", "test", "longer")
        for rule in ("oracle", "max")
        for metric in metrics
    }
    test = dataset.splits["test"]
    decoded = Inference(models, replace(options.decoding, length="oracle")).decode(test)
    np.testing.assert_array_equal(decoded.length, test.target.length)
    places = np.arange(decoded.values.shape[1]) < decoded.length[:, None]
    agree = (decoded.values == test.target.pad()[:, : places.shape[1]]) & places
    assert found["test/greedy_oracle/token_accuracy"] == pytest.approx(agree.sum() / decoded.length.sum())
    assert found["test/greedy_oracle/exact_match"] == pytest.approx((agree.sum(axis=1) == decoded.length).mean())


def test_only_greedy_decoding_is_scored_again():
    options = compose_options([*SMALL, "decoding=beam"])
    result = SimpleNamespace(
        options=options,
        inference=SimpleNamespace(models=None),
        dataset=SimpleNamespace(spec=SimpleNamespace(kind="tokens")),
    )
    assert score_length_rules(result) == {}
