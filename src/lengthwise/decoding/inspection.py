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
from lengthwise.decoding.contract import Ending, Nest, StepFunction, StepOutputs
from lengthwise.decoding.decoding import END_SYMBOLS, plan_batches, sign_source
from lengthwise.decoding.loop import Emission, run_steps
from lengthwise.decoding.predictions import Predictions
from lengthwise.models.assembly import Models
from lengthwise.models.decoder import Outputs
from lengthwise.models.wiring import Wiring
from lengthwise.training.teaching import reverse_rows

Tensor: TypeAlias = tf.Tensor
MeasureFunction: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
AttendFunction: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]


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


def build_measure_function(models: Models) -> MeasureFunction:
    """Compile a function of `source`, `source_length` and given ids `(B, T)`: the distributions `(B, T, V)`."""

    def measure(source: Tensor, source_length: Tensor, given: Tensor) -> Tensor:
        _, constants, state = models.training.begin(source, source_length)
        return tf.nn.softmax(follow(models.training.decoder.step, constants, state, given))

    compiled: MeasureFunction = tf.function(measure, input_signature=_sign(models.wiring), autograph=False)
    return compiled


def build_attend_function(models: Models) -> AttendFunction:
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

    compiled: AttendFunction = tf.function(attend, input_signature=_sign(models.wiring), autograph=False)
    return compiled


def _sign(wiring: Wiring) -> list[tf.TensorSpec]:
    is_tokens, size = wiring.is_tokens, wiring.spec.target_size
    given = tf.TensorSpec((None, None), tf.int32) if is_tokens else tf.TensorSpec((None, None, size), tf.float32)
    return [*sign_source(wiring), given]


def measure_split(
    measure: MeasureFunction, wiring: Wiring, split: Split, predictions: Predictions, batch_size: int
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
    emitted, num_steps = _emit_again(wiring, predictions)
    found: list[NDArray[np.float32]] = [np.zeros((0, 0), np.float32)] * len(split)
    for indices in plan_batches(split.source_length, num_steps, batch_size):
        batch = take_batch(split, indices)
        given = emitted[indices, : max(1, int(num_steps[indices].max()))]
        distributions = measure(batch.source, batch.source_length, given).numpy()
        for row, index in enumerate(indices):
            found[index] = _turn(wiring, distributions[row, : num_steps[index]], int(predictions.length[index]))
    return found


def attend_split(
    attend: AttendFunction, wiring: Wiring, split: Split, predictions: Predictions, indices: NDArray[np.int64]
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
    emitted, num_steps = _emit_again(wiring, predictions)
    batch = take_batch(split, indices)
    given = emitted[indices, : max(1, int(num_steps[indices].max()))]
    weights = attend(batch.source, batch.source_length, given).numpy()
    return [
        _turn(wiring, weights[row, : num_steps[index], : split.source_length[index]], int(predictions.length[index]))
        for row, index in enumerate(indices)
    ]


def _emit_again(wiring: Wiring, predictions: Predictions) -> tuple[NDArray[np.generic], NDArray[np.int32]]:
    """Return what the decoder emitted, in its own order and with the end symbol, and the number of its steps."""
    values, length = predictions.values, predictions.length
    if wiring.reverse_target:
        values = reverse_rows(values, length)
    if not wiring.is_tokens:
        return values.astype(np.float32), length
    emitted = np.pad(values, ((0, 0), (0, 1))).astype(np.int32)
    end = END_SYMBOLS[wiring.length]
    if end is not None:
        emitted[np.arange(len(emitted)), length] = end
    return emitted, (length + predictions.stopped).astype(np.int32)


def _turn(wiring: Wiring, steps: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Bring the rows of a decoder's steps into the order of the prediction; that of the end stays last."""
    return np.concatenate([steps[:length][::-1], steps[length:]]) if wiring.reverse_target else steps
