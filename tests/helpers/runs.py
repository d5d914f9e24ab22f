"""Runs opened by tests, and manifests of runs that have not taken place."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import fields
from typing import Any

from lengthwise.tracking.runs.manifest import Manifest
from lengthwise.tracking.runs.process import current_process
from lengthwise.tracking.runs.run import Run
from lengthwise.tracking.runs.run_record import RunRecord

StartRun = Callable[..., AbstractContextManager[Run]]
"""Opens a run, given where it is tracked and what differs from the usual record."""

PROCESS = current_process()


def make_manifest(**changes: Any) -> Manifest:
    """Return the manifest of a finished run.

    Args:
        changes: fields of the manifest or of its record.
    """
    values: dict[str, Any] = {
        "name": "run",
        "id": "abcdef",
        "study": "try",
        "label": "run",
        "kind": "run",
        "parent": None,
        "status": "FINISHED",
        "started": "2026-01-01T00:00:00.000+00:00",
        "ended": "2026-01-01T00:00:09.000+00:00",
        "duration_seconds": 9.0,
        "command": ("python", "train.py"),
        "seed": 0,
        "params": {},
        "tags": {},
        "dataset": None,
        "primary_metric": None,
        "config_sha256": "cd" * 32,
        "versions": {"lengthwise": "0.1.0"},
        "git": None,
        "process": PROCESS,
        "summary": {},
        "failure": None,
    }
    values |= changes
    return Manifest(record=RunRecord(**{field.name: values.pop(field.name) for field in fields(RunRecord)}), **values)
