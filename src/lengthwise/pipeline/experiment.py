"""Run one experiment: load the data, open the run, train and evaluate, close the run with its status."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from lengthwise.config.options import DatasetOptions, RunOptions, TrackingOptions
from lengthwise.config.parse import dump_options, flatten_options, parse_stored
from lengthwise.config.paths import find_output_dir
from lengthwise.config.reflection import read_fields
from lengthwise.data.dataset import Dataset
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.errors import IncompleteRunError, RunError, count_noun, printable
from lengthwise.evaluation.assessment import PRIMARY_METRICS
from lengthwise.evaluation.metrics import describe_metric
from lengthwise.models.wiring import Wiring, count_parameters, resolve_wiring
from lengthwise.pipeline.command import JOB_TAG, WARNINGS_TAG, Launch
from lengthwise.pipeline.longer import LongerFit, asks_longer, copy_fit, find_longer_fit
from lengthwise.pipeline.origin import Start, check_unchanged, find_initial_weights
from lengthwise.silence import silence_import
from lengthwise.tracking.runs.find import find_run
from lengthwise.tracking.runs.heartbeat import reap
from lengthwise.tracking.runs.layout import CONFIG_NAME
from lengthwise.tracking.runs.manifest import read_manifest
from lengthwise.tracking.runs.run import Run
from lengthwise.tracking.runs.run_files import RunFiles
from lengthwise.tracking.runs.run_record import DatasetRecord, FileRecord, PrimaryMetric, RunRecord
from lengthwise.tracking.session import choose_tracking, names_tracking, resume_run, start_run

WEIGHTS_TAG = "lengthwise.weights_sha256"
"""Tag of a run that starts from the weights of another: their hash."""


def run_experiment(options: RunOptions, launch: Launch) -> float | None:
    """Train, decode and score one model, and record it as a run.

    Args:
        options: Validated options of the run.
        launch: The command, and the sweep that the run belongs to.

    Returns:
        The validation score by which sweeps compare runs: exact match, or mean absolute error for features.

    Raises:
        ConfigError: The options do not fit the data.
        DataError: The data cannot be used.
        DivergedError: The loss is no longer finite.
        IncompleteRunError: The run has finished with its scores, but other results could not be written. Not raised for
            the jobs of a sweep, whose scores count all the same.
    """
    console = Console(record=True, highlight=False)
    longer = find_longer_fit(options) if asks_longer(options, launch.overrides) else None
    stored = None if longer is not None else _find_stored(options, launch)
    chosen, options = options, _read_options(options, stored, longer)
    dataset = load_data(options)
    wiring = resolve_wiring(options.model, options.latent_dim, dataset.spec)
    start = Start(wiring, None if longer is not None else find_initial_weights(options, dataset, wiring))
    describe_start(console, options, dataset, wiring)
    origin = stored if longer is None else longer.origin.directory
    if origin is not None:
        check_data(origin, dataset)
    if stored is None:
        opened = _open_new(options, launch, dataset, start)
    else:
        if start.weights is not None:
            check_unchanged(start.weights, read_manifest(stored).record.tags.get(WEIGHTS_TAG))
        opened = _reopen(stored, launch, chosen=chosen.tracking, own=options.tracking)
    with opened as run:
        try:
            if longer is not None:
                copy_fit(longer, run)
            # TensorFlow takes seconds to import: only now, when all user errors have been raised.
            with silence_import():
                from lengthwise.pipeline.stages import train_and_evaluate

            score = train_and_evaluate(run, options, dataset=dataset, start=start, launch=launch, console=console)
        finally:
            run.write_log(console.export_text())
    if run.missing and launch.job_number is None:
        raise IncompleteRunError(describe_missing(run.name, run.missing))
    return score


def _read_options(options: RunOptions, stored: Path | None, longer: LongerFit | None) -> RunOptions:
    """Return the options of the run: the command's, or those of the run that it resumes or trains longer."""
    if longer is not None:
        return longer.options
    return options if stored is None else parse_stored(RunFiles(stored).read_text(CONFIG_NAME))


def _open_new(options: RunOptions, launch: Launch, dataset: Dataset, start: Start) -> AbstractContextManager[Run]:
    """Return a new run, to be opened; it records the weights that it starts from by their run's name and their hash."""
    weights = start.weights
    if weights is not None:
        options = replace(options, weights=weights.name)
    record = build_record(options, launch, dataset)
    if weights is not None:
        record = replace(record, tags={**record.tags, WEIGHTS_TAG: weights.sha256})
    return start_run(record, options.tracking, output_dir=find_output_dir(options), config_text=dump_options(options))


