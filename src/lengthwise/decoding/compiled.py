"""Decoding a split: the loop compiled once, examples in batches of like length, predictions in the split's order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lengthwise.config.options import BeamOptions, DecodingOptions, SampleOptions
from lengthwise.data.batching import plan_evaluation_batches, take_batch
from lengthwise.data.dataset import Split
from lengthwise.data.vocabulary import PADDING, STOP
from lengthwise.decoding.beam import decode_beam
from lengthwise.decoding.contract import Ending, Hypotheses, Nest, Sequences
from lengthwise.decoding.greedy import decode_features, decode_greedy
from lengthwise.decoding.parallel import run_in_parts
from lengthwise.decoding.predictions import NBest, Predictions
from lengthwise.decoding.sampling import decode_samples
from lengthwise.models.bundle import Models
from lengthwise.models.targets import prepare_lesson, reverse_rows
from lengthwise.models.wiring import Wiring

Tensor: TypeAlias = tf.Tensor
Array: TypeAlias = NDArray[Any]
DecodeFunction = Callable[[Tensor, Tensor, Tensor, Tensor], Sequences]
SearchFunction = Callable[[Tensor, Tensor, Tensor], Hypotheses]
EncodeFunction = Callable[[Tensor, Tensor], Tensor]
ScoreFunction = Callable[[dict[str, Array]], Tensor]
Report = Callable[[int], None]
"""Told after each batch how many of the examples are done."""

END_SYMBOLS = {"stop": STOP, "fixed": PADDING, "oracle": None}
"""Symbol that ends a sequence, by `model.length`. Where padding is learnt as a symbol, the first one is the end."""

MOST_SOURCE_STEPS = 1_024
"""Most source steps of a row of a full batch; longer sources are decoded in smaller batches, which bounds memory."""


def build_decode_function(models: Models, options: DecodingOptions) -> DecodeFunction:
    """Compile the decode loop of a model.

    Returns:
        a function of `source` `(B, S)` or `(B, S, F)`, `source_length` `(B,)`, `limit` `(B,)` int32, the most steps of
        each row, and `row` `(B,)` int32, its index in the input, from which random numbers follow.
    """
    wiring, decoder = models.wiring, models.training.decoder

    def loop(constants: Nest, state: Nest, limit: Tensor, row: Tensor, longest: Tensor) -> Sequences:
        ending = _describe_ending(wiring, options, limit, longest)
        if isinstance(options, SampleOptions):
            return decode_samples(decoder.step, constants, state, ending, rows=row, options=options)
        if isinstance(options, BeamOptions):
            *fields, _score = decode_beam(decoder.step, constants, state, ending, options=options)
            return Sequences(*(tensor[:, 0] for tensor in fields))
        if wiring.is_tokens:
            return decode_greedy(decoder.step, constants, state, ending)
        size = wiring.spec.target_size
        return decode_features(decoder.step, constants, state, ending, width=size, dtype=decoder.variable_dtype)

    def decode(source: Tensor, source_length: Tensor, limit: Tensor, row: Tensor) -> Sequences:
        _, constants, state = models.training.begin(source, source_length)
        size = wiring.decoder_dim * (options.width if isinstance(options, BeamOptions) else 1)
        longest = tf.maximum(tf.reduce_max(limit), 1)
        sequences = run_in_parts(loop, (constants, state, limit, row), longest, values_per_row=size)
        return sequences._replace(values=sequences.values[:, : tf.reduce_max(sequences.length)])

    signature = [
        *sign_source(wiring),
        *(tf.TensorSpec((None,), tf.int32, name=name) for name in ("limit", "row")),
    ]
    compiled: DecodeFunction = tf.function(decode, input_signature=signature, autograph=False)
    return compiled


def build_search_function(models: Models, options: BeamOptions, num_best: int) -> SearchFunction:
    """Compile the beam search of a model for its best `num_best` sequences, from 1 to `options.width`.

    Returns:
        a function of `source` `(B, S)`, `source_length` `(B,)` and `limit` `(B,)` int32, the most steps of each row.
    """
    wiring, decoder = models.wiring, models.training.decoder

    def loop(constants: Nest, state: Nest, limit: Tensor, longest: Tensor) -> Hypotheses:
        ending = _describe_ending(wiring, options, limit, longest)
        return decode_beam(decoder.step, constants, state, ending, options=options, num_best=num_best)

    def find(source: Tensor, source_length: Tensor, limit: Tensor) -> Hypotheses:
        _, constants, state = models.training.begin(source, source_length)
        size, longest = wiring.decoder_dim * options.width, tf.maximum(tf.reduce_max(limit), 1)
        found = run_in_parts(loop, (constants, state, limit), longest, values_per_row=size)
        return found._replace(values=found.values[..., : tf.reduce_max(found.length)])

    signature = [*sign_source(wiring), tf.TensorSpec((None,), tf.int32, name="limit")]
    compiled: SearchFunction = tf.function(find, input_signature=signature, autograph=False)
    return compiled


def _describe_ending(wiring: Wiring, options: DecodingOptions, limit: Tensor, longest: Tensor) -> Ending:
    symbol = END_SYMBOLS[wiring.length] if wiring.is_tokens else None
    return Ending(limit, longest, symbol, allowed=options.length == "model")


def sign_source(wiring: Wiring) -> list[tf.TensorSpec]:
    """Return the signature of `source` and `source_length` of any batch."""
    shape, dtype = ((None, None), tf.int32) if wiring.is_tokens else ((None, None, wiring.spec.source_size), tf.float32)
    return [tf.TensorSpec(shape, dtype, name="source"), tf.TensorSpec((None,), tf.int32, name="source_length")]


def decode_split(
    decode: DecodeFunction,
    wiring: Wiring,
    split: Split,
    options: DecodingOptions,
    *,
    rows: NDArray[np.int64] | None = None,
    report: Report | None = None,
) -> Predictions:
    """Decode every source of a split.

    The true lengths are read only where they must be given: by the rule `oracle`, and by a model that learns no end.

    Args:
        decode: of `build_decode_function`.
        wiring: the model's.
        split: at least one example.
        options: those that `decode` was built with.
        rows: `(examples,)` index of each in the input, on which random numbers depend; None: its place in the split.
        report: told of the progress.
    """
    limit = _set_limits(split, wiring, options)
    batches = plan_batches(split.source_length, limit, options.batch_size)
    results: list[tuple[Array, ...]] = []
    for indices in batches:
        batch = take_batch(split, indices)
        row = (indices if rows is None else rows[indices]).astype(np.int32)
        sequences = decode(batch.source, batch.source_length, limit[indices], row)
        results.append(tuple(tensor.numpy() for tensor in sequences))
        _report(report, batches, len(results))
    return _make_predictions(_collect(batches, results), wiring)


def search_split(
    search: SearchFunction, wiring: Wiring, split: Split, options: BeamOptions, *, report: Report | None = None
) -> NBest:
    """Find the best sequences for every source of a split; arguments as those of `decode_split`."""
    limit = _set_limits(split, wiring, options)
    batches = plan_batches(split.source_length, limit, options.batch_size)
    results: list[tuple[Array, ...]] = []
    for indices in batches:
        batch = take_batch(split, indices)
        found = search(batch.source, batch.source_length, limit[indices])
        # The steps second, as everywhere else.
        results.append((np.moveaxis(found.values.numpy(), 1, 2), *(tensor.numpy() for tensor in found[1:])))
        _report(report, batches, len(results))
    values, length, stopped, log_probability, score = _collect(batches, results)
    values = np.moveaxis(values, 2, 1)
    if wiring.reverse_target:
        flat: Array = reverse_rows(values.reshape(-1, values.shape[-1]), length.reshape(-1))
        values = flat.reshape(values.shape)
    return NBest(values=values, length=length, stopped=stopped, log_probability=log_probability, score=score)


def _set_limits(split: Split, wiring: Wiring, options: DecodingOptions) -> NDArray[np.int32]:
    given = options.length == "oracle" or (options.length == "model" and wiring.length == "oracle")
    return split.target_length if given else np.full(len(split), wiring.spec.timesteps, np.int32)


def plan_batches(
    source_length: NDArray[np.int32], target_length: NDArray[np.int32], batch_size: int
) -> list[NDArray[np.int64]]:
    """Cut examples of like length into batches, and into smaller ones where their sources are very long.

    Args:
        source_length: `(examples,)` steps.
        target_length: `(examples,)` steps, or most steps where they are not known.
        batch_size: most examples of a batch.

    Returns:
        the indices of each batch's examples.
    """
    batches = []
    for batch in plan_evaluation_batches(source_length, target_length, batch_size):
        size = max(1, batch_size * MOST_SOURCE_STEPS // max(MOST_SOURCE_STEPS, int(source_length[batch].max())))
        batches += [batch[start : start + size] for start in range(0, len(batch), size)]
    return batches


def _report(report: Report | None, batches: list[NDArray[np.int64]], num_done: int) -> None:
    if report is not None:
        report(sum(len(indices) for indices in batches[:num_done]))


def build_encode_function(models: Models) -> EncodeFunction:
    """Compile the encoder: a function of `source` and `source_length` that returns the latents `(B, latent_dim)`."""
    wiring = models.wiring

    def encode(source: Tensor, source_length: Tensor) -> Tensor:
        return models.training.begin(source, source_length)[0]

    compiled: EncodeFunction = tf.function(encode, input_signature=sign_source(wiring), autograph=False)
    return compiled


def encode_split(encode: EncodeFunction, split: Split, batch_size: int) -> NDArray[np.float32]:
    """Return the latents `(examples, latent_dim)` of a split's sources."""
    batches = plan_batches(split.source_length, split.source_length, batch_size)
    parts = []
    for indices in batches:
        batch = take_batch(split, indices)
        parts.append(encode(batch.source, batch.source_length).numpy())
    return np.concatenate(parts)[np.argsort(np.concatenate(batches))].astype(np.float32)


