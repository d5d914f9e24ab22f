"""Running jobs on a cluster that manages its own processes: the loop that Ray and Slurm share."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lengthwise.sweeps.executors.contract import SECONDS_TO_CLOSE, Assignment, Monitor, PoolSize, describe_timeout
from lengthwise.sweeps.jobs import AttemptStatus

_TICK_SECONDS = 0.5


class Cluster(Protocol):
    """A system that runs jobs; a handle is its own reference to one."""

    def count_places(self) -> int:
        """Return how many jobs there is room for."""

    def submit(self, assignment: Assignment) -> Any:
        """Start a job, or queue it; returns its handle."""

    def has_begun(self, handle: Any, /) -> bool:
        """Return whether a job has left the queue."""

    def poll(self, handle: Any) -> AttemptStatus | None:
        """Return how a job ended; None while it has not."""

    def stop(self, handles: Sequence[Any], patience_seconds: float) -> None:
        """Tell jobs to stop, and kill those that have not ended within the time."""


@dataclass(kw_only=True, slots=True)
class _Attempt:
    assignment: Assignment
    count: int
    handle: Any
    began: float | None = None

    @property
    def seconds(self) -> float:
        return 0.0 if self.began is None else time.monotonic() - self.began


class RemoteExecutor:
    """Runs jobs on a cluster; they are isolated from each other.

    Args:
        cluster: Runs them.
        num_workers: Jobs side by side; None for as many as there is room for.
        cores: Of each job.
        timeout_minutes: Longest that a job may take once it has begun; None for as long as it needs.
        retries: How often a job that died or ran out of time is started again.
    """

    def __init__(
        self, cluster: Cluster, *, num_workers: int | None, cores: int, timeout_minutes: float | None, retries: int
    ) -> None:
        self._cluster, self._num_workers, self._cores, self._retries = cluster, num_workers, cores, retries
        self._timeout_seconds = None if timeout_minutes is None else 60 * timeout_minutes
        self._running: list[_Attempt] = []

    def choose_size(self, num_jobs: int) -> PoolSize:
        """Return how many jobs run side by side, and the cores of each; see `Executor`."""
        wanted = self._cluster.count_places() if self._num_workers is None else self._num_workers
        return PoolSize(num_workers=max(1, min(wanted, num_jobs)), cores=self._cores)

    def run(self, assignments: Iterable[Assignment], *, num_workers: int, monitor: Monitor) -> None:
        """Run jobs, drawn as places become free, until each has ended; see `Executor`."""
        waiting = iter(assignments)
        try:
            while self._fill(waiting, num_workers):
                time.sleep(_TICK_SECONDS)
                for attempt in list(self._running):
                    status = self._check(attempt)
                    if status is not None:
                        self._end(attempt, status, monitor)
                self._prune(monitor)
        except BaseException:
            self._cluster.stop([attempt.handle for attempt in self._running], SECONDS_TO_CLOSE)
            self._running.clear()
            raise

    def _fill(self, waiting: Iterator[Assignment], num_workers: int) -> bool:
        """Submit jobs, as long as there are any and places are free; returns whether anything runs."""
        while len(self._running) < num_workers and (assignment := next(waiting, None)) is not None:
            self._submit(assignment, count=1)
        return bool(self._running)

    def _submit(self, assignment: Assignment, *, count: int) -> None:
        handle = self._cluster.submit(assignment)
        self._running.append(_Attempt(assignment=assignment, count=count, handle=handle))

    def _check(self, attempt: _Attempt) -> AttemptStatus | None:
        """Return how an attempt ended, stopping it if it has run out of time; None while it runs."""
        if attempt.began is None and self._cluster.has_begun(attempt.handle):
            attempt.began = time.monotonic()
        status = self._cluster.poll(attempt.handle)
        limit = self._timeout_seconds
        if status is None and limit is not None and attempt.seconds > limit:
            self._cluster.stop([attempt.handle], SECONDS_TO_CLOSE)
            return AttemptStatus(status="KILLED", seconds=limit, reason=describe_timeout(limit), is_transient=True)
        return status

    def _end(self, attempt: _Attempt, status: AttemptStatus, monitor: Monitor) -> None:
        self._running.remove(attempt)
        if status.is_transient and attempt.count <= self._retries:
            self._submit(monitor.on_retry(attempt.assignment), count=attempt.count + 1)
        else:
            monitor.on_end(attempt.assignment, status, attempt.count)

    def _prune(self, monitor: Monitor) -> None:
        """Stop the jobs that the monitor no longer wants."""
        attempts = {attempt.assignment.job.number: attempt for attempt in self._running}
        for number, reason in monitor.on_tick([attempt.assignment for attempt in self._running]).items():
            attempt = attempts[number]
            self._cluster.stop([attempt.handle], SECONDS_TO_CLOSE)
            self._end(attempt, AttemptStatus(status="PRUNED", seconds=attempt.seconds, reason=reason), monitor)
