"""Export a trained model as a SavedModel that needs only TensorFlow: vocabulary, encoder and decode loop in one graph.

Its endpoint `serving_default`, the one that TensorFlow Serving calls, takes strings to strings, or numbers to numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import tensorflow as tf

from lengthwise.config.options import DecodingOptions
from lengthwise.data.scaler import Scaler
from lengthwise.data.vocabulary import PADDING, SPECIAL_SYMBOLS, TAGGED, UNKNOWN, Vocabulary, join_symbols
from lengthwise.decoding.compiled import compile_decode
from lengthwise.decoding.stop_rule import may_end
from lengthwise.errors import LengthwiseError
from lengthwise.models.bundle import Models
from lengthwise.serving.predictor import Predictor

Tensor: TypeAlias = tf.Tensor

# The characters at which str.split() splits words; TensorFlow's own split knows only those of ASCII.
_SPACES = r"[\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]+"

_TAGGED_SYMBOL = r"((?s:\[[^\[\]]*\]|.))"


def export_model(predictor: Predictor, directory: Path) -> None:
    """Write a trained model as a SavedModel.

    Text: `source` `(batch,)` strings becomes `prediction` `(batch,)` strings, `log_probability` `(batch,)` and
    `stopped` `(batch,)`. Numbers: `source` `(batch, steps, features)` float32 in the data's unit, padded on the right,
    and `source_length` `(batch,)` int32 become `prediction` `(batch, steps, features)`, zeros after the end, `length`
    and `stopped`. Unknown symbols are read as `<unknown>`; an empty source gives an empty prediction.

    Args:
        predictor: The model, and how it decodes.
        directory: A new or empty one. TensorFlow Serving needs a number for its name, as in `models/NAME/1`.

    Raises:
        LengthwiseError: The directory exists and is not empty.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise LengthwiseError(f"{directory} exists already. Name a new directory.")
    artifact = predictor.artifact
    source, target = artifact.source_codec, artifact.target_codec
    module: Any
    if isinstance(source, Vocabulary) and isinstance(target, Vocabulary):
        module = TextEndpoint(artifact.models, predictor.decoding, source, target)
        signature = [tf.TensorSpec((None,), tf.string, name="source")]
    elif isinstance(source, Scaler) and isinstance(target, Scaler):
        module = NumberEndpoint(artifact.models, predictor.decoding, source, target)
        shape = (None, None, source.size)
        signature = [tf.TensorSpec(shape, tf.float32, "source"), tf.TensorSpec((None,), tf.int32, "source_length")]
    else:
        raise LengthwiseError("A model between text and numbers cannot be exported.")
    decode = tf.function(module.decode, input_signature=signature, autograph=False)
    tf.saved_model.save(module, str(directory), signatures={"serving_default": decode})


