"""Inference on real models: every corner under every strategy, rows alone and padded, and the reference loop."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

from helpers.corners import AXES, CONTROLS, cover_pairs
from helpers.reference_loop import decode_sequence
from helpers.small_data import SPECS, build_options, draw_split
from helpers.step_by_step import step_by_step
from lengthwise.config.options import BeamOptions, DecodingOptions, GreedyOptions, SampleOptions
from lengthwise.data.dataset import Sources, Split
from lengthwise.data.sequences import Sequences
from lengthwise.decoding.inference import Inference
from lengthwise.decoding.predictions import Predictions
from lengthwise.decoding.stop_rule import END_SYMBOLS
from lengthwise.models.bundle import Models, build_models
from lengthwise.models.wiring import resolve_wiring

ALL_PAIRS = cover_pairs(AXES | CONTROLS)
IN_GRAPHS = ALL_PAIRS[2::3]
"""Corners, of every cell and attention, that all strategies decode in graphs. Others are decoded so greedily only, and
step by step by the other strategies: tracing takes longest."""

RULES = ("model", "oracle", "max")


@pytest.fixture(autouse=True)
def _seed() -> Iterator[None]:
    keras.utils.set_random_seed(1)
    yield
    keras.config.set_dtype_policy("float32")


def name_corner(corner: dict[str, Any]) -> str:
    return "-".join(str(value) for value in corner.values())


def build_corner(corner: dict[str, Any]) -> Models:
    changes = {key: value for key, value in corner.items() if key != "kind"}
    models = build_models(resolve_wiring(build_options(**changes), 8, SPECS[corner["kind"]]))
    # Far from the small initial values, so that symbols differ from step to step and sequences end at all places.
    rng = np.random.default_rng(0)
    for variable in models.network.trainable_variables:
        variable.assign(rng.normal(scale=1.2, size=variable.shape))
    return models


def choose_options(strategy: str, length: str, batch_size: int = 3) -> DecodingOptions:
    shared: dict[str, Any] = {"name": strategy, "length": length, "batch_size": batch_size}
    if strategy == "sample":
        return SampleOptions(**shared, temperature=1.5, top_k=7, top_p=0.95, seed=4)
    if strategy == "beam":
        return BeamOptions(**shared, width=3, length_penalty=0.6)
    return GreedyOptions(**shared)


def check_rules(models: Models, corner: dict[str, Any]) -> None:
    """Decode under every strategy and rule: lengths are as the rule has it, and a row alone is as in its batch."""
    split, is_tokens = draw_split(corner["kind"], num_examples=7), corner["kind"] == "tokens"
    for strategy in ("greedy", "sample", "beam") if is_tokens else ("greedy",):
        in_graphs = strategy == "greedy" or corner in IN_GRAPHS
        with contextlib.nullcontext() if in_graphs else step_by_step():
            for rule in RULES:
                inference = Inference(models, choose_options(strategy, rule))
                found = inference.decode(split)
                check_lengths(found, split, rule, corner["length"])
                check_rows_alone(inference, split, found)


def check_rows_alone(inference: Inference, split: Split, found: Predictions) -> None:
    for row in (0, 3, 6):
        alone = inference.decode(split.take(np.array([row])), rows=np.array([row]))
        length = int(found.length[row])
        assert alone.length[0] == length
        np.testing.assert_allclose(alone.values[0, :length], found.values[row, :length], rtol=1e-5, atol=1e-5)
        if inference.models.wiring.is_tokens:
            assert found.log_probability is not None
            assert alone.log_probability is not None
            np.testing.assert_allclose(alone.log_probability[0], found.log_probability[row], rtol=1e-5, atol=1e-5)


def check_lengths(found: Predictions, split: Split, rule: str, trained: str) -> None:
    timesteps = 5
    behind = np.arange(found.values.shape[1]) >= found.length[:, None]
    assert not found.values[behind].any()
    if rule == "oracle" or (rule == "model" and trained == "oracle"):
        assert found.length.tolist() == split.target.length.tolist()
    elif rule == "max":
        assert found.length.tolist() == [timesteps] * len(split)
    else:
        assert ((found.length == timesteps) | found.stopped).all()
    if rule != "model" or trained == "oracle":
        assert not found.stopped.any()


@pytest.mark.slow
@pytest.mark.parametrize("corner", ALL_PAIRS, ids=name_corner)
def test_every_pair_of_values_decodes(corner: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    # Sequences of five steps are then two iterations and a rest, and half as much is traced.
    monkeypatch.setattr("lengthwise.decoding.loop.STEPS_PER_ITERATION", 2)
    models = build_corner(corner)
    check_rules(models, corner)
    if corner["kind"] == "tokens":
        check_reference(models, 6, in_batches=False)


def check_reference(models: Models, num_examples: int, *, in_batches: bool) -> None:
    """Decode as the reference loop does, whose functions, without batches of `predict`, need no tracing."""
    split = draw_split("tokens", num_examples=num_examples)
    found = Inference(models, choose_options("greedy", "model")).decode(split)
    end = END_SYMBOLS[models.wiring.length]
    with contextlib.nullcontext() if in_batches else step_by_step():
        for row in range(num_examples):
            source = split.source[row]
            most = int(split.target.length[row]) if end is None else 5
            wanted = decode_sequence(models, source, most_symbols=most, end=end, in_batches=in_batches)
            if models.wiring.reverse_target:
                wanted.reverse()
            assert found.values[row, : found.length[row]].tolist() == wanted


STATEFUL = {
    "kind": "tokens",
    "conditioning": "initial_state",
    "feedback": "teacher",
    "length": "stop",
    "carry": "hc",
    "head": "dense",
}


def test_the_reference_loop_decodes_the_same() -> None:
    check_reference(build_corner(STATEFUL), 4, in_batches=True)


@pytest.mark.parametrize("strategy", ["greedy", "sample", "beam"])
def test_batches_of_any_size_and_order_decode_the_same(strategy: str) -> None:
    models, split = build_corner(STATEFUL), draw_split("tokens", num_examples=33)
    shuffled = np.random.default_rng(0).permutation(33)

    def decode_by(batch_size: int, rows: np.ndarray) -> np.ndarray:
        options = choose_options(strategy, "model", batch_size)
        return Inference(models, options).decode(split.take(rows)).values

    whole = decode_by(64, np.arange(33))
    np.testing.assert_array_equal(decode_by(5, np.arange(33)), whole)
    if strategy != "sample":  # whose rows' numbers follow their places
        other = decode_by(5, shuffled)
        np.testing.assert_array_equal(other, whole[shuffled][:, : other.shape[1]])


def test_progress_counts_the_examples() -> None:
    models, split = build_corner(STATEFUL), draw_split("tokens", num_examples=11)
    counts: list[int] = []
    Inference(models, choose_options("greedy", "model", 4)).decode(split, on_progress=counts.append)
    assert counts == [4, 8, 11]


def test_very_long_sources_are_decoded_in_smaller_batches() -> None:
    models = build_corner(STATEFUL)
    length = np.array([3, 2_500, 2_500, 4, 2_500, 2_500], np.int32)
    sources = Sources(source=Sequences.from_padded(np.full((6, 2_500), 4, np.int32), length))
    sizes: list[int] = []
    found = Inference(models, choose_options("greedy", "model", 4)).decode(sources, on_progress=sizes.append)
    assert sizes == [1, 2, 3, 4, 5, 6], "one at a time: four rows of 1,024 steps are the most"
    np.testing.assert_array_equal(found.values[1], found.values[5])


@pytest.mark.parametrize("reverse", [pytest.param(False, marks=pytest.mark.slow), True])
def test_the_best_of_many_is_what_beam_decoding_returns(reverse: bool) -> None:
    models, split = build_corner({**STATEFUL, "reverse_target": reverse}), draw_split("tokens", num_examples=9)
    options = choose_options("beam", "model")
    assert isinstance(options, BeamOptions)
    inference = Inference(models, options)
    best, found = inference.decode(split), inference.search(split, 3)
    assert len(found) == 9
    assert (np.diff(found.score, axis=1) <= 0).all()
    for row in range(9):
        length = best.length[row]
        assert found.values[row, 0, :length].tolist() == best.values[row, :length].tolist()
    np.testing.assert_array_equal(found.length[:, 0], best.length)
    np.testing.assert_allclose(found.log_probability[:, 0], best.log_probability, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float64", "mixed_bfloat16"])
@pytest.mark.parametrize("kind", ["tokens", "features"])
def test_other_precisions_decode(kind: str, precision: str) -> None:
    keras.config.set_dtype_policy(precision)
    models, split = build_corner({**STATEFUL, "kind": kind}), draw_split(kind, num_examples=5)
    for strategy in ("greedy", "sample", "beam") if kind == "tokens" else ("greedy",):
        found = Inference(models, choose_options(strategy, "oracle")).decode(split)
        assert found.length.tolist() == split.target.length.tolist()
        assert np.isfinite(found.values).all()


def test_latents_are_those_of_the_encoder() -> None:
    models, split = build_corner(STATEFUL), draw_split("tokens", num_examples=9)
    latents = Inference(models, choose_options("greedy", "model", 4)).encode(split)
    wanted = models.encoder({"source": split.source.pad(), "source_length": split.source.length})["latent"]
    np.testing.assert_allclose(latents, wanted, atol=1e-6)


def test_each_function_is_traced_once_whatever_the_batches() -> None:
    models, split = build_corner(STATEFUL), draw_split("tokens", num_examples=9)
    inference = Inference(models, choose_options("beam", "model", 4))
    for indices in ([0], [1, 2, 3], [3, 4, 5, 6, 7, 8]):
        examples = split.take(np.array(indices))
        predictions = inference.decode(examples)
        inference.search(examples, 2)
        inference.measure(examples, predictions)
    functions = [inference._decode_function, inference._search_functions[2], inference._measure_function]
    assert [function.experimental_get_tracing_count() for function in functions] == [1, 1, 1]  # type: ignore[attr-defined]


@pytest.mark.parametrize("length", ["stop", "fixed", "oracle"])
def test_length_rules_share_what_is_compiled(length: str) -> None:
    models, split = build_corner({**STATEFUL, "length": length}), draw_split("tokens", num_examples=5)
    for rule in RULES:
        Inference(models, choose_options("greedy", rule)).decode(split)
    assert len(models.functions) == 1


def test_sources_without_targets_are_decoded_up_to_the_models_timesteps() -> None:
    models, split = build_corner({**STATEFUL, "length": "oracle"}), draw_split("tokens", num_examples=9)
    sources = Sources(source=split.source)
    inference = Inference(models, choose_options("greedy", "model"))
    found, wanted = inference.decode(sources), inference.decode(split)
    assert found.length.tolist() == [5] * 9
    for row, length in enumerate(split.target.length):
        assert found.values[row, :length].tolist() == wanted.values[row, :length].tolist()


def test_only_beam_search_finds_several_sequences() -> None:
    models, split = build_corner(STATEFUL), draw_split("tokens")
    with pytest.raises(ValueError, match="beam search; got greedy"):
        Inference(models, choose_options("greedy", "model")).search(split, 2)
