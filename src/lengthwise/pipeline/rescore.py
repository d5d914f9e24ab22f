"""Scoring a finished run's weights again, decoded in another way, into the same run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from lengthwise.config.compose import change_decoding
from lengthwise.config.options import RunOptions, TrackingOptions
from lengthwise.config.parse import parse_stored
from lengthwise.data.dataset import Dataset
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.errors import RunError
from lengthwise.silence import silence_import
from lengthwise.tracking.runs.amend import add_to_run
from lengthwise.tracking.runs.manifest import read_manifest

CONFIG_NAME = "config.yaml"


def rescore_run(
    directory: Path, overrides: Sequence[str], *, console: Console, tracking: TrackingOptions | None = None
) -> dict[str, float]:
    """Decode the splits of a run anew, score them, and add the scores to the run under names of their own.

    Args:
        directory: of a run that holds a trained model.
        overrides: of the decoding, such as `decoding=beam` or `decoding.length=oracle`.
        console: takes progress and results.
        tracking: where the run is mirrored; None: where the run's own options say.

    Returns:
        what was added: `split/LABEL/metric`, where LABEL is that of `label_decoding`.

    Raises:
        ConfigError: an override is refused.
        RunError: the data are no longer those of the run.
    """
    stored = parse_stored((directory / CONFIG_NAME).read_text(encoding="utf-8"))
    options = change_decoding(stored, overrides)
    dataset = load_dataset(options.dataset, options.timesteps)
    record = read_manifest(directory).dataset
    if record is not None and record.sha256 != dataset.content_hash:
        raise RunError(
            f"The data of {directory.name} have changed since it was trained, so that scores would not compare. "
            "Restore them, or train again."
        )
    label = label_decoding(options)
    summaries = _score(directory, options, dataset, console)
    figures = {
        f"{split}/{label}/{name}": value for split, summary in summaries.items() for name, value in summary.items()
    }
    content = {"decoding": asdict(options.decoding), "scores": _finite(summaries)}
    text = json.dumps(content, ensure_ascii=False, indent=1)
    add_to_run(directory, tracking or options.tracking, figures=figures, files={f"evaluations/{label}.json": text})
    _print_scores(console, label, summaries)
    return figures


def label_decoding(options: RunOptions) -> str:
    """Name a way of decoding: strategy and length rule, then every value that is not that of its file in conf/.

    The size of the batches, which changes no result, plays no part.
    """
    chosen = asdict(options.decoding)
    usual = asdict(change_decoding(options, [f"decoding={options.decoding.name}"]).decoding)
    parts = [str(chosen[name]) for name in ("name", "length")]
    for key, value in chosen.items():
        if key not in ("name", "length", "batch_size") and value != usual[key]:
            parts.append(f"{key}-{'null' if value is None else f'{value:g}'}")
    return "_".join(parts)


def _score(directory: Path, options: RunOptions, dataset: Dataset, console: Console) -> dict[str, Mapping[str, float]]:
    with silence_import():  # by now nothing can be refused any more
        from lengthwise.decoding.compiled import build_decode_function, decode_split
        from lengthwise.evaluation.metrics import score_predictions
        from lengthwise.evaluation.outcomes import classify_outcomes
        from lengthwise.pipeline.progress import show_progress
        from lengthwise.serving.artifact import find_artifact, load_artifact
        from lengthwise.training.trainer import prepare_backend

    prepare_backend(options.training, options.seed)
    models = load_artifact(find_artifact(directory)).models
    decoding = options.decoding
    decode = build_decode_function(models, decoding)
    summaries: dict[str, Mapping[str, float]] = {}
    for name, split in dataset.splits.items():
        if name == "train" and not options.training.score_train:
            continue
        with show_progress(console, f"decoding {name}", len(split)) as report:
            predictions = decode_split(decode, models.wiring, split, decoding, report=report)
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


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    return value if math.isfinite(value) else None
