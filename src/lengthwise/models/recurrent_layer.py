"""A recurrent layer: the weights of a standard Keras layer, and three ways to run them.

Shapes: B batch, S steps, D input width, U units, G gates x U.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import keras
import tensorflow as tf

from lengthwise.models.recurrence.run import (
    Inputs,
    Symbols,
    Unprojected,
    infer_recurrence,
    run_outputs,
    run_recurrence,
    step_cell,
)
from lengthwise.models.wiring import GATES

Tensor: TypeAlias = tf.Tensor
States = tuple[Tensor, ...]

_KERAS_LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}


def has_gpu() -> bool:
    """Return whether there is a GPU, where the standard layers use cuDNN and are faster than `recurrence`."""
    return bool(tf.config.list_physical_devices("GPU"))


class Recurrent(keras.layers.Layer):
    """A recurrent layer whose input may come in parts, each projected where that costs least.

    The concatenation of the parts times the kernel is the sum of each part times its rows of the kernel. So a part that
    is the same at every step is projected once, and symbols are projected by looking up their rows. Weights, their
    names and initial values, and the results are those of the Keras layer fed with the concatenation.

    Args:
        cell: `lstm`, `gru` (with `reset_after`) or `rnn`.
        units: Width of the state.
        input_dim: Width of all parts together; 0 for a layer that has no input.
    """

    def __init__(self, cell: Literal["lstm", "gru", "rnn"], units: int, input_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_jit = False  # Keras' own: XLA has other loops, of `formulate_for_xla`
        self.cell_kind: Literal["lstm", "gru", "rnn"] = cell
        self.units = units
        self.input_dim = input_dim
        self.layer = _KERAS_LAYERS[cell](units, return_sequences=True, return_state=True, dtype=self.dtype_policy)

    def build(self, *_: Any) -> None:
        """Create the weights."""
        self.layer.build((None, None, self.input_dim))
        # A kernel without rows would have an optimiser look for its gradient.
        self.layer.cell.kernel.trainable = self.input_dim > 0
        self.built = True

    def _read(self, variable: Any) -> Tensor:
        return tf.cast(tf.convert_to_tensor(variable), self.compute_dtype)

    @property
    def _biases(self) -> tuple[Tensor, Tensor | None]:
        bias = self._read(self.layer.cell.bias)
        return (bias[0], bias[1]) if self.cell_kind == "gru" else (bias, None)

    @property
    def _recurrent_weights(self) -> tuple[Tensor, Tensor | None]:
        return self._read(self.layer.cell.recurrent_kernel), self._biases[1]

    def read_rows(self, first_row: int, count: int) -> Tensor:
        """Return rows of the kernel `(count, G)`."""
        return self._read(self.layer.cell.kernel)[first_row : first_row + count]

    def project(self, part: Tensor, first_row: int = 0) -> Tensor:
        """Multiply a part `(..., width)` of the input by its rows of the kernel: `(..., G)`."""
        return tf.matmul(part, self.read_rows(first_row, part.shape[-1]))

    def project_ids(self, ids: Tensor, first_row: int, size: int) -> Tensor:
        """Project one-hot symbols, given as ids `(...)` below `size`: `(..., G)`."""
        return tf.gather(self.read_rows(first_row, size), ids)

    def zero_states(self, batch: Tensor) -> States:
        """Return states of zeros, `(B, U)` each."""
        count = 2 if self.cell_kind == "lstm" else 1
        return (tf.zeros((batch, self.units), self.compute_dtype),) * count

    def add_bias(self, gates: Tensor) -> Tensor:
        """Add the input's bias to projected parts `(..., G)`."""
        return gates + self._biases[0]

    def repeat_bias(self, batch: Tensor) -> Tensor:
        """Return the gates `(batch, G)` of a layer without input."""
        return tf.broadcast_to(self._biases[0], (batch, GATES[self.cell_kind] * self.units))

    def leave_unprojected(self, values: Tensor, first_row: int = 0, constant: Tensor | None = None) -> Unprojected:
        """Return input for `run` that is projected step by step, which is faster than all steps at once.

        Args:
            values: `(B, S, width)`, the part of the input that changes.
            first_row: The part's first row in the kernel.
            constant: Gates `(B, G)` of the rest of the input, bias included; None where there is no rest.
        """
        rows = self.read_rows(first_row, values.shape[-1])
        return Unprojected(values, rows, self._biases[0] if constant is None else constant)

    def leave_symbols(self, ids: Tensor, rows: Tensor, constant: Tensor | None = None) -> Symbols:
        """Return symbols `(B, S)` int32, with their projections `(symbols, G)`, as input for `run`."""
        return Symbols(ids, rows, self._biases[0] if constant is None else constant)

    def run(self, inputs: Inputs, initial: States, *, training: bool, num_steps: Tensor | None = None) -> States:
        """Run all steps.

        Args:
            inputs: Gates `(B, S, G)`, or `(B, G)` where the input is the same at every step, bias included; or input
                that is not yet projected.
            initial: States `(B, U)`.
            training: Whether gradients will be computed; otherwise less is kept of each step.
            num_steps: S, a scalar, for an input that is the same at every step.

        Returns:
            Every state after every step, `(B, S, U)` each, h first.
        """
        run = run_recurrence if training else infer_recurrence
        states: States = run(self.cell_kind, inputs, *self._recurrent_weights, initial, num_steps=num_steps)
        return states

    def run_outputs(
        self, inputs: Inputs, initial: States, *, training: bool, num_steps: Tensor | None = None
    ) -> Tensor:
        """Run all steps as `run` does, and return h after every step only, `(B, S, U)`."""
        if not training:
            return self.run(inputs, initial, training=False, num_steps=num_steps)[0]
        return run_outputs(self.cell_kind, inputs, *self._recurrent_weights, initial, num_steps=num_steps)

    def run_standard(self, inputs: Tensor, initial: States, mask: Tensor | None) -> tuple[Tensor, States]:
        """Run the standard Keras layer on concatenated input `(B, S, D)`: outputs `(B, S, U)` and final states."""
        outputs, *states = self.layer(inputs, initial_state=list(initial), mask=mask)
        return outputs, tuple(states)

    def step(self, gates: Tensor, states: States) -> States:
        """Make one step from projected input `(B, G)`: the new states, h first."""
        return step_cell(self.cell_kind, gates, states, *self._recurrent_weights)
