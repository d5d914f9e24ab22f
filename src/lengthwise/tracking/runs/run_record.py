"""What is known of a run before it starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lengthwise.tracking.runs.manifest import DatasetRecord, PrimaryMetric, Value

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s/@]+@")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord:
    """What is known of a run before it starts.

    Args:
        output_dir: where run directories are made; absolute.
        study: directory below it, and the experiment in MLflow.
        label: what the run is, such as `repeat-digits`; part of its name.
        config_text: the whole configuration as YAML.
        params: every option under its dotted name, the same names in every run.
        tags: further facts to filter runs by, such as a sweep's overrides.
        command: the arguments the process was started with.
        dataset: the data; None where there is none, as for a sweep.
        parent: name of the directory of the sweep this run belongs to; None where it stands alone.
        seed: the run's seed; None for a sweep.
        kind: `run`, or `sweep` for the parent of runs.
        primary_metric: by which the runs of the study are compared.

    Raises:
        ValueError: study or label would not do as the name of a directory, or `output_dir` is relative.
    """

    output_dir: Path
    study: str
    label: str
    config_text: str
    params: Mapping[str, Value]
    tags: Mapping[str, str]
    command: tuple[str, ...]
    dataset: DatasetRecord | None
    parent: str | None
    seed: int | None
    kind: Literal["run", "sweep"] = "run"
    primary_metric: PrimaryMetric | None = None

    def __post_init__(self) -> None:
        for field, text in (("study", self.study), ("label", self.label)):
            if not _NAME.fullmatch(text):
                raise ValueError(f"{field} must be letters, digits, '_', '.', '-', at most 100; got {text!r}")
        if not self.output_dir.is_absolute():
            raise ValueError(f"output_dir must be absolute; got {self.output_dir}")


def hide_password(text: str) -> str:
    """Return text with the passwords of its addresses replaced by stars.

    >>> hide_password("postgresql://me:secret@host/runs")
    'postgresql://me:***@host/runs'
    """
    return _PASSWORD.sub(r"\1***@", text)


def without_passwords(record: RunRecord) -> RunRecord:
    """Return a record fit to be stored: the password of a database is no part of a run."""
    return replace(
        record,
        config_text=hide_password(record.config_text),
        params={key: hide_password(value) if isinstance(value, str) else value for key, value in record.params.items()},
        tags={key: hide_password(value) for key, value in record.tags.items()},
        command=tuple(hide_password(argument) for argument in record.command),
    )
