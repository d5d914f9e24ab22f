"""The history of a study: which jobs earlier sweeps have finished or left unfinished, and the sweep to resume."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from lengthwise.config.options import RunOptions
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.errors import LengthwiseError, RunError
from lengthwise.pipeline.command import JOB_TAG
from lengthwise.sweeps.jobs import Job, Score, identify_run
from lengthwise.sweeps.ledger import LEDGER_PATTERN, list_identities
from lengthwise.tracking.runs.find import StoredRun
from lengthwise.tracking.runs.layout import MANIFEST_NAME
from lengthwise.tracking.runs.manifest import Manifest, read_manifest

_LOCK_NAME = ".sweeps.lock"
_MAX_WAIT_SECONDS = 60.0


class History:
    """The runs that jobs of earlier sweeps have left; each study is read once."""

    def __init__(self) -> None:
        self._studies: dict[Path, dict[str, list[StoredRun]]] = {}
        self._data_hashes: dict[tuple[object, object], str | None] = {}

    def find(self, job: Job, study: Path) -> StoredRun | None:
        """Return the run that makes a job unnecessary, or that the job resumes.

        Args:
            job: The job.
            study: Directory of its study.

        Returns:
            The newest finished run with the same options, data and version; otherwise the newest of its runs if that
            one was interrupted; otherwise None.
        """
        if study not in self._studies:
            self._studies[study] = _read_study(study)
        found = self._studies[study].get(job.identity, [])
        same = [run for run in found if self._has_same_data(run.manifest, job.options)]
        finished = [run for run in same if run.manifest.status == "FINISHED"]
        if finished:
            return finished[-1]
        return same[-1] if same and same[-1].manifest.status == "KILLED" else None

    def list_finished(self, study: Path) -> list[Manifest]:
        """Return the runs of a study that were jobs and have finished."""
        if study not in self._studies:
            self._studies[study] = _read_study(study)
        runs = [run.manifest for own in self._studies[study].values() for run in own]
        return [manifest for manifest in runs if manifest.status == "FINISHED"]

    def _has_same_data(self, manifest: Manifest, options: RunOptions) -> bool:
        """Return whether a data file is unchanged; generated data depend only on the options and the version."""
        if manifest.record.dataset is None or getattr(options.dataset, "path", None) is None:
            return True
        key = (options.dataset, options.timesteps)
        if key not in self._data_hashes:
            try:
                self._data_hashes[key] = load_dataset(options.dataset, options.timesteps).content_hash
            except LengthwiseError:  # the job itself reports what is wrong
                self._data_hashes[key] = None
        return manifest.record.dataset.sha256 == self._data_hashes[key]


def _read_study(study: Path) -> dict[str, list[StoredRun]]:
    """Return the runs of a study that were jobs of sweeps, by identity, the oldest first."""
    found: dict[str, list[StoredRun]] = {}
    for directory, manifest in _read_manifests(study):
        if manifest.record.kind == "run" and JOB_TAG in manifest.record.tags:
            identity = identify_run(manifest.record.params, manifest.versions.get("lengthwise", ""))
            found.setdefault(identity, []).append(StoredRun(directory, manifest))
    return found


def _read_manifests(study: Path) -> Iterator[StoredRun]:
    for path in sorted(study.glob(f"*/{MANIFEST_NAME}")):
        with contextlib.suppress(RunError):  # just being made, or damaged: not a run to build on
            yield StoredRun(path.parent, read_manifest(path.parent))


def read_score(manifest: Manifest) -> Score | None:
    """Return the primary metric of a run; None if it has none.

    Args:
        manifest: Of the run.
    """
    name = None if manifest.record.primary_metric is None else manifest.record.primary_metric.name
    return None if name is None or name not in manifest.summary else Score(name, manifest.summary[name])


def read_validation_value(manifest: Manifest) -> float | None:
    """Return the primary metric of a run on the validation split, by which a search compares; None if it has none.

    Args:
        manifest: Of the run.
    """
    name = "" if manifest.record.primary_metric is None else manifest.record.primary_metric.name
    return manifest.summary.get(f"val/{name.partition('/')[2]}")


def find_parent_run(study: Path, jobs: Sequence[Job]) -> Path | None:
    """Find the sweep that a command resumes: the newest of the study that has one of its jobs.

    Args:
        study: Directory of the study.
        jobs: Of the command.

    Returns:
        Directory of the parent run; None if there is none.

    Raises:
        LengthwiseError: Such a sweep is still running.
    """
    wanted = {job.identity for job in jobs}
    newest = None
    for directory in sorted({path.parent for path in study.glob(f"*/{LEDGER_PATTERN}")}):
        shared = wanted & list_identities(directory)
        if not shared:
            continue
        try:
            manifest = read_manifest(directory)
        except RunError:  # damaged: not a sweep to build on
            continue
        if manifest.status == "RUNNING":
            process = manifest.process
            raise LengthwiseError(
                f"{len(shared)} of these jobs belong to a sweep that is running, {directory.name}, as process "
                f"{process.pid} on {process.host}. Wait for it, or choose another study=NAME."
            )
        newest = directory
    return newest


@contextlib.contextmanager
def lock_study(study: Path) -> Iterator[None]:
    """Let one sweep at a time choose its jobs; the system releases the lock of a dead process.

    Args:
        study: Directory of the study.

    Raises:
        LengthwiseError: Another process holds the lock for too long.
    """
    lock = FileLock(study / _LOCK_NAME, timeout=_MAX_WAIT_SECONDS)
    try:
        study.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        rule = f"Another sweep of {study.name} is being started and makes no progress"
        raise LengthwiseError(f"{rule} (lock {lock.lock_file}). End it, or choose another study=NAME.") from error
    except OSError:  # opening the parent run reports what is wrong with the directory
        yield
        return
    try:
        yield
    finally:
        lock.release()
