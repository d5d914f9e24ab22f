from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from helpers.fake_steps import STOP, Outputs, Tree, make_rule
from lengthwise.config.options import SampleOptions
from lengthwise.decoding.contract import Nest
from lengthwise.decoding.strategies.sampling import (
    cut_candidates,
    decode_samples,
    draw_by_weight,
    draw_uniform,
    start_streams,
)

MASK = 2**64 - 1
# 99.9th percentiles of the chi-square distribution by degrees of freedom (tables of its quantiles).
CHI_SQUARE_999 = {3: 16.27, 5: 20.52, 15: 37.70, 255: 330.52}


def make_options(**changes: object) -> SampleOptions:
    values: dict[str, object] = {
        "name": "sample",
        "length": "model",
        "batch_size": 8,
        "temperature": 1.0,
        "top_k": None,
        "top_p": None,
        "seed": 0,
    }
    return SampleOptions(**{**values, **changes})  # type: ignore[arg-type]


def mix(value: int) -> int:
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def measure_chi_square(counts: np.ndarray, chances: np.ndarray) -> float:
    wanted = chances * counts.sum()
    return float(((counts - wanted) ** 2 / wanted).sum())


def test_the_generator_is_splitmix64() -> None:
    # The published first outputs of SplitMix64 for the seed 1234567, cut to their highest 23 bits.
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    state = tf.constant([1234567], tf.uint64)
    drawn = [float(draw_uniform(state, tf.constant(index))[0]) for index in range(4)]
    assert drawn == [(number >> 41) / 2**23 for number in published]


def test_a_number_depends_on_seed_row_and_step() -> None:
    streams = start_streams(3, tf.constant([0, 5, 2**31 - 1]))
    golden = 0x9E3779B97F4A7C15
    assert streams.numpy().tolist() == [mix((mix(3) + row * golden) & MASK) for row in (0, 5, 2**31 - 1)]


@pytest.mark.parametrize("axis", ["rows", "steps", "seeds"])
def test_numbers_are_uniform_in_every_direction(axis: str) -> None:
    num = 100_000
    if axis == "rows":
        drawn = draw_uniform(start_streams(0, tf.range(num)), tf.constant(0)).numpy()
    elif axis == "steps":
        drawn = draw_uniform(tf.repeat(start_streams(0, tf.constant([7])), num), tf.range(num)).numpy()
    else:
        drawn = np.concatenate(
            [draw_uniform(start_streams(seed, tf.range(200)), tf.constant(1)) for seed in range(100)]
        )
    assert drawn.min() >= 0
    assert drawn.max() < 1
    counts = np.bincount((drawn * 16).astype(int), minlength=16)
    assert measure_chi_square(counts, np.full(16, 1 / 16)) < CHI_SQUARE_999[15]
    # Neighbours are independent: pairs fall into a grid of squares alike.
    pairs = (drawn[:-1:2] * 16).astype(int) * 16 + (drawn[1::2] * 16).astype(int)
    if len(pairs) > 5_000:
        assert measure_chi_square(np.bincount(pairs, minlength=256), np.full(256, 1 / 256)) < CHI_SQUARE_999[255]


@pytest.mark.parametrize("highest", [1 - 2**-23, 0.5, 0.0])
def test_a_weight_of_zero_is_never_drawn(highest: float) -> None:
    rng = np.random.default_rng(0)
    weights = rng.random((2_000, 93)).astype(np.float32) * rng.integers(0, 2, (2_000, 93)).astype(np.float32)
    weights[:, 40] += 0.1
    drawn = draw_by_weight(tf.constant(weights), tf.fill((2_000,), np.float32(highest))).numpy()
    assert (weights[np.arange(2_000), drawn] > 0).all()


def test_draws_invert_the_sums() -> None:
    weights = tf.constant([[0.2, 0.0, 0.5, 0.3]] * 5)
    drawn = draw_by_weight(weights, tf.constant([0.0, 0.19, 0.2, 0.69, 0.71]))
    assert drawn.numpy().tolist() == [0, 0, 2, 2, 3]


SCORES = np.log(np.array([0.05, 0.4, 0.1, 0.25, 0.15, 0.05], np.float32))


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"top_k": 1}, [1]),
        ({"top_k": 3}, [1, 3, 4]),
        ({"top_k": 99}, [0, 1, 2, 3, 4, 5]),
        ({"top_p": 0.3}, [1]),
        ({"top_p": 0.41}, [1, 3]),
        ({"top_p": 0.79}, [1, 3, 4]),
        ({"top_p": 0.999}, [0, 1, 2, 3, 4, 5]),
        ({"top_k": 3, "top_p": 0.6}, [1, 3]),  # 0.4 of the 0.8 that top_k leaves is 0.5
        ({"top_k": 5}, [0, 1, 2, 3, 4]),  # of the two least probable the first
    ],
)
def test_the_cuts_keep_exactly_the_candidates_they_should(changes: dict[str, object], kept: list[int]) -> None:
    scores, ids = cut_candidates(tf.constant(SCORES[None]), make_options(**changes))
    listed = np.arange(6) if ids is None else ids[0].numpy()
    assert sorted(listed[np.isfinite(scores[0].numpy())].tolist()) == kept


