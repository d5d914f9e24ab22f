"""The decoder: one layer for every corner of the cube, run over all known inputs, in a loop, or step by step.

Shapes: B batch, T target steps, S source steps, L latent_dim, U decoder_dim, G gates x U, V symbols or features.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import keras
import tensorflow as tf

from lengthwise.models.attention import AdditiveAttention, MultiplicativeAttention
from lengthwise.models.encoder import join_parts
from lengthwise.models.input_part import InputPart
from lengthwise.models.recurrent_layer import Recurrent, States, has_gpu
from lengthwise.models.wiring import Place, Wiring

Tensor: TypeAlias = tf.Tensor
State = dict[str, Tensor]
"""The decoder's state between steps: `h_0`, `c_0`, ... from the bottom layer, and `attentional` with input feeding,
`(B, U)` each."""

Constants = dict[str, Tensor]
"""What is the same at every step: `gates` `(B, G)`; with attention `memory` `(B, S, L)`, `keys` `(B, S, U)` and `mask`
`(B, S)`."""


class Outputs(NamedTuple):
    """Outputs of one step, `(B, ...)`, or of every step, `(B, T, ...)`.

    Args:
        values: Logits of the symbols, or features, `(..., V)`.
        stop: Logits of the stop probability `(...)`; None where none is learnt.
    """

    values: Tensor
    stop: Tensor | None


class Decoder(keras.layers.Layer):
    """Makes a target from the conditioning and the initial states; `wiring.feedback` decides what each step is fed."""

    def __init__(self, wiring: Wiring, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.wiring = wiring
        units = wiring.decoder_dim
        self.feedback_part = (
            InputPart(
                wiring.spec.target_size,
                embedding_dim=wiring.symbol_dim,
                is_tokens=wiring.is_tokens,
                dropout=wiring.find_dropout("input"),
                name="previous",
            )
            if wiring.feedback != "none"
            else None
        )
        self.recurrents = [
            Recurrent(wiring.cell, units, units if rank else wiring.decoder_input_dim, name=f"layer_{rank}")
            for rank in range(wiring.decoder_layers)
        ]
        attentions: dict[str, Any] = {"additive": AdditiveAttention, "multiplicative": MultiplicativeAttention}
        self.attention: Any = (
            attentions[wiring.attention](wiring.latent_dim, units, name="attention")
            if wiring.attention != "none"
            else None
        )
        self.dropout = keras.layers.Dropout(wiring.dropout) if wiring.dropout else None
        self.head = keras.layers.Dense(wiring.spec.target_size, name="head") if wiring.has_head else None
        self.stop_head = keras.layers.Dense(1, name="stop_head") if wiring.learns_stop_probability else None
        self.coin_seed = keras.random.SeedGenerator() if wiring.feedback == "scheduled" else None

    def build(self, *_: Any) -> None:
        """Create the weights."""
        units = self.wiring.decoder_dim
        if self.feedback_part is not None:
            self.feedback_part.build()
        for recurrent in self.recurrents:
            recurrent.build()
        if self.attention is not None:
            self.attention.build()
        for head in (self.head, self.stop_head):
            if head is not None:
                head.build((None, units))
        if self.wiring.feedback == "scheduled":
            self.sampling_probability = self.add_weight(
                name="sampling_probability",
                shape=(),
                dtype="float32",
                initializer="zeros",
                trainable=False,
                autocast=False,
            )
        self.built = True

    # What is the same at every step.

    def prepare(
        self, conditioning: Tensor | None, memory: Tensor, source_length: Tensor, training: bool = False
    ) -> Constants:
        """Project once what would otherwise be projected at every step.

        Args:
            conditioning: `(B, conditioning_dim)`; None where the latent is not repeated.
            memory: The encoder's outputs `(B, S, L)`.
            source_length: `(B,)`.
            training: Whether units are dropped.
        """
        constants = {"gates": self._project_conditioning(conditioning, tf.shape(memory)[0], training)}
        if self.attention is not None:
            constants["memory"] = memory
            constants["keys"] = self.attention.prepare_keys(memory)
            constants["mask"] = tf.sequence_mask(source_length, tf.shape(memory)[1])
        return constants

    def _project_conditioning(self, conditioning: Tensor | None, batch: Tensor, training: bool) -> Tensor:
        first = self.recurrents[0]
        if conditioning is None:
            return first.repeat_bias(batch)
        return first.add_bias(first.project(self._drop(conditioning, "input", training)))

    def start(self, initial: list[States]) -> State:
        """Name the initial states, given layer by layer, `(B, U)` each."""
        state = {
            f"{name}_{rank}": value
            for rank, states in enumerate(initial)
            for name, value in zip(self.wiring.state_names, states, strict=True)
        }
        if self.wiring.input_feeding:
            state["attentional"] = tf.zeros_like(state["h_0"])
        return state

    # One step.

    def step(self, previous: Tensor, constants: Constants, state: State) -> tuple[Outputs, State]:
        """Make one step of decoding.

        Args:
            previous: The last output, ids `(B,)` or features `(B, V)`; ignored without feedback.
            constants: Of `prepare`.
            state: Of `start`, or of the last step.

        Returns:
            The step's outputs, `(B, V)` and `(B,)`, and the new state.
        """
        gates = constants["gates"] + self._project_feedback(previous, training=False)
        top, new_state, _ = self._run_step(gates, constants, state, training=False)
        return self._emit(top), new_state

    def attend(self, previous: Tensor, constants: Constants, state: State) -> Tensor:
        """Return the attention weights `(B, S)` of the step that `step` would make."""
        gates = constants["gates"] + self._project_feedback(previous, training=False)
        return self._run_step(gates, constants, state, training=False)[2]

    def _project_feedback(self, previous: Tensor, *, training: bool) -> Tensor:
        """Return the previous output's part of the gates, `(..., G)`; 0 without feedback."""
        if self.feedback_part is None:
            return 0.0
        return self.feedback_part.project(
            previous, self.recurrents[0], first_row=self.wiring.conditioning_dim, training=training
        )

    def _run_step(
        self, gates: Tensor, constants: Constants, state: State, *, training: bool
    ) -> tuple[Tensor, State, Tensor | None]:
        """Run all layers for one step: the head's input `(B, U)`, the new state, the attention weights `(B, S)`."""
        wiring, first = self.wiring, self.recurrents[0]
        context_row = wiring.conditioning_dim + wiring.feedback_dim
        weights = None
        if wiring.attention == "additive":
            query = state[f"h_{wiring.decoder_layers - 1}"]
            context, weights = self.attention.attend(query, constants["keys"], constants["memory"], constants["mask"])
            gates += first.project(self._drop(context, "input", training), context_row)
        elif wiring.input_feeding:
            gates += first.project(self._drop(state["attentional"], "input", training), context_row)
        new_state: State = {}
        top = gates
        for rank, recurrent in enumerate(self.recurrents):
            if rank:
                gates = recurrent.add_bias(recurrent.project(self._drop(top, "layers", training)))
            states = recurrent.step(gates, tuple(state[f"{name}_{rank}"] for name in wiring.state_names))
            new_state |= {f"{name}_{rank}": value for name, value in zip(wiring.state_names, states, strict=True)}
            top = states[0]
        if wiring.attention == "multiplicative":
            top, weights = self.attention.attend(top, constants["keys"], constants["memory"], constants["mask"])
            if wiring.input_feeding:
                new_state["attentional"] = top
        return self._drop(top, "head", training), new_state, weights

    def _emit(self, top: Tensor) -> Outputs:
        # In half precision, scores would be rounded too coarsely for probabilities; the weights' precision is enough.
        values = tf.cast(self.head(top) if self.head is not None else top, self.variable_dtype)
        if self.stop_head is None:
            return Outputs(values, None)
        return Outputs(values, tf.cast(self.stop_head(top)[..., 0], self.variable_dtype))

    def _drop(self, values: Tensor, place: Place, training: bool) -> Tensor:
        if self.dropout is None or not self.wiring.find_dropout(place):
            return values
        return self.dropout(values, training=training)

    # All steps, for training.

    def call(
        self,
        previous: Tensor,
        conditioning: Tensor | None,
        initial: list[States],
        memory: Tensor,
        source_length: Tensor,
        training: bool = False,
    ) -> Outputs:
        """Make all steps of a target that is known.

        Args:
            previous: The true previous outputs, the start first: ids `(B, T)` or features `(B, T, V)`. Without
                feedback, or with `own`, only its number of steps counts.
            conditioning: `(B, conditioning_dim)`; None where the latent is not repeated.
            initial: Each layer's initial states, `(B, U)` each.
            memory: The encoder's outputs `(B, S, L)`.
            source_length: `(B,)`.
            training: Whether units are dropped and outputs sampled. Outside of training `scheduled` is fed the true
                outputs, so that validation losses of different rates can be compared.

        Returns:
            Outputs of every step, `(B, T, V)` and `(B, T)`.
        """
        if not self.wiring.runs_in_parallel:
            constants = self.prepare(conditioning, memory, source_length, training)
            return self._emit(self._loop(previous, constants, self.start(initial), training))
        if has_gpu() and self.wiring.decoder_input_dim:
            top = self._run_standard(previous, conditioning, initial, training)
        else:
            top = self._run_hoisted(previous, conditioning, initial, training)
        if self.attention is not None:
            mask = tf.sequence_mask(source_length, tf.shape(memory)[1])
            top, _ = self.attention.attend(top, self.attention.prepare_keys(memory), memory, mask)
        return self._emit(self._drop(top, "head", training))

    def _run_hoisted(
        self, previous: Tensor, conditioning: Tensor | None, initial: list[States], training: bool
    ) -> Tensor:
        first = self.recurrents[0]
        gates = self._project_conditioning(conditioning, tf.shape(previous)[0], training)
        if self.feedback_part is None:
            num_steps = previous.shape[1] or tf.shape(previous)[1]
            top = first.run_outputs(gates, initial[0], training=training, num_steps=num_steps)
        else:
            row = self.wiring.conditioning_dim
            inputs = self.feedback_part.feed(previous, first, first_row=row, constant=gates, training=training)
            top = first.run_outputs(inputs, initial[0], training=training)
        for recurrent, states in zip(self.recurrents[1:], initial[1:], strict=True):
            inputs = recurrent.leave_unprojected(self._drop(top, "layers", training))
            top = recurrent.run_outputs(inputs, states, training=training)
        return top

    def _run_standard(
        self, previous: Tensor, conditioning: Tensor | None, initial: list[States], training: bool
    ) -> Tensor:
        num_steps = tf.shape(previous)[1]
        parts = []
        if conditioning is not None:
            parts.append(tf.repeat(self._drop(conditioning, "input", training)[:, None], num_steps, axis=1))
        if self.feedback_part is not None:
            parts.append(self.feedback_part.vectors(previous, training))
        top = join_parts(parts)
        for rank, (recurrent, states) in enumerate(zip(self.recurrents, initial, strict=True)):
            inputs = self._drop(top, "layers", training) if rank else top
            top, _ = recurrent.run_standard(inputs, states, None)
        return top

    def _loop(self, previous: Tensor, constants: Constants, state: State, training: bool) -> Tensor:
        """Run step by step, where a step's input depends on the one before it: the head's inputs `(B, T, U)`."""
        num_steps, batch = tf.shape(previous)[1], tf.shape(previous)[0]
        true_gates = None
        feeds_truth = self.wiring.feedback == "teacher" or (self.wiring.feedback == "scheduled" and not training)
        if feeds_truth:
            true_gates = tf.transpose(self._project_feedback(previous, training=training), (1, 0, 2))
        is_own_sequence = self._toss((batch,)) if self.wiring.sampling_unit == "sequence" and training else None
        first_fed = previous[:, 0] if self.wiring.is_tokens else tf.cast(previous[:, 0], self.variable_dtype)
        tops = tf.TensorArray(self.compute_dtype, num_steps, element_shape=(None, self.wiring.decoder_dim))

        def body(index: Tensor, last: Tensor, state: State, tops: Any) -> tuple[Tensor, Tensor, State, Any]:
            gates = constants["gates"]
            if true_gates is not None:
                gates += true_gates[index]
            elif self.feedback_part is not None:
                fed = self._choose(last, previous[:, index], is_own_sequence)
                gates += self._project_feedback(fed, training=training)
            top, state, _ = self._run_step(gates, constants, state, training=training)
            if self.feedback_part is not None and true_gates is None:
                last = self._own_output(top)
            return index + 1, last, state, tops.write(index, top)

        loop = tf.while_loop(
            lambda index, *_: index < num_steps,
            body,
            (tf.constant(0), first_fed, state, tops),
            maximum_iterations=previous.shape[1],  # without which XLA has no gradient of a loop
        )
        return tf.transpose(loop[3].stack(), (1, 0, 2))

    def _choose(self, own: Tensor, true: Tensor, is_own: Tensor | None) -> Tensor:
        """Return what a step is fed, `(B,)` or `(B, V)`; at the first step `own` and `true` are both the start."""
        if self.wiring.feedback == "own":
            return own
        if is_own is None:
            is_own = self._toss((tf.shape(own)[0],))
        if self.wiring.is_tokens:
            return tf.where(is_own, own, true)
        return tf.where(is_own[:, None], own, tf.cast(true, own.dtype))

    def _toss(self, shape: tuple[Tensor, ...]) -> Tensor:
        """Toss a coin for each row, with the sampling probability: booleans of a shape."""
        # In single precision whatever the model's: half precision is too coarse for a coin.
        return keras.random.uniform(shape, dtype="float32", seed=self.coin_seed) < self.sampling_probability.value

    def _own_output(self, top: Tensor) -> Tensor:
        values = self._emit(top).values
        return tf.argmax(values, axis=-1, output_type=tf.int32) if self.wiring.is_tokens else values
