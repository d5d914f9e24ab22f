"""Show the progress of a fit: one line in a terminal, nothing in a file."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class ProgressLine:
    """A bar over all batches of all epochs, with the losses of the last epoch beside it.

    Attributes:
        progress: The line itself, a context manager that shows it.
    """

    def __init__(self, console: Console, num_batches: int, epochs: int) -> None:
        self.num_batches = num_batches
        self.progress = Progress(
            TextColumn("epoch"),
            TextColumn("{task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[losses]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        total = num_batches * epochs
        self.task = self.progress.add_task("fit", total=total, epoch=0, epochs=epochs, losses="")

    def on_progress(self, epoch: int, batches: int) -> None:
        """Move the bar to a number of batches of an epoch, counted from 0."""
        self.progress.update(self.task, epoch=epoch + 1, completed=epoch * self.num_batches + batches)

    def on_epoch(self, metrics: dict[str, float]) -> None:
        """Show the losses."""
        self.progress.update(self.task, losses=f"loss {metrics['train/loss']:.4f}  val {metrics['val/loss']:.4f}")
