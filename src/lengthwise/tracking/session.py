"""Runs as contexts: a run directory and its mirror in MLflow, opened and closed together."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from lengthwise.config.options import MlflowOptions, TrackingOptions
from lengthwise.signals import terminate_by_exception
from lengthwise.tracking.mlflow.mirror import Mirror
from lengthwise.tracking.runs.heartbeat import reap
from lengthwise.tracking.runs.run import Run, create_run, reopen_run
from lengthwise.tracking.runs.run_record import RunRecord

_MAX_WAIT_WHEN_KILLED_SECONDS = 5.0


@contextlib.contextmanager
def start_run(record: RunRecord, tracking: TrackingOptions, *, output_dir: Path, config_text: str) -> Iterator[Run]:
    """Open a new run, and close it with a status that is true.

    The status is FINISHED after a normal end, KILLED after Ctrl-C or SIGTERM, FAILED after any other exception, which
    `traceback.txt` then holds. Exceptions are passed on. Runs of dead processes below `output_dir` are closed first.

    Args:
        record: What is fixed before the run starts.
        tracking: Whether, and where to, the run is mirrored into MLflow. The mirror never raises, and never makes the
            run wait, except at its end, for `timeout_seconds` at most, and for five seconds where the run was killed.
        output_dir: Where run directories are; absolute.
        config_text: The whole configuration as YAML.

    Yields:
        The run.

    Raises:
        ConfigError: The directory cannot be made.
    """
    with terminate_by_exception():
        reaped = reap(output_dir)
        with _keep_open(create_run(record, output_dir=output_dir, config_text=config_text), tracking, reaped) as run:
            yield run


@contextlib.contextmanager
def resume_run(directory: Path, tracking: TrackingOptions) -> Iterator[Run]:
    """Open a run again that has ended or whose process died; it keeps its name, its journal and its place in MLflow.

    Args:
        directory: The run's directory.
        tracking: As for `start_run`.

    Yields:
        The run, RUNNING again; closed as by `start_run`.

    Raises:
        RunError: There is no run, or its process is alive.
    """
    with terminate_by_exception():
        reaped = reap(directory.parent.parent)
        with _keep_open(reopen_run(directory), tracking, reaped) as run:
            yield run


@contextlib.contextmanager
def _keep_open(run: Run, tracking: TrackingOptions, reaped: Sequence[Path]) -> Iterator[Run]:
    mirror = Mirror(run.directory, tracking, reaped, run.has_results) if isinstance(tracking, MlflowOptions) else None
    error: BaseException | None = None
    try:
        yield run
    except BaseException as raised:
        error = raised
        raise
    finally:
        status = run.close(error)
        if mirror is not None:
            mirror.finish(longest_wait=_MAX_WAIT_WHEN_KILLED_SECONDS if status == "KILLED" else math.inf)
