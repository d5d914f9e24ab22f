"""Finding runs among their directories, by name, by age or by score."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, get_args

from lengthwise.errors import RunError
from lengthwise.tracking.runs.layout import MANIFEST_NAME
from lengthwise.tracking.runs.manifest import Manifest, read_manifest
from lengthwise.tracking.runs.status import Status

_MOST_CANDIDATES = 10
_BEST, _LATEST = "best:", "latest"


class StoredRun(NamedTuple):
    """A run as it is found.

    Args:
        directory: The run's directory.
        manifest: Its manifest.
    """

    directory: Path
    manifest: Manifest


def list_runs(output_dir: Path, study: str | None = None) -> list[StoredRun]:
    """Return the runs, newest first; directories without a manifest that can be read are left out.

    Args:
        output_dir: Where run directories are.
        study: Only the runs of this study; None: all runs.
    """
    runs = []
    for path in output_dir.glob(f"{study or '*'}/*/{MANIFEST_NAME}"):
        with contextlib.suppress(RunError):
            runs.append(StoredRun(path.parent, read_manifest(path.parent)))
    return sorted(runs, key=lambda run: (run.manifest.started, run.manifest.name), reverse=True)


def find_run(output_dir: Path, reference: str, *, latest_among: Sequence[Status] = get_args(Status)) -> StoredRun:
    """Find one run.

    Args:
        output_dir: Where run directories are.
        reference: One of

            - `latest`: the newest run that is not a sweep, among those of the statuses given;
            - `best:STUDY`: the finished run of a study with the best primary metric, the newest among ties; taken on
              the validation split if there is one, since a choice by the test split would bias the test score;
            - the path of a run directory;
            - a name, or the part of it after the time, or the name that MLflow shows, which ends with the id;
            - the beginning of a name, or of its last six digits.
        latest_among: The statuses that `latest` may have, such as FINISHED where a trained model is needed.

    Raises:
        RunError: No run fits, or several do; the message names candidates.
    """
    directory = Path(reference)
    if (directory / MANIFEST_NAME).is_file():
        return StoredRun(directory.resolve(), read_manifest(directory))
    if reference.startswith(_BEST):
        return _find_best(output_dir, reference.removeprefix(_BEST))
    reference = reference.rpartition(" ")[2]
    runs = list_runs(output_dir)
    if reference == _LATEST and runs:
        return _find_latest(output_dir, runs, latest_among)
    found = _matching(runs, reference)
    if len(found) == 1:
        return found[0]
    raise RunError(_refusal(output_dir, reference, found, runs))


def _find_best(output_dir: Path, study: str) -> StoredRun:
    if not re.fullmatch(r"[\w.-]+", study):
        raise RunError(f"best:STUDY needs the name of a study; got {_BEST + study!r}.")
    best: tuple[float, StoredRun] | None = None
    for run in list_runs(output_dir, study):
        metric, summary = run.manifest.record.primary_metric, run.manifest.summary
        if run.manifest.record.kind != "run" or run.manifest.status != "FINISHED" or metric is None:
            continue
        value = summary.get(f"val/{metric.name.rpartition('/')[2]}", summary.get(metric.name, math.nan))
        score = value * (1 if metric.greater_is_better else -1)
        if not math.isnan(score) and (best is None or score > best[0]):
            best = score, run
    if best is None:
        raise RunError(f"No run of the study {study!r} in {output_dir} has finished with a score. Train one.")
    return best[1]


def _find_latest(output_dir: Path, runs: list[StoredRun], statuses: Sequence[Status]) -> StoredRun:
    candidates = [run for run in runs if run.manifest.record.kind == "run"]
    found = next((run for run in candidates if run.manifest.status in statuses), None)
    if found is not None:
        return found
    if not candidates:
        raise RunError(f"There is no run in {output_dir} that is not a sweep. Train one, or name one.")
    newest, wanted = candidates[0].manifest, " or ".join(statuses)
    raise RunError(f"No run in {output_dir} is {wanted}; the newest, {newest.name}, is {newest.status}. Name a run.")


def _matching(runs: list[StoredRun], reference: str) -> list[StoredRun]:
    exact = [run for run in runs if reference in _full_names(run.manifest)]
    if exact or not reference:
        return exact
    return [run for run in runs if run.manifest.name.startswith(reference) or run.manifest.id.startswith(reference)]


def _full_names(manifest: Manifest) -> tuple[str, str, str]:
    record = manifest.record
    return manifest.name, f"{record.study}/{manifest.name}", f"{record.label}-{manifest.id}"


def _refusal(output_dir: Path, reference: str, found: list[StoredRun], runs: list[StoredRun]) -> str:
    if not runs:
        return f"There are no runs in {output_dir}. Train one, or give another output_dir=DIRECTORY."
    if found:
        return f"{reference!r} could be {_names(found)}. Give more of the name."
    return f"There is no run {reference!r} in {output_dir}. The newest are {_names(runs)}."


def _names(runs: list[StoredRun]) -> str:
    shown = ", ".join(run.manifest.name for run in runs[:_MOST_CANDIDATES])
    rest = len(runs) - _MOST_CANDIDATES
    return shown if rest <= 0 else f"{shown} and {rest} more"
