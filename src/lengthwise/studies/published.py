"""Published results, each shown beside the conditions of a study that repeat its setting.

They are kept here and not with an experiment's configuration, so that a value is shown beside every condition that
repeats it, whatever the study. Only numbers read at their source are listed; where the measure or the model differs,
the note says so, and no distance is computed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lengthwise.studies.axes import Value
from lengthwise.studies.effects import Estimate
from lengthwise.studies.study import Condition, Study


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """A published result.

    Args:
        options: The options that a run must have to repeat it.
        metric: Lengthwise's, such as `test/exact_match`.
        value: As published, in the unit of the metric.
        error: Its standard error; None where none was published.
        source: Where it was read.
        note: What differs; empty where it is the same model, data and measure.
    """

    options: Mapping[str, Value]
    metric: str
    value: float
    error: float | None
    source: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Distance:
    """A published result beside a condition of a study.

    Args:
        published: The result.
        condition: The condition that repeats it.
        estimate: The condition's mean with its interval.
        standard_errors: The condition's mean less the published value, in standard errors of the difference (of the
            mean only where none was published); None where they are not the same measure of the same model, or there
            is one seed.
    """

    published: Published
    condition: Condition
    estimate: Estimate
    standard_errors: float | None


_LAKE = {"dataset.name": "scan", "model.name": "lake2018", "decoding.length": "model"}
_LAKE_ORACLE = {**_LAKE, "decoding.length": "oracle"}
_LAKE_SOURCE = "Lake and Baroni 2018, arXiv 1711.00350, overall-best network, mean of 5 seeds"
_G2P = "cmusphinx/g2p-seq2seq, README, word error rate on CMUdict without stress"

PUBLISHED: tuple[Published, ...] = (
    Published(
        options={**_LAKE, "dataset.split": "simple", "dataset.train_fraction": None},
        metric="test/exact_match",
        value=0.997,
        error=None,
        source=_LAKE_SOURCE,
    ),
    Published(
        options={**_LAKE, "dataset.split": "length", "dataset.length_cut": None},
        metric="test/exact_match",
        value=0.138,
        error=None,
        source=_LAKE_SOURCE,
    ),
    Published(
        options={**_LAKE_ORACLE, "dataset.split": "length", "dataset.length_cut": None},
        metric="test/exact_match",
        value=0.236,
        error=None,
        source=_LAKE_SOURCE,
    ),
    Published(
        options={**_LAKE, "dataset.split": "addprim_turn_left"},
        metric="test/exact_match",
        value=0.900,
        error=None,
        source=_LAKE_SOURCE,
    ),
    Published(
        options={**_LAKE, "dataset.split": "addprim_jump"},
        metric="test/exact_match",
        value=0.0008,
        error=None,
        source=_LAKE_SOURCE,
    ),
    Published(
        options={"dataset.name": "addition", "dataset.num_digits": 3, "model.name": "keras_addition"},
        metric="test/token_accuracy",
        value=0.9883,
        error=None,
        source="Keras example addition_rnn, published run, epoch 29",
        note="accuracy of symbols that counts padding as right; Lengthwise's does not",
    ),
    Published(
        options={"dataset.name": "g2p"},
        metric="test/exact_match",
        value=1 - 0.3961,
        error=None,
        source=f"{_G2P}, 2 layers of 64",
        note="an encoder-decoder of another make, on an edition of the dictionary of 2016",
    ),
    Published(
        options={"dataset.name": "g2p"},
        metric="test/exact_match",
        value=1 - 0.3114,
        error=None,
        source=f"{_G2P}, 2 layers of 512",
        note="an encoder-decoder of another make, on an edition of the dictionary of 2016",
    ),
)


def compare_published(study: Study, published: tuple[Published, ...] = PUBLISHED) -> list[Distance]:
    """Find the published results that conditions of a study repeat.

    Args:
        study: The study.
        published: The results to look through.

    Returns:
        One for each pair of a published result and a condition with a finished run, in the order of the results.
    """
    found = []
    for result in published:
        for condition in study.conditions:
            estimate = condition.estimate(result.metric)
            if estimate.num_values and _repeats(condition, result):
                distance = _measure_distance(result, estimate)
                found.append(
                    Distance(published=result, condition=condition, estimate=estimate, standard_errors=distance)
                )
    return found


def _repeats(condition: Condition, result: Published) -> bool:
    params = condition.finished[0].manifest.record.params
    return all(params.get(option, "") == value for option, value in result.options.items())


def _measure_distance(result: Published, estimate: Estimate) -> float | None:
    if result.note or estimate.num_values < 2:
        return None
    error = math.hypot(estimate.standard_error, result.error or 0.0)
    return (estimate.mean - result.value) / error if error else None
