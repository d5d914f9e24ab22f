"""The run directories of a sweep's jobs: which job made which, and which are resumed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

from lengthwise.errors import RunError
from lengthwise.pipeline.command import JOB_TAG
from lengthwise.sweeps.jobs import Job
from lengthwise.sweeps.parent_run import find_study
from lengthwise.tracking.runs.heartbeat import reap
from lengthwise.tracking.runs.manifest import read_manifest

_POLL_SECONDS = 0.2


class JobRuns:
    """Finds the runs that the jobs of one command make or resume; no manifest is read twice.

    Args:
        parent: Name of the sweep's parent run.
    """

    def __init__(self, parent: str) -> None:
        self._parent = parent
        self._known: dict[Path, set[str]] = {}  # of each study the names of runs that need not be read any more
        self._made: dict[tuple[Path, str], list[str]] = {}  # study and number of a job -> names of its runs
        self._resumed: dict[str, Path] = {}

    def skip_existing(self, studies: Iterable[Path]) -> None:
        """Leave out the runs that studies have by now; earlier commands made them.

        Args:
            studies: Directories; one that was given before is not read again.
        """
        for study in set(studies) - self._known.keys():
            self._known[study] = set(_list_names(study))

    def skip(self, directory: Path) -> None:
        """Leave out a run from now on.

        Args:
            directory: Of the run.
        """
        self._known.setdefault(directory.parent, set()).add(directory.name)
        for (study, _), names in self._made.items():
            if study == directory.parent and directory.name in names:
                names.remove(directory.name)

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
        study = find_study(job)
        self._read_new(study)
        names = self._made.get((study, str(job.number)))
        return study / max(names) if names else None

    def _read_new(self, study: Path) -> None:
        """Read the manifests of the runs that have been made since the last time."""
        known = self._known.setdefault(study, set())
        for name in set(_list_names(study)) - known:
            with contextlib.suppress(RunError):  # another process is just making it
                record = read_manifest(study / name).record
                known.add(name)
                if record.parent == self._parent and JOB_TAG in record.tags:
                    self._made.setdefault((study, record.tags[JOB_TAG]), []).append(name)


def _list_names(study: Path) -> list[str]:
    """Return the names in a directory, without a path for each: a study may hold many thousand runs."""
    return os.listdir(study) if study.is_dir() else []  # noqa: PTH208


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
