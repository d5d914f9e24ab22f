"""Decode a file of any size: lines in, lines out, in order, in bounded memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lengthwise.errors import LengthwiseError
from lengthwise.files import as_json
from lengthwise.serving.predictor import Hypothesis, Prediction, Predictor

BATCHES_PER_CHUNK = 32
"""Batches read ahead and sorted by length together: more mean less padding and more memory."""


def decode_lines(
    predictor: Predictor,
    lines: Iterable[str],
    *,
    probabilities: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> Iterator[Prediction]:
    """Decode lines, one prediction a line, in their order.

    Args:
        predictor: Of a model that reads text.
        lines: Without their line ends; read ahead by one chunk at most.
        probabilities: Whether each step's distribution is returned too.
        on_progress: Called with the number of lines done.

    Raises:
        LengthwiseError: The model reads numbers, or a line is too long.
    """
    if not predictor.is_tokens:
        raise LengthwiseError("This model reads numbers, not text. Decode arrays with lengthwise.load(RUN) in Python.")
    size = predictor.decoding.batch_size
    num_done, iterator = 0, iter(lines)
    while chunk := list(itertools.islice(iterator, size)):
        yield from predictor.decode(chunk, probabilities=probabilities, first_row=num_done)
        num_done += len(chunk)
        # The first predictions come after one batch; then chunks grow.
        size = min(2 * size, BATCHES_PER_CHUNK * predictor.decoding.batch_size)
        if on_progress is not None:
            on_progress(num_done)


def search_lines(
    predictor: Predictor, lines: Iterable[str], num_best: int
) -> Iterator[tuple[list[Hypothesis], tuple[str, ...]]]:
    """Find the best texts for each line by beam search, a batch at a time.

    Args:
        predictor: Of a model that reads text, with `decoding=beam`.
        lines: Without their line ends.
        num_best: Most texts for each line.

    Returns:
        For each line its texts, best first, and its symbols that the model does not know.

    Raises:
        LengthwiseError: As for `Predictor.search`.
    """
    iterator = iter(lines)
    while chunk := list(itertools.islice(iterator, predictor.decoding.batch_size)):
        yield from zip(predictor.search(chunk, num_best), predictor.find_unknown(chunk), strict=True)


def strip_ends(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines, such as those of an open file, without their line ends; only a newline ends a line."""
    for line in lines:
        yield line.rstrip("\n").removesuffix("\r")


def describe_prediction(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction as values of JSON."""
    content: dict[str, Any] = {
        "prediction": prediction.value if isinstance(prediction.value, str) else prediction.value.tolist(),
        "log_probability": as_json(prediction.log_probability),
        "stopped": prediction.stopped,
        "unknown_symbols": prediction.num_unknown,
    }
    if prediction.probabilities is not None:
        content["probabilities"] = prediction.probabilities.round(6).tolist()
    return content
