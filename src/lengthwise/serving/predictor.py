"""A trained model as a person uses it: text in, text out; numbers in, numbers out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lengthwise.data.codec import Codec
from lengthwise.data.dataset import Split
from lengthwise.data.vocabulary import PADDING, Vocabulary
from lengthwise.decoding.decoding import build_decode_function, build_encode_function, decode_split, encode_split
from lengthwise.errors import LengthwiseError
from lengthwise.serving.artifact import Artifact, load_artifact

Source = str | ArrayLike


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model made of one source.

    Args:
        value: text, or `(steps, features)` in the data's unit.
        stopped: whether the model ended the sequence itself.
        log_probability: natural logarithm of the text's probability under the model; None for features.
    """

    value: str | NDArray[np.float64]
    stopped: bool
    log_probability: float | None


class Predictor:
    """Decodes what it is given with a trained model.

    Args:
        artifact: of `load_artifact`. Its run's own decoding options hold; where those need true lengths, `timesteps`
            limits the sequence.
    """

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self._decode = build_decode_function(artifact.models, artifact.options.decoding)
        self._encode = build_encode_function(artifact.models)

    @property
    def is_tokens(self) -> bool:
        """Whether sources and predictions are text."""
        return self.artifact.models.wiring.is_tokens

    def decode(self, sources: Sequence[Source]) -> list[Prediction]:
        """Decode sources, in their order.

        Args:
            sources: texts, or arrays `(steps, features)` in the data's unit. An unknown symbol is read as `<unknown>`;
                an empty source gives an empty prediction.

        Raises:
            LengthwiseError: a source has another number of features, or is not finite.
        """
        split, given = self._read(sources)
        empty = "" if self.is_tokens else np.zeros((0, self.artifact.target_codec.size))
        predictions = [Prediction(empty, True, None)] * len(sources)
        if split is None:
            return predictions
        decoded = decode_split(self._decode, self.artifact.models.wiring, split, self.artifact.options.decoding)
        for row, position in enumerate(given):
            values = decoded.values[row, : decoded.length[row]]
            probability = decoded.log_probability
            predictions[position] = Prediction(
                _write(values, self.artifact.target_codec),
                bool(decoded.stopped[row]),
                None if probability is None else float(probability[row]),
            )
        return predictions

    def encode(self, sources: Sequence[Source]) -> NDArray[np.float32]:
        """Return the latents `(sources, latent_dim)`; zeros for an empty source."""
        split, given = self._read(sources)
        latents = np.zeros((len(sources), self.artifact.models.wiring.latent_dim), np.float32)
        if split is not None:
            latents[given] = encode_split(self._encode, split, self.artifact.options.decoding.batch_size)
        return latents

    def _read(self, sources: Sequence[Source]) -> tuple[Split | None, list[int]]:
        """Return the sources that are not empty as a split, and their positions."""
        read = [self._read_one(source) for source in sources]
        given = [position for position, values in enumerate(read) if len(values)]
        if not given:
            return None, given
        length = np.array([len(read[position]) for position in given], np.int32)
        first = read[given[0]]
        padded = np.full((len(given), int(length.max()), *first.shape[1:]), PADDING, first.dtype)
        for row, position in enumerate(given):
            padded[row, : length[row]] = read[position]
        # No target is known; the longest that may be made stands for it where a rule asks for one.
        limit = np.full(len(given), self.artifact.models.wiring.spec.timesteps, np.int32)
        return Split(source=padded, source_length=length, target=padded, target_length=limit), given

    def _read_one(self, source: Source) -> NDArray[np.generic]:
        codec = self.artifact.source_codec
        if isinstance(codec, Vocabulary):
            if not isinstance(source, str):
                raise LengthwiseError(f"This model reads text; got {type(source).__name__}. Give a string.")
            return codec.encode(source)
        values = np.asarray(source, np.float64)
        if values.ndim != 2 or values.shape[1] != codec.size or not np.isfinite(values).all():
            raise LengthwiseError(
                f"This model reads arrays of finite numbers, shape (steps, {codec.size}); got {values.shape}."
            )
        return codec.encode(values)


def _write(values: NDArray[np.generic], codec: Codec) -> str | NDArray[np.float64]:
    return codec.decode(values.tolist()) if isinstance(codec, Vocabulary) else codec.decode(values)


def load_predictor(directory: Path) -> Predictor:
    """Load the predictor of a run's `model/data` directory.

    Raises:
        RunError: the directory does not hold a whole model.
    """
    return Predictor(load_artifact(directory))
