"""Jobs as Ray tasks on a cluster that is there already."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Any

from lengthwise.errors import ConfigError
from lengthwise.sweeps.executors.worker import Assignment, perform_job
from lengthwise.sweeps.jobs import Ending

_JOBS_PER_WORKER = 50


class RayCluster:
    """A Ray cluster; a handle is the reference of a task's result.

    Args:
        address: `auto`, or of the cluster.
        cores: of each job.

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
        kept = signal.getsignal(signal.SIGTERM)  # Ray puts its own in its place
        try:
            ray.init(address=address, log_to_driver=False, logging_level="error", ignore_reinit_error=True)
        except (ConnectionError, ValueError, RuntimeError) as error:
            remedy = "Start one with `ray start --head`, or give its address"
            name = "hydra.launcher.address"
            raise ConfigError(name, "must be a Ray cluster that runs", received=repr(address), remedy=remedy) from error
        finally:
            signal.signal(signal.SIGTERM, kept)
        # Whether a job is started again is for the sweep to decide: from its checkpoint, and counted.
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
        """Tell whether a job has left the queue, which grows when a host is lost; Ray takes the oldest first."""
        return handle in self._open[: self.count_places()]

    def poll(self, handle: Any) -> Ending | None:
        """Return how a job ended; None while it has not."""
        done, _ = self._ray.wait([handle], timeout=0)
        if not done:
            return None
        self._open.remove(handle)
        try:
            ending: Ending = self._ray.get(handle)
        except self._ray.exceptions.RayError as error:  # of this task alone
            reason = f"its process or host was lost ({type(error).__name__})"
            return Ending(status="KILLED", seconds=0.0, reason=reason, passing=True)
        return ending

    def stop(self, handles: Sequence[Any], patience_seconds: float) -> None:
        """Interrupt jobs, whose runs then close themselves; end those that have not within the time."""
        self._open = [handle for handle in self._open if handle not in handles]
        for handle in handles:
            self._ray.cancel(handle, force=False)
        if handles:
            _, left = self._ray.wait(list(handles), num_returns=len(handles), timeout=patience_seconds)
            for handle in left:
                self._ray.cancel(handle, force=True)
