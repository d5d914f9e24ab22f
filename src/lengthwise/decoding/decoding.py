"""Decoding a split: the loop compiled once, examples in batches of like length, predictions in the split's order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lengthwise.config.options import DecodingOptions
from lengthwise.data.batching import plan_evaluation_batches, take_batch
from lengthwise.data.dataset import Split
from lengthwise.data.vocabulary import PADDING, STOP
from lengthwise.decoding.contract import Ending, Sequences
from lengthwise.decoding.greedy import decode_features, decode_greedy_tokens
from lengthwise.decoding.predictions import Predictions
from lengthwise.models.assembly import Models
from lengthwise.models.wiring import Wiring
from lengthwise.training.teaching import prepare_lesson, reverse_rows

DecodeFunction = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Sequences]
EncodeFunction = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

END_SYMBOLS = {"stop": STOP, "fixed": PADDING, "oracle": None}
"""Symbol that ends a sequence, by `model.length`. Where padding is learnt as a symbol, the first one is the end."""


def build_decode_function(models: Models, options: DecodingOptions) -> DecodeFunction:
    """Compile the decode loop of a model.

    Returns:
        a function of `source` `(B, S)` or `(B, S, F)`, `source_length` `(B,)` and `limit` `(B,)` int32, the most steps
        of each row.
    """
    wiring, model = models.wiring, models.training
    symbol = END_SYMBOLS[wiring.length] if wiring.is_tokens else None

    @tf.function(input_signature=[*_source_signature(wiring), tf.TensorSpec((None,), tf.int32)], autograph=False)
    def decode(source: tf.Tensor, source_length: tf.Tensor, limit: tf.Tensor) -> Sequences:
        _, constants, state = model.begin(source, source_length)
        ending = Ending(limit, symbol, allowed=options.length == "model")
        if wiring.is_tokens:
            return decode_greedy_tokens(model.decoder.step, constants, state, ending)
        return decode_features(model.decoder.step, constants, state, ending, wiring.spec.target_size)

    return decode


def _source_signature(wiring: Wiring) -> list[tf.TensorSpec]:
    shape, dtype = ((None, None), tf.int32) if wiring.is_tokens else ((None, None, wiring.spec.source_size), tf.float32)
    return [tf.TensorSpec(shape, dtype, name="source"), tf.TensorSpec((None,), tf.int32, name="source_length")]


def decode_split(decode: DecodeFunction, wiring: Wiring, split: Split, options: DecodingOptions) -> Predictions:
    """Decode every source of a split.

    The true lengths are read only where they must be given: by the rule `oracle`, and by a model that learns no end.
    """
    given = options.length == "oracle" or (options.length == "model" and wiring.length == "oracle")
    limit = split.target_length if given else np.full(len(split), wiring.spec.timesteps, np.int32)
    batches = plan_evaluation_batches(split.source_length, limit, options.batch_size)
    results = []
    for indices in batches:
        batch = take_batch(split, indices)
        sequences = decode(batch.source, batch.source_length, limit[indices])
        results.append(Sequences(*(tensor.numpy() for tensor in sequences)))
    return _collect(batches, results, wiring)


def build_encode_function(models: Models) -> EncodeFunction:
    """Compile the encoder: a function of `source` and `source_length` that returns the latents `(B, latent_dim)`."""
    wiring = models.wiring

    @tf.function(input_signature=_source_signature(wiring), autograph=False)
    def encode(source: tf.Tensor, source_length: tf.Tensor) -> tf.Tensor:
        return models.training.begin(source, source_length)[0]

    return encode


def encode_split(encode: EncodeFunction, split: Split, batch_size: int) -> NDArray[np.float32]:
    """Return the latents `(examples, latent_dim)` of a split's sources."""
    batches = plan_evaluation_batches(split.source_length, split.source_length, batch_size)
    parts = []
    for indices in batches:
        batch = take_batch(split, indices)
        parts.append(encode(batch.source, batch.source_length).numpy())
    return np.concatenate(parts)[np.argsort(np.concatenate(batches))].astype(np.float32)


def predict_teacher_forced(models: Models, split: Split, batch_size: int) -> Predictions:
    """Predict each step of a split from the true previous ones: the score that training sees, not that of decoding.

    For tokens the prediction ends at the first end symbol among the predicted ones, as in decoding.
    """
    wiring = models.wiring
    batches = plan_evaluation_batches(split.source_length, split.target_length, batch_size)
    score = _compile_scores(models)
    results = []
    for indices in batches:
        lesson = prepare_lesson(take_batch(split, indices), wiring)
        num_real = lesson.weights["values"].sum(axis=1).astype(np.int32)
        values = score(lesson.inputs).numpy()
        results.append(_cut_tokens(values, num_real, wiring) if wiring.is_tokens else _cut_features(values, num_real))
    return _collect(batches, results, wiring)


def _compile_scores(models: Models) -> Callable[[dict[str, NDArray[np.generic]]], tf.Tensor]:
    wiring = models.wiring
    source, source_length = _source_signature(wiring)
    shape, dtype = ((None, None), tf.int32) if wiring.is_tokens else ((None, None, wiring.spec.target_size), tf.float32)
    signature = {"source": source, "source_length": source_length, "previous": tf.TensorSpec(shape, dtype)}

    @tf.function(input_signature=[signature], autograph=False)
    def score(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        return models.training(inputs, training=False)["values"]

    return score


def _cut_tokens(scores: NDArray[np.floating], num_real: NDArray[np.int32], wiring: Wiring) -> Sequences:
    ids = scores.argmax(axis=-1).astype(np.int32)
    steps = np.arange(ids.shape[1])
    real = steps < num_real[:, None]
    end = END_SYMBOLS[wiring.length]
    is_end = real & (ids == end) if end is not None else np.zeros_like(real)
    stopped = is_end.any(axis=1)
    length = np.where(stopped, is_end.argmax(axis=1), num_real).astype(np.int32)
    values = np.where(steps < length[:, None], ids, 0)
    return Sequences(values, length, stopped, np.zeros(len(ids), np.float32))


def _cut_features(values: NDArray[np.floating], num_real: NDArray[np.int32]) -> Sequences:
    real = np.arange(values.shape[1]) < num_real[:, None]
    nothing = np.zeros(len(values))
    return Sequences(values * real[..., None], num_real, nothing.astype(bool), nothing.astype(np.float32))


def _collect(batches: list[NDArray[np.int64]], results: list[Sequences], wiring: Wiring) -> Predictions:
    """Put the batches' sequences back into the split's order, turned round where the decoder makes them reversed."""
    order = np.argsort(np.concatenate(batches))
    num_steps = max(result.values.shape[1] for result in results)
    padded = []
    for result in results:
        values = np.zeros((len(result.values), num_steps, *result.values.shape[2:]), result.values.dtype)
        values[:, : result.values.shape[1]] = result.values
        padded.append(values)
    values = np.concatenate(padded)[order]
    length, stopped, log_probability = (
        np.concatenate([getattr(result, name) for result in results])[order]
        for name in ("length", "stopped", "log_probability")
    )
    if wiring.reverse_target:
        values = reverse_rows(values, length)
    return Predictions(
        values=values if wiring.is_tokens else values.astype(np.float32),
        length=length,
        stopped=stopped,
        log_probability=log_probability if wiring.is_tokens else None,
    )
