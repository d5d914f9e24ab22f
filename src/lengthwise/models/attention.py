"""Attend from the decoder to the encoder's outputs.

Shapes: B batch, S source steps, T target steps, L latent_dim, U decoder_dim. The memory is what is attended to: the
encoder's outputs `(B, S, L)`.
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
        decoder_dim: U, width of the query and of the hidden layer of the score.
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
        """Return the context and the attention weights of one step.

        Args:
            query: `(B, U)`, the decoder's top state before the step.
            keys: Of `prepare_keys`, `(B, S, U)`.
            memory: `(B, S, L)`.
            mask: `(B, S)`, True for real source steps.

        Returns:
            The context `(B, L)`, and the weights `(B, S)`, which are 0 outside the mask and sum to 1.
        """
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
        """Return the attentional vectors and the attention weights of one step or of all steps.

        Args:
            query: `(B, U)` or `(B, T, U)`, the decoder's top state after the step.
            keys: Of `prepare_keys`, `(B, S, U)`.
            memory: `(B, S, L)`.
            mask: `(B, S)`, True for real source steps.

        Returns:
            The attentional vectors `(B, U)` or `(B, T, U)`, and the weights `(B, S)` or `(B, T, S)`, which are 0
            outside the mask and sum to 1.
        """
        one_step = query.shape.rank == 2
        queries = query[:, None] if one_step else query
        weights = softmax_over(tf.matmul(queries, keys, transpose_b=True), mask[:, None])
        vectors = self.combine_layer(tf.concat([tf.matmul(weights, memory), queries], axis=-1))
        return (vectors[:, 0], weights[:, 0]) if one_step else (vectors, weights)


def softmax_over(scores: Tensor, mask: Tensor) -> Tensor:
    """Return the softmax of `(..., S)` over the last axis, 0 where the boolean mask, broadcast to it, is False."""
    lowest = tf.constant(scores.dtype.min, scores.dtype)
    return tf.nn.softmax(tf.where(mask, scores, lowest))
