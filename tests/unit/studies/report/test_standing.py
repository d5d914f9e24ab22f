"""Whether the conditions of a study can be compared, and what a report says where they cannot."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from helpers.study_runs import CUBE, make_grid, make_run, score_cube
from lengthwise.studies.build import build_study
from lengthwise.studies.condition import LearningCurve, StudyRun
from lengthwise.studies.report.answer import write_answer
from lengthwise.studies.report.standing import Standing, find_standing
from lengthwise.tracking.runs.run_record import PrimaryMetric

LENGTHS = {"model.length": ("fixed", "stop")}
ERROR = PrimaryMetric(name="test/mean_absolute_error", greater_is_better=False)


def score_errors(*scores: float) -> list[StudyRun]:
    """Return runs of one condition with an error each, where the mean has one of 0.2."""
    baseline = {"test/baseline_mean_mean_absolute_error": 0.2}
    return [
        make_run({}, seed, None, summary={"test/mean_absolute_error": score} | baseline, primary_metric=ERROR)
        for seed, score in enumerate(scores)
    ]


@pytest.mark.parametrize(
    ("runs", "standing"),
    [
        (make_grid(CUBE, score_cube), "compared"),
        (make_grid(CUBE, score_cube, seeds=(3,)), "one seed"),
        (make_grid(LENGTHS, lambda length, seed: 0.05 + 0.01 * seed), "nothing learnt"),
        (make_grid(LENGTHS, lambda length, seed: 0.1), "nothing learnt"),
        (make_grid(LENGTHS, lambda length, seed: 0.05, seeds=(0,)), "nothing learnt"),
        (make_grid(LENGTHS, lambda length, seed: 0.5 + 0.1 * seed), "all tie"),
        (make_grid(LENGTHS, lambda length, seed: 1.0), "all tie"),
        (make_grid(LENGTHS, lambda length, seed: 0.05 if length == "fixed" else 0.2 + 0.01 * seed), "compared"),
        ([make_run({}, seed, None, status="FAILED") for seed in range(2)], "unfinished"),
        ([make_run({}, seed, None, summary={"test/exact_match": 0.0}) for seed in range(2)], "nothing learnt"),
        ([make_run({}, seed, None, summary={"test/exact_match": 0.1}) for seed in range(2)], "compared"),
        (score_errors(0.21, 0.25), "nothing learnt"),
        (score_errors(0.1, 0.12), "compared"),
    ],
)
def test_conditions_are_compared_only_where_something_was_learnt(runs: Sequence[StudyRun], standing: Standing) -> None:
    assert find_standing(build_study(["try"], runs)) == standing


def make_floor(losses: Sequence[float]) -> list[StudyRun]:
    """Return runs that learn nothing, with these validation losses."""
    curves = {"val/loss": LearningCurve(range(1, len(losses) + 1), losses)}
    options = {"training.epochs": 2, "training.learning_rate": 0.002}
    return [
        make_run(options | {"model.length": length}, seed, 0.05 + 0.01 * seed, curves=curves)
        for length in ("fixed", "stop")
        for seed in range(3)
    ]


def test_at_the_floor_the_first_sentence_says_that_nothing_was_learnt() -> None:
    answer = write_answer(build_study(["try"], make_floor([1.0, 0.5])))
    (paragraph,) = answer.paragraphs
    assert paragraph == (
        "Nothing was learnt: no condition beats its baseline. Exact match on test is 6.0 %, and 10.0 % is reached "
        "without learning (majority). In 6 of 6 runs the validation loss was still falling at the end: raise "
        "training.epochs (2 now) first, then change training.learning_rate (0.002 now)."
    )


@pytest.mark.parametrize("losses", [[0.5, 0.9], [0.5, math.nan]])
def test_where_the_loss_no_longer_falls_the_rate_is_to_be_changed_first(losses: list[float]) -> None:
    (paragraph,) = write_answer(build_study(["try"], make_floor(losses))).paragraphs
    assert "had stopped falling before the end: change training.learning_rate (0.002 now) first" in paragraph
    assert paragraph.endswith("then raise training.epochs (2 now).")


def test_a_tie_at_the_top_asks_for_a_harder_task_and_another_for_training() -> None:
    top = write_answer(build_study(["try"], make_grid(LENGTHS, lambda length, seed: 1.0))).paragraphs
    assert top[0].startswith("All 2 conditions tie: exact match on test is 100.0 % in each. The task is too easy")
    middle = write_answer(build_study(["try"], make_grid(LENGTHS, lambda length, seed: 0.5))).paragraphs
    assert "None of the options that were varied makes a difference here. In 6 of 6 runs" in middle[0]
    assert len(top) == len(middle) == 1


def test_one_seed_has_two_sentences_and_no_verdict() -> None:
    answer = write_answer(build_study(["try"], make_grid(CUBE, score_cube, seeds=(0,))))
    assert answer.paragraphs[0] == (
        "One seed shows which conditions can work and how far apart they were once; it cannot show whether another "
        "seed would give the same order. Run more seeds before you choose, for example seed=1,2,3,4."
    )
    text = " ".join([*answer.paragraphs, *answer.cautions])
    assert "Differences in exact match in this seed, averaged over the other axes: feedback: teacher" in text
    assert "significant" not in text
    assert "better" not in text
