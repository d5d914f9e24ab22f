"""The manifest of a run: what it is and its status, as `manifest.json` in its directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from lengthwise.errors import RunError
from lengthwise.files import dump_json, write_whole
from lengthwise.tracking.runs.journal import encode_number
from lengthwise.tracking.runs.layout import MANIFEST_NAME
from lengthwise.tracking.runs.process import Process, parse_process
from lengthwise.tracking.runs.provenance import GitState
from lengthwise.tracking.runs.run_record import DatasetRecord, PrimaryMetric, RunRecord

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a run did not finish.

    Args:
        reason: In one or a few lines.
        traceback: Name of the file with the traceback; None where there is none.
    """

    reason: str
    traceback: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What a run is, and its status. In the file, the fields of `record` stand beside the others.

    Args:
        record: What was fixed before the run started.
        name: Name of the run's directory.
        id: The last six hexadecimal digits of the name.
        status: RUNNING, FINISHED, FAILED (an exception) or KILLED (a signal, or a process that died).
        started: UTC, ISO 8601.
        ended: UTC, ISO 8601; None while it runs.
        duration_seconds: None while it runs.
        config_sha256: Hash of `config.yaml`.
        versions: Of Python and packages.
        git: The project's checkout; None where there is none.
        process: The process that runs it, or has run it last.
        summary: The metrics shown in listings, by name.
        failure: Why it did not finish; None where it did, or is running.
        missing: Parts of the results that could not be written, such as `attention`; `lengthwise evaluate RUN` makes
            them. Manifests written before there was this field have none.
    """

    record: RunRecord
    name: str
    id: str
    status: Status
    started: str
    ended: str | None
    duration_seconds: float | None
    config_sha256: str
    versions: Mapping[str, str]
    git: GitState | None
    process: Process
    summary: Mapping[str, float]
    failure: Failure | None
    missing: tuple[str, ...] = ()


def iso_time(seconds: float) -> str:
    """Return seconds since the epoch as UTC, ISO 8601, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def seconds_of(iso: str) -> float:
    """Return an ISO 8601 time as seconds since the epoch."""
    return datetime.fromisoformat(iso).timestamp()


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write the manifest of a run directory, whole or not at all."""
    content = asdict(manifest)
    content |= content.pop("record")
    for group in ("summary", "params"):
        content[group] = {k: encode_number(v) if isinstance(v, float) else v for k, v in content[group].items()}
    write_whole(directory / MANIFEST_NAME, dump_json(content, indent=1).encode())


def read_manifest(directory: Path) -> Manifest:
    """Read the manifest of a run directory.

    Raises:
        RunError: There is none, or it is not one.
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
    if "owner" in content:  # its name in version 0.1.0 of November 2026
        content["process"] = content.pop("owner")

    def optional(kind: type[Any], key: str) -> Any:
        return None if content[key] is None else kind(**content[key])

    parsed: dict[str, Any] = content | {
        "command": tuple(content["command"]),
        "dataset": optional(DatasetRecord, "dataset"),
        "primary_metric": optional(PrimaryMetric, "primary_metric"),
        "git": optional(GitState, "git"),
        "process": parse_process(content["process"]),
        "summary": {key: float(value) for key, value in content["summary"].items()},
        "failure": optional(Failure, "failure"),
        "missing": tuple(content.get("missing", ())),
    }
    record = RunRecord(**{field.name: parsed.pop(field.name) for field in fields(RunRecord)})
    return Manifest(record=record, **parsed)
