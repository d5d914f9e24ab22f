"""The manifest of a run: what it is and its status, as `manifest.json` in its directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lengthwise.errors import RunError
from lengthwise.files import dump_json, read_regular, write_whole
from lengthwise.tracking.runs.journal import encode_number
from lengthwise.tracking.runs.layout import MANIFEST_NAME
from lengthwise.tracking.runs.process import Process, upgrade_process
from lengthwise.tracking.runs.provenance import GitState
from lengthwise.tracking.runs.run_record import MAX_RUN_NAME_LENGTH, RunRecord, check_name
from lengthwise.tracking.runs.schema import parse_fields
from lengthwise.tracking.runs.status import Status

_MAX_BYTES = 10_000_000
_MAX_REASON_LENGTH = 300


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

    Raises:
        ValueError: Name or id cannot be the name of a directory, or a time is not one.
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

    def __post_init__(self) -> None:
        check_name("name", self.name, max_length=MAX_RUN_NAME_LENGTH)
        check_name("id", self.id)
        for time in (self.started, self.ended):
            if time is not None:
                seconds_of(time)


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
    """Read the manifest of a run directory. It may be a stranger's: every value is checked, no link is followed.

    Args:
        directory: The run's directory.

    Raises:
        RunError: There is none, or it is not one.
    """
    path = directory / MANIFEST_NAME
    try:
        return _parse(json.loads(read_regular(path, max_bytes=_MAX_BYTES)))
    except FileNotFoundError as error:
        raise RunError(f"{directory} is no run directory: it holds no {MANIFEST_NAME}.") from error
    except (OSError, ValueError, OverflowError, RecursionError, RunError) as error:
        reason = str(error)[:_MAX_REASON_LENGTH]
        raise RunError(
            f"{path} cannot be read as the manifest of a run ({reason}). Move the directory away."
        ) from error


def _parse(content: Any) -> Manifest:
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")
    record = {field.name: content.pop(field.name) for field in fields(RunRecord) if field.name in content}
    if "owner" in content:  # its name in version 0.1.0 of November 2026
        content["process"] = upgrade_process(content.pop("owner"))
    return parse_fields(Manifest, content | {"record": record})
