"""The pool of warm worker processes: a job that raises, exits, dies or hangs costs itself alone."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass, replace
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from typing import Protocol

from pebble import CONSTS, ProcessExpired, ProcessPool

from lengthwise.config.options import LocalLauncherOptions
from lengthwise.pipeline.launch import JobFunction
from lengthwise.sweeps.executors.worker import (
    SECONDS_TO_CLOSE,
    WORN_OUT,
    Assignment,
    Monitor,
    follow_parent,
    perform_job,
)
from lengthwise.sweeps.jobs import Ending

MOST_BREAKDOWNS = 3
_TICK_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolSize:
    """How the machine is divided.

    Args:
        workers: jobs side by side.
        cores: cores of each; None where each host decides.
    """

    workers: int
    cores: int | None


class Executor(Protocol):
    """Where the jobs of a sweep run."""

    def choose_size(self, num_jobs: int) -> PoolSize:
        """Return how many jobs run side by side, and the cores of each."""

    def run(self, assignments: Iterable[Assignment], *, workers: int, monitor: Monitor) -> None:
        """Run jobs, drawn as workers become free, until each has ended.

        Raises:
            BaseException: whatever interrupts the wait, Ctrl-C included; running jobs have then been told to stop.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class _Attempt:
    assignment: Assignment
    count: int
    began: float = 0.0


