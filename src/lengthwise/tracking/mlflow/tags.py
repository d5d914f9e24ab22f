"""Description of a run for MLflow: tags, parameters, text, the dataset."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
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

_RESERVED = "mlflow."
"""Begins the tags that have a meaning for MLflow; a run does not choose them."""


def run_label(manifest: Manifest) -> str:
    """Return the name of a run in MLflow's tables: its directory's without the time, such as `repeat-digits-1f2e3d`."""
    return f"{manifest.record.label}-{manifest.id}"


def param_texts(manifest: Manifest) -> dict[str, str]:
    """Return the parameters as they would be written on the command line; values too long for MLflow end in a note."""
    return {key: _cut(format_value(value), _MAX_PARAM_LENGTH) for key, value in manifest.record.params.items()}


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - len(_CUT)] + _CUT


def first_tags(manifest: Manifest, directory: Path, parent_run_id: str | None) -> dict[str, str]:
    """Return the tags that a run has from its start.

    Args:
        manifest: Of the run.
        directory: The run's directory.
        parent_run_id: The parent's id in MLflow; None if there is none.
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
    if parent_run_id is not None:
        tags["mlflow.parentRunId"] = parent_run_id
    return {key: _cut(text, _MAX_TAG_LENGTH) for key, text in tags.items()}


def _name_program(command: tuple[str, ...]) -> str:
    """Return the script of a command, or its program if no script is run."""
    scripts = [word for word in command[:2] if word.endswith(".py")]
    return Path((scripts or list(command) or ["lengthwise"])[0]).name


def last_tags(manifest: Manifest, artifacts: Iterable[str]) -> dict[str, str]:
    """Return the tags that a run has from its end: the description with results, its failure, which files are tables.

    Args:
        manifest: Of the run.
        artifacts: Paths of the files in MLflow.
    """
    tables = sorted(name for name in artifacts if name.startswith("samples/") and name.endswith(".json"))
    tags = {"mlflow.note.content": describe_run(manifest)}
    if tables:
        tags["mlflow.loggedArtifacts"] = json.dumps([{"path": name, "type": "table"} for name in tables])
    if manifest.failure is not None:
        tags["lengthwise.failure"] = manifest.failure.reason
    return {key: _cut(text, _MAX_TAG_LENGTH) for key, text in tags.items()}


def describe_run(manifest: Manifest) -> str:
    """Return a few lines of Markdown: what the run is, how it ended, its metrics."""
    what = "Sweep" if manifest.record.kind == "sweep" else "Run"
    seed = "" if manifest.record.seed is None else f", seed {manifest.record.seed}"
    lines = [f"**{what} {manifest.record.label}** of the study {manifest.record.study}{seed}."]
    if manifest.record.dataset is not None:
        sizes = ", ".join(f"{count} {split}" for split, count in manifest.record.dataset.split_sizes.items())
        lines += ["", f"Data: {manifest.record.dataset.name} ({sizes})."]
    if manifest.failure is not None:
        lines += ["", f"{manifest.status}: {manifest.failure.reason}"]
    if manifest.summary:
        lines += ["", "| metric | value |", "|---|---|"]
        lines += [f"| {key} | {value:.4g} |" for key, value in manifest.summary.items()]
    return "\n".join([*lines, "", f"`{shlex.join(manifest.record.command)}`"])


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
