"""The run directories of a sweep's jobs: which job made which, and which are resumed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path

from lengthwise.errors import RunError
from lengthwise.pipeline.command import JOB_TAG
from lengthwise.sweeps.jobs import Job
from lengthwise.sweeps.parent_run import find_study
from lengthwise.tracking.runs.heartbeat import reap
from lengthwise.tracking.runs.manifest import Manifest, read_manifest

_POLL_SECONDS = 0.2


class JobRuns:
    """Finds the runs that the jobs of one command make or resume; no manifest is read twice.

    Args:
        parent: Name of the sweep's parent run.
    """

    def __init__(self, parent: str) -> None:
        self._parent = parent
        self._studies: set[Path] = set()
        self._manifests: dict[Path, Manifest | None] = {}  # None: not a run that a job of this command has made
        self._resumed: dict[str, Path] = {}

    def skip_existing(self, studies: Iterable[Path]) -> None:
        """Leave out the runs that studies have by now; earlier commands made them.

        Args:
            studies: Directories; one that was given before is not read again.
        """
        for study in set(studies) - self._studies:
            self._studies.add(study)
            self._manifests |= dict.fromkeys(study.iterdir() if study.is_dir() else ())

    def skip(self, directory: Path) -> None:
        """Leave out a run from now on.

        Args:
            directory: Of the run.
        """
        self._manifests[directory] = None

    def resume(self, job: Job, directory: Path) -> None:
        """Note that a job resumes a run.

        Args:
            job: The job.
            directory: Of the run.
        """
        self._resumed[job.identity] = directory

    def find_resumed(self, job: Job) -> Path | None:
        """Return the directory of the run that a job resumes; None if it starts a new one.

        Args:
            job: The job.
        """
        return self._resumed.get(job.identity)

    @property
    def num_resumed(self) -> int:
        """Jobs that resume a run."""
        return len(self._resumed)

    def find(self, job: Job) -> Path | None:
        """Return the run directory of a job's latest attempt under this command; None if it has made none yet.

        Args:
            job: The job.
        """
        if job.identity in self._resumed:
            return self._resumed[job.identity]
        found = []
        study = find_study(job)
        for directory in study.iterdir() if study.is_dir() else ():
            manifest = self._read(directory)
            if manifest is not None and manifest.record.tags.get(JOB_TAG) == str(job.number):
                found.append(directory)
        return max(found) if found else None

    def _read(self, directory: Path) -> Manifest | None:
        if directory not in self._manifests:
            with contextlib.suppress(RunError):  # another process is just making it
                manifest = read_manifest(directory)
                self._manifests[directory] = manifest if manifest.record.parent == self._parent else None
        return self._manifests.get(directory)


def await_closed(directory: Path, patience_seconds: float) -> bool:
    """Wait until a run is closed; a run whose process has died is closed here.

    Args:
        directory: Of the run.
        patience_seconds: Longest wait.

    Returns:
        Whether it is closed. False for a run on a lost host, whose process nobody can tell to be dead yet.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        reap(directory.parent.parent)
        if read_manifest(directory).status != "RUNNING":
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
