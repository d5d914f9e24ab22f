from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.config.options import AdditionOptions
from lengthwise.data.datasets.addition import count_pairs, draw_pairs, load_addition
from lengthwise.errors import ConfigError


def _options(**changes):
    values = {
        "num_digits": 3,
        "longer_digits": 5,
        "num_train": 400,
        "num_validation": 50,
        "num_test": 60,
        "seed": 0,
        **changes,
    }
    return AdditionOptions(name="addition", **values)


def _operands(source):
    first, second = source.split("+")
    return int(first), int(second)


def test_targets_are_sums_without_leading_zeros(read_pairs):
    dataset = load_addition(_options(), "auto")
    for name in dataset.splits:
        for source, target in read_pairs(dataset, name):
            first, second = _operands(source)
            assert source == f"{first}+{second}"
            assert target == str(first + second)


def test_no_pair_occurs_twice_whichever_comes_first(read_pairs):
    dataset = load_addition(_options(), "auto")
    sources = [source for name in dataset.splits for source, _ in read_pairs(dataset, name)]
    assert len({frozenset(_operands(source)) for source in sources}) == len(sources) == 400 + 50 + 60 + 60


def test_longer_has_an_operand_of_more_digits(read_pairs):
    dataset = load_addition(_options(), "auto")
    for source, _ in read_pairs(dataset, "longer"):
        assert 1_000 <= max(_operands(source)) < 100_000
    for name in ("train", "val", "test"):
        assert all(max(_operands(source)) < 1_000 for source, _ in read_pairs(dataset, name))


def test_specification():
    spec = load_addition(_options(), "auto").spec
    assert (spec.source_size, spec.target_size) == (11 + 4, 10 + 4)
    assert spec.source_timesteps <= 11
    assert spec.timesteps in (5, 6)


def test_numbers_of_digits_are_even_as_in_the_keras_example():
    # Few at a time: of the 55 pairs below 10 each is drawn once, which many draws would show.
    values = np.concatenate([draw_pairs(np.random.default_rng(seed), 50, 6, longer_than=0) for seed in range(80)])
    # Six equally likely widths w give a number below 10 with probability 10 / 10**w.
    expected = sum(10 / 10**width for width in range(1, 7)) / 6
    assert abs((values < 10).mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / values.size)


@given(st.integers(1, 2), st.integers(0, 9))
@settings(max_examples=10, deadline=None)
def test_all_pairs_can_be_drawn(num_digits, seed):
    count = count_pairs(num_digits) if num_digits == 1 else 5_000
    drawn = draw_pairs(np.random.default_rng(seed), count, num_digits, longer_than=0)
    assert len({tuple(sorted(pair)) for pair in drawn.tolist()}) == count
    assert drawn.min() >= 0
    assert drawn.max() < 10**num_digits


def test_eighteen_digits_do_not_overflow(read_pairs):
    dataset = load_addition(_options(num_digits=9, longer_digits=18), "auto")
    assert dataset.spec.timesteps in (18, 19)
    assert all(int(target) == sum(_operands(source)) for source, target in read_pairs(dataset, "longer"))


def test_the_seed_decides_the_data():
    first, again, other = (load_addition(_options(seed=seed), "auto") for seed in (5, 5, 6))
    assert first.content_hash == again.content_hash != other.content_hash


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_digits": 1}, r"different sums of 1 digit, 55; got 400 \+ 50 \+ 60\."),
        ({"num_digits": 1, "longer_digits": 2, "num_train": 1, "num_validation": 1, "num_test": 4_996}, "digit, 55"),
        ({"longer_digits": 3}, r"^dataset\.num_test must be at most the number of longer sums, 0; got 60\."),
    ],
)
def test_more_examples_than_pairs_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        load_addition(_options(**changes), "auto")


@pytest.mark.parametrize("num_digits", [1, 2])
def test_counting_pairs(num_digits):
    numbers = range(10**num_digits)
    assert count_pairs(num_digits) == sum(first <= second for first in numbers for second in numbers)
