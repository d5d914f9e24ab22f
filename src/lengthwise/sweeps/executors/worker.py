"""The worker's side of a sweep: one job after another in a warm process."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lengthwise.config.options import RunOptions
from lengthwise.errors import LengthwiseError, Terminated
from lengthwise.pipeline.launch import JobFunction, Launch
from lengthwise.sweeps.jobs import Ending

WORN_OUT = 77
"""Exit status of a worker that has taken too much memory to begin another job."""

SECONDS_TO_CLOSE = 10
"""Longest that a run which is told to stop may take to close itself before its process is killed."""

_LONGEST_REASON = 300
_jobs_done = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """What a worker is sent.

    Args:
        number: number of the job in its sweep.
        function: what the job does.
        options: the job's configuration.
        launch: where the run comes from.
        log: file that takes whatever the job prints.
        max_memory_mb: memory beyond which a worker that has done a job before leaves this one to a fresh process;
            None where that is not looked at.
    """

    number: int
    function: JobFunction
    options: RunOptions
    launch: Launch
    log: Path
    max_memory_mb: float | None = None


class Monitor(Protocol):
    """What a pool tells of its jobs, and asks about them."""

    def notice(self, assignment: Assignment, ending: Ending, attempts: int) -> None:
        """Take how a job has ended after so many attempts."""

    def renew(self, assignment: Assignment) -> Assignment:
        """Return the assignment for one more attempt at a job whose process died."""

    def tick(self, running: Collection[int]) -> Mapping[int, str]:
        """Return which of the running jobs, by number, are to be stopped and why; called about twice a second."""


def perform_job(assignment: Assignment) -> Ending:
    """Run one job; whatever it raises ends in the result, never in the pool, which one exception could break.

    Args:
        assignment: the job.

    Returns:
        How it ended. A worker that is told to stop in the middle ends instead.
    """
    global _jobs_done
    if _jobs_done and assignment.max_memory_mb is not None and measure_memory_mb() > assignment.max_memory_mb:
        os._exit(WORN_OUT)
    _jobs_done += 1
    started = time.monotonic()
    with _print_to(assignment.log), _stoppable() as stop:
        try:
            value = assignment.function.run(assignment.options, assignment.launch)
            return Ending(status="FINISHED", seconds=time.monotonic() - started, value=_finite(value))
        except BaseException as error:
            if isinstance(error, Terminated):
                stop()
            traceback.print_exc()
            return _end(error, time.monotonic() - started)


def measure_memory_mb() -> float:
    """Return the resident memory of this process, in MB; where the system does not tell, the most it ever was."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def follow_parent() -> None:
    """End this worker soon after the process that launched it has died, however that came; starts a thread."""
    threading.Thread(target=_await_parent, name="lengthwise-parent", daemon=True).start()


def _await_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)  # a run closes itself as KILLED
        time.sleep(SECONDS_TO_CLOSE)
        os.kill(os.getpid(), signal.SIGKILL)


def _end(error: BaseException, seconds: float) -> Ending:
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return Ending(status="FINISHED", seconds=seconds)
    if isinstance(error, LengthwiseError):
        reason = str(error)
    elif isinstance(error, SystemExit):
        reason = f"exited with status {error.code}"
    else:
        reason = f"{type(error).__name__}: {error}"
    return Ending(status="FAILED", seconds=seconds, reason=" ".join(reason.split())[:_LONGEST_REASON])


def _finite(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


@contextlib.contextmanager
def _print_to(log: Path) -> Iterator[None]:
    """Send standard output and error, TensorFlow's own included, to a file."""
    kept = [os.dup(1), os.dup(2)]
    log.parent.mkdir(parents=True, exist_ok=True)  # on another host it may be missing
    with log.open("ab", buffering=0) as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, original in zip((1, 2), kept, strict=True):
            os.dup2(original, descriptor)
            os.close(original)


@contextlib.contextmanager
def _stoppable() -> Iterator[Callable[[], None]]:
    """Let SIGTERM reach the run, which closes itself as KILLED; yields what then ends the worker."""
    pool_handler = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def stop() -> None:
        signal.signal(signal.SIGTERM, pool_handler)
        os.kill(os.getpid(), signal.SIGTERM)

    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, pool_handler)
