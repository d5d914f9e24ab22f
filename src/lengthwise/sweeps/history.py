"""What earlier sweeps of a study have done already."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from lengthwise.config.options import RunOptions
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.errors import LengthwiseError, RunError
from lengthwise.pipeline.launch import JOB_TAG
from lengthwise.sweeps.jobs import Job, identify_run
from lengthwise.sweeps.ledger import list_identities
from lengthwise.tracking.runs.manifest import MANIFEST_NAME, Manifest, Status, read_manifest

_LOCK_NAME = ".sweeps.lock"
_LONGEST_WAIT_SECONDS = 60.0


class Earlier(NamedTuple):
    """A job's run in an earlier sweep.

    Args:
        directory: of the run.
        status: how it ended.
        data: hash of its data; None where it is not known.
        seconds: its duration; 0 where it is not known.
        score: its primary metric with its name; None where it has none.
        value: its primary metric on the validation split, by which a search compares; None where it has none.
        commit: of the code that it was made by; None where it is not known.
    """

    directory: Path
    status: Status
    data: str | None
    seconds: float
    score: tuple[str, float] | None
    value: float | None
    commit: str | None


class History:
    """The jobs of earlier sweeps, of each study read once."""

    def __init__(self) -> None:
        self._studies: dict[Path, dict[str, list[Earlier]]] = {}
        self._data: dict[tuple[object, object], str | None] = {}

    def find(self, job: Job, study: Path) -> Earlier | None:
        """Return what a job need not do again.

        Args:
            job: the job.
            study: directory of its study.

        Returns:
            The newest finished run with the same options, data and version; else the newest of its other runs if
            that was interrupted; else None.
        """
        if study not in self._studies:
            self._studies[study] = _read_study(study)
        found = self._studies[study].get(job.identity, [])
        same = [run for run in found if self._has_same_data(run, job.options)]
        finished = [run for run in same if run.status == "FINISHED"]
        if finished:
            return finished[-1]
        return same[-1] if same and same[-1].status == "KILLED" else None

    def _has_same_data(self, run: Earlier, options: RunOptions) -> bool:
        """Tell whether a file of data is still what it was; generated data hang on the options and version alone."""
        if run.data is None or getattr(options.dataset, "path", None) is None:
            return True
        key = (options.dataset, options.timesteps)
        if key not in self._data:
            try:
                self._data[key] = load_dataset(options.dataset, options.timesteps).content_hash
            except LengthwiseError:  # the job itself will say what is wrong
                self._data[key] = None
        return run.data == self._data[key]


def _read_study(study: Path) -> dict[str, list[Earlier]]:
    """Return the runs of a study that were jobs of sweeps, by identity, the oldest first."""
    found: dict[str, list[Earlier]] = {}
    for directory, manifest in _read_manifests(study):
        if manifest.kind == "run" and JOB_TAG in manifest.tags:
            identity = identify_run(manifest.params, manifest.versions.get("lengthwise", ""))
            found.setdefault(identity, []).append(_summarise(directory, manifest))
    return found


def _read_manifests(study: Path) -> Iterator[tuple[Path, Manifest]]:
    for path in sorted(study.glob(f"*/{MANIFEST_NAME}")):
        with contextlib.suppress(RunError):  # being made just now, or damaged: no run to build on
            yield path.parent, read_manifest(path.parent)


def _summarise(directory: Path, manifest: Manifest) -> Earlier:
    return Earlier(
        directory=directory,
        status=manifest.status,
        data=None if manifest.dataset is None else manifest.dataset.sha256,
        seconds=manifest.duration_seconds or 0.0,
        score=find_score(manifest),
        value=_find_value(manifest),
        commit=None if manifest.git is None else manifest.git.commit,
    )


def find_score(manifest: Manifest) -> tuple[str, float] | None:
    """Return the primary metric of a run with its name; None where it has none.

    Args:
        manifest: of the run.
    """
    name = None if manifest.primary_metric is None else manifest.primary_metric.name
    return None if name is None or name not in manifest.summary else (name, manifest.summary[name])


def _find_value(manifest: Manifest) -> float | None:
    name = "" if manifest.primary_metric is None else manifest.primary_metric.name
    return manifest.summary.get(f"val/{name.partition('/')[2]}")


def find_parent(study: Path, jobs: Sequence[Job]) -> Path | None:
    """Find the sweep that a command goes on with: the newest of the study that has one of its jobs.

    Args:
        study: directory of the study.
        jobs: of the command.

    Returns:
        Directory of the parent run; None where there is none.

    Raises:
        LengthwiseError: such a sweep is running.
    """
    wanted = {job.identity for job in jobs}
    newest = None
    for directory, manifest in _read_manifests(study):
        shared = wanted & list_identities(directory) if manifest.kind == "sweep" else None
        if shared and manifest.status == "RUNNING":
            owner = manifest.owner
            raise LengthwiseError(
                f"{len(shared)} of these jobs belong to a sweep that is running, {directory.name}, as process "
                f"{owner.pid} on {owner.host}. Wait for it, or choose another study=NAME."
            )
        newest = directory if shared else newest
    return newest


@contextlib.contextmanager
def lock_study(study: Path) -> Iterator[None]:
    """Let one sweep at a time choose its jobs; the system releases the lock of a dead process.

    Args:
        study: directory of the study.

    Raises:
        LengthwiseError: another process holds the lock and does not go on.
    """
    lock = FileLock(study / _LOCK_NAME, timeout=_LONGEST_WAIT_SECONDS)
    try:
        study.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        rule = f"Another sweep of {study.name} is being started and does not go on"
        raise LengthwiseError(f"{rule} (lock {lock.lock_file}). End it, or choose another study=NAME.") from error
    except OSError:  # opening the parent run tells what is wrong with the directory
        yield
        return
    try:
        yield
    finally:
        lock.release()
