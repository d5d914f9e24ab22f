"""The encoder: from a source to outputs at every step and final states.

Shapes: B batch, S source steps, F features, L latent_dim.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import keras
import tensorflow as tf

from lengthwise.models.input_part import InputPart
from lengthwise.models.recurrent_layer import Recurrent, States, has_gpu
from lengthwise.models.wiring import Wiring

Tensor: TypeAlias = tf.Tensor


class Encoder(keras.layers.Layer):
    """Reads a source, padded on the right, forward or in both directions.

    The final state is that of the last real step, whatever the padding.
    """

    def __init__(self, wiring: Wiring, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.wiring = wiring
        self.input_part = InputPart(
            wiring.spec.source_size,
            embedding_dim=wiring.symbol_dim,
            is_tokens=wiring.is_tokens,
            dropout=wiring.find_dropout("input"),
            name="source",
        )
        directions = ("forward", "backward") if wiring.bidirectional else ("forward",)
        units = wiring.latent_dim // len(directions)
        # One flat list, since Keras does not save layers in nested ones.
        self.recurrents = [
            Recurrent(
                wiring.cell, units, wiring.latent_dim if rank else self.input_part.width, name=f"{direction}_{rank}"
            )
            for rank in range(wiring.encoder_layers)
            for direction in directions
        ]
        self.num_directions = len(directions)
        dropout = wiring.find_dropout("layers")
        self.dropout = keras.layers.Dropout(dropout) if dropout else None

    def build(self, *_: Any) -> None:
        """Create the weights."""
        self.input_part.build()
        for recurrent in self.recurrents:
            recurrent.build()
        self.built = True

    def call(self, source: Tensor, source_length: Tensor, training: bool = False) -> tuple[Tensor, list[States]]:
        """Encode sources.

        Args:
            source: `(B, S)` ids or `(B, S, F)` features.
            source_length: `(B,)` real steps, at least 1.
            training: Whether units are dropped.

        Returns:
            Outputs of the top layer `(B, S, L)`, in the source's order, and each layer's final states `(B, L)`.
        """
        values = source
        if self.wiring.reverse_source:
            values = tf.reverse_sequence(values, source_length, seq_axis=1)
        finals: list[States] = []
        for first in range(0, len(self.recurrents), self.num_directions):
            results = [
                self._read(recurrent, values, source_length, training=training, is_first=first == 0, backward=side == 1)
                for side, recurrent in enumerate(self.recurrents[first : first + self.num_directions])
            ]
            values = join_parts([outputs for outputs, _ in results])
            finals.append(
                tuple(join_parts(list(states)) for states in zip(*(final for _, final in results), strict=True))
            )
        if self.wiring.reverse_source:
            values = tf.reverse_sequence(values, source_length, seq_axis=1)
        return values, finals

    def _read(
        self, recurrent: Recurrent, values: Tensor, length: Tensor, *, training: bool, is_first: bool, backward: bool
    ) -> tuple[Tensor, States]:
        if backward:
            values = tf.reverse_sequence(values, length, seq_axis=1)
        if not is_first and self.dropout is not None:
            values = self.dropout(values, training=training)
        batch = tf.shape(values)[0]
        if has_gpu():
            vectors = self.input_part.vectors(values, training) if is_first else values
            mask = tf.sequence_mask(length, tf.shape(values)[1])
            outputs, finals = recurrent.run_standard(vectors, recurrent.zero_states(batch), mask)
        else:
            if is_first:
                inputs = self.input_part.feed(values, recurrent, first_row=0, constant=None, training=training)
            else:
                inputs = recurrent.leave_unprojected(values)
            all_states = recurrent.run(inputs, recurrent.zero_states(batch), training=training)
            outputs = all_states[0]
            finals = tuple(tf.gather(states, length - 1, batch_dims=1) for states in all_states)
        return (tf.reverse_sequence(outputs, length, seq_axis=1) if backward else outputs), finals


def join_parts(parts: list[Tensor]) -> Tensor:
    """Concatenate `(..., width)` tensors along the last axis."""
    return parts[0] if len(parts) == 1 else tf.concat(parts, axis=-1)
