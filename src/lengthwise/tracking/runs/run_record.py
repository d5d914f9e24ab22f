"""The description of a run that is fixed before it starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from lengthwise.credentials import hide_credentials

Value = str | int | float | bool | None
RunKind = Literal["run", "sweep"]

MAX_RUN_NAME_LENGTH = 130
"""A run's directory is named by the time, its label and its id."""

_MAX_NAME_LENGTH = 100
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class FileRecord:
    """A file that the data were read from.

    Args:
        option: The option that names it, such as `dataset.path`.
        path: As the user wrote it.
        sha256: Hexadecimal hash of its bytes.
    """

    option: str
    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetRecord:
    """The data of a run.

    Args:
        name: The option `dataset.name`.
        sha256: Hexadecimal hash of the data's content.
        split_sizes: Examples of each split.
        files: The user's files that the data were read from; runs recorded before there was this field have none.
    """

    name: str
    sha256: str
    split_sizes: Mapping[str, int]
    files: tuple[FileRecord, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PrimaryMetric:
    """The metric by which the runs of a study are compared.

    Args:
        name: `split/metric`, such as `test/exact_match`.
        greater_is_better: Whether a greater value is better.
    """

    name: str
    greater_is_better: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord:
    """What is fixed before a run starts, and stored in its manifest.

    Args:
        study: Directory below `output_dir`, and the experiment in MLflow.
        label: What the run is, such as `repeat-digits`; part of its name.
        params: Every option under its dotted name, the same names in every run.
        tags: Further texts to filter runs by, such as a sweep's overrides.
        command: The arguments that the process was started with.
        dataset: The data; None for a sweep.
        parent: Name of the sweep that the run belongs to; None for a run outside of sweeps.
        seed: Seed of the run; None for a sweep.
        kind: `run`, or `sweep` for the parent of runs.
        primary_metric: The metric by which the runs of the study are compared; None for a sweep.

    Raises:
        ValueError: Study, label or parent cannot be the name of a directory.
    """

    study: str
    label: str
    params: Mapping[str, Value]
    tags: Mapping[str, str]
    command: tuple[str, ...]
    dataset: DatasetRecord | None
    parent: str | None
    seed: int | None
    kind: RunKind = "run"
    primary_metric: PrimaryMetric | None = None

    def __post_init__(self) -> None:
        check_name("study", self.study)
        check_name("label", self.label)
        if self.parent is not None:
            check_name("parent", self.parent, max_length=MAX_RUN_NAME_LENGTH)


def check_name(field: str, text: str, *, max_length: int = _MAX_NAME_LENGTH) -> None:
    """Refuse a text that would not do as the name of a directory everywhere, or would lead out of its parent.

    Args:
        field: What the text names, for the message.
        text: The name.
        max_length: In characters.

    Raises:
        ValueError: It is refused.
    """
    if len(text) > max_length or not _NAME.fullmatch(text):
        raise ValueError(f"{field} must be letters, digits, '_', '.', '-', at most {max_length}; got {text[:200]!r}")


def without_credentials(record: RunRecord) -> RunRecord:
    """Return a record fit to be stored: credentials are not part of a run."""
    return replace(
        record,
        params={
            key: hide_credentials(value) if isinstance(value, str) else value for key, value in record.params.items()
        },
        tags={key: hide_credentials(value) for key, value in record.tags.items()},
        command=tuple(hide_credentials(argument) for argument in record.command),
    )
