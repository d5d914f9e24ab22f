"""Runs as contexts: a run directory and its mirror in MLflow, opened and closed together."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from lengthwise.config.options import DirectoryOptions, MlflowOptions, TrackingOptions
from lengthwise.errors import printable
from lengthwise.signals import terminate_by_exception
from lengthwise.tracking.mlflow.mirror import Mirror
from lengthwise.tracking.mlflow.mirror_state import read_mirror_address
from lengthwise.tracking.mlflow.store import show_address
from lengthwise.tracking.runs.heartbeat import reap, reap_run
from lengthwise.tracking.runs.run import Run, create_run, reopen_run
from lengthwise.tracking.runs.run_record import RunRecord

_MAX_WAIT_WHEN_KILLED_SECONDS = 5.0
_log = logging.getLogger(__name__)


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
        reap_run(directory)
        with _keep_open(reopen_run(directory), tracking, reaped) as run:
            yield run


def choose_tracking(
    directory: Path, chosen: TrackingOptions, *, stored: TrackingOptions, is_named: bool
) -> TrackingOptions:
    """Decide where a stored run is mirrored from now on: where the user says, never where the run says.

    The run may be a stranger's. An address in its configuration that was followed would receive the run, and the
    credentials that the user has set for MLflow.

    Args:
        directory: The run's directory.
        chosen: The tracking of the user's command.
        stored: The tracking of the run's own configuration.
        is_named: Whether the command names its tracking; otherwise it is the project's default.

    Returns:
        `chosen`; or, if that is the default and the run is not mirrored there, no mirror. A warning then says how to
        name the address at which the run is mirrored.
    """
    if is_named or not isinstance(chosen, MlflowOptions):
        return chosen
    known = read_mirror_address(directory)
    if known is None and isinstance(stored, MlflowOptions):
        known = show_address(stored.uri)
    if known == show_address(chosen.uri):
        return chosen
    if known is not None:
        message = (
            "%s is tracked at %s, which this command does not name: nothing is sent. To send it, add tracking.uri=URI"
        )
        _log.warning(message, printable(directory.name), printable(known))
    return DirectoryOptions(name="directory")


def names_tracking(overrides: Sequence[str]) -> bool:
    """Return whether a command names its tracking, by `tracking=...` or `tracking.OPTION=...`.

    Args:
        overrides: Of the command.
    """
    return any(override.startswith(("tracking=", "tracking.")) for override in overrides)


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
