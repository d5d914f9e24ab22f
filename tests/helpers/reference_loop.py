"""`decode_sequence` of the Keras tutorial once more: one source at a time, two `predict` calls, symbol by symbol."""

from __future__ import annotations

import keras
import numpy as np

from lengthwise.data.vocabulary import START
from lengthwise.models.bundle import Models


def decode_sequence(
    models: Models, source: np.ndarray, *, most_symbols: int, end: int | None, in_batches: bool = True
) -> list[int]:
    """Decode one source `(steps,)` without padding; the end symbol is left off, as the tutorial's caller does.

    Without `in_batches`, `predict_on_batch` stands for `predict`: the same numbers without a `tf.data` pipeline a call.
    """

    def predict(model: keras.Model, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return model.predict(inputs, verbose=0) if in_batches else model.predict_on_batch(inputs)

    encoded = predict(models.encoder, {"source": source[None], "source_length": np.array([len(source)], np.int32)})
    context = {name: value for name, value in encoded.items() if name != "latent"}
    previous, decoded = START, []
    while True:
        outputs = predict(models.decoder, {"previous": np.array([previous], np.int32), **context})
        previous = int(np.argmax(outputs["values"][0]))
        if previous == end:
            return decoded
        decoded.append(previous)
        if len(decoded) == most_symbols:
            return decoded
        context |= {name: value for name, value in outputs.items() if name in context}
