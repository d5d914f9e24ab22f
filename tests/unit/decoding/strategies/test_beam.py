from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from helpers.fake_steps import STOP, Speller, Tree, make_rule
from lengthwise.config.options import BeamOptions
from lengthwise.decoding.contract import Hypotheses
from lengthwise.decoding.strategies.beam import decode_beam
from lengthwise.decoding.strategies.greedy import decode_greedy

PENALTIES = [0.0, 0.6, 1.0, 3.0]
Found = tuple[float, tuple[int, ...], bool, float]


def search(
    tree: Tree, limits: list[int], *, width: int, penalty: float, num_best: int = 1, **rule: object
) -> Hypotheses:
    options = BeamOptions(name="beam", length="model", batch_size=1, width=width, length_penalty=penalty)
    return decode_beam(
        tree,
        tree.constants,
        tree.state,
        make_rule(limits, **rule),
        options=options,
        num_best=num_best,  # type: ignore[arg-type]
    )


def list_hypotheses(found: Hypotheses, row: int) -> list[Found]:
    listed = []
    for rank, score in enumerate(found.score[row].numpy()):
        if math.isfinite(score):
            symbols = tuple(found.values[row, rank, : int(found.length[row, rank])].numpy().tolist())
            listed.append(
                (float(score), symbols, bool(found.stopped[row, rank]), float(found.log_probability[row, rank]))
            )
    return listed


def score(total: float, num_steps: int, penalty: float) -> float:
    return total / ((5 + num_steps) / 6) ** penalty


def enumerate_all(tree: Tree, row: int, limit: int, penalty: float, *, may_stop: bool = True) -> list[Found]:
    """Score every sequence there is, best first."""
    others = [symbol for symbol in range(tree.size) if symbol != STOP]
    found: list[Found] = []
    for length in range(limit + 1):
        for symbols in itertools.product(others, repeat=length):
            total = sum(tree.log_probabilities(row, symbols[:step])[symbol] for step, symbol in enumerate(symbols))
            if length == limit:
                found.append((score(total, limit, penalty), symbols, False, total))
            elif may_stop:
                total += tree.log_probabilities(row, symbols)[STOP]
                found.append((score(total, length + 1, penalty), symbols, True, total))
    return sorted(found, key=lambda hypothesis: -hypothesis[0])


def search_plainly(tree: Tree, row: int, limit: int, *, width: int, penalty: float) -> list[Found]:
    """Search as the module's docstring says, with Python lists, and without its early end."""
    opened: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    finished: list[Found] = []
    for step in range(limit):
        extended = sorted(
            (
                (total + chance, symbols, symbol)
                for total, symbols in opened
                for symbol, chance in enumerate(tree.log_probabilities(row, symbols))
            ),
            key=lambda each: -each[0],
        )
        finished += [
            (score(total, step + 1, penalty), symbols, True, total)
            for total, symbols, symbol in extended[:width]
            if symbol == STOP
        ]
        if len(finished) >= width:
            break
        opened = [(total, (*symbols, symbol)) for total, symbols, symbol in extended if symbol != STOP][:width]
        if step + 1 == limit:
            finished += [(score(total, limit, penalty), symbols, False, total) for total, symbols in opened]
    return sorted(finished, key=lambda hypothesis: -hypothesis[0])[:width]


def check_equal(found: list[Found], wanted: list[Found]) -> None:
    assert [(symbols, stopped) for _, symbols, stopped, _ in found] == [(s, stopped) for _, s, stopped, _ in wanted]
    np.testing.assert_allclose([f[0] for f in found], [w[0] for w in wanted], rtol=1e-5)
    np.testing.assert_allclose([f[3] for f in found], [w[3] for w in wanted], rtol=1e-5)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_search_wide_enough_finds_what_enumeration_finds(penalty: float) -> None:
    limit, num_rows = 4, 3
    tree = Tree(4, limit, seed=1, num_rows=num_rows)
    width = len(enumerate_all(tree, 0, limit, penalty))
    found = search(tree, [limit] * num_rows, width=width, penalty=penalty, num_best=width)
    for row in range(num_rows):
        check_equal(list_hypotheses(found, row), enumerate_all(tree, row, limit, penalty))


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_a_narrow_search_follows_the_rules(width: int, penalty: float) -> None:
    num_rows = 12
    tree = Tree(5, 4, seed=width, num_rows=num_rows)
    limits = [1 + row % 4 for row in range(num_rows)]
    found = search(tree, limits, width=width, penalty=penalty, num_best=width)
    for row, limit in enumerate(limits):
        check_equal(list_hypotheses(found, row), search_plainly(tree, row, limit, width=width, penalty=penalty))


