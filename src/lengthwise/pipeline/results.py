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
from lengthwise.errors import count_noun, printable
from lengthwise.evaluation.anomalies import AnomalyScores
from lengthwise.evaluation.assessment import EXPOSURE_METRICS, PRIMARY_METRICS, Assessment
from lengthwise.evaluation.by_column import tabulate_own_columns
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
    console.print(_tabulate_scores(result.assessments, "decoded freely, without padding"))
    _print_numbers(console, result.dataset, result.assessments["test"], result.anomalies)
    _print_remark(console, result.assessments["val"])
    console.print(f"\nrun      {directory}", soft_wrap=True)
    console.print(f"figures  {directory / 'figures'}", soft_wrap=True)
    console.print("browse   lengthwise ui")


def print_split(
    console: Console, dataset: Dataset, assessment: Assessment, anomalies: AnomalyScores | None, *, title: str
) -> None:
    """Print the scores of one split, and how they compare with the baselines.

    Args:
        console: Shows them.
        dataset: Holds the split.
        assessment: Its scores.
        anomalies: Anomaly scores of its rows; None but for series.
        title: Says how it was decoded.
    """
    console.print(_tabulate_scores({assessment.split: assessment}, title))
    _print_numbers(console, dataset, assessment, anomalies)
    _print_remark(console, assessment)


def _print_numbers(console: Console, dataset: Dataset, assessment: Assessment, found: AnomalyScores | None) -> None:
    """Print the errors of each column in the data's unit, if they are not too many, and how many rows are alarms."""
    by_column = tabulate_own_columns(dataset, assessment.scores.comparison)
    if by_column is not None and len(by_column.rows) <= _MOST_COLUMNS:
        console.print()
        console.print(_show_columns(by_column, assessment.split))
    if found is not None:
        console.print(f"\n{describe_anomalies(found, assessment.split)}", soft_wrap=True)


def _print_remark(console: Console, assessment: Assessment) -> None:
    remark = compare_with_baseline(assessment)
    if remark is not None:
        console.print(f"\n{remark}", style="yellow", soft_wrap=True)


def _show_columns(by_column: ColumnTable, split: str) -> Table:
    """Return the errors of each column of a split in the data's unit, for the console."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"{split}, in its own unit")
    for name in by_column.columns[2:]:
        table.add_column(name.replace("_", " "), justify="right")
    for row in by_column.rows:
        table.add_row(printable(str(row[0])), *(f"{error:.4g}" for error in row[2:]))
    return table


def describe_anomalies(found: AnomalyScores, split: str = "test") -> str:
    """Say how many rows of a split are alarms, by which threshold, and how they agree with the labels, in one line."""
    scores = found.summary
    how = "best F score on validation" if found.is_learnt else "share dataset.alarm_share of validation"
    counts = f"{int(found.alarms.sum()):,} of {len(found.rows):,} {split} rows"
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


def _tabulate_scores(assessments: Mapping[str, Assessment], title: str) -> Table:
    """Return a table of the scores of every split, the teacher-forced score and the best baseline below them."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(title)
    for split in assessments:
        table.add_column(split, justify="right")
    first = next(iter(assessments.values()))
    for name in first.scores.summary:
        scores = [each.scores.summary[name] for each in assessments.values()]
        table.add_row(describe_metric(name).label, *(f"{score:.4f}" for score in scores))
    exposed, primary = EXPOSURE_METRICS[first.scores.kind], PRIMARY_METRICS[first.scores.kind]
    teacher_forced = [each.exposure.teacher_forced[exposed] for each in assessments.values()]
    label = f"{describe_metric(exposed).label}, teacher-forced"
    table.add_row(label, *(f"{score:.4f}" for score in teacher_forced), style="dim")
    if first.baselines:
        best = [_find_best_baseline(each.baselines, primary) for each in assessments.values()]
        label = f"{describe_metric(primary).label}, best baseline ({best[0][0]})"
        table.add_row(label, *(f"{score:.4f}" for _, score in best), style="dim")
    return table


def _find_best_baseline(baselines: Mapping[str, Mapping[str, float]], primary: str) -> tuple[str, float]:
    sign = 1 if describe_metric(primary).higher_is_better else -1
    name, scores = max(baselines.items(), key=lambda item: sign * item[1][primary])
    return name.replace("_", " "), scores[primary]
