"""The pool of warm worker processes: a job that raises, exits, dies or hangs affects no other job."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass, replace
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import BaseContext

from pebble import CONSTS, ProcessExpired, ProcessPool

from lengthwise.config.options import LocalLauncherOptions
from lengthwise.pipeline.command import JobFunction
from lengthwise.signals import hold_interrupt
from lengthwise.sweeps.executors.contract import SECONDS_TO_CLOSE, Assignment, Monitor, PoolSize, describe_timeout
from lengthwise.sweeps.executors.worker import WORN_OUT, follow_parent, perform_job
from lengthwise.sweeps.jobs import AttemptStatus

_MAX_BROKEN_POOLS = 3
_TICK_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class _Attempt:
    assignment: Assignment
    count: int
    began: float = 0.0


class LocalExecutor:
    """Runs jobs in warm processes of this machine.

    Args:
        options: Time limit, retries, and how long a worker lives.
    """

    def __init__(self, options: LocalLauncherOptions) -> None:
        self._options = options

    def choose_size(self, num_jobs: int) -> PoolSize:
        """Divide the cores that this process may use among workers.

        Args:
            num_jobs: Jobs to run; there are never more workers than that.

        Returns:
            With `num_workers=auto` a worker for each core; every worker has at least one core.
        """
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        wanted = cores if self._options.num_workers == "auto" else self._options.num_workers
        num_workers = max(1, min(wanted, num_jobs))
        return PoolSize(num_workers=num_workers, cores=max(1, cores // num_workers))

    def run(self, assignments: Iterable[Assignment], *, num_workers: int, monitor: Monitor) -> None:
        """Run jobs, drawn as workers become free, until each has ended; see `Executor`."""
        CONSTS.term_timeout = SECONDS_TO_CLOSE
        waiting = (_Attempt(assignment=assignment, count=1) for assignment in assignments)
        lost = list(itertools.islice(waiting, 1))
        for _ in range(1 + _MAX_BROKEN_POOLS):
            if not lost:
                return
            context = choose_context(lost[0].assignment.function)
            pool = _Pool(self._options, num_workers=num_workers, monitor=monitor, context=context)
            lost = pool.run(itertools.chain(lost, waiting))
        reason = "its worker process could not be kept alive"
        for attempt in itertools.chain(lost, waiting):
            status = AttemptStatus(status="KILLED", seconds=0.0, reason=reason)
            monitor.on_end(attempt.assignment, status, attempt.count)


def choose_context(function: JobFunction) -> BaseContext:
    """Return how workers are started.

    On Linux they are forked from a server that has imported what jobs need, TensorFlow above all. A worker then starts
    in milliseconds instead of seconds, the tenth like the first, and shares that memory. On other systems the system's
    own libraries do not survive a fork, so each worker imports for itself. Neither the server nor its workers receive
    Ctrl-C: the sweep stops them.

    Args:
        function: What jobs do; the server of a process serves the function of its first sweep.
    """
    if sys.platform == "linux":
        forkserver.set_forkserver_preload([__name__, *function.preload])  # what workers and what jobs import
        # The server's socket is a temporary file: its path may be too long, or the disk full.
        with contextlib.suppress(OSError):
            resource_tracker.ensure_running()  # the server would start it, and it lets Ctrl-C through again
            with hold_interrupt():
                forkserver.ensure_running()
            return multiprocessing.get_context("forkserver")
    return multiprocessing.get_context("spawn")


def _end_server() -> None:
    """End the server that workers are forked from; the next sweep of this process starts another.

    While it still imports, it would fork the worker that it was last asked for only after this process has given up,
    and that worker would print a traceback.
    """
    number: int | None = getattr(forkserver._forkserver, "_forkserver_pid", None)  # nothing public ends it
    if number is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


class _Pool:
    """One process pool, used until all jobs have ended or the pool itself breaks."""

    def __init__(
        self, options: LocalLauncherOptions, *, num_workers: int, monitor: Monitor, context: BaseContext
    ) -> None:
        self._options, self._num_workers, self._monitor = options, num_workers, monitor
        self._timeout_seconds = None if options.timeout_minutes is None else 60 * options.timeout_minutes
        self._running: dict[Future[AttemptStatus], _Attempt] = {}
        self._pruned: dict[Future[AttemptStatus], str] = {}
        self._pool = ProcessPool(
            max_workers=num_workers,
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
                self._prune()
            self._pool.close()
        except BaseException:
            self._pool.stop()
            self._pool.join()
            _end_server()
            raise
        if lost:
            self._pool.stop()
        self._pool.join()
        return lost

    def _fill(self, attempts: Iterator[_Attempt]) -> bool:
        """Give each idle worker a job, as long as there are any; returns whether anything runs."""
        while len(self._running) < self._num_workers and (attempt := next(attempts, None)) is not None:
            self._schedule(attempt)
        return bool(self._running)

    def _schedule(self, attempt: _Attempt) -> None:
        arguments = (attempt.assignment, self._options.max_memory_mb)
        future = self._pool.schedule(perform_job, args=arguments, timeout=self._timeout_seconds)
        self._running[future] = replace(attempt, began=time.monotonic())

    def _take(self, future: Future[AttemptStatus]) -> _Attempt | None:
        """Handle an attempt that has ended; returns it if the pool broke under it."""
        attempt = self._running.pop(future)
        try:
            status = self._read(future, time.monotonic() - attempt.began)
        except BrokenExecutor:
            return attempt
        if status is None:
            self._schedule(attempt)
        elif status.is_transient and attempt.count <= self._options.retries:
            self._schedule(_Attempt(assignment=self._monitor.on_retry(attempt.assignment), count=attempt.count + 1))
        else:
            self._monitor.on_end(attempt.assignment, status, attempt.count)
        return None

    def _read(self, future: Future[AttemptStatus], seconds: float) -> AttemptStatus | None:
        """Return how an attempt ended; None if its worker was worn out and did not begin it.

        Raises:
            BrokenExecutor: The pool broke.
        """
        try:
            return future.result()
        except ProcessExpired as error:
            if error.exitcode == WORN_OUT:
                return None
            reason = describe_exit(error.exitcode)
            return AttemptStatus(status="KILLED", seconds=seconds, reason=reason, is_transient=True)
        except TimeoutError:
            limit = self._timeout_seconds or 0.0
            return AttemptStatus(status="KILLED", seconds=limit, reason=describe_timeout(limit), is_transient=True)
        except CancelledError as error:
            if future not in self._pruned:
                raise BrokenExecutor("the pool cancelled a job") from error
            return AttemptStatus(status="PRUNED", seconds=seconds, reason=self._pruned.pop(future))

    def _prune(self) -> None:
        """Stop the jobs that the monitor no longer wants."""
        futures = {attempt.assignment.job.number: future for future, attempt in self._running.items()}
        running = [attempt.assignment for attempt in self._running.values()]
        for number, reason in self._monitor.on_tick(running).items():
            self._pruned[futures[number]] = reason
            futures[number].cancel()


def describe_exit(code: int | None) -> str:
    """Say how a process ended.

    Args:
        code: Its exit status, negative for a signal; None if it is not known.
    """
    if code == -9:
        return "its process was killed (signal 9; often for lack of memory)"
    return f"its process died ({f'signal {-code}' if code is not None and code < 0 else f'status {code}'})"
