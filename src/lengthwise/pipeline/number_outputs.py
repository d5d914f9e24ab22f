"""Write results of numbers: errors of each column, by length and by step, forecasts, anomalies."""

from __future__ import annotations

import csv
import io

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.dataset import Dataset, Origin
from lengthwise.data.scaler import Scaler
from lengthwise.evaluation.baselines import predict_baselines
from lengthwise.evaluation.by_column import measure_by_step
from lengthwise.evaluation.comparison import compare_features
from lengthwise.evaluation.figures.curves import plot_outcomes, plot_score_by_length
from lengthwise.evaluation.figures.series import plot_anomalies, plot_error_by_step, plot_forecasts
from lengthwise.pipeline.results import RunResult
from lengthwise.plotting import save_figure
from lengthwise.tracking.runs.run_files import RunFiles

NUM_FORECASTS = 4


def write_columns(files: RunFiles, result: RunResult) -> None:
    """Write the errors of each column of the user's numbers, in scaled units and in its own."""
    for name in result.assessments:
        table = result.tabulate_columns(name)
        if table is not None:
            files.write_json(f"samples/{name}_by_column.json", table.to_json_table())
            files.write_text(f"samples/{name}_by_column.md", table.to_markdown())


def draw_length_errors(files: RunFiles, result: RunResult) -> None:
    """Draw where sequences of numbers end: the length error by target length, and shares of early and late stops."""
    assessments = {name: each for name, each in result.assessments.items() if len(each.by_length.bins) > 1}
    if result.dataset.spec.kind != "features" or not assessments:
        return
    for name, assessment in assessments.items():
        figure = plot_score_by_length({name: assessment.by_length}, "length_error")
        save_figure(figure, files.path("figures", f"{name}_length_error_by_length.png"))
    shares = {name: assessment.outcomes for name, assessment in assessments.items()}
    figure = plot_outcomes(shares, right="right length")
    save_figure(figure, files.path("figures", "outcomes.png"))


def draw_forecasts(files: RunFiles, result: RunResult) -> None:
    """Draw some forecasts of the test split, and the errors of the model and the baselines by step."""
    dataset = result.dataset
    forecast = dataset.forecast
    if forecast is None:
        return
    split, predictions = dataset.splits["test"], result.predictions["test"]
    errors = {
        name: measure_by_step(compare_features(made, split, forecast))
        for name, made in {result.options.model.name: predictions, **predict_baselines(dataset, split)}.items()
    }
    unit = forecast.scaler.labels[0] if forecast.scaler.size == 1 else "scaled units"
    save_figure(plot_error_by_step(errors, unit=unit), files.path("figures", "error_by_step.png"))
    shown = np.unique(np.linspace(0, len(split) - 1, NUM_FORECASTS).astype(np.int64)).tolist()
    sources = [split.source[index][: forecast.history, list(forecast.columns)] for index in shown]
    figure = plot_forecasts(
        [forecast.scaler.decode(past) for past in sources],
        [forecast.scaler.decode(split.target[index]) for index in shown],
        [forecast.scaler.decode(predictions.values[index, : predictions.length[index]]) for index in shown],
        names=forecast.scaler.labels,
        starts=[name_place(dataset, "test", index) for index in shown],
    )
    save_figure(figure, files.path("figures", "forecasts.png"))


def name_place(dataset: Dataset, split: str, index: int) -> str:
    """Name an example by its id in the user's file, or by the date or the row of its first target step."""
    origin = dataset.origin
    if origin is None:
        return str(index)
    if split in origin.ids:
        return str(origin.ids[split][index])
    row = int(origin.rows[split][index])
    return f"row {row + 1}" if origin.dates is None else str(origin.dates[row]).replace("T00:00:00", "")


def write_anomalies(files: RunFiles, result: RunResult) -> None:
    """Write and draw the anomaly score of each test row, with alarms and labels."""
    found, dataset = result.anomalies, result.dataset
    if found is None or dataset.origin is None or not isinstance(dataset.target_codec, Scaler):
        return
    dates = None if dataset.origin.dates is None else dataset.origin.dates[found.rows]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    has_labels = found.is_anomalous is not None
    writer.writerow(["row", *([] if dates is None else ["date"]), "score", "alarm", *(["label"] if has_labels else [])])
    for place, (row, score, alarm) in enumerate(zip(found.rows, found.scores, found.alarms, strict=True)):
        date = [] if dates is None else [str(dates[place])]
        label = [] if found.is_anomalous is None else [int(found.is_anomalous[place])]
        writer.writerow([int(row) + 1, *date, f"{score:.6g}", int(alarm), *label])
    files.write_text("samples/test_anomalies.csv", text.getvalue())
    values = _collect_rows(dataset, dataset.origin, dataset.target_codec)
    figure = plot_anomalies(values, found, names=dataset.target_codec.labels, dates=dates)
    save_figure(figure, files.path("figures", "anomalies.png"))


def _collect_rows(dataset: Dataset, origin: Origin, scaler: Scaler) -> NDArray[np.float64]:
    """Return the rows of the user's file that the test windows hold, each once, `(rows, features)` in its unit."""
    values = dataset.splits["test"].target.pad()
    places = (origin.rows["test"][:, None] + np.arange(values.shape[1])).ravel()
    _, first = np.unique(places, return_index=True)
    return scaler.decode(values.reshape(-1, values.shape[2])[first])
