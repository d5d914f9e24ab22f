"""The metrics journal: one JSON object a line, only ever appended to.

A line is `{"key": "val/loss", "step": 3, "value": 0.4, "time": 1764000000.5}`, time in seconds since the epoch. Numbers
that JSON lacks are written as the texts `"nan"`, `"inf"` and `"-inf"`, so that `float(value)` reads every line.

Once `append` returns, its lines survive a kill of the process: they were given to the system in one write. They are
synced to the disk by the run's heartbeat at most a second later, and when the run ends, so that a loss of power can
cost the last second.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from lengthwise.files import open_regular, open_stream


class Entry(NamedTuple):
    """One value of one metric.

    Args:
        key: Name of the metric, `split/metric`.
        step: Epoch or step, at least 0.
        value: May be NaN or infinite.
        time: Seconds since the epoch.
    """

    key: str
    step: int
    value: float
    time: float


def encode_number(value: float) -> float | str:
    """Return a number as the journal and the manifest hold it: itself, or the text `nan`, `inf` or `-inf`."""
    return value if math.isfinite(value) else str(value)


class Journal:
    """An open journal; `append` and `flush` may be called from different threads.

    Opening ends a line that a kill has cut.

    Args:
        path: The file; made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unsynced = False
        self._descriptor = open_regular(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            self._write(b"\n")

    def append(self, entries: Iterable[Entry]) -> None:
        """Append entries in one write.

        Raises:
            OSError: They cannot be written, as on a full disk; the error names the file.
        """
        lines = [
            json.dumps({"key": key, "step": step, "value": encode_number(value), "time": round(time, 3)})
            for key, step, value, time in entries
        ]
        if lines:
            self._write(("\n".join(lines) + "\n").encode())

    def _write(self, content: bytes) -> None:
        try:
            written = os.write(self._descriptor, content)
            while written < len(content):
                written += os.write(self._descriptor, content[written:])
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error
        self._unsynced = True

    def flush(self) -> None:
        """Sync to the disk what was appended since the last call."""
        if self._unsynced:
            self._unsynced = False
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Flush and close."""
        try:
            self.flush()
        finally:
            os.close(self._descriptor)


def read_journal(path: Path, *, start: int = 0, limit: int | None = None) -> tuple[list[Entry], int]:
    """Read the complete lines of a journal; lines that a kill has cut are skipped.

    Args:
        path: The file; a missing one is an empty journal.
        start: Position to read from, in bytes.
        limit: Largest number of entries to return; None: all.

    Returns:
        The entries in the order they were logged, and the position after the last line read.
    """
    entries: list[Entry] = []
    position = start
    if not os.path.lexists(path):
        return entries, position
    with open_stream(path) as file:
        file.seek(start)
        for line in file:
            if not line.endswith(b"\n") or (limit is not None and len(entries) >= limit):
                break
            position += len(line)
            entry = _parse_line(line)
            if entry is not None:
                entries.append(entry)
    return entries, position


def _parse_line(line: bytes) -> Entry | None:
    try:
        found = json.loads(line)
        return Entry(str(found["key"]), int(found["step"]), float(found["value"]), float(found["time"]))
    except (ValueError, TypeError, KeyError):
        return None
