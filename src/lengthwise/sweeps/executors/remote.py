"""Jobs given to another system that keeps processes: the loop that Ray and Slurm share."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lengthwise.sweeps.executors.local import PoolSize, describe_limit
from lengthwise.sweeps.executors.worker import SECONDS_TO_CLOSE, Assignment, Monitor
from lengthwise.sweeps.jobs import Ending

_TICK_SECONDS = 0.5


class Cluster(Protocol):
    """A system that runs jobs; a handle is its own name for one."""

    def count_places(self) -> int:
        """Return how many jobs there is room for."""

    def submit(self, assignment: Assignment) -> Any:
        """Start a job, or queue it; returns its handle."""

    def has_begun(self, handle: Any, /) -> bool:
        """Tell whether a job has left the queue."""

    def poll(self, handle: Any) -> Ending | None:
        """Return how a job ended; None while it has not."""

    def stop(self, handles: Sequence[Any], patience_seconds: float) -> None:
        """Tell jobs to stop, and end those that have not within the time."""


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
    """Runs jobs on a cluster, each on its own: what becomes of one is nothing to the others.

    Args:
        cluster: runs them.
        num_workers: jobs side by side; None for as many as there is room for.
        cores: of each job.
        timeout_minutes: longest that a job may take once it has begun; None for as long as it needs.
        retries: how often a job is started again that died or ran out of time.
    """

    def __init__(
        self, cluster: Cluster, *, num_workers: int | None, cores: int, timeout_minutes: float | None, retries: int
    ) -> None:
        self._cluster, self._num_workers, self._cores, self._retries = cluster, num_workers, cores, retries
        self._timeout = None if timeout_minutes is None else 60 * timeout_minutes
        self._running: list[_Attempt] = []

    def choose_size(self, num_jobs: int) -> PoolSize:
        """Return how many jobs run side by side, and the cores of each; see `Executor`."""
        wanted = self._cluster.count_places() if self._num_workers is None else self._num_workers
        return PoolSize(workers=max(1, min(wanted, num_jobs)), cores=self._cores)

    def run(self, assignments: Iterable[Assignment], *, workers: int, monitor: Monitor) -> None:
        """Run jobs, drawn as places become free, until each has ended; see `Executor`."""
        source = iter(assignments)
        try:
            while self._fill(source, workers):
                time.sleep(_TICK_SECONDS)
                for attempt in list(self._running):
                    ending = self._look_at(attempt)
                    if ending is not None:
                        self._end(attempt, ending, monitor)
                self._prune(monitor)
        except BaseException:
            self._cluster.stop([attempt.handle for attempt in self._running], SECONDS_TO_CLOSE)
            self._running.clear()
            raise

    def _fill(self, source: Iterator[Assignment], workers: int) -> bool:
        while len(self._running) < workers and (assignment := next(source, None)) is not None:
            self._submit(assignment, count=1)
        return bool(self._running)

    def _submit(self, assignment: Assignment, *, count: int) -> None:
        handle = self._cluster.submit(assignment)
        self._running.append(_Attempt(assignment=assignment, count=count, handle=handle))

    def _look_at(self, attempt: _Attempt) -> Ending | None:
        if attempt.began is None and self._cluster.has_begun(attempt.handle):
            attempt.began = time.monotonic()
        ending = self._cluster.poll(attempt.handle)
        if ending is None and self._timeout is not None and attempt.seconds > self._timeout:
            self._cluster.stop([attempt.handle], SECONDS_TO_CLOSE)
            reason = describe_limit(self._timeout)
            return Ending(status="KILLED", seconds=self._timeout, reason=reason, passing=True)
        return ending

    def _end(self, attempt: _Attempt, ending: Ending, monitor: Monitor) -> None:
        self._running.remove(attempt)
        if ending.passing and attempt.count <= self._retries:
            self._submit(monitor.renew(attempt.assignment), count=attempt.count + 1)
        else:
            monitor.notice(attempt.assignment, ending, attempt.count)

    def _prune(self, monitor: Monitor) -> None:
        by_number = {attempt.assignment.number: attempt for attempt in self._running}
        for number, reason in monitor.tick(by_number).items():
            attempt = by_number[number]
            self._cluster.stop([attempt.handle], SECONDS_TO_CLOSE)
            self._end(attempt, Ending(status="PRUNED", seconds=attempt.seconds, reason=reason), monitor)
