"""Write results of numbers: errors of each column, by length and by step, forecasts, anomalies."""

from __future__ import annotations

from lengthwise.evaluation.anomalies import write_anomaly_table
from lengthwise.evaluation.by_column import tabulate_own_columns
from lengthwise.evaluation.figures.curves import plot_outcomes, plot_score_by_length
from lengthwise.evaluation.figures.split import (
    plot_split_anomalies,
    plot_split_forecasts,
    plot_split_reconstructions,
)
from lengthwise.pipeline.results import RunResult
from lengthwise.plotting import save_figure
from lengthwise.tracking.runs.run_files import RunFiles


def write_columns(files: RunFiles, result: RunResult) -> None:
    """Write the errors of each column of the user's numbers, in scaled units and in its own."""
    for name, assessment in result.assessments.items():
        table = tabulate_own_columns(result.dataset, assessment.scores.comparison)
        if table is not None:
            files.write_json(f"samples/{name}_by_column.json", table.to_json_table())
            files.write_text(f"samples/{name}_by_column.md", table.to_markdown())


def draw_reconstructions(files: RunFiles, result: RunResult) -> None:
    """Draw test sequences beside their reconstructions, one of each class where there are classes; of features only."""
    if result.dataset.spec.kind == "features":
        figure = plot_split_reconstructions(result.dataset, "test", result.predictions["test"])
        save_figure(figure, files.path("figures", "reconstructions.png"))


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
    predictions, model = result.predictions["test"], result.options.model.name
    for name, figure in plot_split_forecasts(result.dataset, "test", predictions, model=model).items():
        save_figure(figure, files.path("figures", f"{name}.png"))


def write_anomalies(files: RunFiles, result: RunResult) -> None:
    """Write and draw the anomaly score of each test row, with alarms and labels."""
    found, dataset = result.anomalies, result.dataset
    if found is not None and dataset.origin is not None:
        files.write_text("samples/test_anomalies.csv", write_anomaly_table(found, dataset.origin))
        save_figure(plot_split_anomalies(dataset, "test", found), files.path("figures", "anomalies.png"))
