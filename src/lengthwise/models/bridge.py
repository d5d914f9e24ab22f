"""Lead from the encoder's final states to the decoder's conditioning and initial states.

Shapes: B batch, L latent_dim, U decoder_dim.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import keras
import tensorflow as tf

from lengthwise.models.encoder import join_parts
from lengthwise.models.recurrent_layer import States
from lengthwise.models.wiring import Wiring

Tensor: TypeAlias = tf.Tensor


class Bridge(keras.layers.Layer):
    """Gives the encoder's final states to the decoder: as its conditioning, its initial states, or both.

    Counted from the top, decoder layer k starts from encoder layer k. A cell state that is not carried starts at zero.
    Cho et al. 2014 (section 2.2) and Bahdanau et al. 2015 (appendix A.2.2) use the tanh form.
    """

    def __init__(self, wiring: Wiring, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.wiring = wiring
        self.projections: list[keras.layers.Layer] = []
        if wiring.starts_from_latent and wiring.bridge != "identity":
            ranks = range(wiring.decoder_layers)
            self.projections = [self._make_layer(name, rank) for rank in ranks for name in wiring.carried]

    def _make_layer(self, state: str, rank: int) -> keras.layers.Layer:
        # A cell state is not bounded by 1 as a hidden state is, so it is never squashed.
        activation = "tanh" if self.wiring.bridge == "tanh" and state == "h" else None
        return keras.layers.Dense(self.wiring.decoder_dim, activation=activation, name=f"{state}_{rank}")

    def build(self, *_: Any) -> None:
        """Create the weights."""
        for projection in self.projections:
            projection.build((None, self.wiring.latent_dim))
        self.built = True

    def call(self, finals: list[States]) -> tuple[Tensor | None, list[States]]:
        """Return what the decoder starts from.

        Args:
            finals: Each encoder layer's final states, from the bottom layer, `(B, L)` each.

        Returns:
            The conditioning `(B, conditioning_dim)`, None where the latent is not repeated; and each decoder layer's
            initial states, `(B, U)` each.
        """
        wiring = self.wiring
        num_carried = len(wiring.carried)
        conditioning = join_parts(list(finals[-1][:num_carried])) if wiring.repeats_latent else None
        template = tf.zeros((tf.shape(finals[-1][0])[0], wiring.decoder_dim), self.compute_dtype)
        if not wiring.starts_from_latent:
            return conditioning, [(template,) * len(wiring.state_names)] * wiring.decoder_layers
        initial: list[States] = []
        for rank, states in enumerate(finals[-wiring.decoder_layers :]):
            carried = list(states[:num_carried])
            if self.projections:
                projections = self.projections[rank * num_carried : (rank + 1) * num_carried]
                carried = [projection(state) for projection, state in zip(projections, carried, strict=True)]
            carried += [template] * (len(wiring.state_names) - num_carried)
            initial.append(tuple(carried))
        return conditioning, initial
