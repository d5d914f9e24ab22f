"""Hold the results of a trained model, and print them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lengthwise.config.options import RunOptions
from lengthwise.data.dataset import Dataset
from lengthwise.decoding.inference import Inference
from lengthwise.decoding.predictions import Predictions
from lengthwise.errors import count_noun
from lengthwise.evaluation.assessment import EXPOSURE_METRICS, PRIMARY_METRICS, Assessment
from lengthwise.evaluation.metrics import describe_metric
from lengthwise.models.wiring import count_parameters
from lengthwise.training.trainer import TrainingResult


@dataclass(frozen=True, kw_only=True, slots=True)
class RunResult:
    """A trained model, and what was measured of it.

    Args:
        options: Options of the run.
        dataset: The data.
        inference: The trained model, ready to decode.
        training: Result of the fit.
        predictions: By split, decoded sequences `(examples, steps)` or `(examples, steps, features)`.
        assessments: By split, scores.
        evaluation_seconds: Duration of decoding and scoring.
    """

    options: RunOptions
    dataset: Dataset
    inference: Inference
    training: TrainingResult
    predictions: Mapping[str, Predictions]
    assessments: Mapping[str, Assessment]
    evaluation_seconds: float

    @property
    def primary_metric(self) -> str:
        """The metric by which models on this kind of data are compared."""
        return PRIMARY_METRICS[self.dataset.spec.kind]

    @property
    def validation_score(self) -> float:
        """The primary metric on the validation split."""
        return self.assessments["val"].scores.summary[self.primary_metric]

    @property
    def summary(self) -> dict[str, float]:
        """Every score under its full name, such as `test/exact_match`."""
        summary: dict[str, float] = {}
        for assessment in self.assessments.values():
            summary |= assessment.summary
        return summary | {
            "best/val_loss": self.training.best_loss,
            "best/epoch": self.training.best_epoch,
            "time/fit_seconds": self.training.seconds,
            "time/evaluation_seconds": self.evaluation_seconds,
            **self.sizes,
        }

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes of the model, and of what it was trained on: updates, examples presented, updates times timesteps."""
        wiring, training = self.inference.models.wiring, self.options.training
        num_examples, batch_size = len(self.dataset.splits["train"]), training.batch_size
        num_batches, presented = math.ceil(num_examples / batch_size), num_examples
        wanted = training.batches_per_epoch
        if wanted is not None and (wanted < num_batches or training.draws == "replacement"):
            num_batches, presented = wanted, wanted * batch_size
        updates = self.training.epochs * num_batches
        return {
            "model/parameters": count_parameters(wiring),
            "model/decoder_dim": wiring.decoder_dim,
            "model/handed_over": wiring.num_handed_over,
            "training/updates": updates,
            "training/presentations": self.training.epochs * presented,
            "training/update_steps": updates * self.dataset.spec.timesteps,
        }


def print_results(console: Console, result: RunResult, directory: Path) -> None:
    """Print the table of scores, how they compare with the baselines, and where the run is."""
    training = result.training
    epochs = f"{count_noun(training.epochs, 'epoch')} in {training.seconds:.1f} s"
    best = f"epoch {training.best_epoch}"
    kept = (
        f"the best, {best}, was kept" if result.options.training.keep == "best" else f"the last was kept, best {best}"
    )
    console.print(f"\n{epochs}; {kept} (validation loss {training.best_loss:.4f})\n", soft_wrap=True)
    console.print(_tabulate_scores(result))
    remark = compare_with_baseline(result.assessments["val"])
    if remark is not None:
        console.print(f"\n{remark}", style="yellow", soft_wrap=True)
    console.print(f"\nrun      {directory}", soft_wrap=True)
    console.print(f"figures  {directory / 'figures'}", soft_wrap=True)
    console.print("browse   lengthwise ui")


def compare_with_baseline(assessment: Assessment) -> str | None:
    """Say that a model is no better than its best baseline, and what to try.

    A baseline without any error is passed over: it is the task itself, as copying is of `dataset=copy`.

    Args:
        assessment: Of the validation split.

    Returns:
        One line; None where the model is better.
    """
    primary = PRIMARY_METRICS[assessment.scores.kind]
    perfect = 1.0 if describe_metric(primary).higher_is_better else 0.0
    imperfect = {name: scores for name, scores in assessment.baselines.items() if scores[primary] != perfect}
    if not imperfect:
        return None
    name, baseline = _find_best_baseline(imperfect, primary)
    score = assessment.scores.summary[primary]
    if score > baseline if describe_metric(primary).higher_is_better else score < baseline:
        return None
    return (
        f"On {assessment.split} the model is no better than the best baseline ({name}), which learns nothing. To try: "
        "more training.epochs, another training.learning_rate, a larger latent_dim."
    )


def _tabulate_scores(result: RunResult) -> Table:
    """Return a table of the scores of every split, the teacher-forced score and the best baseline below them."""
    assessments = result.assessments
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("decoded freely, without padding")
    for split in assessments:
        table.add_column(split, justify="right")
    for name in assessments["val"].scores.summary:
        scores = [each.scores.summary[name] for each in assessments.values()]
        table.add_row(describe_metric(name).label, *(f"{score:.4f}" for score in scores))
    exposed = EXPOSURE_METRICS[result.dataset.spec.kind]
    teacher_forced = [each.exposure.teacher_forced[exposed] for each in assessments.values()]
    label = f"{describe_metric(exposed).label}, teacher-forced"
    table.add_row(label, *(f"{score:.4f}" for score in teacher_forced), style="dim")
    best = [_find_best_baseline(each.baselines, result.primary_metric) for each in assessments.values()]
    label = f"{describe_metric(result.primary_metric).label}, best baseline ({best[0][0]})"
    table.add_row(label, *(f"{score:.4f}" for _, score in best), style="dim")
    return table


def _find_best_baseline(baselines: Mapping[str, Mapping[str, float]], primary: str) -> tuple[str, float]:
    sign = 1 if describe_metric(primary).higher_is_better else -1
    name, scores = max(baselines.items(), key=lambda item: sign * item[1][primary])
    return name.replace("_", " "), scores[primary]
