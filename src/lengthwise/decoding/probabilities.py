"""The model's distribution at each step of sequences that are known.

Shapes: B batch, T steps, V symbols.
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
from lengthwise.models.wiring import Wiring
from lengthwise.training.teaching import reverse_rows

Tensor: TypeAlias = tf.Tensor
MeasureFunction: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]


def measure_probabilities(step: StepFunction, constants: Nest, state: Nest, given: Tensor) -> Tensor:
    """Return the distributions `(B, T, V)` float32 before each of the symbols `(B, T)`, as decoding sees them.

    Args:
        step: the model's step.
        constants: of the model's beginning.
        state: of the model's beginning.
        given: ids `(B, T)` that are emitted, whatever the model would; T at least 1.
    """
    batch, num_steps = tf.shape(given)[0], tf.shape(given)[1]

    def emit(index: Tensor, outputs: StepOutputs) -> Emission:
        return Emission(given[:, index], None, (tf.cast(tf.nn.softmax(outputs.values), tf.float32),))

    ending = Ending(tf.fill((batch,), num_steps), num_steps, None, allowed=False)
    kept = (tf.TensorSpec((None, None), tf.float32),)
    return run_steps(step, ending, start=(tf.fill((batch,), START), constants, state), emit=emit, kept=kept)[0]


def build_measure_function(models: Models) -> MeasureFunction:
    """Compile the measurement: a function of `source`, `source_length` and the given ids `(B, T)`."""

    def measure(source: Tensor, source_length: Tensor, given: Tensor) -> Tensor:
        _, constants, state = models.training.begin(source, source_length)
        return measure_probabilities(models.training.decoder.step, constants, state, given)

    signature = [*sign_source(models.wiring), tf.TensorSpec((None, None), tf.int32, name="given")]
    compiled: MeasureFunction = tf.function(measure, input_signature=signature, autograph=False)
    return compiled


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
    emitted = np.pad(predictions.values, ((0, 0), (0, 1))).astype(np.int32)
    if wiring.reverse_target:
        emitted = reverse_rows(emitted, predictions.length).astype(np.int32)
    end = END_SYMBOLS[wiring.length]
    if end is not None:
        emitted[np.arange(len(emitted)), predictions.length] = end
    num_steps = predictions.length + predictions.stopped
    found: list[NDArray[np.float32]] = [np.zeros((0, 0), np.float32)] * len(split)
    for indices in plan_batches(split.source_length, num_steps.astype(np.int32), batch_size):
        batch = take_batch(split, indices)
        given = emitted[indices, : max(1, int(num_steps[indices].max()))]
        distributions = measure(batch.source, batch.source_length, given).numpy()
        for row, index in enumerate(indices):
            length = int(predictions.length[index])
            own = distributions[row, : num_steps[index]]
            found[index] = np.concatenate([own[:length][::-1], own[length:]]) if wiring.reverse_target else own
    return found
