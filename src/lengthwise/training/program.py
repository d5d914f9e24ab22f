"""The compiled functions of a fit, and whether XLA compiles them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from lengthwise.config.options import TrainingOptions
from lengthwise.models.bundle import Models
from lengthwise.models.recurrent_layer import has_gpu
from lengthwise.models.wiring import Wiring
from lengthwise.training.batch_shapes import BatchShape
from lengthwise.training.compiled_pass import BatchPlan, CompiledPass
from lengthwise.training.held_split import HeldSplit, describe_held, take_batch
from lengthwise.training.losses import build_losses
from lengthwise.training.optimizers import build_optimizer
from lengthwise.training.step import FitStep

VALIDATION_BATCH_SIZE = 256

MOST_VALUES = 4_096
"""Values of a batch's states, rows times units, up to which `compile=auto` takes XLA. Above, the matrix products take
most of a step's time, and XLA's are no faster: `experiments/performance/compile.csv`."""

FEWEST_UPDATES = 2_000
"""Fewest updates for which `compile=auto` takes XLA: compilation takes as long as it saves in 500 to 1,100."""


class FitProgram:
    """The compiled functions of a fit, which fits of the same models share: what differs between them is given to it.

    Args:
        models: Their network is trained.
        options: Of the training; the optimiser's kind, clipping and smoothing are compiled in.
        held: The splits `train` and `val` as tensors, of any number of examples.
        batch_size: Most examples of a training batch.
        shapes: Shapes of training batches that XLA compiles; empty for TensorFlow's own loops.
    """

    def __init__(
        self,
        models: Models,
        options: TrainingOptions,
        held: Mapping[str, HeldSplit],
        *,
        batch_size: int,
        shapes: tuple[BatchShape, ...],
    ) -> None:
        self.network = network = models.network
        wiring = models.wiring
        network.compile(optimizer=build_optimizer(options))
        # So that the training step is traced only once: with the variables there, it need not create them.
        network.optimizer.build(network.trainable_variables)
        self.optimizer = network.optimizer
        self._initial = [np.copy(variable) for variable in self.optimizer.variables]
        self.step = FitStep(network, self.optimizer, build_losses(wiring, label_smoothing=options.label_smoothing))

        def train(plan: BatchPlan, held: HeldSplit, shape: BatchShape | None) -> tf.Tensor:
            self.optimizer.learning_rate = plan.learning_rate
            if wiring.feedback == "scheduled":
                network.decoder.sampling_probability.assign(plan.sampling_rate)
            return self.step.train(take_batch(held, wiring, plan.rows, shape))

        # Few and large batches, which XLA would not make faster.
        def validate(plan: BatchPlan, held: HeldSplit, shape: BatchShape | None) -> tf.Tensor:
            return self.step.validate(take_batch(held, wiring, plan.rows, shape))

        self.train = CompiledPass(train, describe_held(held["train"]), batch_size=batch_size, shapes=shapes)
        self.validate = CompiledPass(validate, describe_held(held["val"]), batch_size=VALIDATION_BATCH_SIZE)

    def reset(self, learning_rate: float) -> None:
        """Start a new fit: with this program's optimiser, as it was built, at a learning rate."""
        # The models' last fit may have had another program, with an optimiser of its own.
        self.network.optimizer = self.optimizer
        for variable, value in zip(self.optimizer.variables, self._initial, strict=True):
            variable.assign(value)
        self.optimizer.learning_rate = learning_rate


def find_program(
    models: Models,
    options: TrainingOptions,
    held: Mapping[str, HeldSplit],
    *,
    batch_size: int,
    shapes: tuple[BatchShape, ...],
) -> FitProgram:
    """Return the program of a fit, which has the arguments of `FitProgram`, compiled before if that is possible."""
    described = tuple(describe_held(split) for split in held.values())
    compiled_in = (options.optimizer, options.clip_norm, options.label_smoothing, batch_size)
    key = (FitProgram, compiled_in, described, shapes)
    if key not in models.functions:
        models.functions[key] = FitProgram(models, options, held, batch_size=batch_size, shapes=shapes)
    program: FitProgram = models.functions[key]
    return program


def uses_xla(options: TrainingOptions, wiring: Wiring, *, num_updates: int) -> bool:
    """Decide only by options and sizes whether XLA compiles a fit's updates, so that a run can be repeated.

    Args:
        options: `compile=auto` leaves the choice to the sizes.
        wiring: Of the model.
        num_updates: Updates of the whole fit.
    """
    if options.compile != "auto":
        return options.compile == "xla"
    is_small = options.batch_size * max(wiring.latent_dim, wiring.decoder_dim) <= MOST_VALUES
    is_long = num_updates >= FEWEST_UPDATES
    return is_small and is_long and options.precision == "float32" and not has_gpu()
