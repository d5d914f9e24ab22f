"""The heartbeat of an open run, and the closing of runs whose process has died."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from lengthwise.errors import RunError
from lengthwise.files import open_regular
from lengthwise.tracking.runs.find import StoredRun
from lengthwise.tracking.runs.journal import Journal
from lengthwise.tracking.runs.layout import HEARTBEAT_NAME, MANIFEST_NAME
from lengthwise.tracking.runs.manifest import Failure, Manifest, iso_time, read_manifest, seconds_of, write_manifest
from lengthwise.tracking.runs.process import is_dead

_TOUCH_EVERY = 5
RESERVE_BYTES = 64 * 1024


def place_heartbeat(directory: Path) -> None:
    """Make the heartbeat file of a run that is about to open.

    Its content reserves space on the disk for the traceback and the last manifest: if the disk fills up, the run can
    still be closed with its true status.

    Raises:
        OSError: The file cannot be written; the error names it.
    """
    path = directory / HEARTBEAT_NAME
    try:
        with os.fdopen(open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
            file.write(os.urandom(RESERVE_BYTES))  # random, since some file systems compress zeros away
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def free_reserve(directory: Path, *, half: bool = False) -> None:
    """Free the space that the heartbeat file reserves; the file itself stays until the run is closed.

    Args:
        directory: The run's directory.
        half: Whether half of it is kept, for the close of the run.
    """
    with contextlib.suppress(OSError, RunError):
        descriptor = open_regular(directory / HEARTBEAT_NAME, os.O_WRONLY)
        try:
            os.ftruncate(descriptor, RESERVE_BYTES // 2 if half else 0)
        finally:
            os.close(descriptor)


class Heartbeat(threading.Thread):
    """Touches the heartbeat file every five seconds, and syncs the journal to the disk every second.

    The file exists as long as the run is open, so that open runs are found without reading every manifest.

    Args:
        directory: The run's directory.
        journal: The run's journal.
    """

    def __init__(self, directory: Path, journal: Journal) -> None:
        super().__init__(name="lengthwise-heartbeat", daemon=True)
        self._path = directory / HEARTBEAT_NAME
        self._journal = journal
        self._stopped = threading.Event()

    def run(self) -> None:
        """Beat until `stop` is called."""
        beats = 0
        while not self._stopped.wait(1.0):
            beats += 1
            # A full or missing disk is reported by the run's next write, which names the file.
            with contextlib.suppress(OSError):
                self._journal.flush()
                if beats % _TOUCH_EVERY == 0:
                    os.utime(self._path, follow_symlinks=False)

    def stop(self) -> None:
        """End the thread; the file stays."""
        self._stopped.set()
        self.join()


def reap(output_dir: Path) -> tuple[Path, ...]:
    """Close the runs whose manifest says RUNNING though their process is dead; live runs are never touched.

    Runs are found by their heartbeat files, so that no other manifest is read.

    Args:
        output_dir: Where run directories are.

    Returns:
        The directories of the runs that were closed: each is now KILLED, with the reason, and ended at its last
        heartbeat.
    """
    heartbeats = sorted(output_dir.glob(f"*/*/{HEARTBEAT_NAME}"))
    return tuple(path.parent for path in heartbeats if reap_run(path.parent))


def reap_listed(runs: Iterable[StoredRun]) -> tuple[Path, ...]:
    """Close those of some runs that are RUNNING though their process is dead, even without a heartbeat file.

    Args:
        runs: As `list_runs` returns them.

    Returns:
        As for `reap`.
    """
    return tuple(run.directory for run in runs if run.manifest.status == "RUNNING" and reap_run(run.directory))


def reap_run(directory: Path) -> bool:
    """Close a run if its manifest says RUNNING though its process is dead.

    Args:
        directory: The run's directory.

    Returns:
        Whether it was closed; False too for a run that has ended, was deleted, or cannot be read or written.
    """
    with contextlib.suppress(OSError, RunError):
        return _close_if_dead(directory)
    return False


def _close_if_dead(directory: Path) -> bool:
    heartbeat = directory / HEARTBEAT_NAME
    last_beat = (heartbeat if os.path.lexists(heartbeat) else directory / MANIFEST_NAME).lstat().st_mtime
    process = read_manifest(directory).process
    if not is_dead(process, time.time() - last_beat):
        return False
    # Read again: the process may have closed the run itself just before it ended.
    manifest = read_manifest(directory)
    if manifest.process != process:
        return False
    is_open = manifest.status == "RUNNING"
    if is_open:
        write_manifest(directory, _killed(manifest, last_beat))
    heartbeat.unlink(missing_ok=True)
    return is_open


def _killed(manifest: Manifest, last_beat: float) -> Manifest:
    started = seconds_of(manifest.started)
    ended = max(last_beat, started)
    reason = f"its process {manifest.process.pid} on {manifest.process.host} ended without closing the run"
    return replace(
        manifest,
        status="KILLED",
        ended=iso_time(ended),
        duration_seconds=round(ended - started, 3),
        failure=Failure(reason=reason, traceback=None),
    )
