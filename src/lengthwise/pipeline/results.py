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
from lengthwise.data.scaler import Scaler
from lengthwise.decoding.inference import Inference
from lengthwise.decoding.predictions import Predictions
from lengthwise.errors import count_noun, printable
from lengthwise.evaluation.anomalies import AnomalyScores
from lengthwise.evaluation.assessment import EXPOSURE_METRICS, PRIMARY_METRICS, Assessment
from lengthwise.evaluation.by_column import tabulate_columns
from lengthwise.evaluation.comparison import FeatureComparison
from lengthwise.evaluation.metrics import describe_metric
from lengthwise.evaluation.tables import Table as ColumnTable
from lengthwise.models.wiring import count_parameters
from lengthwise.training.trainer import TrainingResult

_MOST_COLUMNS = 12
"""Most columns whose errors are printed; files have them all."""


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
        anomalies: Anomaly scores of the test rows; None but for series.
    """

    options: RunOptions
    dataset: Dataset
    inference: Inference
    training: TrainingResult
    predictions: Mapping[str, Predictions]
    assessments: Mapping[str, Assessment]
    evaluation_seconds: float
    anomalies: AnomalyScores | None = None

    @property
    def primary_metric(self) -> str:
        """The metric by which models on this kind of data are compared."""
        return PRIMARY_METRICS[self.dataset.spec.kind]

    @property
    def validation_score(self) -> float:
        """The primary metric on the validation split."""
        return self.assessments["val"].scores.summary[self.primary_metric]

    def tabulate_columns(self, split: str) -> ColumnTable | None:
        """Tabulate the errors of each column of a split; None but for the user's own numbers."""
        comparison, scaler = self.assessments[split].scores.comparison, self.dataset.target_codec
        if self.dataset.origin is None or not isinstance(scaler, Scaler):
            return None
        return tabulate_columns(comparison, scaler) if isinstance(comparison, FeatureComparison) else None

    @property
    def summary(self) -> dict[str, float]:
        """Every score under its full name, such as `test/exact_match`."""
        summary: dict[str, float] = {}
        for assessment in self.assessments.values():
            summary |= assessment.summary
        if self.anomalies is not None:
            summary |= {f"test/{name}": value for name, value in self.anomalies.summary.items()}
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
    by_column = result.tabulate_columns("test")
    if by_column is not None and len(by_column.rows) <= _MOST_COLUMNS:
        console.print()
        console.print(_show_columns(by_column))
    if result.anomalies is not None:
        console.print(f"\n{describe_anomalies(result.anomalies)}", soft_wrap=True)
    remark = compare_with_baseline(result.assessments["val"])
    if remark is not None:
        console.print(f"\n{remark}", style="yellow", soft_wrap=True)
    console.print(f"\nrun      {directory}", soft_wrap=True)
    console.print(f"figures  {directory / 'figures'}", soft_wrap=True)
    console.print("browse   lengthwise ui")


def _show_columns(by_column: ColumnTable) -> Table:
    """Return the errors of each column of the test split in the data's unit, for the console."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("test, each column in its own unit")
    for name in by_column.columns[2:]:
        table.add_column(name.replace("_", " "), justify="right")
    for row in by_column.rows:
        table.add_row(printable(str(row[0])), *(f"{error:.4g}" for error in row[2:]))
    return table


def describe_anomalies(found: AnomalyScores) -> str:
    """Say how many test rows are alarms, by which threshold, and how they agree with the labels, in one line."""
    scores = found.summary
    how = "best F score on validation" if found.is_learnt else "share dataset.alarm_share of validation"
    counts = f"{int(found.alarms.sum()):,} of {len(found.rows):,} test rows"
    text = f"alarms: {counts} (score above {found.threshold:.4g}, {how})"
    named = {"precision": "precision", "recall": "recall", "f_score": "F", "average_precision": "average precision"}
    known = [f"{label} {scores[key]:.4f}" for name, label in named.items() if (key := f"anomaly_{name}") in scores]
    if not known:
        return text
    naive = max(scores.get(f"baseline_{name}_anomaly_average_precision", 0.0) for name in ("mean", "last_value"))
    return f"{text}; {', '.join(known)} (best baseline {naive:.4f})"


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
