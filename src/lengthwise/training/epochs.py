"""Run the epochs of a fit: training batches in an order that follows from (seed, epoch), then the validation split."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.options import RunOptions
from lengthwise.data.batching import draw_batches, plan_batches, plan_evaluation_batches
from lengthwise.data.dataset import Split
from lengthwise.models.bundle import Models
from lengthwise.training.batch_shapes import choose_shapes, plan_shapes
from lengthwise.training.compiled_pass import BatchPlan, plan_pass
from lengthwise.training.held_split import hold_split
from lengthwise.training.optimizers import plan_learning_rates
from lengthwise.training.program import VALIDATION_BATCH_SIZE, find_program, uses_xla
from lengthwise.training.sampling import plan_sampling_rates


class DivergedError(RuntimeError):
    """The loss is no longer a finite number, so further training would be a waste of time."""


class Epochs:
    """Runs one epoch of a fit after another.

    Args:
        models: As built; their network is changed by training.
        splits: `train` and `val`.
        options: Options of the run.
    """

    def __init__(self, models: Models, splits: Mapping[str, Split], options: RunOptions) -> None:
        self.options, self.model, self.train_split = options, models.network, splits["train"]
        training = options.training
        first = self.plan(0)
        self.num_batches = len(first)
        is_compiled = uses_xla(training, models.wiring, num_updates=training.epochs * self.num_batches)
        self._shapes = plan_shapes(self.train_split, models.wiring) if is_compiled else ()
        self._held = {name: hold_split(splits[name], is_rounded=is_compiled) for name in ("train", "val")}
        self._batch_size = max(len(rows) for rows in first)
        self._program = find_program(models, training, self._held, batch_size=self._batch_size, shapes=self._shapes)
        self._program.reset(training.learning_rate)
        lengths = splits["val"].source.length, splits["val"].target.length
        batches = plan_evaluation_batches(*lengths, VALIDATION_BATCH_SIZE)
        self._validation_plan = plan_pass(batches, batch_size=VALIDATION_BATCH_SIZE)

    def run(self, epoch: int, *, on_progress: Callable[[int], None]) -> dict[str, float]:
        """Train for one epoch and validate.

        Args:
            epoch: Number of the epoch, from 0; with the seed it decides the order of the data.
            on_progress: Called about twice a second with the number of batches trained on.

        Returns:
            The epoch's metrics: `train/loss`, `val/loss`, `train/learning_rate`, `time/epoch_seconds`, ...

        Raises:
            DivergedError: The training loss is NaN or infinite.
        """
        started = time.perf_counter()
        step = self._program.step
        step.reset_metrics()
        done, loss = self._program.train.run(self._plan_epoch(epoch), self._held["train"], on_progress=on_progress)
        if not math.isfinite(loss):
            raise DivergedError(
                f"the training loss became {loss} at batch {done}: try a lower training.learning_rate, "
                "or training.clip_norm=1"
            )
        metrics = {f"train/{name}": value for name, value in step.read_metrics().items()}
        step.reset_metrics()
        self._program.validate.run(self._validation_plan, self._held["val"], on_progress=lambda _done: None)
        metrics |= {f"val/{name}": value for name, value in step.read_metrics().items()}
        metrics["train/learning_rate"] = float(self._plan_rates(epoch + 1, count=1)[0])
        metrics["time/epoch_seconds"] = time.perf_counter() - started
        return metrics

    def plan(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return the rows of each training batch of an epoch, which follow from (seed, epoch)."""
        training = self.options.training
        if training.draws == "replacement":
            return draw_batches(
                len(self.train_split),
                batch_size=training.batch_size,
                seed=self.options.seed,
                epoch=epoch,
                batches_per_epoch=training.batches_per_epoch,
            )
        return plan_batches(
            self.train_split.source.length,
            self.train_split.target.length,
            batch_size=training.batch_size,
            seed=self.options.seed,
            epoch=epoch,
            batches_per_epoch=training.batches_per_epoch,
        )

    def _plan_epoch(self, epoch: int) -> BatchPlan:
        batches, shapes = self.plan(epoch), self._shapes
        return plan_pass(
            batches,
            batch_size=self._batch_size,
            shapes=choose_shapes(shapes, batches, self.train_split, self.model.wiring) if shapes else None,
            sampling_rates=plan_sampling_rates(self.options.model, epoch=epoch, num_batches=self.num_batches),
            learning_rates=self._plan_rates(epoch, count=self.num_batches).tolist(),
        )

    def _plan_rates(self, epoch: int, *, count: int) -> NDArray[np.float32]:
        """Return the learning rates `(count,)` of the first batches of an epoch."""
        current = float(np.asarray(self.model.optimizer.learning_rate))
        total = self.num_batches * self.options.training.epochs
        first = epoch * self.num_batches
        return plan_learning_rates(self.options.training, current, first=first, count=count, total=total)
