"""Train and evaluate: the stages of a run that need TensorFlow, in order."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from lengthwise.config.options import MlflowOptions, RunOptions
from lengthwise.data.dataset import Dataset, Split
from lengthwise.data.vocabulary import Vocabulary
from lengthwise.decoding.inference import Inference
from lengthwise.decoding.predictions import Predictions
from lengthwise.evaluation.assessment import PRIMARY_METRICS, Assessment, assess_split
from lengthwise.models.bundle import Models, build_models
from lengthwise.models.wiring import Wiring, count_parameters
from lengthwise.pipeline.launch import Launch
from lengthwise.pipeline.outputs import print_results, save_assessments, save_attention, save_figures, save_wiring
from lengthwise.serving.artifact import ARTIFACT_NAME, Artifact, save_artifact
from lengthwise.tracking.runs.layout import CHECKPOINTS_DIRECTORY, MODEL_DIRECTORY
from lengthwise.tracking.runs.run import Run
from lengthwise.training.trainer import TrainingResult, prepare_backend, train_model


@dataclass(frozen=True, kw_only=True, slots=True)
class RunResult:
    """The trained model's results: the fit, and the evaluation of each scored split.

    Args:
        training: Result of the fit.
        predictions: By split, decoded sequences.
        assessments: By split, scores.
        latents: `(examples, latent_dim)` float32, of the validation split.
        attention: Weights `(steps, source steps)` of some examples of the test split, by index; empty for a model
            without attention.
        evaluation_seconds: Duration of decoding and scoring.
    """

    training: TrainingResult
    predictions: dict[str, Predictions]
    assessments: dict[str, Assessment]
    latents: NDArray[np.float32]
    attention: dict[int, NDArray[np.float32]]
    evaluation_seconds: float


def train_and_evaluate(
    run: Run, options: RunOptions, *, dataset: Dataset, wiring: Wiring, launch: Launch, console: Console
) -> float:
    """Train a model, decode and score the splits, and write the results into an open run.

    Args:
        run: The open run; takes metrics, figures, samples and the model.
        options: Options of the run.
        dataset: The data.
        wiring: The model's wiring, resolved for the dataset.
        launch: Says how many cores the run may use.
        console: Shows progress and results.

    Returns:
        The primary metric on the validation split.
    """
    prepare_backend(options.training, options.seed, launch.cores)
    models = build_models(wiring)
    save_wiring(run, wiring, options.model.name)
    training = train_model(
        models,
        dataset.splits,
        options,
        on_epoch=lambda epoch, metrics: run.log(metrics, step=epoch),
        checkpoints=run.path(CHECKPOINTS_DIRECTORY),
        console=console,
    )
    result = _evaluate(models, options, dataset, training)
    run.set_summary(_summarise(result, wiring))
    save_assessments(run, dataset, result.predictions, result.assessments, seed=options.seed)
    save_figures(run, dataset, training, result.predictions, result.assessments, latents=result.latents)
    save_attention(run, dataset, result.predictions["test"], result.attention)
    _save_model(run, models, options, dataset)
    print_results(console, run, training, result.assessments)
    return result.assessments["val"].scores.summary[PRIMARY_METRICS[dataset.spec.kind]]


def _evaluate(models: Models, options: RunOptions, dataset: Dataset, training: TrainingResult) -> RunResult:
    started = time.perf_counter()
    inference = Inference(models, options.decoding)
    names = [name for name in dataset.splits if name != "train" or options.training.score_train]
    predictions, assessments = {}, {}
    for name in names:
        split = dataset.splits[name]
        predictions[name] = inference.decode(split)
        teacher_forced = inference.score(split)
        assessments[name] = assess_split(dataset, name, predictions=predictions[name], teacher_forced=teacher_forced)
    return RunResult(
        training=training,
        predictions=predictions,
        assessments=assessments,
        latents=inference.encode(dataset.splits["val"]),
        attention=_attend(inference, dataset.splits["test"], predictions["test"]),
        evaluation_seconds=time.perf_counter() - started,
    )


def _attend(inference: Inference, split: Split, predictions: Predictions) -> dict[int, NDArray[np.float32]]:
    """Return the attention weights of a short, a medium and a long example, by index."""
    if inference.models.wiring.attention == "none":
        return {}
    made = np.flatnonzero(predictions.length > 0)
    order = made[np.argsort(split.source_length[made], kind="stable")]
    chosen = np.unique(order[[(len(order) - 1) * share // 4 for share in (1, 2, 3)]]) if len(order) else order
    weights = inference.attend(split, predictions, chosen)
    return dict(zip(chosen.tolist(), weights, strict=True))


def _summarise(result: RunResult, wiring: Wiring) -> dict[str, float]:
    summary: dict[str, float] = {}
    for assessment in result.assessments.values():
        summary |= assessment.summary
    return summary | {
        "best/val_loss": result.training.best_loss,
        "best/epoch": result.training.best_epoch,
        "time/fit_seconds": result.training.seconds,
        "time/evaluation_seconds": result.evaluation_seconds,
        "model/parameters": count_parameters(wiring),
    }


def _save_model(run: Run, models: Models, options: RunOptions, dataset: Dataset) -> None:
    """Write the model to a temporary directory and rename it, so that a resumed run finds all of it or nothing."""
    with tempfile.TemporaryDirectory(dir=run.directory, prefix=".model-") as aside:
        data, written = Path(aside) / ARTIFACT_NAME, Path(aside) / "model"
        save_artifact(data, models=models, options=options, dataset=dataset)
        if isinstance(options.tracking, MlflowOptions):
            from lengthwise.serving.mlflow_model import write_mlflow_model
            from lengthwise.serving.predictor import Predictor

            artifact = Artifact(
                options=options, models=models, source_codec=dataset.source_codec, target_codec=dataset.target_codec
            )
            write_mlflow_model(written, data, Predictor(artifact), _pick_example(dataset))
        else:
            shutil.copytree(data, written / "data" / ARTIFACT_NAME)
        target = run.path(MODEL_DIRECTORY)
        shutil.rmtree(target, ignore_errors=True)
        written.rename(target)


def _pick_example(dataset: Dataset) -> object:
    split, codec = dataset.splits["val"], dataset.source_codec
    source = split.source[0, : split.source_length[0]]
    return codec.decode(source.tolist()) if isinstance(codec, Vocabulary) else codec.decode(source)
