"""Build the Keras models of a wiring, which share their weights.

Shapes: B batch, S source steps, T target steps, F features, L latent_dim, U decoder_dim, V symbols or features.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from lengthwise.models.bridge import Bridge
from lengthwise.models.decoder import Constants, Decoder, State
from lengthwise.models.encoder import Encoder
from lengthwise.models.wiring import Wiring

Tensor: TypeAlias = tf.Tensor


class SequenceModel(keras.Model):
    """The whole network: from a source and the true previous outputs to scores at every step.

    Called with a dictionary of `source` (`(B, S)` int32 or `(B, S, F)`), `source_length` `(B,)` int32 and `previous`
    (`(B, T)` int32 or `(B, T, V)`, the start first), it returns a dictionary of `values` (logits, or features,
    `(B, T, V)`) and, where a stop probability is learnt, its logits `stop` `(B, T, 1)`.
    """

    def __init__(self, wiring: Wiring, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.wiring = wiring
        self.encoder = Encoder(wiring, name="encoder")
        self.bridge = Bridge(wiring, name="bridge")
        self.decoder = Decoder(wiring, name="decoder")

    def build(self, *_: Any) -> None:
        """Create the weights."""
        for part in (self.encoder, self.bridge, self.decoder):
            part.build()
        self.built = True

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> dict[str, Tensor]:
        """Score every step of known targets; inputs and outputs as the class describes them."""
        memory, finals = self.encoder(inputs["source"], inputs["source_length"], training=training)
        conditioning, initial = self.bridge(finals)
        outputs = self.decoder(
            inputs["previous"], conditioning, initial, memory, inputs["source_length"], training=training
        )
        scores = {"values": outputs.values}
        if outputs.stop is not None:
            scores["stop"] = outputs.stop[..., None]
        return scores

    def begin(self, source: Tensor, source_length: Tensor) -> tuple[Tensor, Constants, State]:
        """Encode sources for decoding.

        Args:
            source: `(B, S)` ids or `(B, S, F)` features.
            source_length: `(B,)` real steps, at least 1.

        Returns:
            The latent `(B, L)`, the constants of every step, and the decoder's initial state.
        """
        memory, finals = self.encoder(source, source_length)
        conditioning, initial = self.bridge(finals)
        constants = self.decoder.prepare(conditioning, memory, source_length)
        return finals[-1][0], constants, self.decoder.start(initial)


class _Begin(keras.layers.Layer):
    def __init__(self, model: SequenceModel, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model

    def call(self, source: Tensor, source_length: Tensor) -> dict[str, Tensor]:
        latent, constants, state = self.model.begin(source, source_length)
        return {"latent": latent, **constants, **state}


class _Step(keras.layers.Layer):
    def __init__(self, decoder: Decoder, constant_names: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.decoder, self.constant_names = decoder, constant_names

    def call(self, previous: Tensor, context: dict[str, Tensor]) -> dict[str, Tensor]:
        constants = {name: context[name] for name in self.constant_names}
        state = {name: value for name, value in context.items() if name not in constants}
        outputs, state = self.decoder.step(previous, constants, state)
        return {name: value for name, value in outputs._asdict().items() if value is not None} | state


@dataclass(frozen=True)
class Models:
    """The Keras models of one wiring, with shared weights.

    Args:
        wiring: What they are built from.
        network: All layers; called with the previous outputs, it scores every step.
        functions: Functions compiled for these models, by what they are specialised to, so that each is traced once.
    """

    wiring: Wiring
    network: SequenceModel
    functions: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def encoder(self) -> keras.Model:
        """The encoder, built when first used.

        From a dictionary of `source` (`(B, S)` or `(B, S, F)`) and `source_length` `(B,)` to one of `latent` `(B, L)`,
        the constants of every step (`gates`; with attention `memory`, `keys`, `mask`) and the decoder's initial states
        (`h_0`, `c_0`, ...), as `decoder.py` describes them.
        """
        wiring = self.wiring
        width = () if wiring.is_tokens else (wiring.spec.source_size,)
        source = keras.Input((None, *width), dtype=_name_dtype(wiring), name="source")
        source_length = keras.Input((), dtype="int32", name="source_length")
        begun = _Begin(self.network, name="begin")(source, source_length)
        return keras.Model({"source": source, "source_length": source_length}, begun, name="encoder")

    @cached_property
    def decoder(self) -> keras.Model:
        """One step of the decoder, built when first used.

        From a dictionary of `previous` (`(B,)` or `(B, V)`) and of what the encoder returned except the latent to one
        of `values` `(B, V)`, `stop` `(B,)` where it is learnt, and the new states.
        """
        wiring = self.wiring
        previous_width = () if wiring.is_tokens else (wiring.spec.target_size,)
        previous = keras.Input(previous_width, dtype=_name_dtype(wiring), name="previous")
        context = {
            name: keras.Input(value.shape[1:], dtype=value.dtype, name=name)
            for name, value in self.encoder.output.items()
            if name != "latent"
        }
        constant_names = tuple(name for name in ("gates", "memory", "keys", "mask") if name in context)
        stepped = _Step(self.network.decoder, constant_names, name="step")(previous, context)
        return keras.Model({"previous": previous, **context}, stepped, name="decoder")


def _name_dtype(wiring: Wiring) -> str:
    return "int32" if wiring.is_tokens else "float32"


def build_models(wiring: Wiring) -> Models:
    """Build the models of a wiring; the initial weights follow from Keras' global seed."""
    network = SequenceModel(wiring, name="sequence_model")
    network.build()
    return Models(wiring, network)
