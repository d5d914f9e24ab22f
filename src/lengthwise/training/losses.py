"""Build the losses of a model: means over the steps that count."""

from __future__ import annotations

import keras

from lengthwise.models.wiring import Wiring


def build_losses(wiring: Wiring) -> dict[str, keras.losses.Loss]:
    """Return the loss of each of the model's outputs; training minimises their sum.

    Tokens: cross-entropy of the logits `(B, T, V)` in nats per step. Features: squared error of `(B, T, V)`, a mean
    over features and steps; where a stop probability is learnt, also the binary cross-entropy of its logits `(B, T, 1)`
    in nats per step. Each is a mean over the steps whose sample weight, `(B, T)`, is 1.
    """
    mean = "mean_with_sample_weight"
    if wiring.is_tokens:
        return {"values": keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=mean)}
    losses: dict[str, keras.losses.Loss] = {"values": keras.losses.MeanSquaredError(reduction=mean)}
    if wiring.learns_stop_probability:
        losses["stop"] = keras.losses.BinaryCrossentropy(from_logits=True, reduction=mean)
    return losses
