from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.small_data import list_accepted
from lengthwise.config.options import SymbolTaskOptions
from lengthwise.data.datasets.symbol_tasks import (
    MOST_SEQUENCES,
    build_symbols,
    count_sequences,
    draw_distinct,
    load_symbol_task,
    share_lengths,
)
from lengthwise.decoding.predictions import Predictions
from lengthwise.errors import ConfigError
from lengthwise.evaluation.baselines import predict_baselines
from lengthwise.evaluation.metrics import score_predictions


def _options(name="copy", **changes):
    values = {
        "num_symbols": 3,
        "min_length": 1,
        "max_length": 6,
        "longer_length": 9,
        "num_train": 300,
        "num_validation": 40,
        "num_test": 50,
        "seed": 0,
        **changes,
    }
    return SymbolTaskOptions(name=name, **values)


@pytest.mark.parametrize("name", ["copy", "reverse"])
@pytest.mark.parametrize("num_symbols", [3, 40])
def test_targets_are_the_source_or_its_mirror(read_pairs, name, num_symbols):
    dataset = load_symbol_task(_options(name, num_symbols=num_symbols), "auto")
    step = -1 if name == "reverse" else 1
    for split in dataset.splits:
        for source, target in read_pairs(dataset, split):
            symbols = source.split() if num_symbols > 26 else list(source)
            assert (target.split() if num_symbols > 26 else list(target)) == symbols[::step]


@pytest.mark.parametrize("num_symbols", [3, 40])
def test_a_third_of_the_symbols_is_in_capitals_and_three_answers_are_right(read_pairs, num_symbols):
    dataset = load_symbol_task(_options("ambiguous", num_symbols=num_symbols, min_length=3), "auto")
    for name, split in dataset.splits.items():
        for (source, target), accepted in zip(read_pairs(dataset, name), list_accepted(split), strict=True):
            symbols = source.split() if num_symbols > 26 else list(source)
            right = {
                tuple(symbol.upper() if place % 3 == first else symbol for place, symbol in enumerate(symbols))
                for first in range(3)
            }
            read = [dataset.target_codec.decode(ids) for ids in accepted]
            assert {tuple(text.split() if num_symbols > 26 else text) for text in read} == right
            assert read[0] == target


def test_each_of_the_three_answers_is_drawn_as_often(read_pairs):
    dataset = load_symbol_task(_options("ambiguous", min_length=3), "auto")
    pairs = [pair for name in dataset.splits for pair in read_pairs(dataset, name)]
    first = [next(place for place, symbol in enumerate(target) if symbol.isupper()) for _, target in pairs]
    # 147 of 440 expected; 4 deviations of a binomial are 40.
    assert abs(np.bincount(first, minlength=3) - len(pairs) / 3).max() < 40


@pytest.mark.parametrize("length", range(3, 10))
def test_no_model_without_feedback_is_ever_right(length):
    """Its places are independent given the source, so it is the product of what each place is by itself."""
    right = [tuple(place % 3 == first for place in range(length)) for first in range(3)]
    is_capital = np.mean(right, axis=0)  # the best fit, place by place
    np.testing.assert_allclose(is_capital, 1 / 3)
    patterns = list(product((False, True), repeat=length))
    probability = [np.prod(np.where(pattern, is_capital, 1 - is_capital)) for pattern in patterns]
    best = patterns[int(np.argmax(probability))]
    assert not any(best)
    assert best not in right
    symbols_right = np.mean([np.equal(best, answer) for answer in right])
    assert math.isclose(symbols_right, 2 / 3)


