"""Baselines: predictions made from the training split without learning, scored like those of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.dataset import Dataset, Kind, Split
from lengthwise.data.scaler import Scaler
from lengthwise.data.sequences import Sequences
from lengthwise.data.vocabulary import SPECIAL_SYMBOLS, UNKNOWN
from lengthwise.decoding.predictions import Predictions


def predict_majority_target(dataset: Dataset, split: Split) -> Predictions:
    """Predict `(examples, steps)`: the most frequent training target; ties go to the one whose ids come first."""
    target = dataset.splits["train"].target
    counted = [
        _find_commonest(target.take(np.flatnonzero(target.length == length))) for length in np.unique(target.length)
    ]
    _, ids = min((-count, ids) for count, ids in counted)
    return _repeat(np.array(ids, np.int32), len(split))


def predict_majority_symbol(dataset: Dataset, split: Split) -> Predictions:
    """Predict `(examples, steps)`: the most frequent training symbol of each step, up to the median target length.

    Stronger than `predict_majority_target` where hardly any target occurs twice.
    """
    target = dataset.splits["train"].target
    size = dataset.spec.target_size
    counts = np.stack([np.bincount(target.at_step(step), minlength=size) for step in range(_median_length(target))])
    counts[:, UNKNOWN] = 0
    return _repeat(counts.argmax(axis=1), len(split))


def predict_copy(dataset: Dataset, split: Split) -> Predictions | None:
    """Predict the source itself, each symbol under its id in the target's vocabulary, or `UNKNOWN` where it has none.

    Returns:
        The predictions `(examples, source steps)`; None where the two vocabularies share no symbol.
    """
    if isinstance(dataset.source_codec, Scaler) or isinstance(dataset.target_codec, Scaler):
        raise ValueError("copying needs symbols on both sides, got features")
    target_ids = {symbol: index for index, symbol in enumerate(dataset.target_codec.symbols, len(SPECIAL_SYMBOLS))}
    symbols = dataset.source_codec.symbols
    if not any(symbol in target_ids for symbol in symbols):
        return None
    special = [0] + [UNKNOWN] * (len(SPECIAL_SYMBOLS) - 1)
    table = np.array(special + [target_ids.get(symbol, UNKNOWN) for symbol in symbols], dtype=np.int32)
    return _complete(table[split.source.pad()], split.source.length)


def predict_mean(dataset: Dataset, split: Split) -> Predictions:
    """Predict `(examples, steps, features)`: the mean training value of each step, up to the median target length."""
    target = dataset.splits["train"].target
    steps = [target.at_step(step) for step in range(_median_length(target))]
    # A cumulative sum adds in the order of the examples; another order would change the last digits.
    mean = np.stack([np.cumsum(values, axis=0, dtype=np.float64)[-1] / len(values) for values in steps])
    return _repeat(mean.astype(np.float32), len(split))


def predict_last_value(dataset: Dataset, split: Split) -> Predictions | None:
    """Predict `(examples, steps, features)`: at every step the last value of the history; None but for forecasts."""
    forecast = dataset.forecast
    if forecast is None:
        return None
    last = split.source.at_step(forecast.history - 1)[:, list(forecast.columns)]
    return _forecast(np.repeat(last[:, None], dataset.spec.timesteps, axis=1))


def predict_seasonal(dataset: Dataset, split: Split) -> Predictions | None:
    """Predict `(examples, steps, features)`: the value one period before, of the last season of the history.

    Returns:
        The predictions; None but for forecasts with a period.
    """
    forecast = dataset.forecast
    if forecast is None or forecast.period is None:
        return None
    first = forecast.history - forecast.period
    steps = [first + step % forecast.period for step in range(dataset.spec.timesteps)]
    return _forecast(np.stack([split.source.at_step(step)[:, list(forecast.columns)] for step in steps], axis=1))


BASELINES: Mapping[Kind, Mapping[str, Callable[[Dataset, Split], Predictions | None]]] = MappingProxyType(
    {
        "tokens": {
            "majority_target": predict_majority_target,
            "majority_symbol": predict_majority_symbol,
            "copy": predict_copy,
        },
        "features": {"mean": predict_mean, "last_value": predict_last_value, "seasonal": predict_seasonal},
    }
)
"""Kind of data -> name -> baseline. Features have no copy baseline: for an autoencoder the source is the target."""


def predict_baselines(dataset: Dataset, split: Split) -> dict[str, Predictions]:
    """Return the predictions of every baseline that applies, by name.

    Args:
        dataset: The data; a baseline uses only its training split.
        split: The examples to predict.

    Returns:
        By name, values `(examples, steps)` int32, or `(examples, steps, features)` float32.
    """
    made = {name: predict(dataset, split) for name, predict in BASELINES[dataset.spec.kind].items()}
    return {name: predictions for name, predictions in made.items() if predictions is not None}


def _find_commonest(targets: Sequences) -> tuple[int, tuple[int, ...]]:
    """Return of targets of one length the most frequent, the first of ties: how often it occurs, and its ids."""
    # Bytes in the order of the digits of a number are sorted as the ids are, and faster than rows of ids.
    rows = np.ascontiguousarray(targets.flatten().astype(targets.values.dtype.newbyteorder(">")))
    width = int(targets.length[0])
    kinds, counts = np.unique(rows.view(f"V{width * rows.itemsize}"), return_counts=True)
    commonest = int(counts.argmax())
    return int(counts[commonest]), tuple(kinds[commonest : commonest + 1].view(rows.dtype).tolist())


def _median_length(targets: Sequences) -> int:
    """Return the median length; of two middle ones the lower, so that it is a length that occurs."""
    return int(np.percentile(targets.length, 50, method="lower"))


def _repeat(sequence: NDArray[np.generic], count: int) -> Predictions:
    """Return one sequence `(steps, ...)` as the prediction `(examples, steps, ...)` of `count` examples."""
    values = np.broadcast_to(sequence, (count, *sequence.shape))
    return _complete(values, np.full(count, len(sequence), dtype=np.int32))


def _forecast(values: NDArray[np.generic]) -> Predictions:
    """Return values `(examples, steps, features)`, all of one length, as predictions."""
    return _complete(values, np.full(len(values), values.shape[1], np.int32))


def _complete(values: NDArray[np.generic], length: NDArray[np.int32]) -> Predictions:
    """Return values `(examples, steps, ...)` and lengths `(examples,)` as predictions that end by themselves."""
    return Predictions(values=values, length=length, stopped=np.ones(len(length), dtype=bool), log_probability=None)
