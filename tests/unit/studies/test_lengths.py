"""Reports on sequences of numbers show where they end."""

from __future__ import annotations

from pathlib import Path

from helpers.study_runs import make_run
from lengthwise.evaluation.tables import Table
from lengthwise.studies.build import build_study
from lengthwise.studies.report.sections import build_sections
from lengthwise.studies.report.tables import tabulate_conditions
from lengthwise.tracking.runs.run_record import PrimaryMetric

LENGTHS = Table(
    columns=("target_length", "beyond_trained", "examples", "mean_absolute_error", "length_error"),
    rows=(("5-9", False, 10, 0.2, 1.0), ("10", False, 30, 0.4, 3.0)),
)


def test_length_error_and_stops_are_in_table_and_figures(tmp_path: Path) -> None:
    runs = []
    for length in ("fixed", "stop"):
        error = 2.5 if length == "stop" else 0.5
        summary = {"test/mean_absolute_error": 0.3, "test/length_error": error, "test/stopped_early": 0.25}
        summary |= {"test/stopped_late": 0.5, "test/wrong_content": 0.0, "test/exposure_gap": 0.0}
        run = make_run(
            {"model.length": length},
            0,
            0.0,
            summary=summary,
            by_length={"test": LENGTHS},
            primary_metric=PrimaryMetric(name="test/mean_absolute_error", greater_is_better=False),
        )
        runs.append(run)
    study = build_study(["try"], runs)
    table = tabulate_conditions(study)
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert [rows[length]["length error (steps)"] for length in ("fixed", "stop")] == ["0.500", "2.50"]
    assert rows["stop"]["stopped early / late (%)"] == "25.0 / 50.0"
    names = {picture.name for section in build_sections(study, "compared", tmp_path) for picture in section.pictures}
    assert {"by_length", "length_error_by_length"} <= names
