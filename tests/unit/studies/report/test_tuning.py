"""The section on what was tuned, and axes that do not include it."""

from __future__ import annotations

import math
from pathlib import Path

from helpers.study_runs import make_run
from lengthwise.studies.build import build_study
from lengthwise.studies.collect import TunedCondition
from lengthwise.studies.report.tuning import build_tuning

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
