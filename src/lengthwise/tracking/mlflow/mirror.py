"""The mirror of runs in MLflow: fed in the background while a run goes on, and brought up to date by `sync`."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lengthwise.config.options import MlflowOptions, TrackingOptions
from lengthwise.errors import ConfigError, LengthwiseError
from lengthwise.tracking.mlflow.store import Store, open_store
from lengthwise.tracking.mlflow.upload import bring_up_to_date
from lengthwise.tracking.runs.find import StoredRun, find_run, list_runs
from lengthwise.tracking.runs.layout import JOURNAL_NAME, MIRROR_STATE_NAME
from lengthwise.tracking.runs.run_record import hide_password

_TICK_SECONDS = 1.0
_FIRST_TICK_SECONDS = 0.25
_LONGEST_FIRST_WAIT_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 60.0
_MOST_FAILURES = 3
_log = logging.getLogger(__name__)


class Mirror(threading.Thread):
    """Keeps MLflow up to date with an open run, about once a second, from a thread of its own.

    MLflow is imported there, and called with explicit ids only: its active run, its global address and the variable
    MLFLOW_RUN_ID play no part. Whatever it raises stays in the thread, which then tries again ever more seldom.

    Args:
        directory: the run's directory.
        tracking: where to.
        reaped: directories of dead runs that were closed; those that MLflow knows are closed there too.
        has_results: set when the run has its results, so that its training no longer minds being disturbed.
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
        self._reaped = [path for path in reaped if (path / MIRROR_STATE_NAME).exists()]
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
            except Exception as error:  # nothing that MLflow raises may reach training
                self._problem = plain_text(error)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                if ending:
                    return
            else:
                if ending:
                    self._done.set()
            if not ending:
                self._ended.wait(pause)

    def _await_start(self) -> None:
        """Leave the interpreter to training until the run has results, or a minute has passed.

        Importing MLflow and making a database take it for several seconds: a short run would be disturbed for a good
        part of its time, for curves that nobody can look at before it ends. A process that has MLflow need not wait.
        """
        if "mlflow" in sys.modules:
            return
        for _ in range(int(_LONGEST_FIRST_WAIT_SECONDS / _FIRST_TICK_SECONDS)):
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
        """Wait for what is missing, and say so if it is not all sent in time.

        Args:
            longest_wait: seconds; `timeout_seconds` where that is less.

        Returns:
            Whether MLflow has all of the run.
        """
        self._ended.set()
        self.join(min(longest_wait, self._tracking.timeout_seconds))
        if not self._done.is_set():
            _log.warning(
                "MLflow at %s does not have all of this run (%s). The run itself is whole, in %s. "
                "To bring MLflow up to date later: lengthwise sync %s",
                hide_password(self._tracking.uri),
                self._problem,
                self._directory,
                self._directory.name,
            )
        return self._done.is_set()


@dataclass(frozen=True, kw_only=True, slots=True)
class Synced:
    """A run that was to be brought up to date in MLflow; `problem` says why it could not be, else is None."""

    name: str
    problem: str | None


def sync(
    output_dir: Path, tracking: TrackingOptions, *, study: str | None = None, run: str | None = None
) -> tuple[Synced, ...]:
    """Bring MLflow up to date with runs, by default all; what it has already is not sent again.

    Args:
        output_dir: where run directories are.
        tracking: where to.
        study: only the runs of this one.
        run: only this one, as `find_run` takes it, with its children where it is a sweep.

    Returns:
        The runs, oldest first, so that parents come before their children.

    Raises:
        ConfigError: tracking is not of the kind `mlflow`.
        RunError: no such run.
        LengthwiseError: MLflow cannot be reached.
    """
    if not isinstance(tracking, MlflowOptions):
        raise ConfigError("tracking", "must be mlflow to sync", received=tracking.name, remedy="Add tracking=mlflow")
    runs = _chosen(output_dir, study, run)
    if not runs:
        return ()
    try:
        store = open_store(tracking.uri)
    except LengthwiseError:
        raise
    except Exception as error:
        uri = hide_password(tracking.uri)
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
            except LengthwiseError as error:  # of this run alone
                problem = str(error)
            except Exception as error:  # one run must not keep the others from being sent
                problem = plain_text(error)
                failures += 1
        yield Synced(name=run.manifest.name, problem=problem)


def plain_text(error: Exception) -> str:
    """Return the first line of an error, cut at 200 characters, without passwords."""
    lines = str(error).strip().splitlines() or [""]
    return hide_password(f"{type(error).__name__}: {lines[0]}"[:200])
