"""The contract between a sweep and its executor: what is handed out, what is reported, who decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lengthwise.pipeline.command import JobFunction, Launch
from lengthwise.sweeps.jobs import AttemptStatus, Job

SECONDS_TO_CLOSE = 10
"""Longest time that a run may take after a request to stop before its process is killed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """One attempt at a job, as it is sent to a worker.

    Args:
        job: The job.
        function: What the job does.
        launch: Where the run comes from.
        log: File that receives everything the job prints.
    """

    job: Job
    function: JobFunction
    launch: Launch
    log: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolSize:
    """How a machine, or a cluster, is divided among jobs.

    Args:
        num_workers: Jobs side by side.
        cores: Cores of each; None if each host decides.
    """

    num_workers: int
    cores: int | None


class Monitor(Protocol):
    """Follows the jobs of an executor and decides about them; a sweep is one."""

    def on_end(self, assignment: Assignment, attempt: AttemptStatus, num_attempts: int) -> None:
        """Take the final status of a job, reached after so many attempts."""

    def on_retry(self, assignment: Assignment) -> Assignment:
        """Return the assignment for one more attempt at a job whose process died."""

    def on_tick(self, running: Sequence[Assignment]) -> Mapping[int, str]:
        """Return which of the running jobs to stop, by number, and why; called about twice a second."""


class Executor(Protocol):
    """Runs the jobs of a sweep, each isolated from the others."""

    def choose_size(self, num_jobs: int) -> PoolSize:
        """Return how many jobs run side by side, and the cores of each."""

    def run(self, assignments: Iterable[Assignment], *, num_workers: int, monitor: Monitor) -> None:
        """Run jobs, drawn as workers become free, until each has ended.

        Raises:
            BaseException: Whatever interrupts the wait, such as Ctrl-C; the running jobs have been stopped by then.
        """


def describe_timeout(seconds: float) -> str:
    """Say that a job ran out of time.

    Args:
        seconds: The limit.
    """
    return f"had not ended after {seconds / 60:g} min"
