"""Published results, to stand beside ours: each says which of our cells it is the counterpart of.

Kept here and not with an overlay, so that a value stands beside every cell that was run as it was, whatever the study.
Only numbers read at their source are listed; where the measure or the model differs, the note says so, and no distance
is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lengthwise.studies.effects import Estimate
from lengthwise.studies.study import Cell, Study, Value


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """A published result.

    Args:
        options: the options that a run must have to be its counterpart.
        metric: ours, such as `test/exact_match`.
        value: as published, in the unit of our metric.
        error: its standard error; None where none was published.
        source: where it was read.
        note: what differs; empty where it is the same model, data and measure.
    """

    options: Mapping[str, Value]
    metric: str
    value: float
    error: float | None
    source: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Distance:
    """A published result beside one of our cells.

    Args:
        published: the result.
        cell: ours.
        ours: our mean with its interval.
        standard_errors: ours less the published one, in standard errors of the difference (of our mean alone where
            none was published); None where they are not the same measure of the same model, or we have one seed.
    """

    published: Published
    cell: Cell
    ours: Estimate
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
        note="accuracy of symbols that counts padding as right; ours does not",
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
    """Find the published results that a study's cells are counterparts of.

    Args:
        study: ours.
        published: what there is.

    Returns:
        One for each pair of a published result and a cell with a finished run, in the order of the results.
    """
    found = []
    for result in published:
        for cell in study.cells:
            runs = cell.finished
            if not runs or any(runs[0].params.get(option, "") != value for option, value in result.options.items()):
                continue
            ours = cell.estimate(result.metric)
            if ours.num_values:
                distance = _measure_distance(result, ours)
                found.append(Distance(published=result, cell=cell, ours=ours, standard_errors=distance))
    return found


def _measure_distance(result: Published, ours: Estimate) -> float | None:
    if result.note or ours.num_values < 2:
        return None
    error = (ours.standard_error**2 + (result.error or 0.0) ** 2) ** 0.5
    return (ours.mean - result.value) / error if error else None
