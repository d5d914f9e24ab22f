"""Update a network with a training batch, or only measure it, and keep the epoch's means."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from lengthwise.models.bundle import SequenceModel
from lengthwise.training.held_split import Tensor, TensorBatch


class FitStep:
    """What a fit does with one batch.

    Every metric is a mean over the examples or the scored steps since the last reset. Rows without a scored step, which
    fill a batch up, count nowhere.

    Args:
        network: Changed by training.
        optimizer: Built for the network's weights.
        losses: Of each of the network's outputs.
    """

    def __init__(
        self, network: SequenceModel, optimizer: keras.optimizers.Optimizer, losses: dict[str, keras.losses.Loss]
    ) -> None:
        self.network, self.optimizer, self.losses = network, optimizer, losses
        self.loss = keras.metrics.Mean(name="loss")
        names = self.losses if len(self.losses) > 1 else ()
        self.parts = {name: keras.metrics.Mean(name=f"{name}_loss") for name in names}
        self.score = (
            keras.metrics.SparseCategoricalAccuracy(name="teacher_forced_accuracy")
            if network.wiring.is_tokens
            else keras.metrics.MeanAbsoluteError(name="absolute_error")
        )

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """All metrics, the mean loss first."""
        return [self.loss, *self.parts.values(), self.score]

    def train(self, batch: TensorBatch) -> Tensor:
        """Update the network; return the mean loss so far, a scalar."""
        with tf.GradientTape() as tape:
            outputs = self.network(batch[0], training=True)
            losses = self._compute_losses(outputs, batch)
            loss = self.optimizer.scale_loss(tf.add_n(list(losses.values())))
        weights = self.network.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return self._update_metrics(losses, outputs, batch)

    def validate(self, batch: TensorBatch) -> Tensor:
        """Measure the network; return the mean loss so far, a scalar."""
        outputs = self.network(batch[0], training=False)
        return self._update_metrics(self._compute_losses(outputs, batch), outputs, batch)

    def reset_metrics(self) -> None:
        """Start an epoch's means again."""
        for metric in self.metrics:
            metric.reset_state()

    def read_metrics(self) -> dict[str, float]:
        """Return the means so far by their names."""
        return {metric.name: float(metric.result()) for metric in self.metrics}

    def _compute_losses(self, outputs: dict[str, Tensor], batch: TensorBatch) -> dict[str, Tensor]:
        _, targets, weights = batch
        return {
            name: loss(targets[name], outputs[name], sample_weight=weights[name]) for name, loss in self.losses.items()
        }

    def _update_metrics(self, losses: dict[str, Tensor], outputs: dict[str, Any], batch: TensorBatch) -> Tensor:
        _, targets, weights = batch
        num_examples = tf.reduce_sum(tf.reduce_max(weights["values"], axis=1))
        self.loss.update_state(tf.add_n(list(losses.values())), sample_weight=num_examples)
        for name, mean in self.parts.items():
            mean.update_state(losses[name], sample_weight=num_examples)
        # Step by step: Keras would first take each row's mean, and padding would change how much a batch counts.
        values, scored = (
            tf.reshape(tensor, (-1, *tensor.shape[2:])) for tensor in (targets["values"], weights["values"])
        )
        predicted = tf.reshape(outputs["values"], (-1, outputs["values"].shape[-1]))
        self.score.update_state(values, predicted, sample_weight=scored)
        return self.loss.result()
