"""Adding metrics and files to a run that has ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from lengthwise.config.options import MlflowOptions, TrackingOptions
from lengthwise.errors import RunError
from lengthwise.files import refuse_links
from lengthwise.tracking.mlflow.mirror import plain_text
from lengthwise.tracking.mlflow.store import open_store
from lengthwise.tracking.mlflow.upload import bring_up_to_date
from lengthwise.tracking.runs.heartbeat import reap_run
from lengthwise.tracking.runs.journal import Entry, Journal, read_journal
from lengthwise.tracking.runs.layout import JOURNAL_NAME
from lengthwise.tracking.runs.manifest import read_manifest, write_manifest
from lengthwise.tracking.runs.run_files import RunFiles

_LOCK_TIMEOUT_SECONDS = 60.0
_log = logging.getLogger(__name__)


def add_to_run(
    directory: Path,
    tracking: TrackingOptions,
    *,
    metrics: Mapping[str, float],
    files: Mapping[str, str | bytes],
    missing: Sequence[str] | None = None,
) -> None:
    """Add metrics and files to a run that has ended; its status, its times and its other metrics stay.

    Args:
        directory: The run's directory.
        tracking: Whether, and where to, the run is mirrored. If MLflow cannot be reached, a warning says so, and
            `lengthwise sync` brings it up to date later.
        metrics: By name, `split/...`; for the summary, and for the journal at its last step.
        files: Content by path in the run's directory; each is written whole or not at all.
        missing: Parts of the results that are still missing; None: those that were.

    Raises:
        RunError: The run is still running, or there are links in its directory.
    """
    refuse_links(directory)
    reap_run(directory)
    run_files = RunFiles(directory)
    with FileLock(run_files.path(".amend.lock"), timeout=_LOCK_TIMEOUT_SECONDS):
        manifest = read_manifest(directory)
        if manifest.status == "RUNNING":
            raise RunError(f"{manifest.name} is still running. Wait for its end.")
        for name, content in files.items():
            if isinstance(content, bytes):
                run_files.write_bytes(name, content)
            else:
                run_files.write_text(name, content)
        entries, _ = read_journal(directory / JOURNAL_NAME)
        step, now = max((entry.step for entry in entries), default=0), time.time()
        with closing(Journal(directory / JOURNAL_NAME)) as journal:
            journal.append([Entry(key, step, value, now) for key, value in metrics.items()])
        summary = {**manifest.summary, **metrics}
        missing = manifest.missing if missing is None else tuple(missing)
        write_manifest(directory, replace(manifest, summary=summary, missing=missing))
    if isinstance(tracking, MlflowOptions):
        try:
            bring_up_to_date(directory, open_store(tracking.uri))
        except Exception as error:  # the run directory has all of it
            message = "MLflow does not have what was added (%s). To bring it up to date later: lengthwise sync %s"
            _log.warning(message, plain_text(error), directory.name)
