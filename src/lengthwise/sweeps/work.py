"""The worker's side of a sweep: one job after another in a warm process."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lengthwise.config.options import RunOptions
from lengthwise.errors import LengthwiseError, Terminated
from lengthwise.launch import Launch, find_function
from lengthwise.sweeps.plan import Ending

_LONGEST_REASON = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """What a worker is sent.

    Args:
        number: number of the job in its sweep.
        function: the job as `module:function`, imported in the worker alone.
        options: the job's configuration.
        launch: where the run comes from.
        log: file that takes whatever the job prints.
    """

    number: int
    function: str
    options: RunOptions
    launch: Launch
    log: Path


def perform_job(assignment: Assignment) -> Ending:
    """Run one job; whatever it raises ends in the result, never in the pool, which one exception could break.

    Args:
        assignment: the job.

    Returns:
        How it ended. A worker that is told to stop in the middle ends instead.
    """
    started = time.monotonic()
    with _print_to(assignment.log), _stoppable() as stop:
        try:
            value = find_function(assignment.function)(assignment.options, assignment.launch)
            return Ending(status="FINISHED", seconds=time.monotonic() - started, value=_finite(value))
        except BaseException as error:
            if isinstance(error, Terminated):
                stop()
            traceback.print_exc()
            return _end(error, time.monotonic() - started)


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
