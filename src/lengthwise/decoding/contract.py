"""What a decode loop knows of a model: how it begins, how it makes one step, and when a sequence ends.

Shapes: B batch, S source steps, T steps made, V symbols or features, N hypotheses.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeAlias

import tensorflow as tf

Tensor: TypeAlias = tf.Tensor
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


class Ending(NamedTuple):
    """How the sequences of a batch may end.

    Args:
        limit: `(B,)` int32, most steps of each row; 0 for a row that only fills a batch up.
        longest: scalar int32, at least 1 and every limit: the number of steps that results are wide.
        symbol: id of the symbol that ends a sequence; None where no symbol does.
        allowed: whether a row may end before its limit; where it may not, the end symbol is never chosen.
    """

    limit: Tensor
    longest: Tensor
    symbol: int | None
    allowed: bool


class Sequences(NamedTuple):
    """Decoded sequences of a batch, as tensors; the fields are those of `Predictions`.

    Args:
        values: `(B, longest)` int32 or `(B, longest, V)`, zeros after the end.
        length: `(B,)` int32.
        stopped: `(B,)` bool.
        log_probability: `(B,)` float32, zeros for features.
    """

    values: Tensor
    length: Tensor
    stopped: Tensor
    log_probability: Tensor


class Hypotheses(NamedTuple):
    """The best sequences that a search found for each row, best first; the fields are those of `NBest`.

    Args:
        values: `(B, N, longest)` int32, zeros after the end.
        length: `(B, N)` int32.
        stopped: `(B, N)` bool.
        log_probability: `(B, N)` float32.
        score: `(B, N)` float32, what they are ordered by; minus infinity where fewer than N were found.
    """

    values: Tensor
    length: Tensor
    stopped: Tensor
    log_probability: Tensor
    score: Tensor


def forbid_end(scores: Tensor, ending: Ending) -> Tensor:
    """Return the logits with the end symbol's at minus infinity, where no row may end before its limit.

    Args:
        scores: logits `(..., V)`, V known while the graph is traced.
        ending: how rows end.
    """
    if ending.allowed or ending.symbol is None:
        return scores
    is_end = tf.one_hot(ending.symbol, scores.shape[-1], on_value=True, off_value=False)
    return tf.where(is_end, tf.constant(float("-inf"), scores.dtype), scores)
