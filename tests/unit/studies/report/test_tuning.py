"""The section on what was tuned, and axes that do not include it."""

from __future__ import annotations

import math
from pathlib import Path

from helpers.study_runs import make_grid, make_run
from lengthwise.studies.build import build_study
from lengthwise.studies.collect import TunedCondition
from lengthwise.studies.report.tuning import build_doubling, build_tuning, pair_findings, write_doubling
from lengthwise.studies.study import Study

RATES = {"none": 0.02, "teacher": 0.006}
TRIED = ("training.learning_rate=0.002", "training.learning_rate=0.006", "training.learning_rate=0.02")


def test_what_was_tuned_is_no_axis() -> None:
    runs = [
        make_run({"model.feedback": feedback, "training.learning_rate": rate}, seed, 0.5)
        for feedback, rate in RATES.items()
        for seed in range(3)
    ]
    runs += [
        make_run({"model.feedback": "own", "training.learning_rate": 0.002}, seed, 0.5)  # more rates than levels
        for seed in range(3)
    ]
    study = build_study(["try"], runs, tuned=["training.learning_rate"])
    assert [axis.option for axis in study.axes] == ["model.feedback"]
    assert study.axes[0].together == {}
    assert len(study.conditions) == 3


def test_the_section_shows_every_value_and_says_where_the_best_is_the_last(tmp_path: Path) -> None:
    study = build_study(["try"], [make_run({}, seed, 0.5) for seed in range(2)])
    conditions = (
        TunedCondition("model.feedback=none", TRIED[2], dict(zip(TRIED, (0.1, 0.25, 0.5), strict=True))),
        TunedCondition("model.feedback=teacher", TRIED[1], dict(zip(TRIED, (0.9, 0.95, math.nan), strict=True))),
    )
    (section,) = build_tuning(study, conditions, tmp_path)
    (table,) = section.tables.values()
    assert table.columns == ("condition", *TRIED, "chosen")
    assert table.rows == (
        ("model.feedback=none", "10.0", "25.0", "50.0", "0.02"),
        ("model.feedback=teacher", "90.0", "95.0", "\N{EN DASH}", "0.006"),
    )
    assert "1 of 2 conditions take the first or the last value tried" in section.text
    assert "try_tuning" in section.text
    assert section.pictures[0].png.startswith(b"\x89PNG")
    assert build_tuning(study, (), tmp_path) == ()


AXES = {"model.conditioning": ("repeat", "initial_state")}
WOBBLE = (-0.002, -0.001, 0.0, 0.001, 0.002)


def make_study(name: str, gain: float) -> Study:
    def score(conditioning: str, seed: int) -> float:
        return 0.5 + (gain + WOBBLE[seed]) * (conditioning == "initial_state")

    return build_study([name], make_grid(AXES, score, seeds=range(5)))


def test_a_verdict_that_twice_the_updates_change_is_told() -> None:
    study, same, changed = make_study("try", 0.1), make_study("try_doubled", 0.2), make_study("try_doubled", 0.0)
    assert write_doubling(pair_findings(study, same)) == write_doubling(pair_findings(study, None)) == ""
    assert write_doubling(pair_findings(study, changed)) == (
        "Twice the updates change 1 of 1 verdict: conditioning: initial_state instead of repeat. Such a difference may "
        "be one of training that was too short."
    )


def test_the_table_of_twice_the_updates_has_both_verdicts() -> None:
    study, doubled = make_study("try", 0.1), make_study("try_doubled", 0.2)
    (section,) = build_doubling(study, doubled, pair_findings(study, doubled))
    # The interval is 2.776 x .00158 / sqrt(5) = .00196 each way.
    (row,) = section.tables[""].rows
    assert row[:2] == ("conditioning: initial_state instead of repeat", "the average of all")
    assert row[2:] == ("+10.0 [9.8, 10.2]", "better", "+20.0 [19.8, 20.2]", "better")
    assert "Every verdict is the same. The condition to take is conditioning=initial_state, then too." in section.text
    assert section.text.startswith("All runs once more with twice the epochs, the study try_doubled")
    assert build_doubling(study, None, []) == ()


def test_runs_that_were_not_made_with_twice_the_updates_are_counted() -> None:
    study, part = make_study("try", 0.1), build_study(["try_doubled"], make_study("try_doubled", 0.2).runs[:7])
    (section,) = build_doubling(study, part, pair_findings(study, part))
    assert section.text.startswith("7 of the 10 runs once more with twice the epochs")
