"""Score decoded sequences: example by example, then averaged, never counting padding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.plugins import METRICS, Plugin, find_plugins, refuse_plugin
from lengthwise.data.dataset import Forecast, Kind, Split
from lengthwise.decoding.predictions import Predictions
from lengthwise.evaluation.comparison import (
    FeatureComparison,
    TokenComparison,
    compare_features,
    compare_tokens,
)
from lengthwise.evaluation.warping import warp_distances

Comparison = TypeVar("Comparison", TokenComparison, FeatureComparison)


@dataclass(frozen=True, slots=True)
class ExampleScores:
    """The scores of every example in one metric, each a fraction of two numbers.

    The score of any set of examples is the sum of their amounts divided by the sum of their weights.

    Args:
        amount: `(examples,)` float64, numerators, such as the edits of each example.
        weight: `(examples,)` float64 above 0, denominators, such as the true length of each example.
    """

    amount: NDArray[np.float64]
    weight: NDArray[np.float64]

    @property
    def values(self) -> NDArray[np.float64]:
        """The score `(examples,)` float64 of each example."""
        return self.amount / self.weight

    def average(self, chosen: NDArray[np.bool_] | None = None) -> float:
        """Return the score of all examples, or of those where `chosen` `(examples,)` is True; NaN where none is."""
        amount, weight = (self.amount, self.weight) if chosen is None else (self.amount[chosen], self.weight[chosen])
        return float(amount.sum() / weight.sum()) if len(amount) else float("nan")


class Metric(NamedTuple, Generic[Comparison]):
    """A metric: its function, its label, its unit and which direction is better.

    Args:
        measure: Function that computes the scores of every example.
        label: Name in tables and figures.
        unit: Unit, for the axes of figures.
        higher_is_better: Whether a higher score is better.
    """

    measure: Callable[[Comparison], ExampleScores]
    label: str
    unit: str
    higher_is_better: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """Every metric of every example of a split.

    Args:
        kind: Kind of the data.
        examples: Name of the metric -> its scores, in the order of the metrics' table.
        comparison: Predictions and targets that the scores were computed from.
    """

    kind: Kind
    examples: Mapping[str, ExampleScores]
    comparison: TokenComparison | FeatureComparison

    @property
    def summary(self) -> dict[str, float]:
        """Name of the metric -> score of the whole split."""
        return self.summarise()

    def summarise(self, chosen: NDArray[np.bool_] | None = None) -> dict[str, float]:
        """Return name of the metric -> score of the examples where `chosen` `(examples,)` is True, or of all."""
        return {name: scores.average(chosen) for name, scores in self.examples.items()}


def measure_exact_match(comparison: TokenComparison) -> ExampleScores:
    """Score `(examples,)`: 1 where the prediction equals any reference in every symbol and in length, else 0."""
    right = comparison.edits == 0
    return ExampleScores(right.astype(np.float64), np.ones(len(right)))


def measure_token_accuracy(comparison: TokenComparison) -> ExampleScores:
    """Score `(examples,)`: symbols right at their step, divided by the longer of prediction and nearest reference.

    A missing or surplus step thus counts as a wrong one: stopping early or late does not improve the score.
    """
    steps = np.maximum(comparison.predicted_length, comparison.reference_length)
    return ExampleScores(comparison.correct_steps.astype(np.float64), steps.astype(np.float64))


def measure_padded_accuracy(comparison: TokenComparison) -> ExampleScores:
    """Score `(examples,)`: places right out of as many as the longest target has, padding counted as a symbol.

    Places after the end of both are right. So count the examples of Keras (addition_rnn), whose figures are comparable
    with this one only: short sequences gain from it. They also read what a model writes after its first padding, which
    decoding does not.
    """
    width = int(max(comparison.target_length.max(), comparison.reference_length.max()))
    agree = (comparison.predicted == comparison.reference)[:, :width].sum(axis=1)
    return ExampleScores(agree.astype(np.float64), np.full(len(agree), float(width)))


def measure_error_rate(comparison: TokenComparison) -> ExampleScores:
    """Score `(examples,)`: edits to the nearest reference divided by its length; may be above 1."""
    return ExampleScores(comparison.edits.astype(np.float64), comparison.reference_length.astype(np.float64))


def measure_token_length_error(comparison: TokenComparison) -> ExampleScores:
    """Score `(examples,)`: number of missing or surplus steps compared with the nearest reference."""
    return _length_error(comparison.predicted_length, comparison.reference_length)


def measure_absolute_error(comparison: FeatureComparison) -> ExampleScores:
    """Score `(examples,)`: sum of absolute errors divided by the number of true values, in scaled units.

    A missing step counts as zeros. A surplus step is compared with zeros; its error is added, but the divisor counts
    only the true steps. A wrong length thus never improves the score, while a comparison of only the common steps would
    reward stopping after the easy ones. Zero is also the padding that a model of fixed length learns to produce.
    """
    return _step_error(comparison, np.abs(comparison.predicted - comparison.target))


def measure_squared_error(comparison: FeatureComparison) -> ExampleScores:
    """Score `(examples,)`: sum of squared errors divided by the number of true values; steps as for absolute error."""
    return _step_error(comparison, np.square(comparison.predicted - comparison.target))


def measure_feature_length_error(comparison: FeatureComparison) -> ExampleScores:
    """Score `(examples,)`: number of missing or surplus steps."""
    return _length_error(comparison.predicted_length, comparison.target_length)


def measure_warping(comparison: FeatureComparison) -> ExampleScores:
    """Score `(examples,)`: dynamic time warping distance divided by the number of true steps, in scaled units.

    Where the lengths agree it is never above the absolute error, because the step-by-step alignment is one of those
    it minimises over.
    """
    distance = warp_distances(
        comparison.predicted,
        comparison.predicted_length,
        second=comparison.target,
        second_length=comparison.target_length,
    )
    return ExampleScores(distance, comparison.target_length.astype(np.float64))


def measure_scaled_error(comparison: FeatureComparison) -> ExampleScores:
    """Score `(examples,)`: MASE, the mean absolute error divided by that of the naive forecast over the training rows.

    Hyndman and Koehler 2006, section 3: below 1 where the forecast is better than the naive one is there, one step (or
    one period) ahead. Features that never change in training have no naive error and are left out.
    """
    forecast = _require_forecast(comparison)
    naive = np.array(forecast.naive_error)
    chosen = naive > 0
    if not chosen.any():
        return ExampleScores(np.zeros(len(comparison.target)), np.ones(len(comparison.target)))
    error = np.abs(comparison.predicted - comparison.target) * np.array(forecast.scaler.scale)
    scaled = (error[:, :, chosen] / naive[chosen]).sum(axis=(1, 2))
    return ExampleScores(scaled, (comparison.target_length * int(chosen.sum())).astype(np.float64))


def measure_percentage_error(comparison: FeatureComparison) -> ExampleScores:
    """Score `(examples,)`: sMAPE as the M4 competition defines it, 200 |y - f| / (|y| + |f|) averaged, from 0 to 200 %.

    In the data's unit (Makridakis et al. 2020, section 2); where both are 0 the error is 0.
    """
    forecast = _require_forecast(comparison)
    predicted, target = (forecast.scaler.decode(side) for side in (comparison.predicted, comparison.target))
    total = np.abs(predicted) + np.abs(target)
    share = np.divide(np.abs(predicted - target), total, out=np.zeros_like(total), where=total > 0)
    return _step_error(comparison, 200 * share)


TOKEN_METRICS: Mapping[str, Metric[TokenComparison]] = MappingProxyType(
    {
        "exact_match": Metric(measure_exact_match, "exact match", "share of the sequences", True),
        "token_accuracy": Metric(measure_token_accuracy, "token accuracy", "share of the steps", True),
        "padded_token_accuracy": Metric(
            measure_padded_accuracy, "token accuracy, padding counted", "share of the places", True
        ),
        "error_rate": Metric(measure_error_rate, "error rate", "edits per true step", False),
        "length_error": Metric(measure_token_length_error, "length error", "steps", False),
    }
)

FEATURE_METRICS: Mapping[str, Metric[FeatureComparison]] = MappingProxyType(
    {
        "mean_absolute_error": Metric(measure_absolute_error, "mean absolute error", "scaled units", False),
        "mean_squared_error": Metric(measure_squared_error, "mean squared error", "scaled units squared", False),
        "length_error": Metric(measure_feature_length_error, "length error", "steps", False),
        "time_warping": Metric(measure_warping, "time warping distance", "scaled units per step", False),
        "mase": Metric(measure_scaled_error, "MASE", "times the naive error", False),
        "smape": Metric(measure_percentage_error, "sMAPE", "percent", False),
    }
)

FORECAST_METRICS = ("mase", "smape")
"""Metrics that only forecasts have."""


@cache
def list_metrics(kind: Kind) -> Mapping[str, Metric[Any]]:
    """Return the metrics of a kind of data by name: Lengthwise's, then those that installed packages add.

    Args:
        kind: `tokens` or `features`. A package's metric belongs to the kind whose comparison its function takes.

    Raises:
        LengthwiseError: A package cannot be imported, or adds something else than a metric.
    """
    own: Mapping[str, Metric[Any]] = TOKEN_METRICS if kind == "tokens" else FEATURE_METRICS
    added = {}
    for plugin in find_plugins(METRICS):
        if _find_kind(plugin) == kind:
            added[plugin.name] = plugin.value
    return MappingProxyType({**own, **added})


def _find_kind(plugin: Plugin) -> Kind:
    """Return the kind of data that a package's metric is for."""
    remedy = "Correct the package: docs/your-own-dataset.md has an example"
    if not isinstance(plugin.value, Metric):
        raise refuse_plugin(plugin, "its entry point names no Metric", remedy=remedy)
    if plugin.name in TOKEN_METRICS or plugin.name in FEATURE_METRICS:
        raise refuse_plugin(plugin, "Lengthwise has a metric of this name", remedy="Choose another name")
    hints = [hint for name, hint in get_type_hints(plugin.value.measure).items() if name != "return"]
    if hints == [TokenComparison]:
        return "tokens"
    if hints == [FeatureComparison]:
        return "features"
    problem = "its function does not take one TokenComparison or FeatureComparison, by its annotation"
    raise refuse_plugin(plugin, problem, remedy=remedy)


