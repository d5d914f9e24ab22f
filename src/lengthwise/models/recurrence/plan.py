"""What a loop over the steps is specialised to, and how its functions are traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

import tensorflow as tf

from lengthwise.models.recurrence.cells import CELLS, Cell, CellKind, Tensors

Source: TypeAlias = Literal["projected", "repeated", "values", "symbols"]


class Plan(NamedTuple):
    """What a traced loop is specialised to. Widths are not part of it, so that models of all widths share one.

    Args:
        cell_kind: The cell.
        dtype: Of all floating point tensors.
        source: What the inputs are. `projected`: projected at every step, `(batch, steps, gates * units)`; `repeated`:
            the same at every step and projected, `(batch, gates * units)`; `values`: values that the loop projects,
            `(batch, steps, features)`, and a constant to be added at every step, `(batch, gates * units)`; `symbols`:
            ids `(batch, steps)` int32, whose rows of the kernel the loop looks up, and such a constant.
        keeps_activations: Whether the history holds what the backward pass needs.
        returns_all_states: Whether the sequences of all states are returned, not only that of the output.
    """

    cell_kind: CellKind
    dtype: tf.DType
    source: Source
    keeps_activations: bool
    returns_all_states: bool

    @property
    def cell(self) -> Cell:
        """The cell's equations."""
        return CELLS[self.cell_kind]

    @property
    def num_inputs(self) -> int:
        """Number of tensors that the inputs consist of."""
        return 2 if self.has_kernel else 1

    @property
    def num_sequences(self) -> int:
        """Number of states whose sequences are returned; the first is the output."""
        return self.cell.num_states if self.returns_all_states else 1

    @property
    def has_kernel(self) -> bool:
        """Whether the loop projects the inputs itself, or looks their projections up."""
        return self.source in ("values", "symbols")

    def describe(self, rank: int) -> tf.TensorSpec:
        """Describe a tensor with `rank` axes of any length."""
        return tf.TensorSpec((None,) * rank, self.dtype)

    def describe_values(self) -> Tensors:
        """Describe values `(batch, steps, features)` or ids `(batch, steps)` that the loop projects, if any."""
        if self.source == "symbols":
            return (tf.TensorSpec((None, None), tf.int32),)
        return (self.describe(3),) if self.source == "values" else ()

    def describe_shared(self) -> Tensors:
        """Describe what all rows share.

        Returns:
            Specifications of the number of steps `()`, the recurrent kernel `(units, gates * units)`, the recurrent
            bias `(gates * units,)`, and for values or symbols that the loop projects their kernel
            `(features, gates * units)`.
        """
        shared = (tf.TensorSpec((), tf.int32), self.describe(2), self.describe(1))
        return (*shared, self.describe(2)) if self.has_kernel else shared


def trace(function: Callable[..., Any], *signature: tf.TensorSpec) -> Any:
    """Trace a function of tensors into a concrete one."""
    # Outside of any graph under construction, which the caches would otherwise keep alive.
    with tf.init_scope():
        return tf.function(function, input_signature=signature, autograph=False).get_concrete_function()


def call(function: Any, *arguments: tf.Tensor) -> list[tf.Tensor]:
    """Call a traced function and return its results as one flat list."""
    # A tape that saw the arguments would have the loop inside keep what its own gradients would need.
    return list(tf.nest.flatten(function(*map(tf.stop_gradient, arguments))))


def cut(tensors: Tensors, first: int, second: int) -> tuple[Tensors, Tensors, Tensors]:
    """Cut a function's arguments in three: `first` tensors, `second` tensors and the rest."""
    return tensors[:first], tensors[first : first + second], tensors[first + second :]
