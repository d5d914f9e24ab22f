"""What a model does at each step of sequences that are known: its distribution, and where its attention lies.

Shapes: B batch, S source steps, T steps, V symbols or features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lengthwise.data.batching import take_batch
from lengthwise.data.dataset import Split
from lengthwise.data.vocabulary import START
from lengthwise.decoding.compiled import END_SYMBOLS, plan_batches, sign_source
from lengthwise.decoding.contract import Ending, Nest, StepFunction, StepOutputs
from lengthwise.decoding.loop import Emission, run_steps
from lengthwise.decoding.predictions import Predictions
from lengthwise.models.bundle import Models
from lengthwise.models.decoder import Outputs
from lengthwise.models.targets import reverse_rows
from lengthwise.models.wiring import Wiring

Tensor: TypeAlias = tf.Tensor
FollowFunction: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
"""What is read at each step, `(B, T, ...)`, from `source`, `source_length` and the given outputs `(B, T, ...)`."""


def follow(step: StepFunction, constants: Nest, state: Nest, given: Tensor) -> Tensor:
    """Return the values `(B, T, V)` float32 of each step while known sequences are emitted.

    Args:
        step: the model's step.
        constants: of the model's beginning.
        state: of the model's beginning.
        given: ids `(B, T)` or features `(B, T, V)` that are emitted, whatever the model would; T at least 1.
    """
    batch, num_steps = tf.shape(given)[0], tf.shape(given)[1]

    def emit(index: Tensor, outputs: StepOutputs) -> Emission:
        return Emission(given[:, index], None, (tf.cast(outputs.values, tf.float32),))

    ending = Ending(tf.fill((batch,), num_steps), num_steps, None, allowed=False)
    kept = (tf.TensorSpec((None, None), tf.float32),)
    first = tf.fill((batch,), START) if given.shape.rank == 2 else tf.zeros_like(given[:, 0])
    return run_steps(step, ending, start=(first, constants, state), emit=emit, kept=kept)[0]


def build_measure_function(models: Models) -> FollowFunction:
    """Compile a function of `source`, `source_length` and given ids `(B, T)`: the distributions `(B, T, V)`."""

    def measure(source: Tensor, source_length: Tensor, given: Tensor) -> Tensor:
        _, constants, state = models.training.begin(source, source_length)
        return tf.nn.softmax(follow(models.training.decoder.step, constants, state, given))

    compiled: FollowFunction = tf.function(measure, input_signature=_sign(models.wiring), autograph=False)
    return compiled


def build_attend_function(models: Models) -> FollowFunction:
    """Compile a function of `source`, `source_length` and given outputs, ids `(B, T)` or features `(B, T, V)`.

    It returns the weights `(B, T, S)` of the model's attention while it makes each of them.

    Raises:
        ValueError: the model has no attention.
    """
    decoder = models.training.decoder
    if decoder.attention is None:
        raise ValueError("the model has no attention: its model.attention is none")

    def step(previous: Tensor, constants: Nest, state: Nest) -> tuple[StepOutputs, Nest]:
        weights = decoder.attend(previous, constants, state)
        return Outputs(weights, None), decoder.step(previous, constants, state)[1]

    def attend(source: Tensor, source_length: Tensor, given: Tensor) -> Tensor:
        _, constants, state = models.training.begin(source, source_length)
        return follow(step, constants, state, given)

    compiled: FollowFunction = tf.function(attend, input_signature=_sign(models.wiring), autograph=False)
    return compiled


def _sign(wiring: Wiring) -> list[tf.TensorSpec]:
    is_tokens, size = wiring.is_tokens, wiring.spec.target_size
    given = tf.TensorSpec((None, None), tf.int32) if is_tokens else tf.TensorSpec((None, None, size), tf.float32)
    return [*sign_source(wiring), given]


def measure_split(
    measure: FollowFunction, wiring: Wiring, split: Split, predictions: Predictions, batch_size: int
) -> list[NDArray[np.float32]]:
    """Return, for each prediction of a split, the model's distribution at every step.

    Args:
        measure: of `build_measure_function`.
        wiring: the model's; of tokens.
        split: the sources.
        predictions: of `decode_split` for them.
        batch_size: rows measured together.

    Returns:
        arrays `(steps, V)`: a row for each symbol, in the order of the text, and one for the end where the model ended
        the sequence itself.
    """
    num_steps = _count_steps(wiring, predictions.length, predictions.stopped)
    found: list[NDArray[np.float32]] = [np.zeros((0, 0), np.float32)] * len(split)
    for indices in plan_batches(split.source_length, num_steps, batch_size):
        for index, steps in zip(indices, _follow_batch(measure, wiring, split, predictions, indices), strict=True):
            found[index] = steps
    return found


def attend_split(
    attend: FollowFunction, wiring: Wiring, split: Split, predictions: Predictions, indices: NDArray[np.int64]
) -> list[NDArray[np.float32]]:
    """Return, for some predictions of a split, the weights of the attention at every step.

    Args:
        attend: of `build_attend_function`.
        wiring: the model's.
        split: the sources.
        predictions: of `decode_split` for them.
        indices: of the examples, together one batch.

    Returns:
        arrays `(steps, source steps)`: a row for each step, in the order of the prediction, and for tokens one for the
        end where the model ended the sequence itself.
    """
    weights = _follow_batch(attend, wiring, split, predictions, indices)
    return [steps[:, : split.source_length[index]] for index, steps in zip(indices, weights, strict=True)]


def _follow_batch(
    function: FollowFunction, wiring: Wiring, split: Split, predictions: Predictions, indices: NDArray[np.int64]
) -> list[NDArray[np.float32]]:
    """Read the steps of some predictions together: a row for each step, in the prediction's order, the end's last."""
    batch, lengths = take_batch(split, indices), predictions.length[indices]
    num_steps = _count_steps(wiring, lengths, predictions.stopped[indices])
    given = _emit_again(wiring, predictions.values[indices], lengths)
    read = function(batch.source, batch.source_length, given[:, : max(1, int(num_steps.max()))]).numpy()
    found = []
    for steps, count, length in zip(read, num_steps, lengths, strict=True):
        made, end = steps[:length], steps[length:count]
        found.append(np.concatenate([made[::-1], end]) if wiring.reverse_target else steps[:count])
    return found


def _count_steps(wiring: Wiring, length: NDArray[np.int32], stopped: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the steps `(examples,)` that the decoder made: for tokens with that of an end of its own."""
    return length + (stopped if wiring.is_tokens else 0)


def _emit_again(wiring: Wiring, values: NDArray[np.generic], length: NDArray[np.int32]) -> NDArray[np.generic]:
    """Return what the decoder emitted, in its own order and with the end symbol."""
    if wiring.reverse_target:
        values = reverse_rows(values, length)
    if not wiring.is_tokens:
        return values.astype(np.float32)
    emitted = np.pad(values, ((0, 0), (0, 1))).astype(np.int32)
    end = END_SYMBOLS[wiring.length]
    if end is not None:
        emitted[np.arange(len(emitted)), length] = end
    return emitted
