"""Published results beside the conditions of their kind."""

from __future__ import annotations

import math

import pytest

from helpers.study_runs import make_grid, make_run
from lengthwise.studies.build import build_study
from lengthwise.studies.published import PUBLISHED, Published, compare_published
from lengthwise.studies.report.tables import tabulate_decodings, tabulate_published


def publish(recipe: dict[str, object], note: str = "") -> Published:
    return Published(
        options={"model.length": "stop"},
        recipe=recipe,
        metric="test/exact_match",
        value=0.5,
        num_seeds=5,
        source="A",
        note=note,
    )


def test_only_the_whole_recipe_has_an_interval_in_which_the_published_mean_is_expected() -> None:
    """By hand: seeds .5, .6, .7 have the deviation .1; t with 2 degrees of freedom; means of 3 and of 5 seeds."""
    runs = make_grid({"model.length": ("fixed", "stop")}, lambda length, seed: [0.5, 0.6, 0.7][seed])
    same, other, noted = (
        publish({"latent_dim": 8, "model.feedback": "none"}),
        publish({"latent_dim": 16, "training.keep": "last"}),
        publish({}, note="padding counts"),
    )
    first, second, third = compare_published(build_study(["try"], runs), (same, other, noted))
    assert first.condition.name == "length=stop"
    assert first.differences == ()
    half = 0.95 * math.sqrt(2 / 0.0975) * 0.1 * math.sqrt(1 / 3 + 1 / 5)
    assert first.prediction == pytest.approx((0.6 - half, 0.6 + half))
    assert second.differences == ("latent_dim 8, published with 16", "keep no such option, published with last")
    assert third.differences == ("padding counts",)
    assert second.prediction is None
    assert third.prediction is None


def test_a_result_of_another_kind_is_not_shown() -> None:
    runs = make_grid({"model.length": ("fixed",)}, lambda length, seed: 0.5)
    assert compare_published(build_study(["try"], runs), (publish({}), *PUBLISHED)) == []


def test_a_result_under_another_length_rule_is_shown_beside_the_same_trained_models() -> None:
    """The oracle's score of runs decoded to their own end, which were scored under it too."""
    published = Published(
        options={"model.length": "stop", "decoding.name": "greedy", "decoding.length": "oracle"},
        recipe={},
        metric="test/exact_match",
        value=0.5,
        num_seeds=5,
        source="A",
    )
    runs = [
        make_run(
            {"model.length": "stop", "decoding.name": "greedy", "decoding.length": "model"},
            seed,
            None,
            summary={"test/exact_match": 0.1, "test/greedy_oracle/exact_match": 0.4 + 0.1 * seed},
        )
        for seed in range(3)
    ]
    study = build_study(["try"], runs)
    (found,) = compare_published(study, (published,))
    assert found.estimate.mean == pytest.approx(0.5)
    table = tabulate_decodings(study)
    assert table.columns == ("condition", "test, as run (%)", "test, greedy oracle (%)")
    assert table.rows[0][1:] == ("10.0 [9.9, 10.1]", "50.0 [25.2, 74.8]")
    assert tabulate_decodings(build_study(["try"], make_grid({}, lambda seed: 0.5))).rows == ()


def test_a_score_under_another_length_rule_is_compared_with_what_was_published_under_it() -> None:
    options = {"dataset.name": "scan", "model.name": "lake2018", "decoding.name": "greedy", "decoding.length": "model"}
    options |= {"dataset.split": "length", "dataset.length_cut": None}
    summary = {"test/exact_match": 0.1, "test/greedy_oracle/exact_match": 0.2}
    runs = [make_run(options, seed, 0.1, summary=summary) for seed in range(2)]
    own, oracle = compare_published(build_study(["try"], runs))
    assert (own.published.value, own.estimate.mean) == (0.138, 0.1)
    assert (oracle.published.value, oracle.estimate.mean) == (0.236, 0.2)
    assert {row[1] for row in tabulate_published([own, oracle]).rows} == {
        "test/exact_match (%)",
        "test/greedy_oracle/exact_match (%)",
    }
