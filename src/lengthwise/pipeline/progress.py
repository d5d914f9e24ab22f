"""Show the progress of long decoding: one line in a terminal, nothing in a file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@contextlib.contextmanager
def show_progress(console: Console, activity: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar while the context is open, if the console is a terminal.

    Args:
        console: Where the bar is shown.
        activity: What is being done, such as `decoding test`.
        total: Number of examples; None where it is not known.

    Yields:
        A function to call with the number of examples done so far.
    """
    progress = Progress(
        TextColumn(activity),
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
        task = progress.add_task(activity, total=total)
        yield lambda done: progress.update(task, completed=done)
