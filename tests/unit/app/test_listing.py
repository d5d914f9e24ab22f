"""`lengthwise runs`: one line a run, never wider than asked for."""

from __future__ import annotations

from typing import Any

from helpers.runs import make_manifest
from lengthwise.app.runs.listing import format_runs
from lengthwise.tracking.runs.manifest import Failure, Manifest
from lengthwise.tracking.runs.run_record import PrimaryMetric


def make(number: int, **changes: Any) -> Manifest:
    params = {
        "model.name": ("repeat", "stateful")[number % 2],
        "latent_dim": 32 << number // 2 % 2,
        "seed": number // 4,
    }
    values: dict[str, Any] = {
        "study": "many",
        "id": f"{number:06x}",
        "name": f"20261124-120000-run-{number:06x}",
        "started": "2026-11-24T12:00:00.000+00:00",
        "params": params | changes.pop("params", {}),
        "seed": number // 4,
        "primary_metric": PrimaryMetric(name="test/exact_match", greater_is_better=True),
        "summary": {"val/exact_match": 0.0, "test/exact_match": number / 8},
        "status": "FINISHED",
        "failure": None,
    }
    return make_manifest(**(values | changes))


def test_the_axes_and_the_score_of_a_study_are_columns() -> None:
    lines = format_runs([make(number) for number in range(8)], width=100)
    assert lines[0].split() == ["started", "id", "status", "model", "latent_dim", "seed", "test/exact_match"]
    assert lines[4].split() == ["2026-11-24", "12:00", "000003", "FINISHED", "stateful", "64", "0", "0.375"]
    assert len(lines) == 9


def test_a_run_without_a_score_says_why_on_its_line() -> None:
    reason = "ValueError: not a\nnumber " + "x" * 200
    failed = make(1, status="FAILED", failure=Failure(reason=reason, traceback=None))
    lines = format_runs([make(0), failed, make(2, missing=("attention",))], width=100)
    assert "FAILED" in lines[2]
    assert "ValueError: not a number x" in lines[2]
    assert lines[3].endswith("0.25 (not written: attention)")
    assert max(map(len, lines)) == 100


def test_options_that_do_not_fit_are_named_below() -> None:
    wide = [
        make(number, params={f"training.option_{place}": (number >> place) & 1 for place in range(3, 9)})
        for number in range(512)
    ]
    lines = format_runs(wide, width=100)
    assert len(lines) == 512 + 3
    assert max(map(len, lines[:-1])) <= 100
    assert lines[-1].startswith("These options vary too: option_")


def test_runs_of_several_studies_have_their_names_and_metrics() -> None:
    lines = format_runs(
        [
            make(0),
            make(1, study="other", label="sweep", kind="sweep", primary_metric=None, summary={"jobs/total": 4.0}),
        ],
        width=100,
    )
    assert lines[0].split() == ["started", "id", "status", "study", "run", "seed", "score"]
    assert lines[1].endswith("test/exact_match 0")
    assert lines[2].endswith("jobs/total 4")


def test_the_name_of_a_strangers_metric_is_safe_to_show() -> None:
    metric = PrimaryMetric(name="test/\x1b[31mred", greater_is_better=True)
    lines = format_runs([make(0, primary_metric=metric, summary={metric.name: 0.5})], width=100)
    assert "\x1b" not in "".join(lines)
    assert r"test/\x1b[31mred" in lines[0]
