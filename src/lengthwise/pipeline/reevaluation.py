"""Evaluate a finished run again: under another decoding, or to write results that are missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from lengthwise.config.compose import change_decoding
from lengthwise.config.options import RunOptions, TrackingOptions
from lengthwise.config.parse import parse_stored
from lengthwise.config.values import format_value
from lengthwise.data.dataset import Dataset
from lengthwise.errors import ConfigError, IncompleteRunError, RunError
from lengthwise.evaluation.metrics import score_predictions
from lengthwise.evaluation.outcomes import classify_outcomes
from lengthwise.files import dump_json, refuse_links
from lengthwise.models.wiring import resolve_wiring
from lengthwise.pipeline.experiment import check_data, describe_missing, load_data
from lengthwise.pipeline.progress import show_progress
from lengthwise.serving.artifact_files import find_artifact
from lengthwise.silence import silence_import
from lengthwise.tracking.amend import add_to_run
from lengthwise.tracking.runs.journal import read_journal
from lengthwise.tracking.runs.layout import CHECKPOINTS_DIRECTORY, CONFIG_NAME, JOURNAL_NAME, MODEL_DIRECTORY
from lengthwise.tracking.runs.manifest import Manifest, read_manifest
from lengthwise.tracking.runs.run_files import RunFiles
from lengthwise.tracking.session import choose_tracking

if TYPE_CHECKING:
    from lengthwise.decoding.inference import Inference
    from lengthwise.models.bundle import Models
    from lengthwise.training.trainer import TrainingResult


def reevaluate_run(
    directory: Path, overrides: Sequence[str], *, console: Console, tracking: TrackingOptions, is_named: bool = True
) -> dict[str, float]:
    """Decode the splits of a run again, score them, and add the scores to the run under names of their own.

    Args:
        directory: Directory of a run that holds a trained model.
        overrides: Overrides of the decoding, such as `decoding=beam` or `decoding.length=oracle`.
        console: Shows progress and results.
        tracking: Where the run is mirrored, as the user says.
        is_named: Whether the user names it; otherwise it is the project's default, and as in `choose_tracking`.

    Returns:
        The added scores by name, `split/LABEL/metric`, where LABEL is that of `label_decoding`.

    Raises:
        ConfigError: An override is refused.
        RunError: The data have changed since the run was trained.
    """
    refuse_links(directory)
    stored = parse_stored(RunFiles(directory).read_text(CONFIG_NAME))
    tracking = choose_tracking(directory, tracking, stored=stored.tracking, is_named=is_named)
    options = change_decoding(stored, overrides)
    dataset = load_data(options)
    check_data(directory, dataset)
    label = label_decoding(options)
    summaries = _score_splits(directory, options, dataset, console)
    metrics = {
        f"{split}/{label}/{name}": value for split, summary in summaries.items() for name, value in summary.items()
    }
    content = {"decoding": asdict(options.decoding), "scores": summaries}
    text = dump_json(content, indent=1)
    add_to_run(directory, tracking, metrics=metrics, files={f"evaluations/{label}.json": text})
    print_scores(console, describe_decoding(options), summaries)
    return metrics


def write_missing(directory: Path, *, console: Console, tracking: TrackingOptions, is_named: bool = True) -> None:
    """Write the parts of a finished run's results that could not be written at its end.

    Args:
        directory: Directory of the run.
        console: Shows progress and results.
        tracking: Where the run is mirrored, as the user says.
        is_named: Whether the user names it; otherwise it is the project's default, and as in `choose_tracking`.

    Raises:
        ConfigError: Nothing is missing.
        RunError: The run has not finished, its data have changed, or neither its model nor its last checkpoint is left.
        IncompleteRunError: Some parts could not be written this time either.
    """
    manifest = read_manifest(directory)
    if manifest.status != "FINISHED":
        raise RunError(
            f"{manifest.name} has not finished ({manifest.status}). Resume it: python train.py resume={manifest.name}"
        )
    if not manifest.missing:
        rule = "must be another than the run's own, by which it is scored already"
        remedy = "Add decoding=NAME or decoding.OPTION=VALUE, such as decoding.length=oracle"
        raise ConfigError("decoding", rule, received=None, remedy=remedy)
    refuse_links(directory)
    options = parse_stored(RunFiles(directory).read_text(CONFIG_NAME))
    tracking = choose_tracking(directory, tracking, stored=options.tracking, is_named=is_named)
    dataset = load_data(options)
    check_data(directory, dataset)
    with silence_import():  # TensorFlow takes seconds: all user errors have been raised by this point
        from lengthwise.decoding.inference import Inference
        from lengthwise.pipeline.outputs import write_outputs
        from lengthwise.pipeline.stages import evaluate_model

    models = _load_models(directory, options, dataset, console)
    training = _read_training(directory, manifest)
    result = evaluate_model(Inference(models, options.decoding), options, dataset, training)
    missing = write_outputs(RunFiles(directory), result, console, names=manifest.missing)
    add_to_run(directory, tracking, metrics={}, files={}, missing=missing)
    written = [name for name in manifest.missing if name not in missing]
    if written:
        console.print(f"written: {', '.join(written)}", soft_wrap=True)
    if missing:
        raise IncompleteRunError(describe_missing(manifest.name, missing))


def _load_models(directory: Path, options: RunOptions, dataset: Dataset, console: Console) -> Models:
    """Load the trained model, or take it from the run's last checkpoint where the model itself is missing."""
    from lengthwise.models.bundle import build_models
    from lengthwise.serving.artifact import load_artifact
    from lengthwise.training.checkpoint import load_newest
    from lengthwise.training.trainer import prepare_backend, train_model

    prepare_backend(options.training, options.seed)
    if (directory / MODEL_DIRECTORY).is_dir():
        return load_artifact(find_artifact(directory)).models
    checkpoint, _ = load_newest(directory / CHECKPOINTS_DIRECTORY)
    if checkpoint is None or not checkpoint.state.is_over:
        raise RunError(f"{directory.name} has neither its model nor its last checkpoint any more. Train it again.")
    models = build_models(resolve_wiring(options.model, options.latent_dim, dataset.spec))
    train_model(
        models,
        dataset.splits,
        options,
        on_epoch=lambda _epoch, _metrics: None,
        checkpoints=directory / CHECKPOINTS_DIRECTORY,
        console=console,
    )
    return models


