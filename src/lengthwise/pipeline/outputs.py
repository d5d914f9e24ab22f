"""Write the parts of a run's results beside its scores: model, samples and figures, each of which may fail by itself.

The scores are written before any of these. A part that fails is named, and the others are written all the same.
"""

from __future__ import annotations

import contextlib
import math
import tempfile
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from lengthwise.catalog.figure import plot_wiring
from lengthwise.config.options import MlflowOptions
from lengthwise.data.scaler import Scaler
from lengthwise.data.vocabulary import Vocabulary
from lengthwise.errors import printable
from lengthwise.evaluation.figures.curves import (
    Curve,
    plot_attention,
    plot_learning_curves,
    plot_outcomes,
    plot_score_by_length,
)
from lengthwise.evaluation.figures.sequences import plot_latents
from lengthwise.evaluation.samples import select_samples, tabulate_samples
from lengthwise.pipeline.number_outputs import (
    draw_forecasts,
    draw_length_errors,
    draw_reconstructions,
    write_anomalies,
    write_columns,
)
from lengthwise.pipeline.results import RunResult
from lengthwise.plotting import save_figure
from lengthwise.serving.artifact import Artifact, save_artifact
from lengthwise.serving.artifact_files import ARTIFACT_NAME
from lengthwise.serving.mlflow_model import write_mlflow_model
from lengthwise.serving.predictor import Predictor
from lengthwise.tracking.runs.arrays import write_array
from lengthwise.tracking.runs.layout import MODEL_DIRECTORY, TRACEBACK_NAME
from lengthwise.tracking.runs.run_files import RunFiles

NUM_WORST, NUM_RANDOM = 20, 20
MOST_PREDICTION_BYTES = 16_000_000
"""Of one split; a thousand sequences of a hundred steps of forty features."""

Part = Callable[[RunFiles, RunResult], None]


def write_outputs(
    files: RunFiles, result: RunResult, console: Console, *, names: Collection[str] | None = None
) -> list[str]:
    """Write the parts of a run's results, one after the other; one that fails does not stop the others.

    Args:
        files: The run's files.
        result: The results.
        console: Shows which parts could not be written, and why.
        names: Parts to write; None: all.

    Returns:
        The names of the parts that could not be written.
    """
    tracebacks = {}
    for name, write in PARTS.items():
        if names is not None and name not in names:
            continue
        try:
            write(files, result)
        except Exception as error:
            tracebacks[name] = f"{name}\n{''.join(traceback.format_exception(error))}"
            reason = printable(f"{type(error).__name__}: {error}")
            console.print(f"not written: {name} ({reason})", style="red", markup=False, soft_wrap=True)
    if tracebacks:
        with contextlib.suppress(OSError):  # the console has the reasons
            files.write_text(TRACEBACK_NAME, "\n".join(tracebacks.values()))
    return list(tracebacks)


def write_model(files: RunFiles, result: RunResult) -> None:
    """Write the trained model, without MLflow's description."""
    with _replace_model(files) as written:
        _save_artifact(written / "data" / ARTIFACT_NAME, result)


def write_mlflow_format(files: RunFiles, result: RunResult) -> None:
    """Write the trained model again, in MLflow's format; only where runs are mirrored into MLflow."""
    if not isinstance(result.options.tracking, MlflowOptions):
        return
    dataset = result.dataset
    artifact = Artifact(
        options=result.options,
        models=result.inference.models,
        source_codec=dataset.source_codec,
        target_codec=dataset.target_codec,
    )
    split = dataset.splits["val"]
    source = split.source[0]
    codec = dataset.source_codec
    example = codec.decode(source.tolist()) if isinstance(codec, Vocabulary) else codec.decode(source)
    with _replace_model(files) as written:
        data = written.with_name(ARTIFACT_NAME)
        _save_artifact(data, result)
        write_mlflow_model(written, data, Predictor(artifact), example)


def _save_artifact(directory: Path, result: RunResult) -> None:
    save_artifact(directory, models=result.inference.models, options=result.options, dataset=result.dataset)


@contextlib.contextmanager
def _replace_model(files: RunFiles) -> Iterator[Path]:
    """Yield a directory to be made that then takes the place of the model, so that a model is whole or not there."""
    target = files.path(MODEL_DIRECTORY)
    with tempfile.TemporaryDirectory(dir=files.directory, prefix=".model-") as aside:
        written = Path(aside) / "new"
        yield written
        if target.exists():
            target.rename(Path(aside) / "old")
        written.rename(target)


def write_samples(files: RunFiles, result: RunResult) -> None:
    """Write samples of each scored split (worst first, then some at random), and its scores by target length."""
    for name, assessment in result.assessments.items():
        chosen = select_samples(assessment.scores, num_worst=NUM_WORST, num_random=NUM_RANDOM, seed=result.options.seed)
        samples = tabulate_samples(
            result.predictions[name],
            split=result.dataset.splits[name],
            scores=assessment.scores,
            dataset=result.dataset,
            chosen=chosen,
        )
        for kind, table in (("samples", samples), ("by_length", assessment.by_length.to_table())):
            files.write_json(f"samples/{name}_{kind}.json", table.to_json_table())
            files.write_text(f"samples/{name}_{kind}.md", table.to_markdown())


