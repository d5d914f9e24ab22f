"""Figures of series draw what they are given."""

from __future__ import annotations

import numpy as np

from lengthwise.evaluation.anomalies import AnomalyScores
from lengthwise.evaluation.figures.series import plot_anomalies, plot_error_by_step, plot_forecasts


def test_an_error_by_step_has_a_line_for_the_model_and_each_baseline() -> None:
    figure = plot_error_by_step({"repeat": np.array([1.0, 2.0]), "mean": np.array([3.0, 3.0])}, unit="MW")
    (axes,) = figure.axes
    assert [line.get_ydata().tolist() for line in axes.lines] == [[1, 2], [3, 3]]
    assert axes.get_ylabel() == "mean absolute error (MW)"


def test_forecasts_begin_where_the_history_ends() -> None:
    history, ahead = [np.arange(8.0).reshape(4, 2)] * 3, [np.ones((2, 2))] * 3
    figure = plot_forecasts(history, ahead, ahead, names=["load", "wind"], starts=["a", "b", "c"], split="new")
    assert figure.get_suptitle() == "Forecasts of the new split"
    assert len(figure.axes) == 6
    past, true, made = figure.axes[0].lines
    assert past.get_xdata().tolist() == [-3, -2, -1, 0]
    assert true.get_xdata().tolist() == made.get_xdata().tolist() == [1, 2]
    assert [axes.get_ylabel() for axes in figure.axes[::3]] == ["load", "wind"]
    assert [axes.get_title(loc="center") for axes in figure.axes[:3]] == ["a", "b", "c"]


def test_anomalies_mark_alarms_and_labels() -> None:
    found = AnomalyScores(
        rows=np.arange(10, 15),
        scores=np.array([1.0, 9.0, 2.0, 1.0, 8.0]),
        threshold=5.0,
        is_learnt=False,
        is_anomalous=np.array([False, True, True, False, False]),
    )
    days = np.datetime64("2024-01-01", "s") + np.arange(5) * np.timedelta64(86_400, "s")
    for dates in (None, days):
        figure = plot_anomalies(np.arange(5.0)[:, None], found, names=["load"], dates=dates, split="test")
        above, below = figure.axes
        alarms = above.lines[1]
        assert alarms.get_ydata().tolist() == [1, 4]
        assert below.lines[1].get_ydata()[0] == 5
        assert len(above.patches) == 1, "the labelled rows follow each other"
        assert below.get_xlabel() == ("row" if dates is None else "date")
