"""Train and evaluate: the stages of a run that need TensorFlow, in order."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.console import Console

from lengthwise.config.options import RunOptions, SeriesOptions
from lengthwise.data.dataset import Dataset
from lengthwise.decoding.inference import Inference
from lengthwise.evaluation.anomalies import AnomalyScores, Windows, find_anomalies
from lengthwise.evaluation.assessment import Assessment, assess_split
from lengthwise.evaluation.comparison import FeatureComparison
from lengthwise.models.pool import keep_models, take_models
from lengthwise.pipeline.command import Launch
from lengthwise.pipeline.length_rules import score_length_rules
from lengthwise.pipeline.monitor import Monitor
from lengthwise.pipeline.origin import Start
from lengthwise.pipeline.outputs import write_outputs
from lengthwise.pipeline.results import RunResult, print_results
from lengthwise.serving.initial_weights import load_initial_weights
from lengthwise.tracking.runs.layout import CHECKPOINTS_DIRECTORY
from lengthwise.tracking.runs.run import Run
from lengthwise.training.trainer import TrainingResult, prepare_backend, train_model


def train_and_evaluate(
    run: Run, options: RunOptions, *, dataset: Dataset, start: Start, launch: Launch, console: Console
) -> float:
    """Train a model, decode and score the splits, and write the results into an open run, the scores first.

    Args:
        run: The open run; takes metrics, scores and all other results.
        options: Options of the run.
        dataset: The data.
        start: The model's wiring, resolved for the dataset, and its initial weights.
        launch: Says how many cores the run may use.
        console: Shows progress and results.

    Returns:
        The primary metric on the validation split.
    """
    prepare_backend(options.training, options.seed, launch.cores)
    models = take_models(start.wiring)
    if start.weights is not None:
        load_initial_weights(start.weights.directory, start.weights.stored, models)
    monitor = Monitor(models, options, dataset)

    def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
        metrics |= monitor.measure(epoch)
        run.log(metrics, step=epoch)

    training = train_model(
        models,
        dataset.splits,
        options,
        on_epoch=on_epoch,
        checkpoints=run.path(CHECKPOINTS_DIRECTORY),
        console=console,
    )
    result = evaluate_model(Inference(models, options.decoding), options, dataset, training)
    run.set_summary(result.summary)
    run.set_summary(score_length_rules(result))
    run.set_missing(write_outputs(run, result, console))
    print_results(console, result, run.directory)
    keep_models(models)
    return result.validation_score


def evaluate_model(inference: Inference, options: RunOptions, dataset: Dataset, training: TrainingResult) -> RunResult:
    """Decode and score every split that the options ask for.

    Args:
        inference: The trained model.
        options: Options of the run.
        dataset: The data.
        training: Result of the fit.

    Returns:
        The results.
    """
    started = time.perf_counter()
    predictions, assessments = {}, {}
    for name, split in dataset.splits.items():
        if name == "train" and not options.training.score_train:
            continue
        predictions[name] = inference.decode(split)
        teacher_forced = inference.score(split)
        assessments[name] = assess_split(dataset, name, predictions=predictions[name], teacher_forced=teacher_forced)
    return RunResult(
        options=options,
        dataset=dataset,
        inference=inference,
        training=training,
        predictions=predictions,
        assessments=assessments,
        evaluation_seconds=time.perf_counter() - started,
        anomalies=_score_anomalies(options, dataset, assessments),
    )


def _score_anomalies(
    options: RunOptions, dataset: Dataset, assessments: Mapping[str, Assessment]
) -> AnomalyScores | None:
    """Score the test rows of a series as anomalies; None for other data."""
    if not isinstance(options.dataset, SeriesOptions) or dataset.origin is None:
        return None
    val, test = (assessments[name].scores.comparison for name in ("val", "test"))
    if not isinstance(val, FeatureComparison) or not isinstance(test, FeatureComparison):
        return None
    windows = (Windows.of_split(val, dataset.origin, "val"), Windows.of_split(test, dataset.origin, "test"))
    return find_anomalies(*windows, alarm_share=options.dataset.alarm_share)
