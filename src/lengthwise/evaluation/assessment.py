"""Assess a model on one split: scores, exposure gap, baselines, outcomes and scores by length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.dataset import Dataset
from lengthwise.decoding.predictions import Predictions
from lengthwise.evaluation.baselines import predict_baselines
from lengthwise.evaluation.by_length import LengthScores, score_by_length
from lengthwise.evaluation.exposure import Exposure, measure_exposure
from lengthwise.evaluation.metrics import Scores, score_predictions
from lengthwise.evaluation.outcomes import OutcomeShares, classify_outcomes

PRIMARY_METRICS = {"tokens": "exact_match", "features": "mean_absolute_error"}
"""Kind of data -> the metric by which models are compared first."""

EXPOSURE_METRICS = {"tokens": "token_accuracy", "features": "mean_absolute_error"}
"""Kind of data -> the metric in which the exposure gap is reported. Exact match cannot show a gap: a sequence decoded
without an error has the same previous outputs as one decoded from the true ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Assessment:
    """The results of a model on a split.

    Args:
        split: Name of the split.
        scores: Free-running scores, without padding.
        exposure: Teacher-forced scores, and the gap between the two.
        baselines: Name of the baseline -> name of the metric -> score.
        outcomes: Shares of right sequences, of stopping errors and of wrong content.
        by_length: The scores by target length.
    """

    split: str
    scores: Scores
    exposure: Exposure
    baselines: Mapping[str, Mapping[str, float]]
    outcomes: OutcomeShares
    by_length: LengthScores

    @property
    def summary(self) -> dict[str, float]:
        """Every score under its full name, `split/metric`."""
        primary = PRIMARY_METRICS[self.scores.kind]
        named = dict(self.scores.summary)
        named |= {f"teacher_forced_{name}": value for name, value in self.exposure.teacher_forced.items()}
        named["exposure_gap"] = self.exposure.gap[EXPOSURE_METRICS[self.scores.kind]]
        named |= {f"baseline_{name}_{primary}": scores[primary] for name, scores in self.baselines.items()}
        named |= self.outcomes.summary
        return {f"{self.split}/{name}": value for name, value in named.items()}

    @property
    def by_example(self) -> NDArray[np.uint8] | NDArray[np.float32]:
        """What each example adds to the primary metric, `(examples,)`; the mean is the score of the split.

        Of tokens 1 where the sequence is right, else 0, as uint8. Of features the error of the example, weighted by
        its number of true values, as float32.
        """
        kind = self.scores.kind
        examples = self.scores.examples[PRIMARY_METRICS[kind]]
        parts = examples.amount / examples.weight.mean()
        if kind == "tokens":
            return np.asarray(parts, np.uint8)
        return np.asarray(parts, np.float32)


def assess_split(
    dataset: Dataset, split_name: str, *, predictions: Predictions, teacher_forced: Predictions
) -> Assessment:
    """Score predictions in every way that a run reports.

    Args:
        dataset: The data; baselines are computed from its training split, and left out where that is not there.
        split_name: Name of the split, such as `test`.
        predictions: Free-running, values `(examples, steps)` or `(examples, steps, features)`, one for each example.
        teacher_forced: Predictions of each step from the true previous steps, of the same shapes.
    """
    split, kind, forecast = dataset.splits[split_name], dataset.spec.kind, dataset.forecast
    scores = score_predictions(predictions, split, kind, forecast=forecast)
    train = dataset.splits.get("train")
    baselines = {} if train is None else predict_baselines(dataset, split)
    longest = dataset.spec.timesteps if train is None else train.target.longest
    return Assessment(
        split=split_name,
        scores=scores,
        exposure=measure_exposure(
            teacher_forced=teacher_forced, free_running=predictions, split=split, kind=kind, forecast=forecast
        ),
        baselines={
            name: score_predictions(answer, split, kind, forecast=forecast).summary
            for name, answer in baselines.items()
        },
        outcomes=classify_outcomes(scores).share(),
        by_length=score_by_length(scores, trained_max_length=longest),
    )
