"""Baselines and scaled errors of forecasts, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lengthwise.data.assembly import assemble_features
from lengthwise.data.dataset import Dataset, Forecast, Split
from lengthwise.data.scaler import Scaler
from lengthwise.data.sequences import Sequences
from lengthwise.decoding.predictions import Predictions
from lengthwise.evaluation.baselines import predict_baselines
from lengthwise.evaluation.metrics import score_predictions


def window_split(source: np.ndarray, target: np.ndarray) -> Split:
    """Return a split of sources and targets `(examples, steps, features)`."""
    sides = [Sequences.from_arrays(list(side)) for side in (source, target)]
    return Split(source=sides[0], target=sides[1])


@pytest.fixture
def dataset() -> Dataset:
    """One example of two features, the second of which is forecast; what follows the history is known ahead."""
    source = np.zeros((1, 9, 2), np.float32)
    source[0, :, 1] = [1, 2, 3, 4, 5, 0, 0, 0, 0]
    split = window_split(source, np.zeros((1, 4, 1), np.float32))
    codecs = (Scaler((0.0,) * 2, (1.0,) * 2), Scaler((0.0,), (1.0,)))
    made = assemble_features("made", {"train": split, "test": split}, codecs=codecs, timesteps=4)
    return replace(made, forecast=Forecast(history=5, columns=(1,), period=3, naive_error=(1.0,), scaler=codecs[1]))


def test_forecasts_have_the_last_value_and_the_last_season(dataset: Dataset) -> None:
    split, forecast = dataset.splits["test"], dataset.forecast
    found = predict_baselines(dataset, split)
    assert found["last_value"].values[0, :, 0].tolist() == [5, 5, 5, 5]
    assert found["seasonal"].values[0, :, 0].tolist() == [3, 4, 5, 3]
    assert forecast is not None
    without = replace(dataset, forecast=replace(forecast, period=None))
    assert set(predict_baselines(without, split)) == {"mean", "last_value"}
    assert set(predict_baselines(replace(dataset, forecast=None), split)) == {"mean"}


def predict(values: np.ndarray, length: list[int]) -> Predictions:
    return Predictions(
        values=values.astype(np.float32),
        length=np.array(length, np.int32),
        stopped=np.ones(len(values), bool),
        log_probability=None,
    )


def test_scaled_errors_are_those_of_the_papers() -> None:
    rng = np.random.default_rng(0)
    scaler = Scaler((10.0, -3.0, 0.0), (2.0, 0.5, 4.0))
    # The third feature never changed in training.
    forecast = Forecast(history=1, columns=(0, 1, 2), period=None, naive_error=(0.5, 2.0, 0.0), scaler=scaler)
    target, made = rng.normal(size=(2, 4, 6, 3)).astype(np.float32)
    split = window_split(np.zeros((4, 1, 3), np.float32), target)
    scores = score_predictions(predict(made, [6] * 4), split, "features", forecast=forecast).summary
    true, found = (np.float64(side) * scaler.scale + scaler.shift for side in (target, made))
    mase = np.mean([np.abs(true - found)[..., feature] / naive for feature, naive in ((0, 0.5), (1, 2.0))])
    smape = np.mean([200 * abs(t - f) / (abs(t) + abs(f)) for t, f in zip(true.ravel(), found.ravel(), strict=True)])
    assert scores["mase"] == pytest.approx(mase)
    assert scores["smape"] == pytest.approx(smape)
    assert "mase" not in score_predictions(predict(made, [6] * 4), split, "features").summary


def test_a_forecast_of_zero_for_zero_has_no_percentage_error() -> None:
    forecast = Forecast(history=1, columns=(0,), period=None, naive_error=(0.0,), scaler=Scaler((0.0,), (1.0,)))
    target = np.array([[[0.0], [1.0]]], np.float32)
    split = window_split(target, target)
    summary = score_predictions(predict(np.zeros((1, 2, 1)), [2]), split, "features", forecast=forecast).summary
    assert summary["smape"] == 100
    assert summary["mase"] == 0
