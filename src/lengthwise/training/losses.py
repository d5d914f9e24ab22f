"""Build the losses of a model: means over the steps that count."""

from __future__ import annotations

from typing import TypeAlias

import keras
import tensorflow as tf

from lengthwise.models.wiring import Wiring

Tensor: TypeAlias = tf.Tensor


class SmoothedCrossEntropy(keras.losses.Loss):
    """Cross-entropy between smoothed symbols and logits (Szegedy et al. 2016, section 7).

    A symbol's target is 1 - s + s / V for itself and s / V for each other of the V symbols.

    Args:
        smoothing: The share s, above 0 and below 1.
        reduction: As for Keras' losses.
    """

    def __init__(self, smoothing: float, *, reduction: str) -> None:
        super().__init__(name="smoothed_cross_entropy", reduction=reduction)
        self.smoothing = smoothing

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the loss `(B, T)` of ids `(B, T)` and logits `(B, T, V)`, in nats."""
        log_probability = tf.nn.log_softmax(y_pred)
        true = tf.gather(log_probability, tf.cast(y_true, tf.int32), batch_dims=2)
        return -(1 - self.smoothing) * true - self.smoothing * tf.reduce_mean(log_probability, axis=-1)


def build_losses(wiring: Wiring, *, label_smoothing: float = 0.0) -> dict[str, keras.losses.Loss]:
    """Return the loss of each of the model's outputs; training minimises their sum.

    Tokens: cross-entropy of the logits `(B, T, V)` in nats per step. Features: squared error of `(B, T, V)`, a mean
    over features and steps; where a stop probability is learnt, also the binary cross-entropy of its logits `(B, T, 1)`
    in nats per step. Each is a mean over the steps whose sample weight, `(B, T)`, is 1.

    Args:
        wiring: Decides which outputs there are.
        label_smoothing: Share of a symbol's target that is spread over all symbols, from 0 to below 1.
    """
    mean = "mean_with_sample_weight"
    if wiring.is_tokens and label_smoothing:
        return {"values": SmoothedCrossEntropy(label_smoothing, reduction=mean)}
    if wiring.is_tokens:
        return {"values": keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=mean)}
    losses: dict[str, keras.losses.Loss] = {"values": keras.losses.MeanSquaredError(reduction=mean)}
    if wiring.learns_stop_probability:
        losses["stop"] = keras.losses.BinaryCrossentropy(from_logits=True, reduction=mean)
    return losses
