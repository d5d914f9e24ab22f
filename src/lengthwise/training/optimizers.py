"""Build optimisers and schedules of the learning rate."""

from __future__ import annotations

import keras

from lengthwise.config.options import TrainingOptions

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}


def build_optimizer(options: TrainingOptions, num_batches: int) -> keras.optimizers.Optimizer:
    """Build the optimiser of a run of `num_batches` batches in total.

    With `schedule=plateau` the rate starts constant, and the validation watch lowers it.
    """
    rate: float | keras.optimizers.schedules.LearningRateSchedule = options.learning_rate
    if options.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(options.learning_rate, decay_steps=num_batches)
    return OPTIMIZERS[options.optimizer](learning_rate=rate, global_clipnorm=options.clip_norm)
