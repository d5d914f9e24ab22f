"""Attention of the decoder over the encoder's outputs.

Shapes: B batch, S source steps, L latent_dim, U decoder_dim, K keys.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import keras
import tensorflow as tf

Tensor: TypeAlias = tf.Tensor


class AdditiveAttention(keras.layers.Layer):
    """Bahdanau et al. 2015, appendix A.1.2: score = v . tanh(W query + U memory).

    Args:
        latent_dim: L, width of the memory.
        decoder_dim: width of the query and of the hidden layer of the score.
    """

    def __init__(self, latent_dim: int, decoder_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.latent_dim, self.decoder_dim = latent_dim, decoder_dim
        self.query_layer = keras.layers.Dense(decoder_dim, use_bias=False, name="query")
        self.memory_layer = keras.layers.Dense(decoder_dim, use_bias=False, name="memory")
        self.score_layer = keras.layers.Dense(1, use_bias=False, name="score")

    def build(self, *_: Any) -> None:
        """Create the weights."""
        self.query_layer.build((None, self.decoder_dim))
        self.memory_layer.build((None, None, self.latent_dim))
        self.score_layer.build((None, None, self.decoder_dim))
        self.built = True

    def prepare_keys(self, memory: Tensor) -> Tensor:
        """Project the memory `(B, S, L)` once for all steps: `(B, S, U)`."""
        return self.memory_layer(memory)

    def attend(self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the context `(B, L)` and the weights `(B, S)`, which sum to 1 over the mask, for queries `(B, U)`."""
        scores = self.score_layer(tf.tanh(keys + self.query_layer(query)[:, None]))[..., 0]
        weights = softmax_over(scores, mask)
        return tf.einsum("bs,bsl->bl", weights, memory), weights


class MultiplicativeAttention(keras.layers.Layer):
    """Luong et al. 2015, sections 3 and 3.1, `general`: score = query . W memory, then tanh(Wc [context; query]).

    Args:
        latent_dim: L, width of the memory.
        decoder_dim: U, width of the query and of the attentional vector.
    """

    def __init__(self, latent_dim: int, decoder_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.latent_dim, self.decoder_dim = latent_dim, decoder_dim
        self.memory_layer = keras.layers.Dense(decoder_dim, use_bias=False, name="memory")
        self.combine_layer = keras.layers.Dense(decoder_dim, use_bias=False, activation="tanh", name="combine")

    def build(self, *_: Any) -> None:
        """Create the weights."""
        self.memory_layer.build((None, None, self.latent_dim))
        self.combine_layer.build((None, self.latent_dim + self.decoder_dim))
        self.built = True

    def prepare_keys(self, memory: Tensor) -> Tensor:
        """Project the memory `(B, S, L)` once for all steps: `(B, S, U)`."""
        return self.memory_layer(memory)

    def attend(self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the attentional vector `(B, ..., U)` and the weights `(B, ..., S)` for queries `(B, ..., U)`.

        The queries may be those of one step, `(B, U)`, or of all steps at once, `(B, T, U)`.
        """
        one_step = query.shape.rank == 2
        queries = query[:, None] if one_step else query
        weights = softmax_over(tf.matmul(queries, keys, transpose_b=True), mask[:, None])
        vectors = self.combine_layer(tf.concat([tf.matmul(weights, memory), queries], axis=-1))
        return (vectors[:, 0], weights[:, 0]) if one_step else (vectors, weights)


def softmax_over(scores: Tensor, mask: Tensor) -> Tensor:
    """Return the softmax over the last axis, 0 where the boolean mask (broadcast to the scores) is False."""
    lowest = tf.constant(scores.dtype.min, scores.dtype)
    return tf.nn.softmax(tf.where(mask, scores, lowest))