class _Endpoint(tf.Module):
    """The part that both kinds of data share: the decode loop, and the variables that are stored with it."""

    def __init__(self, models: Models, options: DecodingOptions) -> None:
        super().__init__()
        self.timesteps = models.wiring.spec.timesteps
        self.is_reversed = models.wiring.reverse_target
        self.weights = [variable.value for variable in models.network.variables]
        self.may_stop = may_end(options, models.wiring)
        self._decode = compile_decode(models, options)

    def _run(self, source: Tensor, length: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Decode sources, of which empty ones give empty sequences."""
        batch = tf.shape(length)[0]
        # The encoder reads at least one row and one step.
        missing = [tf.cast(size == 0, tf.int32) for size in (batch, tf.shape(source)[1])]
        source = tf.pad(source, [(0, missing[0]), (0, missing[1]), *([(0, 0)] * (len(source.shape) - 2))])
        read = tf.maximum(tf.pad(length, [(0, missing[0])]), 1)
        limit = tf.pad(tf.where(length > 0, self.timesteps, 0), [(0, missing[0])])
        rows = tf.shape(read)[0]
        made = self._decode(source, read, limit, tf.range(rows), tf.fill((rows,), self.may_stop))
        made = type(made)(*(tensor[:batch] for tensor in made))
        values = made.values
        if self.is_reversed:
            values = tf.reverse_sequence(values, made.length, seq_axis=1)
        log_probability = tf.where(length > 0, made.log_probability, 0.0)
        return values, made.length, made.stopped | (length == 0), log_probability


class TextEndpoint(_Endpoint):
    """Strings to strings.

    Args:
        models: The trained model.
        options: How to decode.
        source: Vocabulary of the sources.
        target: Vocabulary of the targets.
    """

    def __init__(self, models: Models, options: DecodingOptions, source: Vocabulary, target: Vocabulary) -> None:
        super().__init__(models, options)
        self.source_unit, self.target_unit = source.unit, target.unit
        first = len(SPECIAL_SYMBOLS)
        ids = tf.range(first, first + len(source.symbols), dtype=tf.int32)
        symbols = tf.constant(source.symbols, tf.string, (len(source.symbols),))
        self.ids = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(symbols, ids), UNKNOWN)
        self.symbols = tf.constant(SPECIAL_SYMBOLS + target.symbols)

    def decode(self, source: Tensor) -> dict[str, Tensor]:
        """Decode texts `(batch,)`; the results have the shape `(batch,)`."""
        split = self._split(source)
        length = tf.cast(split.row_lengths(), tf.int32)
        ids = self.ids.lookup(split.flat_values)
        padded = split.with_flat_values(ids).to_tensor(PADDING)
        values, made, stopped, log_probability = self._run(padded, length)
        texts = tf.RaggedTensor.from_tensor(tf.gather(self.symbols, values), lengths=made)
        separator = join_symbols(("", ""), self.target_unit)
        prediction = tf.strings.reduce_join(texts, axis=-1, separator=separator)
        return {"prediction": prediction, "log_probability": log_probability, "stopped": stopped}

    def _split(self, source: Tensor) -> Tensor:
        """Cut texts `(batch,)` into symbols `(batch, symbols)`, ragged, as `split_text` does."""
        if self.source_unit == "characters":
            return tf.strings.unicode_split(source, "UTF-8")
        if self.source_unit == "words":
            split = tf.strings.split(tf.strings.strip(tf.strings.regex_replace(source, _SPACES, " ")), " ")
            return tf.ragged.boolean_mask(split, split != "")
        if self.source_unit == TAGGED:
            marked = tf.strings.regex_replace(source, _TAGGED_SYMBOL, "\\1\0")
            split = tf.strings.split(marked, "\0")
            return split[:, :-1]  # every symbol is marked behind it
        split = tf.strings.split(source, self.source_unit)
        return tf.ragged.boolean_mask(split, (split != "") | (source != "")[:, None])  # only no text has no symbol


class NumberEndpoint(_Endpoint):
    """Numbers to numbers, both in the data's unit.

    Args:
        models: The trained model.
        options: How to decode.
        source: Scaler of the sources.
        target: Scaler of the targets.
    """

    def __init__(self, models: Models, options: DecodingOptions, source: Scaler, target: Scaler) -> None:
        super().__init__(models, options)
        self.source_shift, self.source_scale = (tf.constant(part, tf.float64) for part in (source.shift, source.scale))
        self.target_shift, self.target_scale = (tf.constant(part, tf.float64) for part in (target.shift, target.scale))

    def decode(self, source: Tensor, source_length: Tensor) -> dict[str, Tensor]:
        """Decode sequences `(batch, steps, features)` float32 of `source_length` `(batch,)` int32 steps."""
        scaled = tf.cast((tf.cast(source, tf.float64) - self.source_shift) / self.source_scale, tf.float32)
        scaled = tf.where(tf.sequence_mask(source_length, tf.shape(source)[1])[..., None], scaled, 0.0)
        values, length, stopped, _ = self._run(scaled, source_length)
        numbers = tf.cast(tf.cast(values, tf.float64) * self.target_scale + self.target_shift, tf.float32)
        made = tf.sequence_mask(length, tf.shape(values)[1])[..., None]
        return {"prediction": tf.where(made, numbers, 0.0), "length": length, "stopped": stopped}
