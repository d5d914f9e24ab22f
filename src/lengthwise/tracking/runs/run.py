"""Open runs: making, resuming and closing a run directory, and logging into it."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import re
import secrets
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lengthwise.config.paths import project_root
from lengthwise.credentials import hide_credentials
from lengthwise.errors import ConfigError, RunError
from lengthwise.files import refuse_links, write_whole
from lengthwise.tracking.runs.heartbeat import Heartbeat, free_reserve, place_heartbeat
from lengthwise.tracking.runs.journal import Entry, Journal, read_journal
from lengthwise.tracking.runs.layout import (
    CONFIG_NAME,
    DIFF_NAME,
    HEARTBEAT_NAME,
    JOURNAL_NAME,
    LOG_NAME,
    TRACEBACK_NAME,
)
from lengthwise.tracking.runs.manifest import (
    Failure,
    Manifest,
    iso_time,
    read_manifest,
    seconds_of,
    write_manifest,
)
from lengthwise.tracking.runs.process import current_process
from lengthwise.tracking.runs.provenance import read_git, read_versions
from lengthwise.tracking.runs.run_files import RunFiles
from lengthwise.tracking.runs.run_record import RunRecord, without_credentials
from lengthwise.tracking.runs.status import Status, judge_end

_METRIC_NAME = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+")
_MAX_RESCUED_LOG = 8_000  # characters, of at most four bytes each: half of the reserve
_log = logging.getLogger(__name__)


class Run(RunFiles):
    """An open run.

    Args:
        directory: The run's directory.
        manifest: As written at the start.

    Attributes:
        has_results: Set as soon as the run has scores; its training is over by then.
    """

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        super().__init__(directory)
        self._manifest = manifest
        kept, _ = read_journal(directory / JOURNAL_NAME)
        self._journal = Journal(directory / JOURNAL_NAME)
        # A resumed run repeats some of its steps; what the journal has already is not logged twice.
        self._kept = {(entry.key, entry.step) for entry in kept}
        self._last_step = max((entry.step for entry in kept), default=0)
        self._latest = {entry.key: (entry.step, entry.value) for entry in kept}
        self.has_results = threading.Event()
        self._heartbeat = Heartbeat(directory, self._journal)
        self._heartbeat.start()

    @property
    def name(self) -> str:
        """Name of the run's directory, unique below `output_dir`."""
        return self._manifest.name

    @property
    def summary(self) -> Mapping[str, float]:
        """The metrics given to `set_summary` so far."""
        return self._manifest.summary

    @property
    def missing(self) -> tuple[str, ...]:
        """The parts of the results given to `set_missing`."""
        return self._manifest.missing

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        """Append values of metrics to the journal; once this returns, a kill of the process does not lose them.

        A value of a step that the journal had when the run was resumed is skipped: it is the same value again.

        Args:
            values: By name, `split/metric`; NaN and infinities are kept.
            step: The epoch or step they belong to, at least 0.

        Raises:
            ValueError: A name is not `split/metric`, a value is not a number, or the step is negative.
            OSError: The journal cannot be written, as on a full disk.
        """
        if step < 0:
            raise ValueError(f"step must be at least 0; got {step}")
        now = time.time()
        entries = [
            Entry(_checked_name(key), int(step), float(value), now)
            for key, value in values.items()
            if (key, int(step)) not in self._kept
        ]
        self._journal.append(entries)
        self._last_step = max(self._last_step, int(step))
        self._latest.update((entry.key, (entry.step, entry.value)) for entry in entries)

    def set_summary(self, values: Mapping[str, float]) -> None:
        """Keep metrics for listings; each is also logged, once, at the last step so far.

        Args:
            values: By name, `split/metric`.
        """
        metrics = {_checked_name(key): float(value) for key, value in values.items()}
        self._manifest = replace(self._manifest, summary={**self._manifest.summary, **metrics})
        try:
            self._write_summary(metrics)
        except OSError:
            # The reserve is for the scores as well; what is written after them must leave the half that closes the run.
            free_reserve(self.directory, half=True)
            self._write_summary(metrics)

    def _write_summary(self, metrics: Mapping[str, float]) -> None:
        write_manifest(self.directory, self._manifest)
        self.has_results.set()
        step = self._last_step
        self.log({key: value for key, value in metrics.items() if not self._is_logged(key, value)}, step=step)

    def _is_logged(self, key: str, value: float) -> bool:
        found = self._latest.get(key, (0, math.inf))[1]
        return key in self._latest and (found == value or (math.isnan(found) and math.isnan(value)))

    def set_missing(self, parts: Sequence[str]) -> None:
        """Note the parts of the results that could not be written; the manifest names them when the run is closed.

        Args:
            parts: Their names; replaces those given before.
        """
        self._manifest = replace(self._manifest, missing=tuple(parts))

    def write_log(self, text: str) -> None:
        """Keep what the run printed; on a full disk its end, in half of the space that the run reserves.

        A log that cannot be written does not change how the run ends.

        Args:
            text: All of it.
        """
        with contextlib.suppress(OSError):
            try:
                self.write_text(LOG_NAME, text)
            except OSError:
                free_reserve(self.directory, half=True)
                self.write_text(LOG_NAME, text[-_MAX_RESCUED_LOG:])

    def close(self, error: BaseException | None) -> Status:
        """Close the run.

        Args:
            error: The exception that has ended it; None after a normal end.

        Returns:
            FINISHED after a normal end, KILLED after Ctrl-C or SIGTERM, FAILED after any other exception, whose
            traceback is kept in the directory.
        """
        free_reserve(self.directory)
        status, reason = judge_end(error)
        failure = None if reason is None else Failure(reason=reason, traceback=None)
        if failure is not None and status == "FAILED":
            failure = replace(failure, traceback=self._keep_traceback(error))
        now = time.time()
        started = seconds_of(self._manifest.started)
        ended = max(now, started)  # a clock that was set back must not make a run end before it began
        self._manifest = replace(
            self._manifest,
            status=status,
            ended=iso_time(ended),
            duration_seconds=round(ended - started, 3),
            failure=failure,
        )
        try:
            self._heartbeat.stop()
            self._journal.close()
        finally:
            write_manifest(self.directory, self._manifest)
            (self.directory / HEARTBEAT_NAME).unlink(missing_ok=True)
        return status

    def _keep_traceback(self, error: BaseException | None) -> str | None:
        try:
            self.write_text(TRACEBACK_NAME, hide_credentials("".join(traceback.format_exception(error))))
        except OSError as problem:
            _log.warning("The traceback could not be kept: %s", problem)
            return None
        return TRACEBACK_NAME


