"""Published results, each shown beside the conditions of a study that are of the same kind.

They are kept here and not with an experiment's configuration, so that a value is shown beside every condition that may
repeat it, whatever the study. A distance is given only where the whole recipe is the same: data, measure, model and
training, every option that matters. Everywhere else what differs is listed instead. Only numbers read at their source
are listed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from lengthwise.config.values import format_value
from lengthwise.studies.axes import Params, Value
from lengthwise.studies.condition import Condition
from lengthwise.studies.intervals import Estimate, find_quantile
from lengthwise.studies.study import Study

_UPDATES = "updates"
"""In a recipe: the number of updates, which is no option by itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """A published result.

    Args:
        options: The options that a run must have to be shown beside it: data, decoding and the kind of model.
        recipe: All further options that matter, as published; a run that differs in any of them does not repeat it.
        metric: Lengthwise's, such as `test/exact_match`.
        value: As published, in the unit of the metric.
        num_seeds: Runs that it is the mean of.
        source: Where it was read.
        note: What differs whatever the options are; empty where it is the same data and measure.
    """

    options: Mapping[str, Value]
    recipe: Mapping[str, Value]
    metric: str
    value: float
    num_seeds: int
    source: str
    note: str = ""


class Interval(NamedTuple):
    """Where a mean of new runs is expected, with a probability of 95 %."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A published result beside a condition of a study.

    Args:
        published: The result.
        condition: The condition beside it.
        estimate: The condition's mean with its interval.
        differences: What differs in recipe, data or measure, in words; empty where nothing does.
        prediction: Where the mean of as many runs as were published is expected if they are runs of this condition;
            None where anything differs, or there is one seed.
    """

    published: Published
    condition: Condition
    estimate: Estimate
    differences: tuple[str, ...]
    prediction: Interval | None


_LAKE = {"dataset.name": "scan", "model.name": "lake2018", "decoding.name": "greedy", "decoding.length": "model"}
_LAKE_SOURCE = "Lake and Baroni 2018, arXiv 1711.00350, overall-best network, mean of 5 seeds"
_LAKE_RECIPE: Mapping[str, Value] = {
    "latent_dim": 200,
    "model.conditioning": "initial_state",
    "model.feedback": "scheduled",
    "model.sampling_rate": 0.5,
    "model.length": "stop",
    "model.carry": "hc",
    "model.cell": "lstm",
    "model.encoder_layers": 2,
    "model.decoder_layers": 2,
    "model.bidirectional": False,
    "model.attention": "none",
    "model.reverse_source": False,
    "model.embedding_dim": 200,
    "model.dropout": 0.5,
    "model.dropout_places": "input+layers",
    "training.optimizer": "adam",
    "training.learning_rate": 0.001,
    "training.schedule": "constant",
    "training.clip_norm": 5.0,
    "training.batch_size": 1,
    "training.draws": "replacement",
    _UPDATES: 100_000,
    "training.early_stopping_patience": None,
    "training.keep": "last",
}
"""As in the paper's section 3."""

_G2P = "cmusphinx/g2p-seq2seq, README, word error rate on CMUdict without stress"
_G2P_RECIPE: Mapping[str, Value] = {
    "model.cell": "gru",
    "model.encoder_layers": 2,
    "model.decoder_layers": 2,
    "model.attention": "additive",
    "model.reverse_source": True,
    "training.optimizer": "sgd",
    "training.learning_rate": 0.5,
    "training.schedule": "plateau",
    "training.plateau_divisor": 1.0101,
    "training.plateau_patience": 3,
    "training.clip_norm": 5.0,
    "training.batch_size": 64,
    "training.draws": "replacement",
    "training.batches_per_epoch": 200,
    "training.early_stopping_patience": 35,
    "training.keep": "last",
}
"""As at the commit of 2016-06-14 that published the figures; an epoch is its check of the loss, every 200 updates."""

_G2P_NOTE = "an edition of the dictionary of 2016, its words in another order; every pronunciation is trained on there"


