"""The progress of a sweep: a bar in a terminal, a line for each job in a file."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from lengthwise.sweeps.jobs import JobResult


class SweepProgress:
    """Shows how many jobs of a sweep have ended; a context.

    Args:
        num_jobs: How many there are to run.
        varied: The options in which they differ.
        num_workers: How many run side by side.
        console: Where to print.
    """

    def __init__(self, num_jobs: int, *, varied: Sequence[str], num_workers: int, console: Console) -> None:
        self._num_jobs, self._num_workers, self._console = num_jobs, num_workers, console
        self._varied = varied
        self._seconds: list[float] = []
        self._num_failed = 0
        self._started = time.monotonic()
        self._bar: Progress | None = None
        if console.is_terminal:
            note = TextColumn("{task.fields[note]}")
            columns = (SpinnerColumn(), TextColumn("jobs"), BarColumn(), MofNCompleteColumn(), note)
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task("jobs", total=self._num_jobs, note="")

    def __enter__(self) -> SweepProgress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, result: JobResult) -> None:
        """Show that a job has ended; in a terminal only if it failed, since the table at the end lists all.

        Args:
            result: Of the job.
        """
        attempt = result.attempt
        self._seconds.append(attempt.seconds)
        self._num_failed += result.has_failed
        place = f"[{len(self._seconds)}/{self._num_jobs}]"
        score = "" if result.score is None else f"{result.score.metric}={result.score.value:.4g}"
        overrides = [text for text in result.job.overrides if text.partition("=")[0] in self._varied]
        words = (place, attempt.status, f"{attempt.seconds:.1f} s", *overrides, attempt.reason or score)
        line = Text("  ".join(word for word in words if word), style="red" if result.has_failed else "")
        if self._bar is None or result.has_failed:
            self._console.print(line, soft_wrap=True)
        self.tick()

    def tick(self) -> None:
        """Update the remaining time."""
        if self._bar is None:
            return
        failed = f"{self._num_failed} failed, " if self._num_failed else ""
        self._bar.update(self._task, completed=len(self._seconds), note=f"{failed}{self._estimate()}")

    def _estimate(self) -> str:
        passed = time.monotonic() - self._started
        if not self._seconds:
            return f"{format_seconds(passed)} so far"
        rounds = math.ceil(self._num_jobs / self._num_workers)
        total = rounds * sum(self._seconds) / len(self._seconds)
        if passed >= total:
            return "taking longer than estimated"
        return f"about {format_seconds(total - passed)} left"


def format_seconds(seconds: float) -> str:
    """Write a duration for a person.

    Args:
        seconds: At least 0.

    >>> format_seconds(9.6), format_seconds(75), format_seconds(7300)
    ('10 s', '1 min 15 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
