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
from collections.abc import Iterator
from pathlib import Path

from lengthwise.credentials import hide_credentials
from lengthwise.errors import LengthwiseError, Terminated
from lengthwise.signals import restore_sigterm
from lengthwise.sweeps.executors.contract import SECONDS_TO_CLOSE, Assignment
from lengthwise.sweeps.jobs import AttemptStatus

WORN_OUT = 77
"""Exit status of a worker whose memory has grown too large to begin another job."""

_MAX_REASON_LENGTH = 300
_num_jobs_done = 0


def perform_job(assignment: Assignment, max_memory_mb: float | None = None) -> AttemptStatus:
    """Run one job. Whatever it raises becomes its status; an exception could break the whole pool.

    Args:
        assignment: The job.
        max_memory_mb: Memory beyond which a worker that has done a job before leaves this one to a fresh process;
            None: memory is not looked at.

    Returns:
        How it ended. A worker that is asked to stop in the middle ends without returning.
    """
    global _num_jobs_done
    if _num_jobs_done and max_memory_mb is not None and measure_memory_mb() > max_memory_mb:
        os._exit(WORN_OUT)
    _num_jobs_done += 1
    started = time.monotonic()
    with _print_to(assignment.log), restore_sigterm(use_default=True) as pass_on:
        try:
            value = assignment.function.run(assignment.job.options, assignment.launch)
            return AttemptStatus(status="FINISHED", seconds=time.monotonic() - started, value=_as_value(value))
        except BaseException as error:
            if isinstance(error, Terminated):
                pass_on()
            traceback.print_exc()
            return _describe_error(error, time.monotonic() - started)


def measure_memory_mb() -> float:
    """Return the resident memory of this process in MB; its peak where the system reports only that."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def follow_parent() -> None:
    """Start a thread that ends this worker soon after the process that launched it has died, for any reason."""
    threading.Thread(target=_await_parent, name="lengthwise-parent", daemon=True).start()


def _await_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)  # a run closes itself as KILLED
        time.sleep(SECONDS_TO_CLOSE)
        os.kill(os.getpid(), signal.SIGKILL)


def _describe_error(error: BaseException, seconds: float) -> AttemptStatus:
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return AttemptStatus(status="FINISHED", seconds=seconds)
    if isinstance(error, LengthwiseError):
        reason = str(error)
    elif isinstance(error, SystemExit):
        reason = f"exited with status {error.code}"
    else:
        reason = f"{type(error).__name__}: {error}"
    reason = " ".join(hide_credentials(reason).split())
    return AttemptStatus(status="FAILED", seconds=seconds, reason=reason[:_MAX_REASON_LENGTH])


def _as_value(returned: object) -> float | None:
    return float(returned) if isinstance(returned, int | float) and math.isfinite(returned) else None


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