def constant_step(previous: tf.Tensor, constants: Nest, state: Nest) -> tuple[Outputs, Nest]:
    return Outputs(tf.repeat(tf.constant(SCORES[None]), tf.shape(previous)[0], axis=0), None), state


@pytest.mark.parametrize(
    ("changes", "chances"),
    [
        ({}, np.exp(SCORES)),
        ({"temperature": 2.0}, np.exp(SCORES / 2)),
        ({"temperature": 0.5}, np.exp(SCORES * 2)),
        ({"top_k": 4, "seed": 5}, np.array([0, 0.4, 0.1, 0.25, 0.15, 0])),
        ({"top_p": 0.85, "temperature": 1.0}, np.array([0, 0.4, 0.1, 0.25, 0.15, 0])),
    ],
)
def test_symbols_come_as_often_as_they_should(changes: dict[str, object], chances: np.ndarray) -> None:
    num_rows, num_steps = 2_000, 10
    sequences = decode_samples(
        constant_step,
        {},
        {"h_0": tf.zeros((num_rows, 1))},
        make_rule([num_steps] * num_rows, end_symbol=None),
        rows=tf.range(num_rows),
        options=make_options(**changes),
    )
    counts = np.bincount(sequences.values.numpy().ravel(), minlength=6)
    assert not counts[chances == 0].any()
    drawn = chances > 0
    limit = CHI_SQUARE_999[int(drawn.sum()) - 1]
    assert measure_chi_square(counts[drawn], chances[drawn] / chances.sum()) < limit


def sample(tree: Tree, rows: list[int], limit: int, **changes: object) -> list[list[int]]:
    chosen = Tree(tree.size, tree.depth, 0, num_rows=len(rows))
    constants = {"logits": tf.constant(tree.logits[rows])}
    sequences = decode_samples(
        chosen,
        constants,
        chosen.state,
        make_rule([limit] * len(rows)),
        rows=tf.constant(rows),
        options=make_options(**changes),
    )
    pairs = zip(sequences.values.numpy(), sequences.length.numpy(), strict=True)
    return [values[:length].tolist() for values, length in pairs]


@pytest.mark.parametrize(
    "changes",
    [{}, *(pytest.param(c, marks=pytest.mark.slow) for c in ({"top_k": 3, "temperature": 0.7}, {"top_p": 0.8}))],
)
def test_a_row_is_the_same_in_any_company_and_any_order(changes: dict[str, object]) -> None:
    tree = Tree(5, 5, seed=8, num_rows=40)
    together = sample(tree, list(range(40)), 5, **changes)
    order = np.random.default_rng(1).permutation(40).tolist()
    assert sample(tree, order, 5, **changes) == [together[row] for row in order]
    assert [sample(tree, [row], 5, **changes)[0] for row in range(0, 40, 4)] == together[::4]
    assert sample(tree, list(range(40)), 5, **changes, seed=1) != together


def test_the_log_probability_is_that_of_the_model_without_cuts() -> None:
    tree = Tree(5, 4, seed=9, num_rows=10)
    sequences = decode_samples(
        tree,
        tree.constants,
        tree.state,
        make_rule([4] * 10),
        rows=tf.range(10),
        options=make_options(top_k=2, temperature=3.0),
    )
    for row in range(10):
        emitted = [
            *sequences.values[row, : int(sequences.length[row])].numpy().tolist(),
            *[STOP] * int(sequences.stopped[row]),
        ]
        wanted = sum(tree.log_probabilities(row, tuple(emitted[:step]))[symbol] for step, symbol in enumerate(emitted))
        assert sequences.log_probability[row].numpy() == pytest.approx(wanted, abs=1e-5)


def test_a_forbidden_stop_is_never_drawn() -> None:
    tree = Tree(4, 4, seed=9, num_rows=50)
    rule = make_rule([4] * 50, may_stop=False)
    sequences = decode_samples(tree, tree.constants, tree.state, rule, rows=tf.range(50), options=make_options())
    assert (sequences.values.numpy() != STOP).all()
    assert sequences.length.numpy().tolist() == [4] * 50
