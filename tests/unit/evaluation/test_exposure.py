"""Exact match has no exposure gap: greedily decoded, it is the same number as when fed the true previous symbols."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf

from helpers.small_data import SPECS, build_options, draw_split
from lengthwise.config.options import GreedyOptions
from lengthwise.data.dataset import Split
from lengthwise.data.sequences import Sequences
from lengthwise.data.vocabulary import SPECIAL_SYMBOLS
from lengthwise.decoding.inference import Inference
from lengthwise.decoding.stop_rule import END_SYMBOLS
from lengthwise.evaluation.exposure import measure_exposure
from lengthwise.models.bundle import build_models
from lengthwise.models.wiring import resolve_wiring

CORNERS = list(
    itertools.product(
        ("repeat", "initial_state", "both"), ("none", "teacher", "scheduled", "own"), ("fixed", "stop", "oracle")
    )
)
SCHEDULE = {"sampling_rate": 0.5, "sampling_unit": "step", "sampling_schedule": "constant"}


@pytest.fixture(autouse=True)
def _operations_one_by_one() -> Iterator[None]:
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def build_inference(corner: tuple[str, str, str]) -> Inference:
    conditioning, feedback, length = corner
    changes = SCHEDULE if feedback == "scheduled" else {}
    model = build_options(conditioning=conditioning, feedback=feedback, length=length, head="dense", **changes)
    models = build_models(resolve_wiring(model, 8, SPECS["tokens"]))
    return Inference(models, GreedyOptions(name="greedy", length="model", batch_size=256))


def draw_weights(inference: Inference, seed: int) -> None:
    """Draw weights far from the small initial ones, so that symbols differ and sequences end at all places."""
    rng, models = np.random.default_rng(seed), inference.models
    for variable in models.network.trainable_variables:
        variable.assign(rng.normal(scale=1.2, size=variable.shape))
    bias, end = np.zeros(SPECS["tokens"].target_size), END_SYMBOLS[models.wiring.length]
    bias[[symbol for symbol in range(len(SPECIAL_SYMBOLS)) if symbol != end]] = -100.0  # no target has such symbols
    models.network.decoder.head.bias.assign(bias)


def make_targets(inference: Inference, seed: int) -> tuple[Split, np.ndarray]:
    """Return examples whose target is what the model decodes, with one symbol changed in every second; and which."""
    drawn = draw_split("tokens", num_examples=200, seed=seed)
    found = inference.decode(drawn)
    is_usable = found.length > 0
    if inference.models.wiring.length == "stop":
        is_usable &= found.stopped  # a sequence that is cut has not said that it ends
    rows = np.flatnonzero(is_usable)
    target, length = found.values[rows].astype(np.int32), found.length[rows].astype(np.int32)
    is_changed = np.arange(len(rows)) % 2 == 1
    rng = np.random.default_rng(seed)
    places = rng.integers(0, length)
    first, last = len(SPECIAL_SYMBOLS), SPECS["tokens"].target_size
    old = target[np.arange(len(rows)), places]
    other = first + (old - first + rng.integers(1, last - first, len(rows))) % (last - first)
    target[np.arange(len(rows)), places] = np.where(is_changed, other, old)
    return Split(source=drawn.source.take(rows), target=Sequences.from_padded(target, length)), is_changed


def check_exact_match(corner: tuple[str, str, str], *, first_seed: int) -> None:
    inference = build_inference(corner)
    for seed in range(first_seed, first_seed + 20):
        draw_weights(inference, seed)
        split, is_changed = make_targets(inference, seed)
        if len(split) >= 20:  # other weights leave too little: they end all sequences at once, or none
            break
    else:
        pytest.fail("no weights leave enough to compare")
    exposure = measure_exposure(
        teacher_forced=inference.score(split), free_running=inference.decode(split), split=split, kind="tokens"
    )
    assert exposure.free_running["exact_match"] == np.mean(~is_changed)
    assert exposure.teacher_forced["exact_match"] == np.mean(~is_changed)


@pytest.mark.parametrize("corner", [("initial_state", "teacher", "stop"), ("repeat", "none", "fixed")], ids="-".join)
def test_exact_match_fed_the_truth_is_exact_match_decoded_freely(corner: tuple[str, str, str]) -> None:
    check_exact_match(corner, first_seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("corner", CORNERS, ids="-".join)
def test_exact_match_has_no_gap_at_any_corner(corner: tuple[str, str, str]) -> None:
    check_exact_match(corner, first_seed=1)