def build_score_function(models: Models) -> ScoreFunction:
    """Return a function of a lesson's inputs that returns the scores `(B, T, V)` of all steps.

    Compiled where a loop of Keras' operations makes the steps; elsewhere the loops are compiled already, and tracing
    what is around them would take longer than calling it does.
    """
    wiring = models.wiring

    def score(inputs: dict[str, Tensor]) -> Tensor:
        return models.training(inputs, training=False)["values"]

    if wiring.runs_in_parallel:
        return score
    source, source_length = sign_source(wiring)
    shape, dtype = ((None, None), tf.int32) if wiring.is_tokens else ((None, None, wiring.spec.target_size), tf.float32)
    signature = {"source": source, "source_length": source_length, "previous": tf.TensorSpec(shape, dtype)}
    compiled: ScoreFunction = tf.function(score, input_signature=[signature], autograph=False)
    return compiled


def predict_teacher_forced(score: ScoreFunction, wiring: Wiring, split: Split, batch_size: int) -> Predictions:
    """Predict each step of a split from the true previous ones: the score that training sees, not that of decoding.

    For tokens the prediction ends at the first end symbol among the predicted ones, as in decoding.

    Args:
        score: of `build_score_function`.
        wiring: the model's.
        split: whose targets are told.
        batch_size: most examples of a batch.
    """
    batches = plan_batches(split.source_length, split.target_length, batch_size)
    results: list[tuple[Array, ...]] = []
    for indices in batches:
        lesson = prepare_lesson(take_batch(split, indices), wiring)
        num_real = lesson.weights["values"].sum(axis=1).astype(np.int32)
        values = score(lesson.inputs).numpy()
        results.append(_cut_tokens(values, num_real, wiring) if wiring.is_tokens else _cut_features(values, num_real))
    return _make_predictions(_collect(batches, results), wiring)


