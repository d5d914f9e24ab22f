"""Build optimisers and plan the learning rate of every update."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from lengthwise.config.options import TrainingOptions

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}


def build_optimizer(options: TrainingOptions) -> keras.optimizers.Optimizer:
    """Build the optimiser of a run; each update is given its learning rate."""
    return OPTIMIZERS[options.optimizer](learning_rate=options.learning_rate, global_clipnorm=options.clip_norm)


def plan_learning_rates(
    options: TrainingOptions, current: float, *, first: int, count: int, total: int
) -> NDArray[np.float32]:
    """Return the learning rates of some updates.

    Args:
        options: Options of the fit.
        current: The rate of the last update, which is kept unless the schedule is a function of the update.
        first: Number of the first of these updates, from 0.
        count: How many.
        total: Updates of the whole fit, in which a cosine falls to 0.

    Returns:
        `(count,)` rates.
    """
    if options.schedule != "cosine":
        return np.full(count, current, np.float32)
    schedule = keras.optimizers.schedules.CosineDecay(options.learning_rate, decay_steps=total)
    return np.asarray(schedule(np.arange(first, first + count, dtype=np.float32)), np.float32)
