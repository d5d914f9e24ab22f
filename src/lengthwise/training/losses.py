"""Losses: means over the steps that count."""

from __future__ import annotations

import keras

from lengthwise.models.wiring import Wiring


def build_losses(wiring: Wiring) -> dict[str, keras.losses.Loss]:
    """Return the loss of each of the model's outputs; their sum is what training minimises.

    Tokens: cross-entropy in nats a step. Features: squared error, a mean over features and steps, and where a stop
    probability is learnt its binary cross-entropy in nats a step. Steps of weight 0 count in neither sum nor mean.
    """
    mean = "mean_with_sample_weight"
    if wiring.is_tokens:
        return {"values": keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=mean)}
    losses: dict[str, keras.losses.Loss] = {"values": keras.losses.MeanSquaredError(reduction=mean)}
    if wiring.learns_stop_probability:
        losses["stop"] = keras.losses.BinaryCrossentropy(from_logits=True, reduction=mean)
    return losses