def create_run(record: RunRecord, *, output_dir: Path, config_text: str) -> Run:
    """Make the directory of a new run, and open the run.

    Args:
        record: What is fixed before the run starts.
        output_dir: Where run directories are; absolute.
        config_text: The whole configuration as YAML.

    Raises:
        ConfigError: The directory cannot be made.
        ValueError: `output_dir` is relative.
    """
    started = time.time()
    git, diff = read_git(project_root())
    directory = _make_directory(output_dir, record, started)
    config = hide_credentials(config_text).encode()
    manifest = Manifest(
        record=without_credentials(record),
        name=directory.name,
        id=directory.name[-6:],
        status="RUNNING",
        started=iso_time(started),
        ended=None,
        duration_seconds=None,
        config_sha256=hashlib.sha256(config).hexdigest(),
        versions=read_versions(),
        git=git,
        process=current_process(),
        summary={},
        failure=None,
    )
    place_heartbeat(directory)  # before the manifest, so that no run is RUNNING without one
    write_manifest(directory, manifest)
    write_whole(directory / CONFIG_NAME, config)
    if diff:
        write_whole(directory / DIFF_NAME, diff.encode("utf-8", errors="replace"))
    return Run(directory, manifest)


def reopen_run(directory: Path) -> Run:
    """Open a run again that has ended.

    Args:
        directory: The run's directory.

    Raises:
        RunError: There is no run, it is running, or there are links in its directory.
    """
    manifest = read_manifest(directory)
    if manifest.status == "RUNNING":
        where = f"process {manifest.process.pid} on {manifest.process.host}"
        raise RunError(f"{manifest.name} is still running, as {where}. Wait, or end it.")
    refuse_links(directory)
    place_heartbeat(directory)
    manifest = replace(
        manifest,
        status="RUNNING",
        ended=None,
        duration_seconds=None,
        failure=None,
        missing=(),
        process=current_process(),
    )
    write_manifest(directory, manifest)
    (directory / TRACEBACK_NAME).unlink(missing_ok=True)
    return Run(directory, manifest)


def _make_directory(output_dir: Path, record: RunRecord, started: float) -> Path:
    if not output_dir.is_absolute():
        raise ValueError(f"output_dir must be absolute; got {output_dir}")
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(started))
    study = output_dir / record.study
    try:
        study.mkdir(parents=True, exist_ok=True)
        while True:
            directory = study / f"{stamp}-{record.label}-{_draw_id()}"
            with contextlib.suppress(FileExistsError):
                directory.mkdir()
                return directory
    except OSError as error:
        raise ConfigError(
            "output_dir",
            f"must be a directory that can be written ({error.strerror})",
            received=str(error.filename or study),
            remedy="Give another with output_dir=DIRECTORY",
        ) from error


def _draw_id() -> str:
    """Draw an id that begins with a letter, since `resume=569798` and `resume=12e456` are read as numbers."""
    while (drawn := secrets.token_hex(3))[0].isdecimal():
        pass
    return drawn


def _checked_name(key: str) -> str:
    if not _METRIC_NAME.fullmatch(key):
        raise ValueError(f"a metric is named split/metric, such as val/loss; got {key!r}")
    return key