@pytest.mark.parametrize("penalty", PENALTIES)
def test_asking_for_fewer_ends_earlier_and_changes_nothing(penalty: float) -> None:
    num_rows, width = 20, 4
    tree = Tree(5, 5, seed=7, num_rows=num_rows)
    everything = search(tree, [5] * num_rows, width=width, penalty=penalty, num_best=width)
    for num_best in (1, 2):
        found = search(tree, [5] * num_rows, width=width, penalty=penalty, num_best=num_best)
        for row in range(num_rows):
            check_equal(list_hypotheses(found, row), list_hypotheses(everything, row)[:num_best])


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("may_stop", [True, False])
@pytest.mark.parametrize("end_symbol", [STOP, None])
def test_a_width_of_one_is_greedy_decoding(end_symbol: int | None, may_stop: bool, penalty: float) -> None:
    num_rows = 30
    tree = Tree(4, 5, seed=2, num_rows=num_rows)
    limits = [row % 6 for row in range(num_rows)]
    greedy = decode_greedy(
        tree, tree.constants, tree.state, make_rule(limits, end_symbol=end_symbol, may_stop=may_stop)
    )
    found = search(tree, limits, width=1, penalty=penalty, end_symbol=end_symbol, may_stop=may_stop)
    real = np.array(limits) > 0
    for name in ("values", "length", "stopped"):
        np.testing.assert_array_equal(getattr(found, name)[:, 0], getattr(greedy, name))
    np.testing.assert_allclose(found.log_probability[:, 0][real], greedy.log_probability[real], rtol=1e-5)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_with_the_stop_forbidden_all_have_the_length_that_was_given(penalty: float) -> None:
    tree = Tree(4, 3, seed=4, num_rows=2)
    found = search(tree, [3, 2], width=27, penalty=penalty, num_best=27, may_stop=False)
    for row, limit in enumerate([3, 2]):
        check_equal(list_hypotheses(found, row), enumerate_all(tree, row, limit, penalty, may_stop=False))


def test_a_search_that_cannot_improve_ends() -> None:
    speller = Speller(["fig"])
    options = BeamOptions(name="beam", length="model", batch_size=1, width=3, length_penalty=0.0)
    found = decode_beam(speller, speller.constants, speller.state, make_rule([500]), options=options)
    assert found.values[0, 0, :3].numpy().tolist() == [9, 12, 10]
    assert bool(found.stopped[0, 0])
    # "fig" has ended at the fourth step, and no open hypothesis is as probable.
    assert speller.num_steps.numpy() == 4


def test_the_search_compiles_for_any_batch() -> None:
    options = BeamOptions(name="beam", length="model", batch_size=1, width=2, length_penalty=0.6)
    tree = Tree(4, 4, seed=5, num_rows=6)

    @tf.function(input_signature=[tf.TensorSpec((None, None, 4)), tf.TensorSpec((None,), tf.int32)], autograph=False)
    def compiled(logits: tf.Tensor, limit: tf.Tensor) -> Hypotheses:
        state = {"h_0": tf.fill(tf.shape(limit), -1)}
        rule = make_rule([4])._replace(limit=limit)
        return decode_beam(tree, {"logits": logits}, state, rule, options=options)

    whole = compiled(tree.logits, tf.fill((6,), 4))
    for row in range(6):
        alone = compiled(tree.logits[row : row + 1], tf.constant([4]))
        np.testing.assert_array_equal(alone.values[0], whole.values[row])
