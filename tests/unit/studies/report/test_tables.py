"""The tables of a report."""

from __future__ import annotations

import csv
import io

import pytest

from helpers.study_runs import CUBE, make_grid, make_run, score_cube
from lengthwise.studies.build import build_study
from lengthwise.studies.report.answer import write_answer
from lengthwise.studies.report.findings import list_findings
from lengthwise.studies.report.tables import (
    tabulate_conditions,
    tabulate_effects,
    tabulate_incomplete,
    tabulate_unfinished,
    write_results,
)


def test_missing_and_failed_runs_are_listed() -> None:
    runs = make_grid(CUBE, score_cube)[1:]
    last = runs[-1].manifest.record
    runs[-1] = make_run({key: last.params[key] for key in CUBE}, last.seed, None, status="KILLED")
    study = build_study(["try"], runs)
    assert sorted(row[2] for row in tabulate_unfinished(study).rows) == ["killed", "not run"]
    table = tabulate_conditions(study)
    seeds = [row[table.columns.index("seeds")] for row in table.rows]
    assert sorted(seeds)[:2] == ["2 of 3 (1 killed)", "2 of 3 (1 not run)"]


def test_finished_runs_whose_later_parts_failed_are_named() -> None:
    runs = make_grid(CUBE, score_cube)
    assert tabulate_incomplete(build_study(["try"], runs)).rows == ()
    params = {key: runs[0].manifest.record.params[key] for key in CUBE}
    runs[0] = make_run(params, 0, 0.4, name="20260101-broken", missing=("attention", "samples"))
    study = build_study(["try"], runs)
    (row,) = tabulate_incomplete(study).rows
    assert row[1:] == ("0", "20260101-broken", "attention, samples")
    assert study.list_unfinished() == []
    assert "1 run has scores, but not all further results (attention, samples)" in write_answer(study).cautions[0]


def test_effects_of_one_seed_have_no_verdict() -> None:
    study = build_study(["try"], make_grid(CUBE, score_cube, seeds=(0,)))
    table = tabulate_effects(study, list_findings(study, study.metric))
    assert table.columns == ("change", "difference (points)", "conditions")
    assert len(table.rows) == 3


def test_results_hold_every_run_with_every_number() -> None:
    runs = [*make_grid(CUBE, score_cube), make_run(dict.fromkeys(CUBE, "x"), 7, None, status="FAILED")]
    rows = list(csv.DictReader(io.StringIO(write_results(build_study(["try"], runs)))))
    assert len(rows) == 25
    assert [row["status"] for row in rows].count("FAILED") == 1
    first = next(row for row in rows if row["seed"] == "1" and row["model.feedback"] == "teacher")
    assert float(first["test/exact_match"]) == pytest.approx(
        score_cube(first["model.conditioning"], "teacher", first["model.length"], 1), rel=1e-6
    )
