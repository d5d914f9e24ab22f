"""The pool of warm worker processes: a job that raises, exits, dies or hangs costs itself alone."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass, replace

from pebble import CONSTS, ProcessExpired, ProcessPool

from lengthwise.config.options import LocalLauncherOptions
from lengthwise.sweeps.plan import Ending
from lengthwise.sweeps.work import Assignment, perform_job

MOST_BREAKDOWNS = 3
SECONDS_TO_CLOSE = 10
"""Longest that a run which is told to stop may take to close itself before its process is killed."""

_TICK_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolSize:
    """How the machine is divided.

    Args:
        workers: processes side by side.
        cores: cores of each.
    """

    workers: int
    cores: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Attempt:
    assignment: Assignment
    count: int


def choose_size(options: LocalLauncherOptions, num_jobs: int) -> PoolSize:
    """Divide the cores that this process may use among workers.

    Args:
        options: of the launcher.
        num_jobs: jobs to run; there are never more workers than that.

    Returns:
        With `num_workers=auto` a worker for each core; every worker has at least one core.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = cores if options.num_workers == "auto" else options.num_workers
    workers = max(1, min(wanted, num_jobs))
    return PoolSize(workers=workers, cores=max(1, cores // workers))


def run_assignments(
    assignments: Sequence[Assignment],
    options: LocalLauncherOptions,
    *,
    workers: int,
    notice: Callable[[Assignment, Ending, int], None],
    tick: Callable[[], None],
) -> None:
    """Run jobs side by side until each has ended.

    Args:
        assignments: the jobs.
        options: time limit, retries, and how long a worker lives.
        workers: processes side by side.
        notice: told of each job as it ends: the job, how it ended, and how often it was started.
        tick: called about twice a second, for a display.

    Raises:
        BaseException: whatever interrupts the wait, Ctrl-C included; running jobs have then been told to stop.
    """
    CONSTS.term_timeout = SECONDS_TO_CLOSE
    waiting = [_Attempt(assignment=assignment, count=1) for assignment in assignments]
    for _ in range(1 + MOST_BREAKDOWNS):
        waiting = _Pool(options, workers=workers).run(waiting, notice=notice, tick=tick)
        if not waiting:
            return
    for attempt in waiting:
        reason = "its worker process could not be kept alive"
        notice(attempt.assignment, Ending(status="KILLED", seconds=0.0, reason=reason), attempt.count)


class _Pool:
    """One life of a process pool."""

    def __init__(self, options: LocalLauncherOptions, *, workers: int) -> None:
        self._retries = options.retries
        self._timeout = None if options.timeout_minutes is None else 60 * options.timeout_minutes
        self._pool = ProcessPool(
            max_workers=workers,
            max_tasks=options.max_jobs_per_worker,
            context=multiprocessing.get_context("spawn"),  # a forked TensorFlow hangs
        )

    def run(
        self,
        attempts: Sequence[_Attempt],
        *,
        notice: Callable[[Assignment, Ending, int], None],
        tick: Callable[[], None],
    ) -> list[_Attempt]:
        """Run attempts to their end; returns those that have to be made again because the pool itself broke."""
        lost: list[_Attempt] = []
        running: dict[Future[Ending], _Attempt] = {self._schedule(attempt): attempt for attempt in attempts}
        started: dict[Future[Ending], float] = {}
        try:
            while running:
                done, _ = wait(running, timeout=_TICK_SECONDS, return_when=FIRST_COMPLETED)
                for future in done:
                    attempt = running.pop(future)
                    ending = self._read(future, started.pop(future, time.monotonic()))
                    if ending is None:
                        lost.append(attempt)
                    elif ending.passing and attempt.count <= self._retries and not lost:
                        again = replace(attempt, count=attempt.count + 1)
                        running[self._schedule(again)] = again
                    else:
                        notice(attempt.assignment, ending, attempt.count)
                started |= {f: time.monotonic() for f in running if f.running() and f not in started}
                tick()
            self._pool.close()
        except BaseException:
            self._pool.stop()
            raise
        finally:
            if lost:
                self._pool.stop()
            self._pool.join()
        return lost

    def _schedule(self, attempt: _Attempt) -> Future[Ending]:
        future: Future[Ending] = self._pool.schedule(perform_job, args=(attempt.assignment,), timeout=self._timeout)
        return future

    def _read(self, future: Future[Ending], started: float) -> Ending | None:
        """Return how an attempt ended; None where the pool broke under it."""
        seconds = time.monotonic() - started
        try:
            return future.result()
        except ProcessExpired as error:
            reason = _describe_exit(error.exitcode)
            return Ending(status="KILLED", seconds=seconds, reason=reason, passing=True)
        except TimeoutError:
            limit = self._timeout or 0.0
            reason = f"had not ended after {limit / 60:g} min"
            return Ending(status="KILLED", seconds=limit, reason=reason, passing=True)
        except (BrokenExecutor, CancelledError):
            return None


def _describe_exit(code: int | None) -> str:
    if code == -9:
        return "its process was killed (signal 9; often for memory)"
    return f"its process died ({f'signal {-code}' if code is not None and code < 0 else f'status {code}'})"
