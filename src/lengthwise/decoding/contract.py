"""The step contract: all that a decoding strategy knows of a model, and what it returns.

A model begins by encoding its sources into `constants` and a `state`; each step then takes the previous output and the
state to new outputs and a new state. A test can therefore drive a strategy with a few lines that spell a word.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeAlias

import tensorflow as tf

Tensor: TypeAlias = tf.Tensor
Nest: TypeAlias = dict[str, Tensor]


class StepOutputs(Protocol):
    """The outputs of one step."""

    @property
    def values(self) -> Tensor:
        """Logits `(batch, symbols)`, or features `(batch, features)`."""

    @property
    def stop(self) -> Tensor | None:
        """Logits `(batch,)` of the probability that this step is the last; None where none is learnt."""


class StepFunction(Protocol):
    """One step of a decoder."""

    def __call__(self, previous: Tensor, constants: Nest, state: Nest) -> tuple[StepOutputs, Nest]:
        """Make one step.

        Args:
            previous: The previous output, ids `(batch,)` int32 or features `(batch, features)`; at first the start.
            constants: Tensors that are the same at every step, batch first.
            state: Tensors that each step replaces, batch first.

        Returns:
            The step's outputs, and the new state.
        """


class Sequences(NamedTuple):
    """Decoded sequences of a batch as tensors; the fields are those of `Predictions`.

    Args:
        values: Ids `(batch, steps)` int32, or features `(batch, steps, features)`; zeros after the end.
        length: `(batch,)` int32, steps.
        stopped: `(batch,)` bool.
        log_probability: `(batch,)` float32, natural logarithm; zeros for features.
    """

    values: Tensor
    length: Tensor
    stopped: Tensor
    log_probability: Tensor


class Hypotheses(NamedTuple):
    """The best sequences that a search found for each row, best first, as tensors; the fields are those of `NBest`.

    Args:
        values: Ids `(batch, hypotheses, steps)` int32, zeros after the end.
        length: `(batch, hypotheses)` int32, steps.
        stopped: `(batch, hypotheses)` bool.
        log_probability: `(batch, hypotheses)` float32, natural logarithm.
        score: `(batch, hypotheses)` float32, by which they are ordered; minus infinity where fewer were found.
    """

    values: Tensor
    length: Tensor
    stopped: Tensor
    log_probability: Tensor
    score: Tensor
