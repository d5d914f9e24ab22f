"""Finding runs by their directories alone."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lengthwise.errors import RunError
from lengthwise.tracking.runs.layout import MANIFEST_NAME
from lengthwise.tracking.runs.manifest import Manifest, Status, read_manifest

_MOST_CANDIDATES = 10
_BEST = "best:"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSummary:
    """A run as listings show it; the fields as in `Manifest`, `failure` being its reason."""

    name: str
    id: str
    study: str
    label: str
    kind: Literal["run", "sweep"]
    parent: str | None
    status: Status
    started: str
    duration_seconds: float | None
    seed: int | None
    dataset: str | None
    summary: Mapping[str, float]
    failure: str | None
    directory: Path


def list_runs(output_dir: Path, study: str | None = None) -> list[RunSummary]:
    """Return the runs, newest first; directories without a manifest that can be read are passed over.

    Args:
        output_dir: where run directories are.
        study: only the runs of this one.
    """
    runs = []
    for path in output_dir.glob(f"{study or '*'}/*/{MANIFEST_NAME}"):
        with contextlib.suppress(RunError):
            runs.append(_summary(path.parent, read_manifest(path.parent)))
    return sorted(runs, key=lambda run: (run.started, run.name), reverse=True)


def find_run(output_dir: Path, reference: str) -> RunSummary:
    """Find one run.

    Args:
        output_dir: where run directories are.
        reference: `latest` (of the runs that are no sweeps); `best:STUDY`, the finished run of a study with the best
            primary metric, that of the validation split where there is one, since a choice by the test split would
            spoil it; of equal ones the newest; the path of a run directory; a name, or the part of it
            after the time, as MLflow shows it; or the beginning of a name or of its last six digits.

    Raises:
        RunError: there is none, or more than one; names those it could be.
    """
    directory = Path(reference)
    if (directory / MANIFEST_NAME).is_file():
        return _summary(directory.resolve(), read_manifest(directory))
    if reference.startswith(_BEST):
        return _find_best(output_dir, reference.removeprefix(_BEST))
    runs = list_runs(output_dir)
    found = [run for run in runs if run.kind == "run"][:1] if reference == "latest" else _matching(runs, reference)
    if len(found) == 1:
        return found[0]
    raise RunError(_refusal(output_dir, reference, found, runs))


def _find_best(output_dir: Path, study: str) -> RunSummary:
    if not re.fullmatch(r"[\w.-]+", study):
        raise RunError(f"best:STUDY needs the name of a study; got {_BEST + study!r}.")
    best: tuple[float, RunSummary] | None = None
    for run in list_runs(output_dir, study):
        metric = read_manifest(run.directory).primary_metric
        if run.kind != "run" or run.status != "FINISHED" or metric is None:
            continue
        value = run.summary.get(f"val/{metric.name.rpartition('/')[2]}", run.summary.get(metric.name, math.nan))
        score = value * (1 if metric.greater_is_better else -1)
        if not math.isnan(score) and (best is None or score > best[0]):
            best = score, run
    if best is None:
        raise RunError(f"No run of the study {study!r} in {output_dir} has finished with a score. Train one.")
    return best[1]


def _matching(runs: list[RunSummary], reference: str) -> list[RunSummary]:
    exact = [run for run in runs if reference in (run.name, f"{run.study}/{run.name}", f"{run.label}-{run.id}")]
    return exact or [
        run for run in runs if reference and (run.name.startswith(reference) or run.id.startswith(reference))
    ]


def _refusal(output_dir: Path, reference: str, found: list[RunSummary], runs: list[RunSummary]) -> str:
    if not runs:
        return f"There are no runs in {output_dir}. Train one, or give another output_dir=DIRECTORY."
    if found:
        return f"{reference!r} could be {_names(found)}. Give more of the name."
    return f"There is no run {reference!r} in {output_dir}. The newest are {_names(runs)}."


def _names(runs: list[RunSummary]) -> str:
    shown = ", ".join(run.name for run in runs[:_MOST_CANDIDATES])
    rest = len(runs) - _MOST_CANDIDATES
    return shown if rest <= 0 else f"{shown} and {rest} more"


def _summary(directory: Path, manifest: Manifest) -> RunSummary:
    return RunSummary(
        name=manifest.name,
        id=manifest.id,
        study=manifest.study,
        label=manifest.label,
        kind=manifest.kind,
        parent=manifest.parent,
        status=manifest.status,
        started=manifest.started,
        duration_seconds=manifest.duration_seconds,
        seed=manifest.seed,
        dataset=None if manifest.dataset is None else manifest.dataset.name,
        summary=manifest.summary,
        failure=None if manifest.failure is None else manifest.failure.reason,
        directory=directory,
    )
