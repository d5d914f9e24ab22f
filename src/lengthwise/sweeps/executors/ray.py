"""Running jobs as tasks of a Ray cluster, which must be running already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lengthwise.errors import ConfigError
from lengthwise.signals import restore_sigterm
from lengthwise.sweeps.executors.contract import Assignment
from lengthwise.sweeps.executors.worker import perform_job
from lengthwise.sweeps.jobs import AttemptStatus

_JOBS_PER_WORKER = 50


class RayCluster:
    """A Ray cluster; a handle is the reference to a task's result.

    Args:
        address: Of the cluster, or `auto`.
        cores: Of each job.

    Raises:
        ConfigError: Ray is not installed, or there is no such cluster.
    """

    def __init__(self, address: str, *, cores: int) -> None:
        try:
            import ray
        except ImportError as error:
            remedy = "Install it on every host: pip install 'lengthwise[ray]'"
            raise ConfigError("hydra/launcher=ray", "needs Ray", received=None, remedy=remedy) from error
        self._ray: Any = ray
        self._cores = cores
        self._open: list[Any] = []
        try:
            with restore_sigterm():  # Ray replaces the handler
                ray.init(address=address, log_to_driver=False, logging_level="error", ignore_reinit_error=True)
        except (ConnectionError, ValueError, RuntimeError) as error:
            remedy = "Start one with `ray start --head`, or give its address"
            name = "hydra.launcher.address"
            raise ConfigError(name, "must be a Ray cluster that runs", received=repr(address), remedy=remedy) from error
        # No retries by Ray: the sweep starts a job again itself, counts the attempts and resumes from its checkpoint.
        self._task: Any = ray.remote(num_cpus=cores, max_retries=0, max_calls=_JOBS_PER_WORKER)(perform_job)

    def count_places(self) -> int:
        """Return how many jobs the cluster's cores have room for."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1) // self._cores))

    def submit(self, assignment: Assignment) -> Any:
        """Start a job, or queue it; returns its handle."""
        handle = self._task.remote(assignment)
        self._open.append(handle)
        return handle

    def has_begun(self, handle: Any, /) -> bool:
        """Return whether a job has left the queue. Ray starts the oldest first; the queue grows if a host is lost."""
        return handle in self._open[: self.count_places()]

    def poll(self, handle: Any) -> AttemptStatus | None:
        """Return how a job ended; None while it has not."""
        done, _ = self._ray.wait([handle], timeout=0)
        if not done:
            return None
        self._open.remove(handle)
        try:
            status: AttemptStatus = self._ray.get(handle)
        except self._ray.exceptions.RayError as error:  # concerns only this task
            reason = f"its process or host was lost ({type(error).__name__})"
            return AttemptStatus(status="KILLED", seconds=0.0, reason=reason, is_transient=True)
        return status

    def stop(self, handles: Sequence[Any], patience_seconds: float) -> None:
        """Interrupt jobs, whose runs then close themselves; kill those that have not ended within the time."""
        self._open = [handle for handle in self._open if handle not in handles]
        for handle in handles:
            self._ray.cancel(handle, force=False)
        if handles:
            _, left = self._ray.wait(list(handles), num_returns=len(handles), timeout=patience_seconds)
            for handle in left:
                self._ray.cancel(handle, force=True)
