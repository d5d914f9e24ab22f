"""Decode the validation split freely while a model is fitted, where that decides its best epoch."""

from __future__ import annotations

from lengthwise.config.options import RunOptions
from lengthwise.data.dataset import Dataset
from lengthwise.decoding.inference import Inference
from lengthwise.evaluation.assessment import EXPOSURE_METRICS
from lengthwise.evaluation.metrics import score_predictions
from lengthwise.models.bundle import Models
from lengthwise.training.watch import FREE_RUNNING


class Monitor:
    """Scores the validation split with the weights that a model has, decoded as the run is at its end.

    Args:
        models: The model that is fitted.
        options: Of the run; `training.monitor` is the score, `loss` for none.
        dataset: The data.
    """

    def __init__(self, models: Models, options: RunOptions, dataset: Dataset) -> None:
        self._options, self._kind = options.training, dataset.spec.kind
        count = options.training.monitor_examples
        split = dataset.splits["val"]
        self._split = split if count is None else split.keep_first(count)
        self._inference = Inference(models, options.decoding)

    def measure(self, epoch: int) -> dict[str, float]:
        """Return the scores after an epoch: what is monitored, and the score of the exposure gap.

        Args:
            epoch: From 1; in epochs between two measurements nothing is returned.
        """
        options = self._options
        every = options.monitor_every
        if every is None or (epoch % every and epoch != options.epochs):
            return {}
        names = (options.monitor, EXPOSURE_METRICS[self._kind])
        scores = score_predictions(self._inference.decode(self._split), self._split, self._kind, names=names)
        return {f"{FREE_RUNNING}{name}": value for name, value in scores.summary.items()}