def write_correct(files: RunFiles, result: RunResult) -> None:
    """Write what each example of the scored splits adds to the primary metric, so that studies know their noise."""
    for name, assessment in result.assessments.items():
        write_array(files, f"samples/{name}_correct.npy", assessment.by_example)


def write_predictions(files: RunFiles, result: RunResult) -> None:
    """Write what was decoded of the held-out splits, so that two runs can be compared example by example.

    Splits whose predictions take more than `MOST_PREDICTION_BYTES` are left out.
    """
    for name, predictions in result.predictions.items():
        if name == "train":
            continue
        values = predictions.values[:, : int(predictions.length.max())]
        if not values.size:  # every sequence is empty: one step of padding, so that the file holds an array
            values = np.zeros((len(values), 1, *values.shape[2:]), values.dtype)
        if values.ndim == 2:  # ids, in the smallest type that holds them
            values = values.astype(np.min_scalar_type(result.dataset.spec.target_size))
        if values.nbytes <= MOST_PREDICTION_BYTES:
            ends = np.stack([predictions.length, predictions.stopped], axis=1).astype(np.int32)
            write_array(files, f"samples/{name}_predictions.npy", np.ascontiguousarray(values))
            write_array(files, f"samples/{name}_ends.npy", ends)


def draw_wiring(files: RunFiles, result: RunResult) -> None:
    """Draw the model's wiring, titled with the name of its preset."""
    figure = plot_wiring(result.inference.models.wiring, title=result.options.model.name)
    save_figure(figure, files.path("figures", "wiring.png"))


def draw_learning_curves(files: RunFiles, result: RunResult) -> None:
    """Draw loss and metrics of training and validation over the epochs."""
    curves = {
        name: _make_curve(values)
        for name, values in result.training.history.items()
        if name.startswith(("train/", "val/")) and name != "train/learning_rate"
    }
    figure = plot_learning_curves(curves, best_epoch=result.training.best_epoch)
    save_figure(figure, files.path("figures", "learning_curves.png"))


def _make_curve(values: Sequence[float]) -> Curve:
    """Return the curve of a metric that was measured after some epochs."""
    known = [(epoch, value) for epoch, value in enumerate(values, start=1) if not math.isnan(value)]
    return Curve([epoch for epoch, _ in known], [value for _, value in known])


def draw_latents(files: RunFiles, result: RunResult) -> None:
    """Draw the latents of the validation split in two dimensions."""
    split = result.dataset.splits["val"]
    figure = plot_latents(result.inference.encode(split), labels=split.labels, lengths=split.source.length)
    save_figure(figure, files.path("figures", "latents.png"))


def draw_scores_by_length(files: RunFiles, result: RunResult) -> None:
    """Draw the primary metric by target length, for each split with several lengths."""
    for name, assessment in result.assessments.items():
        if len(assessment.by_length.bins) > 1:
            figure = plot_score_by_length({name: assessment.by_length}, result.primary_metric)
            save_figure(figure, files.path("figures", f"{name}_by_length.png"))


def draw_outcomes(files: RunFiles, result: RunResult) -> None:
    """Draw the shares of outcomes of each split; of tokens only."""
    if result.dataset.spec.kind == "tokens":
        shares = {name: assessment.outcomes for name, assessment in result.assessments.items()}
        save_figure(plot_outcomes(shares), files.path("figures", "outcomes.png"))


def draw_attention(files: RunFiles, result: RunResult) -> None:
    """Draw the attention weights of a short, a medium and a long test example with a prediction that is not empty."""
    if result.inference.models.wiring.attention == "none":
        return
    dataset, split, predictions = result.dataset, result.dataset.splits["test"], result.predictions["test"]
    with_steps = np.flatnonzero(predictions.length > 0)
    if not len(with_steps):
        return
    order = with_steps[np.argsort(split.source.length[with_steps], kind="stable")]
    chosen = np.unique(order[[(len(order) - 1) * share // 4 for share in (1, 2, 3)]])
    attention = result.inference.attend(split, predictions, chosen)
    for number, (index, weights) in enumerate(zip(chosen.tolist(), attention, strict=True), start=1):
        source = _name_steps(dataset.source_codec, split.source[index])
        decoded = _name_steps(dataset.target_codec, predictions.values[index, : predictions.length[index]])
        # The last row may belong to the stop symbol.
        figure = plot_attention(weights, source=source, target=[*decoded, "end"][: len(weights)])
        save_figure(figure, files.path("figures", f"attention_{number}.png"))


def _name_steps(codec: Vocabulary | Scaler, values: NDArray[np.generic]) -> list[str]:
    if isinstance(codec, Vocabulary):
        return [codec.decode([symbol]) for symbol in values.tolist()]
    return [str(step) for step in range(1, len(values) + 1)]


PARTS: Mapping[str, Part] = MappingProxyType(
    {
        "model": write_model,
        "samples": write_samples,
        "correct": write_correct,
        "predictions": write_predictions,
        "learning_curves": draw_learning_curves,
        "scores_by_length": draw_scores_by_length,
        "outcomes": draw_outcomes,
        "reconstructions": draw_reconstructions,
        "columns": write_columns,
        "length_errors": draw_length_errors,
        "forecasts": draw_forecasts,
        "anomalies": write_anomalies,
        "latents": draw_latents,
        "attention": draw_attention,
        "wiring": draw_wiring,
        "mlflow_model": write_mlflow_format,
    }
)
"""Name of each part -> what writes it, in the order of writing: the model first, which the others can be made from."""