def _list_lake(split: str, value: float, *, metric: str = "test/exact_match", **further: Value) -> Published:
    data = {f"dataset.{option}": own for option, own in further.items()}
    return Published(
        options={**_LAKE, "dataset.split": split, **data},
        recipe=_LAKE_RECIPE,
        metric=metric,
        value=value,
        num_seeds=5,
        source=_LAKE_SOURCE,
    )


PUBLISHED: tuple[Published, ...] = (
    _list_lake("simple", 0.997, train_fraction=None),
    _list_lake("length", 0.138, length_cut=None),
    _list_lake("length", 0.236, metric="test/greedy_oracle/exact_match", length_cut=None),
    _list_lake("addprim_turn_left", 0.900),
    _list_lake("addprim_jump", 0.0008),
    Published(
        options={"dataset.name": "addition", "dataset.num_digits": 3, "model.name": "keras_addition"},
        recipe={"latent_dim": 128, "training.schedule": "constant", "training.epochs": 29},
        metric="test/padded_token_accuracy",
        value=0.9883,
        num_seeds=1,
        source="Keras example addition_rnn, published run, epoch 29",
        note="other random sums; the example also reads what is written after the first space",
    ),
    Published(
        options={"dataset.name": "g2p"},
        recipe={**_G2P_RECIPE, "latent_dim": 64, "model.embedding_dim": 64},
        metric="test/exact_match",
        value=1 - 0.3961,
        num_seeds=1,
        source=f"{_G2P}, 2 layers of 64",
        note=_G2P_NOTE,
    ),
    Published(
        options={"dataset.name": "g2p"},
        recipe={**_G2P_RECIPE, "latent_dim": 512, "model.embedding_dim": 512},
        metric="test/exact_match",
        value=1 - 0.3114,
        num_seeds=1,
        source=f"{_G2P}, 2 layers of 512",
        note=_G2P_NOTE,
    ),
)


def compare_published(study: Study, published: tuple[Published, ...] = PUBLISHED) -> list[Comparison]:
    """Find the published results that conditions of a study can be shown beside.

    Args:
        study: The study.
        published: The results to look through.

    Returns:
        One for each pair of a published result and a condition with a score, in the order of the results.
    """
    found = []
    for result in published:
        for condition in study.conditions:
            params = [run.manifest.record.params for run in condition.finished]
            metric = _find_metric(params[0], result) if params else None
            estimate = None if metric is None else condition.estimate(metric)
            if estimate is None or not estimate.num_values:
                continue
            differences = tuple(_list_differences(params[0], result))
            prediction = None if differences else _predict(estimate, result.num_seeds)
            found.append(
                Comparison(
                    published=result,
                    condition=condition,
                    estimate=estimate,
                    differences=differences,
                    prediction=prediction,
                )
            )
    return found


def _find_metric(params: Params, result: Published) -> str | None:
    """Return the metric to compare of a run: its own, or that under the published decoding; None of another kind."""
    others = [option for option, value in result.options.items() if params.get(option, "") != value]
    if not others:
        return result.metric
    if any(not option.startswith("decoding.") for option in others):
        return None
    split, _, name = result.metric.partition("/")
    return f"{split}/{result.options['decoding.name']}_{result.options['decoding.length']}/{name}"


def _list_differences(params: Params, result: Published) -> list[str]:
    found = [result.note] if result.note else []
    for option, value in result.recipe.items():
        own = _count_updates(params) if option == _UPDATES else params.get(option, "no such option")
        if own != value:
            name = option.rpartition(".")[2]
            found.append(f"{name} {format_value(own)}, published with {format_value(value)}")
    return found


def _count_updates(params: Params) -> Value:
    """Return the updates of a run without early stopping; `one pass an epoch` where the size of the data decides."""
    epochs, batches = params.get("training.epochs"), params.get("training.batches_per_epoch")
    if isinstance(epochs, int) and isinstance(batches, int):
        return epochs * batches
    return "one pass an epoch"


def _predict(estimate: Estimate, num_published: int) -> Interval | None:
    """Return the prediction interval of a mean of new runs: Student's, of the difference of two independent means."""
    count = estimate.num_values
    if count < 2:
        return None
    spread = estimate.deviation * math.sqrt(1 / count + 1 / num_published)
    half = find_quantile(count - 1) * spread
    return Interval(estimate.mean - half, estimate.mean + half)