def test_scores_of_a_model_without_feedback_are_known_without_training(read_pairs):
    """It makes no capitals: never right, 2/3 of the symbols of the drawn answer, more of the nearest one."""
    options = _options("ambiguous", num_symbols=8, min_length=4, max_length=8, num_test=200)
    split = (dataset := load_symbol_task(options, "auto")).splits["test"]
    target = split.target.pad()
    plain = np.where(target >= 4 + 8, target - 8, target)
    answer = Predictions(
        values=plain, length=split.target.length, stopped=np.ones(200, bool), log_probability=np.zeros(200)
    )
    scores = score_predictions(answer, split, "tokens").summary
    lengths = split.target.length
    assert scores["exact_match"] == 0
    assert math.isclose(scores["token_accuracy"], 1 - (lengths // 3).sum() / lengths.sum())
    is_real = target > 0
    assert math.isclose((plain == target)[is_real].mean(), 2 / 3, abs_tol=0.03)
    assert predict_baselines(dataset, split)["copy"].values.tolist() == plain.tolist()


def test_sizes_lengths_and_specification():
    dataset = load_symbol_task(_options(), "auto")
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 300,
        "val": 40,
        "test": 50,
        "longer": 50,
    }
    for name in ("train", "val", "test"):
        assert dataset.splits[name].source.longest <= 6
    assert set(dataset.splits["longer"].source.length.tolist()) == {7, 8, 9}
    assert dataset.spec.timesteps == dataset.spec.source_timesteps == 9
    assert dataset.spec.source_size == dataset.spec.target_size == 3 + 4
    assert dataset.skipped == ()


def test_no_sequence_occurs_twice_in_all_splits(read_pairs):
    dataset = load_symbol_task(_options(), "auto")
    sources = [source for split in dataset.splits for source, _ in read_pairs(dataset, split)]
    assert len(set(sources)) == len(sources)


def test_short_lengths_are_used_up_and_the_others_even():
    dataset = load_symbol_task(_options(), "auto")
    lengths = np.concatenate([dataset.splits[name].source.length for name in ("train", "val", "test")])
    # 3 + 9 + 27 + 81 of the lengths 1 to 4; the other 270 are shared by the lengths 5 and 6.
    assert np.bincount(lengths).tolist() == [0, 3, 9, 27, 81, 135, 135]


def test_the_whole_space_can_be_asked_for(read_pairs):
    options = _options(num_symbols=2, max_length=3, num_train=10, num_validation=2, num_test=2, longer_length=4)
    dataset = load_symbol_task(options, "auto")
    sources = {source for name in ("train", "val", "test") for source, _ in read_pairs(dataset, name)}
    assert sources == {"".join(letters) for length in (1, 2, 3) for letters in product("ab", repeat=length)}


def test_symbols_are_drawn_evenly():
    drawn = draw_distinct(np.random.default_rng(0), 5, range(70, 71), 400)
    for place in (0, 35, 69):
        counts = np.bincount(drawn.ids[:, place], minlength=9)[4:]
        # 80 of each expected; 5 deviations of a binomial are 40.
        assert counts.sum() == 400
        assert abs(counts - 80).max() < 40
    assert len(np.unique(drawn.ids, axis=0)) == 400


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(0, 300))
def test_shares_are_as_even_as_spaces_permit(spaces, num_examples):
    shares = share_lengths(spaces, num_examples)
    if num_examples > sum(spaces):
        assert shares is None
        return
    assert sum(shares) == num_examples
    assert all(share <= space for share, space in zip(shares, spaces, strict=True))
    open_shares = [share for share, space in zip(shares, spaces, strict=True) if share < space]
    if open_shares:
        # Nothing can be moved from a fuller length to one that has room.
        assert max(shares) - min(open_shares) <= 1


@pytest.mark.parametrize(("num_symbols", "length"), [(2, 61), (2, 62), (2, 100_000), (8, 20), (8, 21), (10_000, 15)])
def test_counting_sequences(num_symbols, length):
    assert count_sequences(num_symbols, length) == min(num_symbols**length, MOST_SEQUENCES)


def test_names_of_symbols():
    assert build_symbols(3).symbols == ("a", "b", "c")
    assert build_symbols(26).unit == "characters"
    words = build_symbols(28)
    assert words.unit == "words"
    assert words.symbols[-3:] == ("z", "s26", "s27")


def test_the_seed_decides_the_data():
    first, again, other = (load_symbol_task(_options(seed=seed), "auto") for seed in (5, 5, 6))
    assert first.content_hash == again.content_hash != other.content_hash


def test_timesteps_leave_out_the_longer_ones():
    dataset = load_symbol_task(_options(), 6)
    assert "longer" not in dataset.splits
    assert [(notice.reason, notice.count) for notice in dataset.skipped] == [
        ("longer: left out, target longer than timesteps=6", 50)
    ]


def test_more_examples_than_sequences_are_refused():
    with pytest.raises(ConfigError, match=r"3 symbols with 1 to 6 steps.*; got 2000 \+ 40 \+ 50\. Ask for fewer"):
        load_symbol_task(_options(num_train=2_000), "auto")
    # 4 + 2 + 5 examples of 2 + 4 + 8 sequences; of the 16 of length 4, 5 are wanted.
    few = {"num_symbols": 2, "max_length": 3, "longer_length": 4}
    load_symbol_task(_options(**few, num_train=4, num_validation=2, num_test=5), "auto")
    with pytest.raises(ConfigError, match=r"^dataset\.num_train .* 2 symbols with 1 to 3 steps.*; got 4 \+ 2 \+ 20\."):
        load_symbol_task(_options(**few, num_train=4, num_validation=2, num_test=20), "auto")


def test_very_long_sequences_cost_no_more_than_their_symbols():
    options = _options(
        min_length=900, max_length=1_000, longer_length=1_001, num_train=20, num_validation=1, num_test=1
    )
    dataset = load_symbol_task(options, "auto")
    assert dataset.spec.timesteps == 1_001
    assert math.isclose(dataset.splits["train"].source.length.mean(), 950, abs_tol=40)
