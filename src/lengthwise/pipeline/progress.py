"""The progress of long decoding: one line in a terminal, nothing in a file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lengthwise.decoding.compiled import Report


@contextlib.contextmanager
def show_progress(console: Console, what: str, total: int | None) -> Iterator[Report]:
    """Show a bar while the context is open, if the console is a terminal.

    Args:
        console: where to.
        what: what is done.
        total: of how many; None where that is not known.

    Yields:
        a function to be told how many are done.
    """
    progress = Progress(
        TextColumn(what),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    with progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
