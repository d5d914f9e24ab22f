"""Bring sources and previous outputs into a recurrent layer: one-hot, embedded, or as they are.

Shapes: B batch, S steps, F features, G gates x units.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import keras
import tensorflow as tf

from lengthwise.models.recurrence.product import multiply_on_one_thread
from lengthwise.models.recurrence.run import Inputs
from lengthwise.models.recurrent_layer import Recurrent

Tensor: TypeAlias = tf.Tensor

MOST_PROJECTED = 256
"""Symbols up to which all embeddings are projected, and the steps of a batch look their projections up: it has more
steps than that, which would be projected one by one."""


class InputPart(keras.layers.Layer):
    """Turns symbols `(...)` int32 or features `(..., F)` into projected gates `(..., G)` of a recurrent layer.

    One-hot symbols are never written out: their projection is a row of the kernel. Dropout drops entries of an
    embedding or of a feature vector, and whole one-hot symbols, whose other entries are zero anyway.

    Args:
        size: Number of symbols or of features.
        embedding_dim: Width of an embedded symbol; None for one-hot symbols and for features.
        is_tokens: Whether the input is symbols.
        dropout: Share of the entries dropped in training.
    """

    def __init__(self, size: int, *, embedding_dim: int | None, is_tokens: bool, dropout: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size
        self.is_one_hot = is_tokens and embedding_dim is None
        self.embedding = keras.layers.Embedding(size, embedding_dim) if is_tokens and embedding_dim else None
        self.width: int = embedding_dim if is_tokens and embedding_dim else size
        self.dropout = keras.layers.Dropout(dropout) if dropout else None

    def build(self, *_: Any) -> None:
        """Create the weights."""
        if self.embedding is not None:
            self.embedding.build((None, None))
        self.built = True

    def vectors(self, values: Tensor, training: bool) -> Tensor:
        """Return the input as vectors `(..., width)`, as a standard layer is fed."""
        if self.is_one_hot:
            return self._drop(tf.one_hot(values, self.size, dtype=self.compute_dtype), training)
        if self.embedding is not None:
            return self._drop(tf.cast(self.embedding(values), self.compute_dtype), training)
        return self._drop(tf.cast(values, self.compute_dtype), training)

    def project(self, values: Tensor, recurrent: Recurrent, *, first_row: int, training: bool) -> Tensor:
        """Return the input's part of the gates, `(..., G)`."""
        if self.is_one_hot:
            rows = recurrent.project_ids(values, first_row, self.size)
            if self.dropout is None or not training:
                return rows
            return rows * self._drop(tf.ones_like(rows[..., :1]), training)
        return recurrent.project(self.vectors(values, training), first_row)

    def feed(
        self, values: Tensor, recurrent: Recurrent, *, first_row: int, constant: Tensor | None, training: bool
    ) -> Inputs:
        """Return all steps of the input in the form that `Recurrent.run` handles fastest.

        Args:
            values: `(B, S)` symbols or `(B, S, F)` features.
            recurrent: The layer that reads them.
            first_row: Their first row in its kernel.
            constant: Gates `(B, G)` of the rest of the input, bias included; None where there is no rest.
            training: Whether entries are dropped.
        """
        drops = self.dropout is not None and training
        if self.is_one_hot and not drops:
            return recurrent.leave_symbols(values, recurrent.read_rows(first_row, self.size), constant)
        if self.embedding is not None and not drops and self.size <= MOST_PROJECTED:
            embeddings = tf.cast(tf.convert_to_tensor(self.embedding.embeddings), self.compute_dtype)
            rows = multiply_on_one_thread(embeddings, recurrent.read_rows(first_row, self.width))
            return recurrent.leave_symbols(values, rows, constant)
        if not self.is_one_hot:
            return recurrent.leave_unprojected(self.vectors(values, training), first_row, constant)
        gates = self.project(values, recurrent, first_row=first_row, training=training)
        return recurrent.add_bias(gates) if constant is None else gates + constant[:, None]

    def _drop(self, values: Tensor, training: bool) -> Tensor:
        return self.dropout(values, training=training) if self.dropout is not None else values
