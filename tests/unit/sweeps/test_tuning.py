"""A tuned grid: which jobs there are, which values each condition takes, and what fits into a time budget."""

from __future__ import annotations

import json
import math

import pytest

from lengthwise.sweeps.tuning import (
    Budget,
    Trial,
    TunedGrid,
    choose_candidates,
    describe_tuning,
    double_epochs,
    list_edges,
)

LOW, MIDDLE, HIGH = ("rate=1",), ("rate=2",), ("rate=3",)
GRID = TunedGrid(
    fixed=("dataset=copy", "study=mine"),
    conditions=(("model=a",), ("model=b",)),
    candidates=(LOW, MIDDLE, HIGH),
    seeds=(("seed=0",), ("seed=1",)),
    tuning_seeds=(("seed=1000",), ("seed=1001",)),
)


def test_tuning_jobs_are_a_study_of_their_own_with_seeds_of_their_own() -> None:
    assert GRID.list_tuning(MIDDLE, "mine_tuning") == [
        ("dataset=copy", "study=mine_tuning", "model=a", "rate=2", "seed=1000"),
        ("dataset=copy", "study=mine_tuning", "model=a", "rate=2", "seed=1001"),
        ("dataset=copy", "study=mine_tuning", "model=b", "rate=2", "seed=1000"),
        ("dataset=copy", "study=mine_tuning", "model=b", "rate=2", "seed=1001"),
    ]


def test_each_condition_is_reported_with_what_was_chosen_for_it() -> None:
    assert GRID.list_reported({("model=a",): LOW, ("model=b",): HIGH}, ("seed=1",)) == [
        ("dataset=copy", "study=mine", "model=a", "rate=1", "seed=1"),
        ("dataset=copy", "study=mine", "model=b", "rate=3", "seed=1"),
    ]


def test_a_job_is_doubled_by_its_epochs() -> None:
    job = ("dataset=copy", "study=mine", "training.epochs=10", "model=a", "seed=1")
    assert double_epochs(job, 10, "mine_doubled") == (
        "dataset=copy",
        "model=a",
        "seed=1",
        "training.epochs=20",
        "study=mine_doubled",
    )


def test_the_middle_is_tried_first() -> None:
    assert GRID.order_candidates() == [MIDDLE, LOW, HIGH]


def trial(candidate: tuple[str, ...], *values: float | None, loss: float | None = 1.0) -> Trial:
    return Trial(candidate=candidate, values=values, losses=(loss,) * len(values))


@pytest.mark.parametrize(
    ("trials", "best"),
    [
        ([trial(LOW, 0.2, 0.3), trial(MIDDLE, 0.9, 0.1), trial(HIGH, 0.4, 0.4)], MIDDLE),
        ([trial(LOW, 0.2, 0.3), trial(MIDDLE, 1.0, None), trial(HIGH, 0.4, 0.4)], HIGH),
        ([trial(LOW, 0.0, loss=0.7), trial(MIDDLE, 0.0, loss=0.5), trial(HIGH, 0.0, loss=0.6)], MIDDLE),
        ([trial(LOW, 0.0, loss=None), trial(MIDDLE, 0.0, loss=0.5)], MIDDLE),
        ([trial(LOW, None), trial(MIDDLE, None)], LOW),
    ],
    ids=["the mean", "a failed run is the worst", "of equal ones the loss", "an unknown loss", "all failed"],
)
def test_a_condition_takes_the_best_mean_on_validation(trials: list[Trial], best: tuple[str, ...]) -> None:
    assert choose_candidates({("model=a",): trials}, higher_is_better=True) == {("model=a",): best}


def test_of_errors_the_lowest_is_the_best() -> None:
    trials = [trial(LOW, 0.2), trial(MIDDLE, 0.1), trial(HIGH, 0.4)]
    assert choose_candidates({("model=a",): trials}, higher_is_better=False) == {("model=a",): MIDDLE}


def test_a_choice_at_the_end_of_the_values_is_told() -> None:
    assert list_edges(GRID, {("model=a",): LOW, ("model=b",): MIDDLE}) == [("model=a",)]


def test_what_was_tuned_is_kept() -> None:
    condition = ("model=a",)
    trials = {condition: [trial(LOW, 0.25), trial(MIDDLE, None)]}
    kept = json.loads(describe_tuning(GRID, trials, {condition: LOW}, higher_is_better=True))
    assert kept["conditions"] == [
        {
            "condition": ["model=a"],
            "chosen": ["rate=1"],
            "trials": [{"candidate": ["rate=1"], "values": [0.25]}, {"candidate": ["rate=2"], "values": [None]}],
        }
    ]


def test_a_round_fits_into_a_budget_if_jobs_take_as_long_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("lengthwise.sweeps.tuning.time.monotonic", lambda: now[0])
    budget = Budget(10)
    now[0] += 120
    budget.note(4, 120)
    assert budget.allows(16)  # 120 s gone and 16 x 30 s to come: exactly 600
    assert not budget.allows(17)
    assert budget.allows(6, share=0.5)
    assert not budget.allows(7, share=0.5)
    budget.note(0, 50)
    assert budget.allows(16), "jobs that had finished before teach nothing"
    assert Budget(None).allows(1_000_000)
    assert not math.isfinite(Budget(None)._seconds)
