"""The ledger of a sweep: every job it has had, over all commands that resumed it, and the result of each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lengthwise.errors import RunError
from lengthwise.files import append, read_regular, write_whole
from lengthwise.sweeps.jobs import Job, JobResult
from lengthwise.sweeps.table import Row, make_row

LEDGER_NAME = "jobs.jsonl"
_NAME_BEFORE = "jobs.json"
LEDGER_PATTERN = "jobs.json*"
"""What the ledgers of sweeps are called, those of versions until November 2026 too."""

_MAX_BYTES = 1_000_000_000


class Ledger:
    """The jobs of a sweep, each with its number, its row of the table and its value; stored in `jobs.jsonl`.

    Each line of the file is a job; what is recorded of it later is a further line, which replaces the earlier ones. So
    a result costs the same in a sweep of ten jobs and of ten thousand.

    Args:
        directory: Of the sweep's parent run.

    Raises:
        RunError: The file cannot be read.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / LEDGER_NAME
        self._entries: dict[str, dict[str, Any]] = {entry["identity"]: entry for entry in _read(directory)}
        self._is_whole = False  # whether the file holds these entries, and ends with a whole line

    def enter(self, jobs: Iterable[Job]) -> list[Job]:
        """Give each job the number that it had before, or else the next free one; on the disk when this returns.

        Args:
            jobs: Equal ones get the same number.

        Returns:
            The jobs with their numbers.
        """
        numbered, fresh = [], []
        for job in jobs:
            known = self._entries.get(job.identity)
            entered = replace(job, number=len(self._entries) if known is None else known["number"])
            if known is None:
                entry = {"number": entered.number, "value": None, "row": make_row(entered, None)}
                self._entries[job.identity] = {"identity": job.identity, **entry}
                fresh.append(self._entries[job.identity])
            numbered.append(entered)
        self._write(fresh)
        return numbered

    def record(self, result: JobResult) -> None:
        """Store the result of a job. A job that had finished before this command keeps its row.

        Args:
            result: Of the job.
        """
        entry = self._entries[result.job.identity]
        if result.num_attempts or entry["row"]["status"] != "FINISHED":
            entry |= {"row": make_row(result.job, result), "value": result.attempt.value}
            self._write([entry])

    def find_value(self, job: Job) -> float | None:
        """Return what a job returned when it finished; None if that is not known.

        Args:
            job: The job.
        """
        found: float | None = self._entries[job.identity]["value"]
        return found

    @property
    def rows(self) -> list[Row]:
        """The rows of all jobs, by number."""
        return [entry["row"] for entry in self._entries.values()]

    def _write(self, entries: Sequence[dict[str, Any]]) -> None:
        """Add lines to the file; the first time the whole file, whose last line may be torn, is rewritten."""
        if not self._is_whole:
            write_whole(self._path, _format(self._entries.values()))
            self._is_whole = True
        elif entries:
            append(self._path, _format(entries))


def _format(entries: Iterable[dict[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(entry)}\n" for entry in entries).encode()


def list_identities(directory: Path) -> set[str]:
    """Return the identities of the jobs that a sweep has had; none if its ledger cannot be read.

    Args:
        directory: Of the sweep's parent run.
    """
    try:
        return {entry["identity"] for entry in _read(directory)}
    except RunError:
        return set()


def _read(directory: Path) -> list[dict[str, Any]]:
    """Return the entries of all lines, later ones after those that they replace."""
    path = directory / LEDGER_NAME
    try:
        if not path.is_file() and (directory / _NAME_BEFORE).is_file():
            path = directory / _NAME_BEFORE  # one list, of versions until November 2026
            entries = json.loads(read_regular(path, max_bytes=_MAX_BYTES))
        else:
            *lines, _torn = read_regular(path, max_bytes=_MAX_BYTES).split(b"\n")
            entries = map(json.loads, lines)
        return [{key: entry[key] for key in ("identity", "number", "value", "row")} for entry in entries]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(f"{path} cannot be read as the ledger of a sweep ({error}). Move the file away.") from error
