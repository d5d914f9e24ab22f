"""Everything that is found out about a model on one split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lengthwise.data.dataset import Dataset
from lengthwise.decoding.predictions import Predictions
from lengthwise.evaluation.baselines import predict_baselines
from lengthwise.evaluation.by_length import LengthScores, score_by_length
from lengthwise.evaluation.exposure import Exposure, measure_exposure
from lengthwise.evaluation.metrics import Scores, score_predictions
from lengthwise.evaluation.outcomes import OutcomeShares, classify_outcomes

PRIMARY_METRICS = {"tokens": "exact_match", "features": "mean_absolute_error"}
"""The metric by which models are compared first."""

EXPOSURE_METRICS = {"tokens": "token_accuracy", "features": "mean_absolute_error"}
"""The metric in which the exposure gap shows. Exact match cannot show it: a sequence all of whose steps are right is
right whether its steps were told or made."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Assessment:
    """What is known of a model's predictions on a split.

    Args:
        split: name of the split.
        scores: free-running, without padding.
        exposure: beside them the teacher-forced scores and the gap between the two.
        baselines: for each baseline its scores.
        outcomes: shares of right sequences, of stopping errors and of wrong content.
        by_length: the scores by target length.
    """

    split: str
    scores: Scores
    exposure: Exposure
    baselines: Mapping[str, Mapping[str, float]]
    outcomes: OutcomeShares
    by_length: LengthScores

    @property
    def summary(self) -> dict[str, float]:
        """Every number under its full name, `split/metric`."""
        primary = PRIMARY_METRICS[self.scores.kind]
        named = dict(self.scores.summary)
        named |= {f"teacher_forced_{name}": value for name, value in self.exposure.teacher_forced.items()}
        named["exposure_gap"] = self.exposure.gap[EXPOSURE_METRICS[self.scores.kind]]
        named |= {f"baseline_{name}_{primary}": scores[primary] for name, scores in self.baselines.items()}
        named |= self.outcomes.summary
        return {f"{self.split}/{name}": value for name, value in named.items()}


def assess_split(
    dataset: Dataset, split_name: str, *, predictions: Predictions, teacher_forced: Predictions
) -> Assessment:
    """Score predictions in every way that a run reports.

    Args:
        dataset: of the split; its training split is what baselines know.
        split_name: such as `test`.
        predictions: decoded freely, one for each example.
        teacher_forced: predicted from the true previous steps.
    """
    split, kind = dataset.splits[split_name], dataset.spec.kind
    scores = score_predictions(predictions, split, kind)
    baselines = predict_baselines(dataset, split)
    longest = int(dataset.splits["train"].target_length.max())
    return Assessment(
        split=split_name,
        scores=scores,
        exposure=measure_exposure(teacher_forced=teacher_forced, free_running=predictions, split=split, kind=kind),
        baselines={name: score_predictions(answer, split, kind).summary for name, answer in baselines.items()},
        outcomes=classify_outcomes(scores).share(),
        by_length=score_by_length(scores, trained_max_length=longest),
    )
