"""Running jobs as Slurm jobs with submitit; without Slurm, as processes of this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lengthwise.config.options import SlurmLauncherOptions
from lengthwise.errors import ConfigError
from lengthwise.sweeps.executors.contract import Assignment
from lengthwise.sweeps.executors.worker import perform_job
from lengthwise.sweeps.jobs import AttemptStatus

_MAX_QUEUED = 100
_SPARE_MINUTES = 2
"""Slurm's own limit is this much longer than Lengthwise's, so that Lengthwise stops a job first and in order."""


class SlurmCluster:
    """A Slurm cluster; a handle is submitit's job.

    Args:
        options: Of the launcher.
        folder: Where submitit stores the jobs it sends; every host must see it. What it stores may hold credentials
            of the options: only this user can read it, and it is removed when the job has ended.

    Raises:
        ConfigError: `submitit` is not installed, or this host has no Slurm.
    """

    def __init__(self, options: SlurmLauncherOptions, folder: Path) -> None:
        try:
            import submitit
        except ImportError as error:
            remedy = "Install it: pip install 'lengthwise[slurm]'"
            raise ConfigError("hydra/launcher=slurm", "needs submitit", received=None, remedy=remedy) from error
        try:
            self._executor: Any = submitit.AutoExecutor(folder=str(folder), cluster=options.cluster)
        except RuntimeError as error:
            remedy = "Run it on a host that has `srun`, or try it with hydra.launcher.cluster=local"
            name = "hydra.launcher.cluster"
            raise ConfigError(name, "must be available", received=options.cluster, remedy=remedy) from error
        self._executor.update_parameters(
            name="lengthwise",
            timeout_min=int(options.timeout_minutes + _SPARE_MINUTES),
            cpus_per_task=options.cores,
            mem_gb=options.memory_gb,
        )
        self._is_local = options.cluster == "local"
        if options.cluster == "slurm":
            given = {"slurm_partition": options.partition, "slurm_account": options.account}
            self._executor.update_parameters(**{key: value for key, value in given.items() if value is not None})

    def count_places(self) -> int:
        """Return how many jobs are queued at once: Slurm decides when they run."""
        return _MAX_QUEUED

    def submit(self, assignment: Assignment) -> Any:
        """Queue a job; returns its handle."""
        before = os.umask(0o077)
        try:
            return self._executor.submit(perform_job, assignment)
        finally:
            os.umask(before)

    def has_begun(self, handle: Any) -> bool:
        """Return whether a job has left the queue."""
        return str(handle.state).upper() == "RUNNING"

    def poll(self, handle: Any) -> AttemptStatus | None:
        """Return how a job ended; None while it has not."""
        if not handle.done():
            return None
        handle.paths.submitted_pickle.unlink(missing_ok=True)
        if self._is_local and not handle.paths.result_pickle.exists():
            return self._describe_loss(handle)  # submitit would wait 15 s for it, as if the disk were a shared one
        error = handle.exception()  # perform_job raises nothing, so its process has died
        if error is None:
            status: AttemptStatus = handle.result()
            return status
        return self._describe_loss(handle)

    @staticmethod
    def _describe_loss(handle: Any) -> AttemptStatus:
        state = str(handle.state).lower()
        reason = f"its process or host was lost (Slurm job {handle.job_id}, {state})"
        return AttemptStatus(status="KILLED", seconds=0.0, reason=reason, is_transient=True)

    def _cancel(self, handle: Any) -> None:
        """Have a job end in order.

        submitit interrupts the process that watches over a local job: that one prints a traceback and gives the job one
        second. SIGTERM it hands on to the job, and waits.
        """
        if not self._is_local:
            handle.cancel(check=False)
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(handle.job_id), signal.SIGTERM)

    def stop(self, handles: Sequence[Any], patience_seconds: float) -> None:
        """Cancel jobs: they receive SIGTERM and later SIGKILL; waits for their end at most as long as given."""
        for handle in handles:
            self._cancel(handle)
        deadline = time.monotonic() + patience_seconds
        while not all(handle.done() for handle in handles) and time.monotonic() < deadline:
            time.sleep(0.2)
        for handle in handles:
            if not handle.done():
                handle.cancel(check=False)
            handle.paths.submitted_pickle.unlink(missing_ok=True)