def _cut_tokens(scores: Array, num_real: Array, wiring: Wiring) -> tuple[Array, ...]:
    ids: Array = scores.argmax(axis=-1).astype(np.int32)
    steps = np.arange(ids.shape[1])
    real = steps < num_real[:, None]
    end = END_SYMBOLS[wiring.length]
    is_end: Array = real & (ids == end) if end is not None else np.zeros_like(real)
    stopped = np.asarray(is_end.any(axis=1))
    length: Array = np.where(stopped, is_end.argmax(axis=1), num_real).astype(np.int32)
    values: Array = np.where(steps < length[:, None], ids, 0)
    return (values, length, stopped, np.zeros(len(ids), np.float32))


def _cut_features(values: Array, num_real: Array) -> tuple[Array, ...]:
    real = np.arange(values.shape[1]) < num_real[:, None]
    nothing = np.zeros(len(values))
    return (values * real[..., None], num_real, nothing.astype(bool), nothing.astype(np.float32))


def _collect(batches: list[NDArray[np.int64]], results: list[tuple[Array, ...]]) -> tuple[Array, ...]:
    """Join the batches' arrays, the first of which has steps as its second axis, in the order of the examples."""
    order = np.argsort(np.concatenate(batches))
    num_steps = max(result[0].shape[1] for result in results)
    padded = []
    for values, *_ in results:
        missing = num_steps - values.shape[1]
        padded.append(np.pad(values, [(0, 0), (0, missing), *([(0, 0)] * (values.ndim - 2))]))
    columns = [padded, *list(zip(*results, strict=True))[1:]]
    return tuple(np.concatenate(column)[order] for column in columns)


def _make_predictions(fields: tuple[Array, ...], wiring: Wiring) -> Predictions:
    """Name the fields of sequences, turned round where the decoder makes them reversed."""
    values, length, stopped, log_probability = fields
    if wiring.reverse_target:
        values = reverse_rows(values, length)
    return Predictions(
        values=values if wiring.is_tokens else values.astype(np.float32),
        length=length,
        stopped=stopped,
        log_probability=log_probability if wiring.is_tokens else None,
    )
