"""Sending runs to MLflow: in the background while a run is open, or later by `sync`."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lengthwise.config.options import MlflowOptions, TrackingOptions
from lengthwise.credentials import hide_credentials
from lengthwise.errors import ConfigError, LengthwiseError, printable
from lengthwise.tracking.mlflow.mirror_state import read_mirror_address
from lengthwise.tracking.mlflow.store import Store, open_store, show_address
from lengthwise.tracking.mlflow.upload import bring_up_to_date
from lengthwise.tracking.runs.find import StoredRun, find_run, list_runs
from lengthwise.tracking.runs.heartbeat import reap_listed
from lengthwise.tracking.runs.layout import JOURNAL_NAME

_TICK_SECONDS = 1.0
_FIRST_TICK_SECONDS = 0.25
_MAX_FIRST_WAIT_SECONDS = 60.0
_MAX_PAUSE_SECONDS = 60.0
_MOST_FAILURES = 3
_log = logging.getLogger(__name__)


class Mirror(threading.Thread):
    """Keeps MLflow up to date with an open run, about once a second, from a thread of its own.

    MLflow is imported in the thread, and called with explicit ids only: its active run, its global address and the
    variable MLFLOW_RUN_ID have no effect. Its errors stay in the thread, which then tries again in growing intervals.

    Args:
        directory: The run's directory.
        tracking: Where the run is mirrored.
        reaped: Directories of dead runs that were closed; those that MLflow knows are closed there too.
        has_results: Set when the run has its results, so that its training cannot be disturbed any more.
    """

    def __init__(
        self,
        directory: Path,
        tracking: MlflowOptions,
        reaped: Sequence[Path] = (),
        has_results: threading.Event | None = None,
    ) -> None:
        super().__init__(name="lengthwise-mirror", daemon=True)
        self._directory = directory
        self._tracking = tracking
        address = show_address(tracking.uri)
        self._reaped = [path for path in reaped if read_mirror_address(path) == address]
        self._has_results = has_results or threading.Event()
        self._store: Store | None = None
        self._problem = "it is slow to answer"
        self._sent_bytes = -1
        self._ended = threading.Event()
        self._done = threading.Event()
        self.start()

    def run(self) -> None:
        """Send what is new until `finish` is called and all is sent, or a last attempt has failed."""
        self._await_start()
        pause = _TICK_SECONDS
        while not self._done.is_set():
            ending = self._ended.is_set()
            try:
                self._send(ending)
                pause = _TICK_SECONDS
            except Exception as error:  # no error of MLflow may reach training
                self._problem = plain_text(error)
                pause = min(2 * pause, _MAX_PAUSE_SECONDS)
                if ending:
                    return
            else:
                if ending:
                    self._done.set()
            if not ending:
                self._ended.wait(pause)

    def _await_start(self) -> None:
        """Leave the interpreter to training until the run has results, or a minute has passed.

        Importing MLflow and making a database occupy it for several seconds. A short run would be slowed down for much
        of its time, for curves that nobody can look at before it ends. If MLflow is imported already, nothing waits.
        """
        if "mlflow" in sys.modules:
            return
        for _ in range(int(_MAX_FIRST_WAIT_SECONDS / _FIRST_TICK_SECONDS)):
            if self._has_results.is_set() or self._ended.wait(_FIRST_TICK_SECONDS):
                return

    def _journal_bytes(self) -> int:
        return (self._directory / JOURNAL_NAME).stat().st_size

    def _send(self, ending: bool) -> None:
        if self._store is None:
            self._store = open_store(self._tracking.uri)
        journal_bytes = self._journal_bytes()
        if ending or journal_bytes != self._sent_bytes:
            bring_up_to_date(self._directory, self._store)
            self._sent_bytes = journal_bytes
        while self._reaped and not self._ended.is_set():
            bring_up_to_date(self._reaped.pop(), self._store)

    def finish(self, *, longest_wait: float) -> bool:
        """Wait until all is sent; log a warning if that takes too long.

        Args:
            longest_wait: In seconds; `tracking.timeout_seconds` if that is less.

        Returns:
            Whether MLflow has all of the run.
        """
        self._ended.set()
        self.join(min(longest_wait, self._tracking.timeout_seconds))
        if not self._done.is_set():
            _log.warning(
                "MLflow at %s does not have all of this run (%s). The run directory is complete: %s. "
                "To bring MLflow up to date later: lengthwise sync %s",
                hide_credentials(self._tracking.uri),
                self._problem,
                self._directory,
                self._directory.name,
            )
        return self._done.is_set()


@dataclass(frozen=True, kw_only=True, slots=True)
class Synced:
    """A run that `sync` has tried to bring up to date in MLflow.

    Args:
        name: Name of the run.
        problem: Why it could not be brought up to date; None if it was.
    """

    name: str
    problem: str | None


def sync(
    output_dir: Path, tracking: TrackingOptions, *, study: str | None = None, run: str | None = None
) -> tuple[Synced, ...]:
    """Bring MLflow up to date with runs, by default with all; what it has already is not sent again.

    Args:
        output_dir: Where run directories are.
        tracking: Where runs are mirrored.
        study: Only the runs of this study.
        run: Only this run, as `find_run` takes it, with its children if it is a sweep.

    Returns:
        The runs, oldest first, so that parents come before their children.

    Raises:
        ConfigError: `tracking` is not `mlflow`.
        RunError: There is no such run.
        LengthwiseError: MLflow cannot be reached.
    """
    if not isinstance(tracking, MlflowOptions):
        raise ConfigError("tracking", "must be mlflow to sync", received=tracking.name, remedy="Add tracking=mlflow")
    runs = _chosen(output_dir, study, run)
    if not runs:
        return ()
    reap_listed(runs)
    try:
        store = open_store(tracking.uri)
    except LengthwiseError:
        raise
    except Exception as error:
        uri = hide_credentials(tracking.uri)
        raise LengthwiseError(
            f"MLflow at {uri} cannot be used: {plain_text(error)}. The runs stay as they are."
        ) from error
    return tuple(_sync_all(runs, store))


def _chosen(output_dir: Path, study: str | None, run: str | None) -> list[StoredRun]:
    if run is None:
        return list_runs(output_dir, study)[::-1]
    chosen = find_run(output_dir, run)
    if chosen.manifest.record.kind == "run":
        return [chosen]
    siblings = list_runs(output_dir, chosen.manifest.record.study)[::-1]
    return [chosen, *(other for other in siblings if other.manifest.record.parent == chosen.manifest.name)]


def _sync_all(runs: list[StoredRun], store: Store) -> Iterator[Synced]:
    failures = 0
    for run in runs:
        problem = f"not tried, after {_MOST_FAILURES} failures in a row" if failures >= _MOST_FAILURES else None
        if problem is None:
            try:
                bring_up_to_date(run.directory, store)
                failures = 0
            except LengthwiseError as error:  # about this run only
                problem = str(error)
            except Exception as error:  # one run must not keep the others from being sent
                problem = plain_text(error)
                failures += 1
        yield Synced(name=run.manifest.name, problem=problem)


def plain_text(error: Exception) -> str:
    """Return the first line of an error, cut at 200 characters, without passwords and control characters."""
    lines = str(error).strip().splitlines() or [""]
    return printable(hide_credentials(f"{type(error).__name__}: {lines[0]}")[:200])