class LocalExecutor:
    """Runs jobs in warm processes of this machine.

    Args:
        options: time limit, retries, and how long a worker lives.
    """

    def __init__(self, options: LocalLauncherOptions) -> None:
        self._options = options

    def choose_size(self, num_jobs: int) -> PoolSize:
        """Divide the cores that this process may use among workers.

        Args:
            num_jobs: jobs to run; there are never more workers than that.

        Returns:
            With `num_workers=auto` a worker for each core; every worker has at least one core.
        """
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        wanted = cores if self._options.num_workers == "auto" else self._options.num_workers
        workers = max(1, min(wanted, num_jobs))
        return PoolSize(workers=workers, cores=max(1, cores // workers))

    def run(self, assignments: Iterable[Assignment], *, workers: int, monitor: Monitor) -> None:
        """Run jobs, drawn as workers become free, until each has ended; see `Executor`."""
        CONSTS.term_timeout = SECONDS_TO_CLOSE
        source = (
            _Attempt(assignment=replace(each, max_memory_mb=self._options.max_memory_mb), count=1)
            for each in assignments
        )
        lost = list(itertools.islice(source, 1))
        for _ in range(1 + MOST_BREAKDOWNS):
            if not lost:
                return
            context = choose_context(lost[0].assignment.function)
            pool = _Pool(self._options, workers=workers, monitor=monitor, context=context)
            lost = pool.run(itertools.chain(lost, source))
        reason = "its worker process could not be kept alive"
        for attempt in itertools.chain(lost, source):
            monitor.notice(attempt.assignment, Ending(status="KILLED", seconds=0.0, reason=reason), attempt.count)


def choose_context(function: JobFunction) -> BaseContext:
    """Return how workers are started.

    On Linux they are forked from a server that has imported what jobs need, TensorFlow above all: in some milliseconds
    and not seconds, the tenth as the first, and with its memory shared. Elsewhere the systems' own libraries do not
    outlive a fork, so that each worker imports for itself.

    Args:
        function: what jobs do; the server of a process serves those of its first sweep.
    """
    if sys.platform == "linux":
        forkserver.set_forkserver_preload(list(function.preload))
        # Its socket lies among the temporary files: the path may be too long for one, or the disk full.
        with contextlib.suppress(OSError):
            forkserver.ensure_running()
            return multiprocessing.get_context("forkserver")
    return multiprocessing.get_context("spawn")


class _Pool:
    """One life of a process pool."""

    def __init__(self, options: LocalLauncherOptions, *, workers: int, monitor: Monitor, context: BaseContext) -> None:
        self._retries, self._workers, self._monitor = options.retries, workers, monitor
        self._timeout = None if options.timeout_minutes is None else 60 * options.timeout_minutes
        self._running: dict[Future[Ending], _Attempt] = {}
        self._stopped: dict[int, str] = {}
        self._pool = ProcessPool(
            max_workers=workers,
            max_tasks=options.max_jobs_per_worker,
            initializer=follow_parent,
            context=context,
        )

    def run(self, attempts: Iterator[_Attempt]) -> list[_Attempt]:
        """Run attempts to their end; returns those that have to be made again because the pool itself broke."""
        lost: list[_Attempt] = []
        try:
            while self._fill(attempts if not lost else iter(())):
                done, _ = wait(self._running, timeout=_TICK_SECONDS, return_when=FIRST_COMPLETED)
                lost += [attempt for future in done if (attempt := self._take(future)) is not None]
                self._look_after()
            self._pool.close()
        except BaseException:
            self._pool.stop()
            raise
        finally:
            if lost:
                self._pool.stop()
            self._pool.join()
        return lost

    def _fill(self, attempts: Iterator[_Attempt]) -> bool:
        """Give each idle worker a job, as long as there are any; returns whether anything runs."""
        while len(self._running) < self._workers and (attempt := next(attempts, None)) is not None:
            self._schedule(attempt)
        return bool(self._running)

    def _schedule(self, attempt: _Attempt) -> None:
        future = self._pool.schedule(perform_job, args=(attempt.assignment,), timeout=self._timeout)
        self._running[future] = replace(attempt, began=time.monotonic())

    def _take(self, future: Future[Ending]) -> _Attempt | None:
        """Take the result of an attempt; returns the attempt where the pool broke under it."""
        attempt = self._running.pop(future)
        seconds = time.monotonic() - attempt.began
        ending = self._read(future, attempt.assignment.number, seconds)
        if ending is None:
            return attempt
        if ending is _NOT_BEGUN:
            self._schedule(attempt)
        elif ending.passing and attempt.count <= self._retries:
            self._schedule(_Attempt(assignment=self._monitor.renew(attempt.assignment), count=attempt.count + 1))
        else:
            self._monitor.notice(attempt.assignment, ending, attempt.count)
        return None

    def _look_after(self) -> None:
        numbers = {attempt.assignment.number: future for future, attempt in self._running.items()}
        for number, reason in self._monitor.tick(numbers).items():
            self._stopped[number] = reason
            numbers[number].cancel()

    def _read(self, future: Future[Ending], number: int, seconds: float) -> Ending | None:
        """Return how an attempt ended; None where the pool broke under it."""
        try:
            return future.result()
        except ProcessExpired as error:
            if error.exitcode == WORN_OUT:
                return _NOT_BEGUN
            return Ending(status="KILLED", seconds=seconds, reason=describe_exit(error.exitcode), passing=True)
        except TimeoutError:
            limit = self._timeout or 0.0
            return Ending(status="KILLED", seconds=limit, reason=describe_limit(limit), passing=True)
        except CancelledError:
            if number in self._stopped:
                return Ending(status="PRUNED", seconds=seconds, reason=self._stopped.pop(number))
            return None
        except BrokenExecutor:
            return None


_NOT_BEGUN = Ending(status="KILLED", seconds=0.0, reason="left to a fresh process")


def describe_exit(code: int | None) -> str:
    """Write how a process ended.

    Args:
        code: its exit status, negative for a signal; None where it is not known.
    """
    if code == -9:
        return "its process was killed (signal 9; often for memory)"
    return f"its process died ({f'signal {-code}' if code is not None and code < 0 else f'status {code}'})"


def describe_limit(seconds: float) -> str:
    """Write that a job ran out of time.

    Args:
        seconds: the limit.
    """
    return f"had not ended after {seconds / 60:g} min"
