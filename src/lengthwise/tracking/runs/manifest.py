"""The manifest: what a run is and how it stands, as `manifest.json` in its directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from lengthwise.errors import RunError
from lengthwise.files import dump_json, write_whole
from lengthwise.tracking.runs.journal import encode_number
from lengthwise.tracking.runs.layout import MANIFEST_NAME
from lengthwise.tracking.runs.process import Owner
from lengthwise.tracking.runs.provenance import GitState

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
Value = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetRecord:
    """The data of a run.

    Args:
        name: the option `dataset.name`.
        sha256: hexadecimal hash of the data's content.
        split_sizes: examples of each split.
    """

    name: str
    sha256: str
    split_sizes: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class PrimaryMetric:
    """The metric by which the runs of a study are compared."""

    name: str
    greater_is_better: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a run did not finish; `traceback` names the file that tells more, None where there is none."""

    reason: str
    traceback: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What a run is and how it stands.

    Args:
        name: name of the run's directory.
        id: its last six hexadecimal digits.
        study, label, kind, parent, seed, command, params, tags, dataset, primary_metric: as in `RunRecord`.
        status: RUNNING, FINISHED, FAILED (an exception) or KILLED (a signal, or a process that died).
        started, ended: UTC, ISO 8601; `ended` is None while it runs.
        duration_seconds: None while it runs.
        config_sha256: hash of `config.yaml`.
        versions: of Python and packages.
        git: the project's checkout; None where there is none.
        owner: the process.
        summary: the figures shown in listings.
        failure: why it did not finish; None where it did, or runs.
    """

    name: str
    id: str
    study: str
    label: str
    kind: Literal["run", "sweep"]
    parent: str | None
    status: Status
    started: str
    ended: str | None
    duration_seconds: float | None
    command: tuple[str, ...]
    seed: int | None
    params: Mapping[str, Value]
    tags: Mapping[str, str]
    dataset: DatasetRecord | None
    primary_metric: PrimaryMetric | None
    config_sha256: str
    versions: Mapping[str, str]
    git: GitState | None
    owner: Owner
    summary: Mapping[str, float]
    failure: Failure | None


def iso_time(seconds: float) -> str:
    """Return seconds since the epoch as UTC, ISO 8601, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def seconds_of(iso: str) -> float:
    """Return an ISO 8601 time as seconds since the epoch."""
    return datetime.fromisoformat(iso).timestamp()


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write the manifest of a run directory, whole or not at all."""
    content = asdict(manifest)
    for group in ("summary", "params"):
        content[group] = {k: encode_number(v) if isinstance(v, float) else v for k, v in content[group].items()}
    write_whole(directory / MANIFEST_NAME, dump_json(content, indent=1).encode())


def read_manifest(directory: Path) -> Manifest:
    """Read the manifest of a run directory.

    Raises:
        RunError: there is none, or it is not one.
    """
    path = directory / MANIFEST_NAME
    try:
        content = json.loads(path.read_bytes())
        return _parse(content)
    except FileNotFoundError as error:
        raise RunError(f"{directory} is no run directory: it holds no {MANIFEST_NAME}.") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(f"{path} cannot be read as the manifest of a run ({error}). Move the directory away.") from error


def _parse(content: dict[str, Any]) -> Manifest:
    def optional(kind: type[Any], key: str) -> Any:
        return None if content[key] is None else kind(**content[key])

    nested: dict[str, Any] = {
        "command": tuple(content["command"]),
        "dataset": optional(DatasetRecord, "dataset"),
        "primary_metric": optional(PrimaryMetric, "primary_metric"),
        "git": optional(GitState, "git"),
        "owner": Owner(**content["owner"]),
        "summary": {key: float(value) for key, value in content["summary"].items()},
        "failure": optional(Failure, "failure"),
    }
    return Manifest(**(content | nested))
