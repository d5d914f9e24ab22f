"""What a decode loop knows of a model: how it begins, and how it makes one step.

Shapes: B batch, S source steps, V symbols or features.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import tensorflow as tf

Tensor = tf.Tensor
Nest = dict[str, Tensor]


class StepOutputs(Protocol):
    """What one step makes."""

    @property
    def values(self) -> Tensor:
        """Logits of the symbols, or features, `(B, V)`."""

    @property
    def stop(self) -> Tensor | None:
        """Logits `(B,)` of the probability that this step is the last; None where none is learnt."""


class StepFunction(Protocol):
    """One step of a decoder."""

    def __call__(self, previous: Tensor, constants: Nest, state: Nest) -> tuple[StepOutputs, Nest]:
        """Make a step.

        Args:
            previous: the last output, ids `(B,)` or features `(B, V)`; at first the start.
            constants: tensors that are the same at every step, batch first.
            state: tensors that a step changes, batch first.
        """


class Sequences(NamedTuple):
    """Decoded sequences of a batch, as tensors; the fields are those of `Predictions`.

    Args:
        values: `(B, T)` int32 or `(B, T, V)`, zeros after the end.
        length: `(B,)` int32.
        stopped: `(B,)` bool.
        log_probability: `(B,)` float32, zeros for features.
    """

    values: Tensor
    length: Tensor
    stopped: Tensor
    log_probability: Tensor


class Ending(NamedTuple):
    """How the sequences of a batch may end.

    Args:
        limit: `(B,)` int32, most steps of each row, at least 1.
        symbol: id of the symbol that ends a sequence; None where no symbol does.
        allowed: whether a row may end before its limit; where it may not, the end symbol is never chosen.
    """

    limit: Tensor
    symbol: int | None
    allowed: bool
