"""Score a finished run again under another decoding, and add the scores to the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lengthwise.config.compose import change_decoding
from lengthwise.config.options import RunOptions, TrackingOptions
from lengthwise.config.parse import parse_stored
from lengthwise.config.values import format_value
from lengthwise.data.dataset import Dataset
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.errors import RunError
from lengthwise.files import dump_json
from lengthwise.silence import silence_import
from lengthwise.tracking.amend import add_to_run
from lengthwise.tracking.runs.layout import CONFIG_NAME
from lengthwise.tracking.runs.manifest import read_manifest


def reevaluate_run(
    directory: Path, overrides: Sequence[str], *, console: Console, tracking: TrackingOptions | None = None
) -> dict[str, float]:
    """Decode the splits of a run again, score them, and add the scores to the run under names of their own.

    Args:
        directory: Directory of a run that holds a trained model.
        overrides: Overrides of the decoding, such as `decoding=beam` or `decoding.length=oracle`.
        console: Shows progress and results.
        tracking: Where the run is mirrored; None: where the run's own options say.

    Returns:
        The added scores by name, `split/LABEL/metric`, where LABEL is that of `label_decoding`.

    Raises:
        ConfigError: An override is refused.
        RunError: The data have changed since the run was trained.
    """
    stored = parse_stored((directory / CONFIG_NAME).read_text(encoding="utf-8"))
    options = change_decoding(stored, overrides)
    dataset = load_dataset(options.dataset, options.timesteps)
    record = read_manifest(directory).record.dataset
    if record is not None and record.sha256 != dataset.content_hash:
        raise RunError(
            f"The data of {directory.name} have changed since it was trained, so that scores would not compare. "
            "Restore them, or train again."
        )
    label = label_decoding(options)
    summaries = _score(directory, options, dataset, console)
    metrics = {
        f"{split}/{label}/{name}": value for split, summary in summaries.items() for name, value in summary.items()
    }
    content = {"decoding": asdict(options.decoding), "scores": summaries}
    text = dump_json(content, indent=1)
    add_to_run(directory, tracking or options.tracking, metrics=metrics, files={f"evaluations/{label}.json": text})
    _print_scores(console, label, summaries)
    return metrics


def label_decoding(options: RunOptions) -> str:
    """Name a decoding: strategy and length rule, then every value that differs from its file in conf/decoding/.

    The batch size, which changes no result, is left out.
    """
    chosen = asdict(options.decoding)
    usual = asdict(change_decoding(options, [f"decoding={options.decoding.name}"]).decoding)
    parts = [str(chosen[name]) for name in ("name", "length")]
    for key, value in chosen.items():
        if key not in ("name", "length", "batch_size") and value != usual[key]:
            parts.append(f"{key}-{format_value(value)}")
    return "_".join(parts)


def _score(directory: Path, options: RunOptions, dataset: Dataset, console: Console) -> dict[str, Mapping[str, float]]:
    with silence_import():  # TensorFlow takes seconds: all user errors have been raised by this point
        from lengthwise.decoding.inference import Inference
        from lengthwise.evaluation.metrics import score_predictions
        from lengthwise.evaluation.outcomes import classify_outcomes
        from lengthwise.pipeline.progress import show_progress
        from lengthwise.serving.artifact import find_artifact, load_artifact
        from lengthwise.training.trainer import prepare_backend

    prepare_backend(options.training, options.seed)
    models = load_artifact(find_artifact(directory)).models
    inference = Inference(models, options.decoding)
    summaries: dict[str, Mapping[str, float]] = {}
    for name, split in dataset.splits.items():
        if name == "train" and not options.training.score_train:
            continue
        with show_progress(console, f"decoding {name}", len(split)) as on_progress:
            predictions = inference.decode(split, on_progress=on_progress)
        scores = score_predictions(predictions, split, dataset.spec.kind)
        summaries[name] = {**scores.summary, **classify_outcomes(scores).share().summary}
    return summaries


def _print_scores(console: Console, label: str, summaries: Mapping[str, Mapping[str, float]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(label)
    for split in summaries:
        table.add_column(split, justify="right")
    for name in next(iter(summaries.values())):
        table.add_row(name.replace("_", " "), *(f"{summary[name]:.4f}" for summary in summaries.values()))
    console.print(table)
