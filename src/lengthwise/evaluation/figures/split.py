"""Draw the results of one split: a run's test split, or a new file."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lengthwise.data.dataset import Dataset
from lengthwise.data.scaler import Scaler
from lengthwise.decoding.predictions import Predictions
from lengthwise.evaluation.anomalies import AnomalyScores
from lengthwise.evaluation.assessment import PRIMARY_METRICS, Assessment
from lengthwise.evaluation.baselines import predict_baselines
from lengthwise.evaluation.by_column import measure_by_step
from lengthwise.evaluation.comparison import compare_features
from lengthwise.evaluation.figures.curves import plot_outcomes, plot_score_by_length
from lengthwise.evaluation.figures.sequences import plot_reconstructions
from lengthwise.evaluation.figures.series import plot_anomalies, plot_error_by_step, plot_forecasts

NUM_RECONSTRUCTIONS, NUM_FORECASTS = 10, 4


def plot_split(
    dataset: Dataset,
    assessment: Assessment,
    predictions: Predictions,
    *,
    model: str,
    anomalies: AnomalyScores | None = None,
) -> dict[str, Figure]:
    """Draw all figures of one split.

    Args:
        dataset: Holds the split.
        assessment: Its scores, and its name.
        predictions: What was decoded of it.
        model: Name of the model, for legends.
        anomalies: Anomaly scores of its rows; None but for series.

    Returns:
        The figures by name.
    """
    name, primary = assessment.split, PRIMARY_METRICS[dataset.spec.kind]
    has_lengths, has_features = len(assessment.by_length.bins) > 1, dataset.spec.kind == "features"
    figures = {}
    if has_lengths:
        figures["by_length"] = plot_score_by_length({name: assessment.by_length}, primary)
    if has_lengths and has_features:
        figures["length_error_by_length"] = plot_score_by_length({name: assessment.by_length}, "length_error")
        figures["outcomes"] = plot_outcomes({name: assessment.outcomes}, right="right length")
    if not has_features:
        figures["outcomes"] = plot_outcomes({name: assessment.outcomes})
    else:
        figures["reconstructions"] = plot_split_reconstructions(dataset, name, predictions)
    figures |= plot_split_forecasts(dataset, name, predictions, model=model)
    if anomalies is not None:
        figures["anomalies"] = plot_split_anomalies(dataset, name, anomalies)
    return figures


def plot_split_reconstructions(dataset: Dataset, name: str, predictions: Predictions) -> Figure:
    """Draw sequences of features beside their reconstructions, one of each class where there are classes."""
    split = dataset.splits[name]
    shown = np.unique(np.linspace(0, len(split) - 1, NUM_RECONSTRUCTIONS).astype(np.int64))
    if split.labels is not None:
        shown = np.unique(split.labels, return_index=True)[1][:NUM_RECONSTRUCTIONS]
    return plot_reconstructions(
        split.target.pad(shown).astype(np.float64),
        predictions.values[shown].astype(np.float64),
        original_length=split.target.length[shown],
        reconstruction_length=predictions.length[shown],
        titles=_title_examples(dataset, name, shown),
        names=scaler.names if isinstance(scaler := dataset.target_codec, Scaler) else (),
    )


def _title_examples(dataset: Dataset, name: str, shown: NDArray[np.int64]) -> list[str] | None:
    """Return titles of examples: their classes, or their places in the user's file; None where there are none."""
    labels = dataset.splits[name].labels
    if labels is not None:
        return [str(label) for label in labels[shown]]
    return None if dataset.origin is None else [name_place(dataset, name, index) for index in shown.tolist()]


def plot_split_forecasts(dataset: Dataset, name: str, predictions: Predictions, *, model: str) -> Mapping[str, Figure]:
    """Draw some forecasts, and the errors of the model and the baselines by step; nothing for other data."""
    forecast = dataset.forecast
    if forecast is None:
        return {}
    split = dataset.splits[name]
    errors = {
        key: measure_by_step(compare_features(made, split, forecast))
        for key, made in {model: predictions, **predict_baselines(dataset, split)}.items()
    }
    unit = forecast.scaler.labels[0] if forecast.scaler.size == 1 else "scaled units"
    shown = np.unique(np.linspace(0, len(split) - 1, NUM_FORECASTS).astype(np.int64)).tolist()
    sources = [split.source[index][: forecast.history, list(forecast.columns)] for index in shown]
    forecasts = plot_forecasts(
        [forecast.scaler.decode(past) for past in sources],
        [forecast.scaler.decode(split.target[index]) for index in shown],
        [forecast.scaler.decode(predictions.values[index, : predictions.length[index]]) for index in shown],
        names=forecast.scaler.labels,
        starts=[name_place(dataset, name, index) for index in shown],
        split=name,
    )
    return {"error_by_step": plot_error_by_step(errors, unit=unit), "forecasts": forecasts}


def name_place(dataset: Dataset, name: str, index: int) -> str:
    """Name an example by its id in the user's file, or by the date or the row of its first target step."""
    origin = dataset.origin
    if origin is None:
        return str(index)
    if name in origin.ids:
        return str(origin.ids[name][index])
    row = int(origin.rows[name][index])
    return f"row {row + 1}" if origin.dates is None else str(origin.dates[row]).replace("T00:00:00", "")


def plot_split_anomalies(dataset: Dataset, name: str, found: AnomalyScores) -> Figure:
    """Draw the rows of the windows of a series with their anomaly scores, alarms and labels.

    Raises:
        ValueError: The dataset is no series.
    """
    origin, scaler = dataset.origin, dataset.target_codec
    if origin is None or not isinstance(scaler, Scaler):
        raise ValueError("anomalies are those of rows of a file of numbers")
    values = dataset.splits[name].target.pad()
    places = (origin.rows[name][:, None] + np.arange(values.shape[1])).ravel()
    _, first = np.unique(places, return_index=True)  # a row is in several windows
    rows = scaler.decode(values.reshape(-1, values.shape[2])[first])
    dates = None if origin.dates is None else origin.dates[found.rows]
    return plot_anomalies(rows, found, names=scaler.labels, dates=dates, split=name)
