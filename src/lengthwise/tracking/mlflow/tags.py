"""What MLflow is told of a run besides its metrics: tags, parameters, a description, the dataset."""

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

_LONGEST_PARAM = 6000
_LONGEST_TAG = 8000
_LONGEST_DIGEST = 36
_CUT = " ... (cut; whole in config.yaml)"


def run_label(manifest: Manifest) -> str:
    """Return the name of a run in MLflow's tables: its directory's without the time, such as `repeat-digits-1f2e3d`."""
    return f"{manifest.record.label}-{manifest.id}"


def param_texts(manifest: Manifest) -> dict[str, str]:
    """Return the parameters as they would be written on the command line; those too long for MLflow end in a note."""
    return {key: _cut(format_value(value), _LONGEST_PARAM) for key, value in manifest.record.params.items()}


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - len(_CUT)] + _CUT


def first_tags(manifest: Manifest, directory: Path, parent_run_id: str | None) -> dict[str, str]:
    """Return the tags a run has from its start."""
    tags = dict(manifest.record.tags)
    tags |= {
        "lengthwise.run": manifest.name,
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
    return {key: _cut(text, _LONGEST_TAG) for key, text in tags.items()}


def _name_program(command: tuple[str, ...]) -> str:
    """Return the script of a command, or its program where no script is run."""
    scripts = [word for word in command[:2] if word.endswith(".py")]
    return Path((scripts or list(command) or ["lengthwise"])[0]).name


def last_tags(manifest: Manifest, artifacts: Iterable[str]) -> dict[str, str]:
    """Return the tags a run has from its end: a description with results, why it failed, which files are tables."""
    tables = sorted(name for name in artifacts if name.startswith("samples/") and name.endswith(".json"))
    tags = {"mlflow.note.content": describe_run(manifest)}
    if tables:
        tags["mlflow.loggedArtifacts"] = json.dumps([{"path": name, "type": "table"} for name in tables])
    if manifest.failure is not None:
        tags["lengthwise.failure"] = manifest.failure.reason
    return {key: _cut(text, _LONGEST_TAG) for key, text in tags.items()}


def describe_run(manifest: Manifest) -> str:
    """Return a few lines of Markdown: what the run is, how it ended, its figures."""
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
        digest=data.sha256[:_LONGEST_DIGEST],
        source_type="code",
        source=json.dumps({"tags": {"lengthwise.dataset": data.name, "sha256": data.sha256}}),
        profile=json.dumps({"num_examples": dict(data.split_sizes)}),
    )
    return [DatasetInput(dataset=dataset, tags=[InputTag(key="mlflow.data.context", value="train")])]
