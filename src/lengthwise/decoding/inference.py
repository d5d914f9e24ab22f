"""A trained model in use: a split's examples, or mere sources, in batches of similar length, results in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.options import BeamOptions, DecodingOptions
from lengthwise.data.batching import plan_evaluation_batches, take_batch
from lengthwise.data.dataset import Sources, Split
from lengthwise.decoding.compiled import (
    DecodeFunction,
    ReplayFunction,
    ScoreFunction,
    SearchFunction,
    compile_attend,
    compile_decode,
    compile_measure,
    compile_score,
    compile_search,
)
from lengthwise.decoding.predictions import NBest, Predictions
from lengthwise.decoding.replay import count_steps, order_steps, restore_emitted
from lengthwise.decoding.stop_rule import END_SYMBOLS, may_end, set_limits, unify_options
from lengthwise.models.bundle import Models
from lengthwise.models.targets import prepare_batch, reverse_rows
from lengthwise.models.wiring import Wiring

Array: TypeAlias = NDArray[Any]
Indices: TypeAlias = NDArray[np.int64]

MAX_SOURCE_STEPS = 1_024
"""Most source steps of a row of a full batch; longer sources are decoded in smaller batches, which bounds memory."""


class Inference:
    """Everything that is asked of a trained model. Each compiled function is traced once, at its first use.

    Decoding under several length rules shares what is compiled.

    Args:
        models: With their weights, which may change between calls.
        decoding: How to decode, and how many examples a batch has.
    """

    def __init__(self, models: Models, decoding: DecodingOptions) -> None:
        self.models = models
        self.decoding = decoding
        self._wiring = models.wiring
        self._search_functions: dict[int, SearchFunction] = {}

    def decode(
        self,
        examples: Split | Sources,
        *,
        rows: Indices | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> Predictions:
        """Decode every source.

        A split's true lengths are read only where they must be given: by the rule `oracle`, and by a model that learns
        no end. Without them, `timesteps` limits the sequence.

        Args:
            examples: At least one.
            rows: `(examples,)` index of each in the input, on which random numbers depend; None: its index here.
            on_progress: Called after each batch with the number of examples done.
        """
        limit = set_limits(examples, self._wiring, self.decoding)
        may_stop = np.full(len(examples), may_end(self.decoding, self._wiring))

        def decode_batch(indices: Indices) -> tuple[Array, ...]:
            source, length = examples.source.pad(indices), examples.source.length[indices]
            row = (indices if rows is None else rows[indices]).astype(np.int32)
            sequences = self._decode_function(source, length, limit[indices], row, may_stop[indices])
            return tuple(tensor.numpy() for tensor in sequences)

        batches = self._plan(examples, limit)
        return self._make_predictions(_map_batches(decode_batch, batches, on_progress=on_progress))

    def search(
        self, examples: Split | Sources, num_best: int, *, on_progress: Callable[[int], None] | None = None
    ) -> NBest:
        """Find the best sequences for every source by beam search.

        Args:
            examples: At least one.
            num_best: Sequences to find, from 1 to the width of the beam.
            on_progress: Called after each batch with the number of examples done.

        Raises:
            ValueError: The decoding is not beam search.
        """
        if not isinstance(self.decoding, BeamOptions):
            raise ValueError(f"n-best lists need beam search; got {self.decoding.name}")
        if num_best not in self._search_functions:
            self._search_functions[num_best] = compile_search(self.models, self.decoding, num_best)
        search = self._search_functions[num_best]
        limit = set_limits(examples, self._wiring, self.decoding)

        def search_batch(indices: Indices) -> tuple[Array, ...]:
            source = examples.source.pad(indices)
            found = search(source, examples.source.length[indices], limit[indices])
            return tuple(tensor.numpy() for tensor in found)

        batches = self._plan(examples, limit)
        values, length, *others = _map_batches(search_batch, batches, steps_axis=2, on_progress=on_progress)
        if self._wiring.reverse_target:
            flat: Array = reverse_rows(values.reshape(-1, values.shape[-1]), length.reshape(-1))
            values = flat.reshape(values.shape)
        stopped, log_probability, score = others
        return NBest(values=values, length=length, stopped=stopped, log_probability=log_probability, score=score)

    def encode(self, examples: Split | Sources) -> NDArray[np.float32]:
        """Return the latents `(examples, latent_dim)` of every source."""

        def encode_batch(indices: Indices) -> tuple[Array, ...]:
            source, length = examples.source.pad(indices), examples.source.length[indices]
            # Not compiled: the encoder's loops are, and tracing what is around them takes longer than calling it does.
            return (np.asarray(self.models.network.begin(source, length)[0]),)

        (latents,) = _map_batches(encode_batch, self._plan(examples, examples.source.length))
        return latents.astype(np.float32)

    def score(self, split: Split) -> Predictions:
        """Predict each step from the true previous ones (teacher forcing), as training does.

        For tokens the prediction ends at the first end symbol among the predicted ones, as in decoding.
        """

        def score_batch(indices: Indices) -> tuple[Array, ...]:
            batch = prepare_batch(take_batch(split, indices), self._wiring)
            num_real = batch.weights["values"].sum(axis=1).astype(np.int32)
            values = self._score_function(batch.inputs).numpy()
            return _cut_tokens(values, num_real, self._wiring) if self._wiring.is_tokens else _cut(values, num_real)

        return self._make_predictions(_map_batches(score_batch, self._plan(split, split.target.length)))

    def measure(self, examples: Split | Sources, predictions: Predictions) -> list[NDArray[np.float32]]:
        """Return the model's distribution before each symbol of its predictions.

        Args:
            examples: Tokens.
            predictions: Decoded for these examples.

        Returns:
            For each example `(steps, symbols)`: a row for each symbol, in the order of the text, and one for the end
            where the model ended the sequence itself.
        """
        batches = self._plan(examples, count_steps(predictions, self._wiring))
        found: dict[int, NDArray[np.float32]] = {}
        for indices in batches:
            steps = self._replay(self._measure_function, examples, predictions, indices)
            found |= dict(zip(indices.tolist(), steps, strict=True))
        return [found[index] for index in range(len(examples))]

    def attend(
        self, examples: Split | Sources, predictions: Predictions, indices: Indices
    ) -> list[NDArray[np.float32]]:
        """Return the attention weights at every step of some predictions.

        Args:
            examples: What the predictions were decoded for.
            predictions: Decoded for these examples.
            indices: `(chosen,)` of examples, which make one batch; none gives an empty list.

        Returns:
            For each index `(steps, source steps)`: a row for each step, in the order of the prediction, and for tokens
            one for the end where the model ended the sequence itself.

        Raises:
            ValueError: The model has no attention.
        """
        if len(indices) == 0:
            return []
        weights = self._replay(self._attend_function, examples, predictions, indices)
        return [steps[:, : examples.source.length[index]] for index, steps in zip(indices, weights, strict=True)]

    @property
    def _decode_function(self) -> DecodeFunction:
        options = unify_options(self.decoding)
        if options not in self.models.functions:
            self.models.functions[options] = compile_decode(self.models, options)
        function: DecodeFunction = self.models.functions[options]
        return function

    @cached_property
    def _score_function(self) -> ScoreFunction:
        return compile_score(self.models)

    @cached_property
    def _measure_function(self) -> ReplayFunction:
        return compile_measure(self.models)

    @cached_property
    def _attend_function(self) -> ReplayFunction:
        return compile_attend(self.models)

    def _plan(self, examples: Split | Sources, target_length: NDArray[np.int32]) -> list[Indices]:
        return plan_batches(examples.source.length, target_length, self.decoding.batch_size)

    def _replay(
        self, function: ReplayFunction, examples: Split | Sources, predictions: Predictions, indices: Indices
    ) -> list[NDArray[np.float32]]:
        """Read the steps of some predictions: `(steps, values)` each, in the order of `order_steps`."""
        source, length = examples.source.pad(indices), predictions.length[indices]
        num_steps = count_steps(predictions, self._wiring)[indices]
        emitted = restore_emitted(predictions.values[indices], length, self._wiring)[:, : max(1, int(num_steps.max()))]
        steps = np.asarray(function(source, examples.source.length[indices], emitted))
        return order_steps(steps, length, num_steps, self._wiring)

    def _make_predictions(self, fields: Sequence[Array]) -> Predictions:
        """Name the fields of sequences, in the order of the text where the decoder makes them reversed."""
        values, length, stopped, log_probability = fields
        if self._wiring.reverse_target:
            values = reverse_rows(values, length)
        is_tokens = self._wiring.is_tokens
        return Predictions(
            values=values if is_tokens else values.astype(np.float32),
            length=length,
            stopped=stopped,
            log_probability=log_probability if is_tokens else None,
        )


def plan_batches(source_length: NDArray[np.int32], target_length: NDArray[np.int32], batch_size: int) -> list[Indices]:
    """Cut examples of similar length into batches, and into smaller ones where their sources are very long.

    Args:
        source_length: `(examples,)` steps.
        target_length: `(examples,)` steps, or most steps where they are not known.
        batch_size: Most examples of a batch.

    Returns:
        The indices of each batch's examples.
    """
    batches = []
    for batch in plan_evaluation_batches(source_length, target_length, batch_size):
        longest = max(MAX_SOURCE_STEPS, int(source_length[batch].max()))
        size = max(1, batch_size * MAX_SOURCE_STEPS // longest)
        batches += [batch[start : start + size] for start in range(0, len(batch), size)]
    return batches


def _map_batches(
    function: Callable[[Indices], tuple[Array, ...]],
    batches: list[Indices],
    *,
    steps_axis: int = 1,
    on_progress: Callable[[int], None] | None = None,
) -> tuple[Array, ...]:
    """Apply a function to the indices of each batch and join the arrays it returns, in the order of the examples.

    The first array of a batch may be narrower than another batch's along `steps_axis`, and is widened with zeros.
    """
    results, num_done = [], 0
    for indices in batches:
        results.append(function(indices))
        num_done += len(indices)
        if on_progress is not None:
            on_progress(num_done)
    order = np.argsort(np.concatenate(batches))
    num_steps = max(result[0].shape[steps_axis] for result in results)
    columns = [list(column) for column in zip(*results, strict=True)]
    columns[0] = [_widen(values, steps_axis, num_steps) for values in columns[0]]
    return tuple(np.concatenate(column)[order] for column in columns)


def _widen(values: Array, axis: int, size: int) -> Array:
    padding = [(0, 0)] * values.ndim
    padding[axis] = (0, size - values.shape[axis])
    return np.pad(values, padding)


def _cut_tokens(scores: Array, num_real: Array, wiring: Wiring) -> tuple[Array, ...]:
    """Choose the symbols of logits `(batch, steps, symbols)` and cut each row at its end."""
    ids: Array = scores.argmax(axis=-1).astype(np.int32)
    steps = np.arange(ids.shape[1])
    real = steps < num_real[:, None]
    end = END_SYMBOLS[wiring.length]
    is_end: Array = np.zeros_like(real) if end is None else real & (ids == end)
    stopped = np.asarray(is_end.any(axis=1))
    length: Array = np.where(stopped, is_end.argmax(axis=1), num_real).astype(np.int32)
    values: Array = np.where(steps < length[:, None], ids, 0)
    return (values, length, stopped, np.zeros(len(ids), np.float32))


def _cut(values: Array, num_real: Array) -> tuple[Array, ...]:
    """Set the features `(batch, steps, features)` after each row's last real step to zero."""
    real = np.arange(values.shape[1]) < num_real[:, None]
    zeros = np.zeros(len(values))
    cut: Array = np.where(real[..., None], values, np.zeros_like(values))
    return (cut, num_real, zeros.astype(bool), zeros.astype(np.float32))