def _reopen(
    directory: Path, launch: Launch, *, chosen: TrackingOptions, own: TrackingOptions
) -> AbstractContextManager[Run]:
    """Return a stored run, to be opened again; where it is mirrored is the user's to say."""
    is_named = launch.resume is not None or names_tracking(launch.overrides)
    return resume_run(directory, choose_tracking(directory, chosen, stored=own, is_named=is_named))


def load_data(options: RunOptions) -> Dataset:
    """Load the data of a run, of whose training split `training.max_examples` keeps the first examples.

    Raises:
        ConfigError: The options do not fit the data.
        DataError: The data cannot be used.
    """
    dataset = load_dataset(options.dataset, options.timesteps)
    count = options.training.max_examples
    if count is None:
        return dataset
    return replace(dataset, splits={**dataset.splits, "train": dataset.splits["train"].keep_first(count)})


def describe_missing(name: str, parts: Sequence[str]) -> str:
    """Say which parts of a finished run's results are missing, and how to make them."""
    return (
        f"{name} has finished and has its scores, but these could not be written: {', '.join(parts)}. To write them: "
        f"lengthwise evaluate {name}"
    )


def _find_stored(options: RunOptions, launch: Launch) -> Path | None:
    """Return the directory of the run to resume; None for a new one."""
    reference = launch.resume or options.resume
    if reference is None:
        return None
    output_dir = find_output_dir(options)
    reap(output_dir)
    found = find_run(output_dir, reference, latest_among=("FINISHED", "FAILED", "KILLED"))
    manifest = found.manifest
    if manifest.record.kind == "sweep":
        raise RunError(f"{manifest.name} is a sweep. Give its own command again: it runs what is missing.")
    if manifest.status == "FINISHED" and manifest.missing:
        raise RunError(f"{describe_missing(manifest.name, manifest.missing)}.")
    if manifest.status == "FINISHED":
        raise RunError(f"{manifest.name} has finished; there is nothing to resume.")
    return found.directory


def check_data(directory: Path, dataset: Dataset) -> None:
    """Check that the data are still those of a stored run.

    Raises:
        RunError: They have changed.
    """
    known = read_manifest(directory).record.dataset
    if known is None or known.sha256 != dataset.content_hash:
        raise RunError(
            f"The data have changed since {directory.name} started (their hash differs), so results would not compare. "
            "Restore them, or start a new run."
        )


def describe_start(console: Console, options: RunOptions, dataset: Dataset, wiring: Wiring) -> None:
    """Print what is about to run, and how many examples were left out or changed."""
    sizes = ", ".join(f"{len(split):,} {name}" for name, split in dataset.splits.items())
    console.print(
        f"[bold]{options.model.name}[/bold] on [bold]{dataset.name}[/bold] ({sizes}), "
        f"latent_dim {wiring.latent_dim}, {count_noun(dataset.spec.timesteps, 'timestep')}, "
        f"{count_noun(count_parameters(wiring), 'parameter')}, seed {options.seed}",
        soft_wrap=True,
    )
    for skipped in dataset.skipped:
        console.print(f"  {printable(skipped.reason)}: {skipped.count:,}", markup=False, soft_wrap=True)
    for warning in dataset.warnings:
        console.print(f"  warning: {warning}", style="yellow", markup=False, soft_wrap=True)


def list_files(options: DatasetOptions) -> Iterator[FileRecord]:
    """Yield the user's files that a dataset is read from, with the hash of each."""
    section: type = type(options)
    for field in read_fields(section):
        path = getattr(options, field.name)
        if field.path is not None and path is not None and path not in field.words:
            with Path(path).expanduser().open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            yield FileRecord(option=f"dataset.{field.name}", path=path, sha256=digest)


def build_record(options: RunOptions, launch: Launch, dataset: Dataset) -> RunRecord:
    """Describe a run before it starts, as its directory records it."""
    primary = PRIMARY_METRICS[dataset.spec.kind]
    return RunRecord(
        study=options.study,
        label=f"{options.model.name}-{dataset.name}"[:100],
        params=flatten_options(options),
        tags={"lengthwise.overrides": " ".join(launch.overrides)}
        | ({} if launch.job_number is None else {JOB_TAG: str(launch.job_number)})
        | ({WARNINGS_TAG: "\n".join(dataset.warnings)} if dataset.warnings else {}),
        command=launch.command,
        dataset=DatasetRecord(
            name=dataset.name,
            sha256=dataset.content_hash,
            split_sizes={name: len(split) for name, split in dataset.splits.items()},
            files=tuple(list_files(options.dataset)),
        ),
        parent=launch.parent,
        seed=options.seed,
        primary_metric=PrimaryMetric(
            name=f"test/{primary}", greater_is_better=describe_metric(primary).higher_is_better
        ),
    )
