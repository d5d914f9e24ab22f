"""The predictor: a trained model from text to text, or from numbers to numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lengthwise.config.options import BeamOptions, DecodingOptions
from lengthwise.data.codec import Codec
from lengthwise.data.dataset import Sources
from lengthwise.data.sequences import Sequences
from lengthwise.data.vocabulary import UNKNOWN, Vocabulary
from lengthwise.decoding.inference import Inference
from lengthwise.errors import LengthwiseError
from lengthwise.serving.artifact import Artifact, load_artifact

Source: TypeAlias = str | ArrayLike

MOST_STEPS = 10_000
"""Longest source that is read, in steps: the encoder keeps about twelve numbers for each unit and step."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """The model's prediction for one source.

    Args:
        value: Text, or `(steps, features)` float64 in the data's unit.
        stopped: Whether the model ended the sequence itself.
        log_probability: Natural logarithm of the text's probability under the model, the end included; None for
            features and for an empty source.
        unknown: Symbols of the source that the model does not know, one by one; each is read as `<unknown>`. Empty for
            features.
        probabilities: If they were asked for, `(steps, symbols)` float32: the model's distribution over the target's
            ids before each symbol, in the order of the text, and before the end where the model ended the text itself.
    """

    value: str | NDArray[np.float64]
    stopped: bool
    log_probability: float | None
    unknown: tuple[str, ...] = ()
    probabilities: NDArray[np.float32] | None = None

    @property
    def num_unknown(self) -> int:
        """Number of symbols of the source that the model does not know."""
        return len(self.unknown)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hypothesis:
    """One of the best texts that beam search found for a source.

    Args:
        value: The text.
        stopped: Whether the model ended it itself.
        log_probability: Natural logarithm of its probability under the model, the end included.
        score: By which the texts are ordered: `log_probability` divided by the length penalty.
    """

    value: str
    stopped: bool
    log_probability: float
    score: float


class Predictor:
    """Decodes sources as people write them.

    Args:
        artifact: The trained model, from `load_artifact`.
        decoding: How to decode; None: as the run's own options say. Where these need true lengths, `timesteps` limits
            the sequence.
    """

    def __init__(self, artifact: Artifact, decoding: DecodingOptions | None = None) -> None:
        self.artifact = artifact
        self.decoding = decoding or artifact.options.decoding
        self._wiring = artifact.models.wiring
        self._inference = Inference(artifact.models, self.decoding)

    @property
    def network(self) -> keras.Model:
        """The Keras model with all layers; called with the previous outputs, it scores every step."""
        return self.artifact.models.network

    @property
    def encoder(self) -> keras.Model:
        """The Keras model from a source to its latent and the decoder's initial states."""
        return self.artifact.models.encoder

    @property
    def decoder(self) -> keras.Model:
        """The Keras model of one step of the decoder."""
        return self.artifact.models.decoder

    @property
    def is_tokens(self) -> bool:
        """Whether sources and predictions are text."""
        return self._wiring.is_tokens

    def decode(
        self,
        sources: Sequence[Source],
        *,
        probabilities: bool = False,
        first_row: int = 0,
        on_progress: Callable[[int], None] | None = None,
    ) -> list[Prediction]:
        """Decode sources, in their order.

        Args:
            sources: Texts, or arrays `(steps, features)` in the data's unit. An unknown symbol is read as `<unknown>`;
                an empty source gives an empty prediction.
            probabilities: Whether each step's distribution is returned too; tokens only.
            first_row: Index of the first source in a longer input, on which the samples of `decoding=sample` depend.
            on_progress: Called after each batch with the number of sources decoded, empty ones not counted.

        Raises:
            LengthwiseError: A source is too long, has another number of features, or is not finite; or probabilities
                are asked for and the model has none.
        """
        if probabilities and not self.is_tokens:
            raise LengthwiseError("This model makes numbers, not symbols: its steps have no probabilities.")
        examples, given = self._read(sources)
        empty = "" if self.is_tokens else np.zeros((0, self.artifact.target_codec.size))
        nothing = np.zeros((0, self.artifact.target_codec.size), np.float32) if probabilities else None
        made = [Prediction(value=empty, stopped=True, log_probability=None, probabilities=nothing)] * len(sources)
        if examples is None:
            return made
        decoded = self._inference.decode(examples, rows=first_row + np.array(given), on_progress=on_progress)
        distributions = self._inference.measure(examples, decoded) if probabilities else None
        has_unknown = examples.source.contain(UNKNOWN) if self.is_tokens else np.zeros(len(given), bool)
        values = _write(decoded.values, decoded.length, self.artifact.target_codec)
        for row, position in enumerate(given):
            made[position] = Prediction(
                value=values[row],
                stopped=bool(decoded.stopped[row]),
                log_probability=None if decoded.log_probability is None else float(decoded.log_probability[row]),
                unknown=self.find_unknown([sources[position]])[0] if has_unknown[row] else (),
                probabilities=None if distributions is None else distributions[row],
            )
        return made

    def search(self, sources: Sequence[Source], num_best: int) -> list[list[Hypothesis]]:
        """Find the best texts for each source by beam search, best first.

        Args:
            sources: Texts; an empty one has no hypotheses.
            num_best: Most texts for each source, from 1 to the width of the beam.

        Raises:
            LengthwiseError: The decoding is not beam search, or its width is less than `num_best`.
        """
        options = self.decoding
        if not isinstance(options, BeamOptions):
            remedy = "Load the run with decoding=beam"
            raise LengthwiseError(f"Several texts for a source need decoding=beam; got {options.name}. {remedy}.")
        if not 1 <= num_best <= options.width:
            remedy = f"Load the run with decoding.width={num_best}" if num_best > 0 else "Ask for at least one"
            raise LengthwiseError(f"A beam of width {options.width} has no {num_best} best texts. {remedy}.")
        found: list[list[Hypothesis]] = [[] for _ in sources]
        examples, given = self._read(sources)
        if examples is None:
            return found
        best = self._inference.search(examples, num_best)
        for row, position in enumerate(given):
            texts = _write(best.values[row], best.length[row], self.artifact.target_codec)
            found[position] = [
                Hypothesis(
                    value=str(text),
                    stopped=bool(best.stopped[row, rank]),
                    log_probability=float(best.log_probability[row, rank]),
                    score=float(best.score[row, rank]),
                )
                for rank, text in enumerate(texts)
                if np.isfinite(best.score[row, rank])
            ]
        return found

    def find_unknown(self, sources: Sequence[Source]) -> list[tuple[str, ...]]:
        """Return for each source its symbols that the model does not know, one by one; none for features."""
        codec = self.artifact.source_codec
        if not isinstance(codec, Vocabulary):
            return [()] * len(sources)
        return [tuple(codec.find_unknown(str(source))) for source in sources]

    def warm_up(self) -> None:
        """Trace the decoding, which takes seconds, before the first source is there."""
        codec = self.artifact.source_codec
        source = "".join(codec.symbols[:1]) if isinstance(codec, Vocabulary) else np.zeros((1, codec.size))
        self.decode([source])

    def encode(self, sources: Sequence[Source]) -> NDArray[np.float32]:
        """Return the latents `(sources, latent_dim)` float32; zeros for an empty source."""
        examples, given = self._read(sources)
        latents = np.zeros((len(sources), self._wiring.latent_dim), np.float32)
        if examples is not None:
            latents[given] = self._inference.encode(examples)
        return latents

    def decode_steps(
        self, examples: Sources, *, on_progress: Callable[[int], None] | None = None
    ) -> list[NDArray[np.float64]]:
        """Decode sources that are scaled already.

        Args:
            examples: At least one.
            on_progress: Called after each batch with the number of sources decoded.

        Returns:
            Of each, `(steps, features)` float64 in the data's unit.
        """
        decoded = self._inference.decode(examples, on_progress=on_progress)
        made = _write(decoded.values, decoded.length, self.artifact.target_codec)
        return [np.asarray(steps, np.float64) for steps in made]

    def encode_steps(self, examples: Sources) -> NDArray[np.float32]:
        """Return the latents `(sources, latent_dim)` float32 of sources that are scaled already."""
        return self._inference.encode(examples)

    def _read(self, sources: Sequence[Source]) -> tuple[Sources | None, list[int]]:
        """Return the sources that are not empty, None where all are; and their positions."""
        if isinstance(sources, str):
            raise LengthwiseError(f"Sources come as a list; got the one text {sources[:40]!r}. Put it into a list.")
        read = self._read_texts(sources) if self.is_tokens else [self._read_numbers(source) for source in sources]
        given = [position for position, values in enumerate(read) if len(values)]
        if not given:
            return None, given
        source = Sequences.from_arrays([read[position] for position in given])
        if source.longest > MOST_STEPS:
            place = given[int(source.length.argmax())] + 1
            raise LengthwiseError(
                f"Source {place} has {source.longest:,} steps; at most {MOST_STEPS:,} are read. Shorten it."
            )
        return Sources(source=source), given

    def _read_texts(self, sources: Sequence[Source]) -> list[NDArray[np.generic]]:
        codec = self.artifact.source_codec
        texts = [source for source in sources if isinstance(source, str)]
        if not isinstance(codec, Vocabulary) or len(texts) < len(sources):
            other = next(source for source in sources if not isinstance(source, str))
            raise LengthwiseError(f"This model reads text; got {type(other).__name__}. Give a string.")
        encoded = codec.encode_all(texts)
        return [encoded[index] for index in range(len(encoded))]

    def _read_numbers(self, source: Source) -> NDArray[np.generic]:
        codec = self.artifact.source_codec
        try:
            values = np.asarray(source, np.float64)
        except (TypeError, ValueError) as error:
            raise LengthwiseError(f"This model reads numbers; got {type(source).__name__} ({error}).") from error
        if values.size == 0:
            return np.zeros((0, codec.size), np.float32)
        if isinstance(codec, Vocabulary) or values.ndim != 2 or values.shape[1] != codec.size:
            raise LengthwiseError(f"This model reads arrays of shape (steps, {codec.size}); got {values.shape}.")
        if not np.isfinite(values).all():
            raise LengthwiseError(
                "This model reads finite numbers; got NaN or infinity. Fill them in or leave them out."
            )
        return codec.encode(values)


def _write(
    values: NDArray[np.generic], length: NDArray[np.int32], codec: Codec
) -> list[str] | list[NDArray[np.float64]]:
    """Return the text, or the numbers in the data's unit, of each row."""
    if isinstance(codec, Vocabulary):
        rows = values.tolist()
        return [codec.decode(row[:count]) for row, count in zip(rows, length.tolist(), strict=True)]
    return [codec.decode(row[:count]) for row, count in zip(values, length, strict=True)]


def load_predictor(directory: Path) -> Predictor:
    """Load the predictor of a directory written by `save_artifact`.

    Raises:
        RunError: The directory does not hold a whole model.
    """
    return Predictor(load_artifact(directory))