def _read_training(directory: Path, manifest: Manifest) -> TrainingResult:
    """Read the result of the fit from the journal and the scores of a run."""
    from lengthwise.training.trainer import TrainingResult

    entries, _ = read_journal(directory / JOURNAL_NAME)
    history: dict[str, dict[int, float]] = {}
    for entry in entries:
        if entry.key not in manifest.summary:
            history.setdefault(entry.key, {})[entry.step] = entry.value
    num_epochs = len(history["train/loss"])
    return TrainingResult(
        epochs=num_epochs,
        best_epoch=int(manifest.summary["best/epoch"]),
        best_loss=manifest.summary["best/val_loss"],
        seconds=manifest.summary["time/fit_seconds"],
        history={
            name: [values.get(epoch, math.nan) for epoch in range(1, num_epochs + 1)]
            for name, values in history.items()
        },
    )


def label_decoding(options: RunOptions) -> str:
    """Name a decoding: strategy and length rule, then every value that differs from its file in conf/decoding/.

    The batch size, which changes no result, is left out.
    """
    changed = [f"{key}-{value}" for key, value in _list_changes(options).items()]
    return "_".join([options.decoding.name, options.decoding.length, *changed])


def describe_decoding(options: RunOptions) -> str:
    """Describe a decoding in words, such as `beam, length rule model, width 8`."""
    changed = [f"{key.replace('_', ' ')} {value}" for key, value in _list_changes(options).items()]
    return ", ".join([options.decoding.name, f"length rule {options.decoding.length}", *changed])


def _list_changes(options: RunOptions) -> dict[str, str]:
    """Return the values of a decoding that differ from its file in conf/decoding/, as text."""
    chosen = asdict(options.decoding)
    usual = asdict(change_decoding(options, [f"decoding={options.decoding.name}"]).decoding)
    return {
        key: format_value(value)
        for key, value in chosen.items()
        if key not in ("name", "length", "batch_size") and value != usual[key]
    }


def _score_splits(
    directory: Path, options: RunOptions, dataset: Dataset, console: Console
) -> dict[str, dict[str, float]]:
    """Decode the splits of a dataset with a run's model; return the scores of each by metric."""
    inference = load_inference(directory, options)
    scored = {}
    for name, split in dataset.splits.items():
        if name == "train" and not options.training.score_train:
            continue
        with show_progress(console, f"decoding {name}", len(split)) as on_progress:
            predictions = inference.decode(split, on_progress=on_progress)
        scores = score_predictions(predictions, split, dataset.spec.kind, forecast=dataset.forecast)
        scored[name] = {**scores.summary, **classify_outcomes(scores).share().summary}
    return scored


def load_inference(directory: Path, options: RunOptions) -> Inference:
    """Load the model of a run, ready to decode.

    Args:
        directory: Of the run.
        options: Say how to decode.
    """
    with silence_import():  # TensorFlow takes seconds: all user errors have been raised by this point
        from lengthwise.decoding.inference import Inference
        from lengthwise.serving.artifact import load_artifact
        from lengthwise.training.trainer import prepare_backend

    prepare_backend(options.training, options.seed)
    return Inference(load_artifact(find_artifact(directory)).models, options.decoding)


def print_scores(console: Console, title: str, summaries: Mapping[str, Mapping[str, float]]) -> None:
    """Print the scores of splits in a table under a title."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(title)
    for split in summaries:
        table.add_column(split, justify="right")
    for name in next(iter(summaries.values())):
        table.add_row(name.replace("_", " "), *(f"{summary[name]:.4f}" for summary in summaries.values()))
    console.print(table)
