"""Numbers as text."""

from __future__ import annotations

import pytest

from helpers.study_runs import make_run
from lengthwise.studies.build import build_study
from lengthwise.studies.report.numbers import format_estimate, format_number
from lengthwise.studies.units import find_unit


@pytest.mark.parametrize(
    ("value", "metric", "text"),
    [(0.1234, "exact_match", "12.3"), (-0.0005, "mean_absolute_error", "\N{MINUS SIGN}0.000500"), (12.34, "x", "12.3")],
)
def test_numbers_have_as_many_digits_as_they_need(value: float, metric: str, text: str) -> None:
    assert format_number(value, find_unit(metric)) == text


def test_an_estimate_without_interval_is_written_without() -> None:
    study = build_study(["try"], [make_run({}, 0, 0.25)])
    assert format_estimate(study.conditions[0].estimate(study.metric), find_unit("exact_match")) == "25.0 %"