def find_metric(name: str) -> Metric[TokenComparison] | Metric[FeatureComparison] | None:
    """Return the metric of this name; None where there is none."""
    return list_metrics("tokens").get(name) or list_metrics("features").get(name)


def describe_metric(name: str) -> Metric[TokenComparison] | Metric[FeatureComparison]:
    """Return the metric of this name.

    Raises:
        ValueError: There is none.
    """
    found = find_metric(name)
    if found is None:
        known = {**list_metrics("tokens"), **list_metrics("features")}
        raise ValueError(f"a metric is one of {', '.join(known)}; got {name}")
    return found


def score_predictions(
    predictions: Predictions,
    split: Split,
    kind: Kind,
    *,
    names: Iterable[str] | None = None,
    forecast: Forecast | None = None,
) -> Scores:
    """Score decoded sequences against their targets.

    Args:
        predictions: Values `(examples, steps)` or `(examples, steps, features)`, one for each example of the split, in
            its order; free-running, or teacher-forced to measure the exposure gap.
        split: The targets.
        kind: Kind of the data.
        names: Metrics to compute; None: all, but time warping only where a predicted length differs from the true one,
            because its cost grows with the square of the steps.
        forecast: What a forecast is measured by; None for other data, which have no scaled errors.

    Raises:
        ValueError: A name is unknown, or the predictions do not belong to the split.
    """
    if kind == "tokens":
        tokens = compare_tokens(predictions, split)
        known = list_metrics(kind)
        examples = _measure_all(known, tokens, known if names is None else names)
        return Scores(kind=kind, examples=examples, comparison=tokens)
    features = compare_features(predictions, split, forecast)
    if names is None:
        left_out = set(FORECAST_METRICS) if forecast is None else set()
        if (features.predicted_length == features.target_length).all():
            left_out.add("time_warping")
        names = [name for name in list_metrics(kind) if name not in left_out]
    examples = _measure_all(list_metrics(kind), features, names)
    return Scores(kind=kind, examples=examples, comparison=features)


def _measure_all(
    table: Mapping[str, Metric[Comparison]], comparison: Comparison, names: Iterable[str]
) -> dict[str, ExampleScores]:
    wanted = list(names)
    unknown = [name for name in wanted if name not in table]
    if unknown:
        raise ValueError(f"metrics of this kind of data are {', '.join(table)}; got {', '.join(unknown)}")
    return {name: table[name].measure(comparison) for name in table if name in wanted}


def _require_forecast(comparison: FeatureComparison) -> Forecast:
    if comparison.forecast is None:
        raise ValueError("MASE and sMAPE need what a forecast is measured by")
    return comparison.forecast


def _length_error(predicted: NDArray[np.int64], true: NDArray[np.int64]) -> ExampleScores:
    """Return the absolute difference of lengths `(examples,)`, each with the weight 1."""
    return ExampleScores(np.abs(predicted - true).astype(np.float64), np.ones(len(true)))


def _step_error(comparison: FeatureComparison, error: NDArray[np.float64]) -> ExampleScores:
    """Return errors `(examples, steps, features)` summed for each example, weighted by its number of true values."""
    numbers = comparison.target_length * comparison.num_features
    return ExampleScores(error.sum(axis=(1, 2)), numbers.astype(np.float64))
