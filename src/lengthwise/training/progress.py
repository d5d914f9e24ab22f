"""The progress of a fit: one line in a terminal, nothing in a file."""

from __future__ import annotations

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Logs = dict[str, float] | None


class ProgressLine(keras.callbacks.Callback):
    """A bar over all batches of all epochs, with the losses of the last epoch beside it.

    Attributes:
        progress: the line itself, shown while it is entered as a context.
    """

    def __init__(self, console: Console, num_batches: int, epochs: int) -> None:
        super().__init__()
        self.num_batches, self.epochs = num_batches, epochs
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

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Count the epoch."""
        self.progress.update(self.task, epoch=epoch + 1, completed=epoch * self.num_batches)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Move the bar."""
        self.progress.advance(self.task)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Show the losses."""
        logs = logs or {}
        self.progress.update(self.task, losses=f"loss {logs['loss']:.4f}  val {logs['val_loss']:.4f}")
