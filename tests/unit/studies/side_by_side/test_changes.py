"""What each axis does in several studies, on the scale from no learning to a perfect score."""

from __future__ import annotations

import csv
import io
import math

import pytest

from helpers.study_runs import CUBE, make_grid, make_run, score_cube
from lengthwise.studies.build import build_study
from lengthwise.studies.side_by_side.changes import find_way, list_changes, write_changes
from lengthwise.studies.study import Study
from lengthwise.tracking.runs.run_record import PrimaryMetric

ERROR = "test/mean_absolute_error"


def build_cube() -> Study:
    return build_study(["cube"], make_grid(CUBE, score_cube, seeds=range(5)))


def build_errors() -> Study:
    """Return a study of an error, .2 without learning: .1 with a repeated latent, .05 with an initial state."""
    runs = []
    for conditioning, error in (("repeat", 0.1), ("initial_state", 0.05)):
        for size in (8, 16):
            for seed in range(5):
                summary = {ERROR: error + (seed - 2) * error / 100, "test/baseline_mean_mean_absolute_error": 0.2}
                params = {"model.conditioning": conditioning, "latent_dim": size, "dataset.name": "digits"}
                metric = PrimaryMetric(name=ERROR, greater_is_better=False)
                runs.append(make_run(params, seed, 0.0, summary=summary, primary_metric=metric))
    return build_study(["errors"], runs)


def test_a_way_is_from_no_learning_to_perfect() -> None:
    assert find_way(build_cube()) == pytest.approx(0.9)  # exact match .1 without learning
    assert find_way(build_errors()) == pytest.approx(-0.2)


def test_differences_of_shares_and_of_errors_are_on_one_scale() -> None:
    changes = list_changes([build_cube(), build_errors()])
    feedback = [each for each in changes if each.option == "model.feedback"]
    assert feedback[0].context == "conditioning=repeat, length=fixed"
    for each in feedback:
        assert each.gain.mean == pytest.approx(each.estimate.mean / 0.9)
        assert each.verdict == 1
    errors = [each for each in changes if each.study == "errors"]
    assert [each.label for each in errors] == ["conditioning: initial_state instead of repeat"] * 2, (
        "no number is a choice"
    )
    for each in errors:
        assert each.estimate.mean == pytest.approx(-0.05)
        assert each.gain.mean == pytest.approx(0.25), "a quarter of the way to no error, and better"
        assert each.gain.low <= each.gain.mean <= each.gain.high


def test_changes_come_axis_by_axis_then_study_by_study() -> None:
    changes = list_changes([build_errors(), build_cube()])
    order = list(dict.fromkeys((each.option, each.study) for each in changes))
    assert order == [
        ("model.conditioning", "errors"),
        ("model.conditioning", "cube"),
        ("model.feedback", "cube"),
        ("model.length", "cube"),
    ]


def test_the_file_has_every_number_in_full() -> None:
    changes = list_changes([build_cube()])
    rows = list(csv.DictReader(io.StringIO(write_changes(changes))))
    assert len(rows) == len(changes) == 12
    for row, each in zip(rows, changes, strict=True):
        assert float(row["difference"]) == each.estimate.mean
        assert float(row["gain"]) == each.gain.mean
        assert row["verdict"] in ("better", "no significant difference")


def test_without_a_known_baseline_an_error_has_no_way() -> None:
    metric = PrimaryMetric(name=ERROR, greater_is_better=False)
    runs = [
        make_run({"model.feedback": feedback}, seed, 0.0, summary={ERROR: 0.1}, primary_metric=metric)
        for feedback in ("none", "teacher")
        for seed in range(5)
    ]
    assert math.isnan(find_way(build_study(["errors"], runs)))
