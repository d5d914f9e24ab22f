"""Every corner of the cube once more, from plain Keras layers: slow, step by step, and independent of the package.

The decoder's layer is fed with the written-out concatenation of latent, previous output and context, one step at a
time; nothing is projected outside the loop, nothing is looked up, nothing is gathered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lengthwise.models.bundle import Models
from lengthwise.models.wiring import Wiring

LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}


@dataclass
class PlainModel:
    """Plain layers with the weights of a bundle, and the variables that correspond to the bundle's own."""

    wiring: Wiring
    variables: list[Any]
    encoder: list[list[Any]]
    decoder: list[Any]
    source_embedding: Any
    target_embedding: Any
    bridge: list[Any]
    attention: Any
    head: Any
    stop_head: Any

    def forward(self, inputs: dict[str, np.ndarray]) -> dict[str, tf.Tensor]:
        """Score all steps, as the training model does outside of training."""
        memory, finals = self._encode(inputs["source"], inputs["source_length"])
        wiring = self.wiring
        conditioning, states = self._bridge(finals)
        previous = tf.convert_to_tensor(inputs["previous"])
        mask = tf.sequence_mask(inputs["source_length"], memory.shape[1])
        fed = tf.zeros((len(previous), wiring.decoder_dim), memory.dtype)
        last, values, stops = previous[:, 0], [], []
        for step in range(previous.shape[1]):
            told = last if wiring.feedback == "own" else previous[:, step]
            parts = [] if conditioning is None else [conditioning]
            if wiring.feedback != "none":
                parts.append(self._vector(told, self.target_embedding, wiring.spec.target_size, memory.dtype))
            if wiring.attention == "additive":
                parts.append(self._additive(states[-1][0], memory, mask))
            elif wiring.input_feeding:
                parts.append(fed)
            top = tf.concat(parts, -1) if parts else tf.zeros((len(previous), 0), memory.dtype)
            states = list(states)
            for rank, layer in enumerate(self.decoder):
                top, *new = layer(top[:, None], initial_state=list(states[rank]))
                states[rank] = new
            if wiring.attention == "multiplicative":
                top = fed = self._multiplicative(top, memory, mask)
            value = top if self.head is None else self.head(top)
            values.append(value)
            if self.stop_head is not None:
                stops.append(self.stop_head(top))
            last = tf.argmax(value, -1, output_type=tf.int32) if wiring.is_tokens else value
        outputs = {"values": tf.stack(values, 1)}
        return outputs | ({"stop": tf.stack(stops, 1)} if stops else {})

    def _vector(self, values: tf.Tensor, embedding: Any, size: int, dtype: tf.DType) -> tf.Tensor:
        if not self.wiring.is_tokens:
            return tf.cast(values, dtype)
        return tf.one_hot(values, size, dtype=dtype) if embedding is None else embedding(values)

    def _encode(self, source: np.ndarray, lengths: np.ndarray) -> tuple[tf.Tensor, list[list[tf.Tensor]]]:
        """Run row by row without any padding, so that no mask is needed at all."""
        rows = [self._encode_row(source[row : row + 1, :length]) for row, length in enumerate(lengths)]
        steps = source.shape[1]
        memory = tf.concat([tf.pad(row[0], ((0, 0), (0, steps - row[0].shape[1]), (0, 0))) for row in rows], 0)
        num_states = len(self.wiring.state_names)
        finals = [
            [tf.concat([row[1][rank][state] for row in rows], 0) for state in range(num_states)]
            for rank in range(self.wiring.encoder_layers)
        ]
        return memory, finals

    def _encode_row(self, row: np.ndarray) -> tuple[tf.Tensor, list[list[tf.Tensor]]]:
        dtype = tf.as_dtype(self.encoder[0][0].compute_dtype)
        values = self._vector(tf.convert_to_tensor(row), self.source_embedding, self.wiring.spec.source_size, dtype)
        if self.wiring.reverse_source:
            values = values[:, ::-1]
        finals = []
        for directions in self.encoder:
            forward, *states = directions[0](values)
            if len(directions) == 2:
                backward, *other = directions[1](values[:, ::-1])
                forward = tf.concat([forward, backward[:, ::-1]], -1)
                states = [tf.concat(pair, -1) for pair in zip(states, other, strict=True)]
            values = forward
            finals.append(states)
        return (values[:, ::-1] if self.wiring.reverse_source else values), finals

    def _bridge(self, finals: list[list[tf.Tensor]]) -> tuple[tf.Tensor | None, list[list[tf.Tensor]]]:
        wiring = self.wiring
        kept = len(wiring.carried)
        conditioning = tf.concat(finals[-1][:kept], -1) if wiring.repeats_latent else None
        batch, dtype = len(finals[-1][0]), finals[-1][0].dtype
        zero = tf.zeros((batch, wiring.decoder_dim), dtype)
        states = []
        for rank in range(wiring.decoder_layers):
            below_top = wiring.decoder_layers - rank
            own = [zero] * len(wiring.state_names)
            if wiring.starts_from_latent:
                for index in range(kept):
                    state = finals[-below_top][index]
                    own[index] = self.bridge[rank * kept + index](state) if self.bridge else state
            states.append(own)
        return conditioning, states

    def _additive(self, query: tf.Tensor, memory: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        scores = self.attention.score_layer(
            tf.tanh(self.attention.memory_layer(memory) + self.attention.query_layer(query)[:, None])
        )
        weights = keras.layers.Softmax(axis=1, dtype=memory.dtype)(scores, mask=mask[..., None])
        return tf.reduce_sum(weights * memory, 1)

    def _multiplicative(self, top: tf.Tensor, memory: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        scores = tf.reduce_sum(top[:, None] * self.attention.memory_layer(memory), -1)
        weights = keras.layers.Softmax(dtype=memory.dtype)(scores, mask=mask)
        context = tf.reduce_sum(weights[..., None] * memory, 1)
        return self.attention.combine_layer(tf.concat([context, top], -1))


def build_plain(models: Models) -> PlainModel:
    """Copy a bundle's recurrent weights into plain layers; dense ones are plain already and shared."""
    wiring, model = models.wiring, models.network
    variables: list[Any] = []

    def copy(recurrent: Any) -> Any:
        layer = LAYERS[wiring.cell](recurrent.units, return_state=True, return_sequences=sequences)
        layer.build((None, None, recurrent.input_dim))
        layer.set_weights(recurrent.layer.get_weights())
        variables.extend(zip(recurrent.layer.variables, layer.variables, strict=True))
        return layer

    sequences = True
    count = model.encoder.num_directions
    flat = [copy(recurrent) for recurrent in model.encoder.recurrents]
    encoder = [flat[first : first + count] for first in range(0, len(flat), count)]
    sequences = False
    decoder = [copy(recurrent) for recurrent in model.decoder.recurrents]
    copied = {id(own) for own, _ in variables}
    variables.extend((shared, shared) for shared in model.trainable_variables if id(shared) not in copied)
    part = model.decoder.feedback_part
    return PlainModel(
        wiring=wiring,
        variables=variables,
        encoder=encoder,
        decoder=decoder,
        source_embedding=model.encoder.input_part.embedding,
        target_embedding=part.embedding if part is not None else None,
        bridge=model.bridge.projections,
        attention=model.decoder.attention,
        head=model.decoder.head,
        stop_head=model.decoder.stop_head,
    )
