"""Description of a run for MLflow: tags, parameters, text, the dataset."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lengthwise.config.values import format_value
from lengthwise.tracking.runs.manifest import Manifest

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

_MAX_PARAM_LENGTH = 6000
_MAX_TAG_LENGTH = 8000
_MAX_DIGEST_LENGTH = 36
_CUT = " ... (cut; whole in config.yaml)"

RUN_TAG = "lengthwise.run"
"""The tag by which a run is found again in MLflow: its name."""

OVERRIDES_TAG = "lengthwise.overrides"
"""The tag of a run that holds its overrides."""

_REPEATS = ("seed", "dataset.seed")
"""Options that repeat a condition; `lengthwise.condition` leaves them out, so that grouping by it averages them."""

_MAX_VALUES_LENGTH = 200
_RESERVED = "mlflow."
"""Begins the tags that have a meaning for MLflow; a run does not choose them."""


def run_label(manifest: Manifest, varied: Mapping[str, str]) -> str:
    """Return the name of a run in MLflow's tables, which ends with its id.

    Args:
        manifest: Of the run.
        varied: The options in which the jobs of its sweep differ, each with its own value.

    Returns:
        Such as `repeat latent_dim=32 1f2e3d`; outside of sweeps the directory's name without the time.
    """
    if not varied:
        return f"{manifest.record.label}-{manifest.id}"
    return " ".join([_write_options(varied)[:_MAX_VALUES_LENGTH], manifest.id])


def _write_options(options: Mapping[str, str]) -> str:
    """Write options briefly; a preset is named by its value only."""
    return " ".join(
        value if name.endswith(".name") else f"{name.rpartition('.')[2]}={value}" for name, value in options.items()
    )


def find_varied(manifest: Manifest, parent: Manifest) -> dict[str, str]:
    """Return the options in which the jobs of a sweep differ, each with the value that one of them has.

    Args:
        manifest: Of the job's run.
        parent: Of the sweep, whose options list all values that they take.
    """
    found = {}
    for override in manifest.record.tags.get(OVERRIDES_TAG, "").split(" "):
        key = override.partition("=")[0]
        name = key if key in manifest.record.params else f"{key}.name"
        taken = parent.record.params.get(name)
        if name in manifest.record.params and isinstance(taken, str) and ", " in taken:
            found[name] = format_value(manifest.record.params[name])
    return found


def param_texts(manifest: Manifest) -> dict[str, str]:
    """Return the parameters as they would be written on the command line; values too long for MLflow end in a note."""
    return {key: _cut(format_value(value), _MAX_PARAM_LENGTH) for key, value in manifest.record.params.items()}


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - len(_CUT)] + _CUT


def first_tags(
    manifest: Manifest, directory: Path, parent_run_id: str | None, varied: Mapping[str, str]
) -> dict[str, str]:
    """Return the tags that a run has from its start.

    Args:
        manifest: Of the run.
        directory: The run's directory.
        parent_run_id: The parent's id in MLflow; None if there is none.
        varied: As for `run_label`.
    """
    tags = {key: text for key, text in manifest.record.tags.items() if not key.startswith(_RESERVED)}
    tags |= {
        RUN_TAG: manifest.name,
        "lengthwise.kind": manifest.record.kind,
        "lengthwise.directory": str(directory),
        "lengthwise.command": shlex.join(manifest.record.command),
        "lengthwise.host": manifest.process.host,
        "mlflow.user": manifest.process.user,
        "mlflow.source.type": "LOCAL",
        "mlflow.source.name": _name_program(manifest.record.command),
        "mlflow.note.content": describe_run(manifest),
    }
    if manifest.git is not None:
        tags["mlflow.source.git.branch"] = manifest.git.branch
        tags["mlflow.source.git.dirty"] = str(manifest.git.dirty).lower()
        if manifest.git.commit is not None:
            tags["mlflow.source.git.commit"] = manifest.git.commit
    condition = {name: value for name, value in varied.items() if name not in _REPEATS}
    if condition:
        tags["lengthwise.condition"] = _write_options(condition)
    if parent_run_id is not None:
        tags["mlflow.parentRunId"] = parent_run_id
    return {key: _cut(text, _MAX_TAG_LENGTH) for key, text in tags.items()}


def _name_program(command: tuple[str, ...]) -> str:
    """Return the script of a command, or its program if no script is run."""
    scripts = [word for word in command[:2] if word.endswith(".py")]
    return Path((scripts or list(command) or ["lengthwise"])[0]).name


def last_tags(manifest: Manifest, artifacts: Iterable[str], answer: str) -> dict[str, str]:
    """Return the tags that a run has from its end: the description with results, its failure, which files are tables.

    Args:
        manifest: Of the run.
        artifacts: Paths of the files in MLflow.
        answer: What the description of a sweep begins with, as Markdown; empty where nothing is known.
    """
    tables = sorted(name for name in artifacts if name.startswith("samples/") and name.endswith(".json"))
    tags = {"mlflow.note.content": describe_run(manifest, answer)}
    if tables:
        tags["mlflow.loggedArtifacts"] = json.dumps([{"path": name, "type": "table"} for name in tables])
    if manifest.failure is not None:
        tags["lengthwise.failure"] = manifest.failure.reason
    return {key: _cut(text, _MAX_TAG_LENGTH) for key, text in tags.items()}


def describe_run(manifest: Manifest, answer: str = "") -> str:
    """Return a few lines of Markdown, the most important first: MLflow folds all but two.

    Args:
        manifest: Of the run.
        answer: What it begins with; empty for nothing.
    """
    what = "Sweep" if manifest.record.kind == "sweep" else "Run"
    seed = "" if manifest.record.seed is None else f", seed {manifest.record.seed}"
    lines = [
        f"**{what} {manifest.record.label}** of the study {manifest.record.study}{seed}.{_describe_score(manifest)}"
    ]
    if answer:
        lines = [answer, "", *lines]
    if manifest.record.kind == "run" and manifest.status == "FINISHED":
        lines += ["", f"`lengthwise show {manifest.id}` says how to use it."]
    if manifest.record.dataset is not None:
        sizes = ", ".join(f"{count} {split}" for split, count in manifest.record.dataset.split_sizes.items())
        lines += ["", f"Data: {manifest.record.dataset.name} ({sizes})."]
    if manifest.failure is not None:
        lines += ["", f"{manifest.status}: {manifest.failure.reason}"]
    if manifest.summary:
        lines += ["", "| metric | value |", "|---|---|"]
        lines += [f"| {key} | {value:.4g} |" for key, value in manifest.summary.items()]
    return "\n".join([*lines, "", f"`{shlex.join(manifest.record.command)}`"])


def _describe_score(manifest: Manifest) -> str:
    """Say what a run scored in its primary metric, beside its best baseline."""
    primary = manifest.record.primary_metric
    if primary is None or primary.name not in manifest.summary:
        return ""
    split, _, name = primary.name.partition("/")
    start = f"{split}/baseline_"
    known = [value for key, value in manifest.summary.items() if key.startswith(start) and key.endswith(name)]
    best = (max if primary.greater_is_better else min)(known, default=None)
    beside = "" if best is None else f" (best baseline {best:.4g})"
    return f" {primary.name} **{manifest.summary[primary.name]:.4g}**{beside}."


def dataset_inputs(manifest: Manifest) -> list[DatasetInput]:
    """Return the dataset, with Lengthwise's hash as its digest: MLflow's covers the first 10,000 elements only."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    data = manifest.record.dataset
    if data is None:
        return []
    dataset = Dataset(
        name=data.name,
        digest=data.sha256[:_MAX_DIGEST_LENGTH],
        source_type="code",
        source=json.dumps({"tags": {"lengthwise.dataset": data.name, "sha256": data.sha256}}),
        profile=json.dumps({"num_examples": dict(data.split_sizes)}),
    )
    return [DatasetInput(dataset=dataset, tags=[InputTag(key="mlflow.data.context", value="train")])]
