"""Score a trained run on a file that it has not seen, as a named split of the run."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console

from lengthwise.config.compose import change_decoding
from lengthwise.config.options import ForecastOptions, RunOptions, TrackingOptions
from lengthwise.config.parse import parse_stored
from lengthwise.data.assembly import NewSplit, hash_content
from lengthwise.data.dataset import Dataset, Forecast
from lengthwise.data.datasets.new_files import TrainedData, choose_file, read_split
from lengthwise.errors import ConfigError, LengthwiseError, count_noun, printable
from lengthwise.evaluation.samples import select_samples, tabulate_samples
from lengthwise.files import dump_json, refuse_links
from lengthwise.pipeline.experiment import check_data, list_files, load_data
from lengthwise.pipeline.reevaluation import (
    ScoredSplit,
    describe_decoding,
    label_decoding,
    print_scores,
    score_splits,
)
from lengthwise.serving.artifact_files import find_artifact, read_stored_model
from lengthwise.tracking.amend import add_to_run
from lengthwise.tracking.runs.layout import CONFIG_NAME
from lengthwise.tracking.runs.run_files import RunFiles
from lengthwise.tracking.session import choose_tracking

OWN_NAMES = ("train", "val", "test", "longer")
"""Splits of a run's own data, whose scores a file must not replace."""

NUM_WORST, NUM_RANDOM = 20, 20

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def evaluate_file(
    directory: Path,
    overrides: Sequence[str],
    *,
    name: str | None,
    console: Console,
    tracking: TrackingOptions,
    is_named: bool = True,
) -> dict[str, float]:
    """Decode and score the examples of a file with a run's model, and add the scores to the run.

    The file is read by the run's own vocabularies or scalers. The scores are those that the same examples have as a
    test split of the run.

    Args:
        directory: Directory of a run that holds a trained model.
        overrides: `dataset.path=FILE`, where the examples stand in it, and how to decode.
        name: Of the split; None: the name of the file.
        console: Shows progress and results.
        tracking: Where the run is mirrored, as the user says.
        is_named: Whether the user names it; otherwise it is the project's default, and as in `choose_tracking`.

    Returns:
        The added scores by name, `split/metric`, or `split/LABEL/metric` under another decoding than the run's.

    Raises:
        ConfigError: An override or the name is refused.
        DataError: The file cannot be read, or has another form than the data trained on.
    """
    refuse_links(directory)
    stored = parse_stored(RunFiles(directory).read_text(CONFIG_NAME))
    tracking = choose_tracking(directory, tracking, stored=stored.tracking, is_named=is_named)
    model = read_stored_model(find_artifact(directory))
    data = TrainedData(spec=model.wiring.spec, source_codec=model.source_codec, target_codec=model.target_codec)
    options = choose_file(stored, data, [line for line in overrides if line.lstrip("+").startswith("dataset")])
    decoding = [line for line in overrides if not line.lstrip("+").startswith("dataset")]
    options = change_decoding(options, decoding) if decoding else options
    split = name or name_split(options)
    new = read_split(options.dataset, data, split)
    place = f"{split}_{label_decoding(options)}" if decoding else split
    _check_name(split, RunFiles(directory).path("evaluations", f"{place}.json"), options)
    _describe(new, options, console)
    dataset = replace(_make_dataset(options, data, split, new), forecast=_find_forecast(stored, directory, console))
    scored = score_splits(directory, options, dataset, console)[split]
    prefix = f"{split}/{label_decoding(options)}" if decoding else split
    metrics = {f"{prefix}/{metric}": value for metric, value in scored.summary.items()}
    files = _write_files(place, scored, options, dataset)
    add_to_run(directory, tracking, metrics=metrics, files=files)
    print_scores(console, describe_decoding(options), {split: scored.summary})
    return metrics


def name_split(options: RunOptions) -> str:
    """Name a split by the file it is read from, in letters that a metric's name may have."""
    path = getattr(options.dataset, "path", None) or "file"
    stem = Path(path).name.partition(".")[0]
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_-") or "file"
    return f"{name[:90]}_file" if name in OWN_NAMES else name[:90]


def _check_name(split: str, written: Path, options: RunOptions) -> None:
    """Refuse a name that is no name, is that of a split of the run, or that another file has been scored under."""
    remedy = "Choose another with --split NAME"
    if _NAME.fullmatch(split) is None or split in OWN_NAMES:
        rule = "must be letters, digits, '_', '.', '-', and not a split of the run's own data"
        raise ConfigError("--split", rule, received=repr(split), remedy=remedy)
    if written.is_file():
        files = json.loads(written.read_text(encoding="utf-8")).get("files")
        if files != [asdict(file) for file in list_files(options.dataset)]:
            rule = "is the name of a split that was read from another file"
            raise ConfigError("--split", rule, received=repr(split), remedy=remedy)


def _describe(new: NewSplit, options: RunOptions, console: Console) -> None:
    names = ", ".join(file.path for file in list_files(options.dataset))
    console.print(f"{count_noun(len(new.split), 'example')} of {printable(names)}", markup=False, soft_wrap=True)
    for skipped in new.skipped:
        console.print(f"  {printable(skipped.reason)}: {skipped.count:,}", markup=False, soft_wrap=True)
    for warning in new.warnings:
        console.print(f"  warning: {printable(warning)}", style="yellow", markup=False, soft_wrap=True)


def _make_dataset(options: RunOptions, data: TrainedData, name: str, new: NewSplit) -> Dataset:
    splits, codecs = {name: new.split}, (data.source_codec, data.target_codec)
    return Dataset(
        name=options.dataset.name,
        spec=data.spec,
        splits=splits,
        source_codec=codecs[0],
        target_codec=codecs[1],
        content_hash=hash_content(splits, codecs),
        skipped=new.skipped,
        warnings=new.warnings,
    )


def _find_forecast(stored: RunOptions, directory: Path, console: Console) -> Forecast | None:
    """Return what scaled errors of a forecast are computed from: the run's training rows, if still there."""
    if not isinstance(stored.dataset, ForecastOptions):
        return None
    try:
        dataset = load_data(stored)
        check_data(directory, dataset)
    except LengthwiseError as error:
        console.print(f"  warning: no scaled errors, which need the rows trained on: {error}", markup=False)
        return None
    return dataset.forecast


def _write_files(place: str, scored: ScoredSplit, options: RunOptions, dataset: Dataset) -> dict[str, str]:
    """Return what is written into the run, by path: the scores with the file and its hash, and samples."""
    ((name, split),) = dataset.splits.items()
    content = {
        "files": [asdict(file) for file in list_files(options.dataset)],
        "examples": len(split),
        "sha256": dataset.content_hash,
        "skipped": {each.reason: each.count for each in dataset.skipped},
        "decoding": asdict(options.decoding),
        "scores": {name: scored.summary},
    }
    chosen = select_samples(scored.scores, num_worst=NUM_WORST, num_random=NUM_RANDOM, seed=options.seed)
    samples = tabulate_samples(scored.predictions, split=split, scores=scored.scores, dataset=dataset, chosen=chosen)
    return {
        f"evaluations/{place}.json": dump_json(content, indent=1),
        f"samples/{place}_samples.json": dump_json(samples.to_json_table(), indent=1),
        f"samples/{place}_samples.md": samples.to_markdown(),
    }
