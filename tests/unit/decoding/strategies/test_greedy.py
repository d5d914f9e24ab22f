from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from helpers.fake_steps import ALPHABET, STOP, Outputs, Speller, Tree, make_rule
from lengthwise.decoding.contract import Nest, Sequences
from lengthwise.decoding.loop import STEPS_PER_ITERATION
from lengthwise.decoding.strategies.greedy import decode_features, decode_greedy


def read(sequences: Sequences) -> list[str]:
    rows = zip(sequences.values.numpy(), sequences.length.numpy(), strict=True)
    return ["".join(ALPHABET[symbol] for symbol in row[:length]) for row, length in rows]


def test_words_are_spelt_and_end_where_they_stop() -> None:
    speller = Speller(["banana", "fig", "", "quince"])
    sequences = decode_greedy(speller, speller.constants, speller.state, make_rule([8] * 4))
    assert read(sequences) == ["banana", "fig", "", "quince"]
    assert sequences.stopped.numpy().tolist() == [True] * 4
    assert sequences.length.numpy().tolist() == [6, 3, 0, 6]
    assert not sequences.values.numpy()[1, 3:].any()
    assert 7 <= speller.num_steps.numpy() < 7 + STEPS_PER_ITERATION, "six letters and the stop, to an iteration's end"


def test_the_loop_ends_with_the_last_row_whatever_the_limit() -> None:
    speller = Speller(["ab", "abc"])
    sequences = decode_greedy(speller, speller.constants, speller.state, make_rule([1000, 1000]))
    assert speller.num_steps.numpy() == 4
    assert sequences.values.shape == (2, 1000)


def test_each_row_is_cut_at_its_own_limit() -> None:
    speller = Speller(["banana", "banana", "fig", "fig"])
    sequences = decode_greedy(speller, speller.constants, speller.state, make_rule([2, 6, 3, 4]))
    assert read(sequences) == ["ba", "banana", "fig", "fig"]
    assert sequences.stopped.numpy().tolist() == [False, False, False, True]
    assert speller.num_steps.numpy() == 6


def test_a_row_that_only_fills_up_makes_nothing() -> None:
    speller = Speller(["fig", "fig"])
    sequences = decode_greedy(speller, speller.constants, speller.state, make_rule([0, 3]))
    assert read(sequences) == ["", "fig"]
    assert sequences.stopped.numpy().tolist() == [False, False]
    empty = decode_greedy(speller, speller.constants, speller.state, make_rule([0, 0], max_steps=3))
    assert read(empty) == ["", ""]


def test_a_forbidden_stop_is_never_chosen() -> None:
    speller = Speller(["fig"])
    sequences = decode_greedy(speller, speller.constants, speller.state, make_rule([5], may_stop=False))
    assert sequences.values.numpy()[0, :3].tolist() == [ALPHABET.index(letter) for letter in "fig"]
    assert STOP not in sequences.values.numpy()[0]
    assert sequences.length.numpy().tolist() == [5]
    assert not sequences.stopped.numpy()[0]


def test_a_symbol_that_ends_nothing_is_emitted() -> None:
    speller = Speller(["fig"])
    sequences = decode_greedy(speller, speller.constants, speller.state, make_rule([4], end_symbol=None))
    assert sequences.values.numpy()[0].tolist() == [*(ALPHABET.index(letter) for letter in "fig"), STOP]


@pytest.mark.parametrize("may_stop", [True, False])
def test_the_log_probability_is_that_of_the_model_with_the_end(may_stop: bool) -> None:
    tree = Tree(4, 4, seed=3, num_rows=6)
    sequences = decode_greedy(tree, tree.constants, tree.state, make_rule([4] * 6, may_stop=may_stop))
    for row in range(6):
        length = int(sequences.length[row])
        emitted = [*sequences.values[row, :length].numpy().tolist(), *[STOP] * int(sequences.stopped[row])]
        wanted = sum(tree.log_probabilities(row, tuple(emitted[:step]))[symbol] for step, symbol in enumerate(emitted))
        assert sequences.log_probability[row].numpy() == pytest.approx(wanted, abs=1e-5)


def count_up(_previous: tf.Tensor, constants: Nest, state: Nest) -> tuple[Outputs, Nest]:
    """Emit 1, 2, 3, ...; the stop's logit is positive from the row's `last` on."""
    number = state["h_0"] + 1
    return Outputs(tf.repeat(number, 2, axis=1), (number - constants["last"])[:, 0] + 0.5), {"h_0": number}


def test_features_end_with_the_step_that_stops() -> None:
    start = {"h_0": tf.zeros((3, 1))}
    last = {"last": tf.constant([[1.0], [3.0], [9.0]])}
    rule = make_rule([5, 5, 5], end_symbol=None)
    sequences = decode_features(count_up, last, start, rule, num_features=2, dtype=tf.float32)
    assert sequences.length.numpy().tolist() == [1, 3, 5]
    assert sequences.stopped.numpy().tolist() == [True, True, False]
    np.testing.assert_array_equal(sequences.values[..., 0], [[1, 0, 0, 0, 0], [1, 2, 3, 0, 0], [1, 2, 3, 4, 5]])
    forbidden = rule._replace(may_stop=False, limit=tf.constant([2, 5, 1]))
    sequences = decode_features(count_up, last, start, forbidden, num_features=2, dtype=tf.float32)
    assert sequences.length.numpy().tolist() == [2, 5, 1]
    assert not sequences.stopped.numpy().any()
