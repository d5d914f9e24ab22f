"""Score each feature by itself: its errors in scaled units and in the data's own unit, and by step of a forecast."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.dataset import Dataset
from lengthwise.data.scaler import Scaler
from lengthwise.evaluation.comparison import FeatureComparison, TokenComparison
from lengthwise.evaluation.tables import Entry, Table


def tabulate_columns(comparison: FeatureComparison, scaler: Scaler) -> Table:
    """Tabulate the errors of each feature, one row each; missing and surplus steps count as in the scores.

    Args:
        comparison: Predicted and true steps.
        scaler: That of the targets.

    Returns:
        Mean absolute error in scaled units, the same and the root of the mean squared error in the data's unit, and for
        forecasts MASE, NaN where the feature never changed in training.
    """
    error = np.abs(comparison.predicted - comparison.target)
    num_steps = comparison.target_length.sum()
    absolute, squared = error.sum(axis=(0, 1)) / num_steps, np.square(error).sum(axis=(0, 1)) / num_steps
    rows: list[tuple[Entry, ...]] = []
    for index, (name, scale) in enumerate(zip(scaler.labels, scaler.scale, strict=True)):
        own = (float(absolute[index]), float(absolute[index] * scale), float(math.sqrt(squared[index]) * scale))
        mase: tuple[float, ...] = ()
        if comparison.forecast is not None:
            naive = comparison.forecast.naive_error[index]
            mase = (own[1] / naive if naive > 0 else math.nan,)
        rows.append((name, *own, *mase))
    columns = ("column", "mean_absolute_error_scaled", "mean_absolute_error", "root_mean_squared_error")
    return Table(columns=columns if comparison.forecast is None else (*columns, "mase"), rows=tuple(rows))


def tabulate_own_columns(dataset: Dataset, comparison: TokenComparison | FeatureComparison) -> Table | None:
    """Tabulate the errors of each column of a split; None but for the user's own numbers."""
    scaler = dataset.target_codec
    if dataset.origin is None or not isinstance(scaler, Scaler):
        return None
    return tabulate_columns(comparison, scaler) if isinstance(comparison, FeatureComparison) else None


def measure_by_step(comparison: FeatureComparison) -> NDArray[np.float64]:
    """Return the mean absolute error `(steps,)` at each step of the targets, over the examples that have it.

    In the data's unit for a forecast of one feature, else in scaled units.
    """
    num_steps = int(comparison.target_length.max())
    real = np.arange(num_steps) < comparison.target_length[:, None]
    error = np.abs(comparison.predicted - comparison.target)[:, :num_steps].mean(axis=2)
    by_step: NDArray[np.float64] = np.where(real, error, 0.0).sum(axis=0) / real.sum(axis=0)
    if comparison.forecast is not None and comparison.num_features == 1:
        by_step = by_step * comparison.forecast.scaler.scale[0]
    return by_step
