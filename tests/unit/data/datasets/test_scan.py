from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from lengthwise.config.options import ScanOptions
from lengthwise.data.datasets.scan import generate_commands, load_scan
from lengthwise.errors import ConfigError

SHORT = {"L": "I_TURN_LEFT", "R": "I_TURN_RIGHT", "J": "I_JUMP", "W": "I_WALK", "K": "I_LOOK", "U": "I_RUN"}

# The first seven stand in the paper's figure 1 or the table of its repository; the others were written out by hand.
MEANINGS = {
    "jump": "J",
    "jump left": "LJ",
    "jump around right": "RJRJRJRJ",
    "turn left twice": "LL",
    "jump thrice": "JJJ",
    "jump opposite left and walk thrice": "LLJWWW",
    "jump opposite left after walk around left": "LWLWLWLWLLJ",
    "turn opposite right": "RR",
    "turn around left": "LLLL",
    "turn around right thrice": "R" * 12,
    "run and look": "UK",
    "run after look": "KU",
    "walk opposite right twice after look left": "LKRRWRRW",
    "jump thrice and turn left twice": "JJJLL",
    "jump thrice after walk opposite right": "RRWJJJ",
    "look around left thrice and run around right thrice": "LK" * 12 + "RU" * 12,
}


@pytest.fixture(scope="module")
def commands():
    return generate_commands()


@pytest.fixture(scope="module")
def simple():
    return load_scan(_options(), "auto")


def _options(split="simple", **changes):
    values = {"length_cut": None, "train_fraction": None, "validation_fraction": 0.05, "seed": 0, **changes}
    return ScanOptions(name="scan", split=split, **values)


def _sizes(dataset):
    return len(dataset.splits["train"]) + len(dataset.splits["val"]), len(dataset.splits["test"])


@pytest.mark.parametrize(("command", "meaning"), MEANINGS.items())
def test_meanings(commands, command, meaning):
    assert dict(commands)[command] == " ".join(SHORT[letter] for letter in meaning)


def test_the_grammar_gives_20910_different_commands(commands):
    assert len(commands) == len({command.text for command in commands}) == 20_910
    # 34 phrases, 3 times each, alone or in pairs under two conjunctions.
    assert 34 * 3 + 2 * (34 * 3) ** 2 == 20_910
    assert sum(" and " not in command.text and " after " not in command.text for command in commands) == 102
    assert max(len(command.text.split()) for command in commands) == 9
    assert max(len(command.actions.split()) for command in commands) == 48
    assert len({word for command in commands for word in command.text.split()}) == 13
    assert {action for command in commands for action in command.actions.split()} == set(SHORT.values())


@pytest.mark.parametrize(
    ("cut", "train", "test"),
    [
        (None, 16_990, 3_920),
        pytest.param(22, 16_990, 3_920, marks=pytest.mark.slow),
        (24, 17_326, 3_584),
        pytest.param(25, 17_774, 3_136, marks=pytest.mark.slow),
        pytest.param(26, 18_286, 2_624, marks=pytest.mark.slow),
        pytest.param(27, 18_734, 2_176, marks=pytest.mark.slow),
        pytest.param(28, 19_182, 1_728, marks=pytest.mark.slow),
        pytest.param(30, 19_758, 1_152, marks=pytest.mark.slow),
        pytest.param(32, 20_206, 704, marks=pytest.mark.slow),
        pytest.param(33, 20_462, 448, marks=pytest.mark.slow),
        pytest.param(36, 20_526, 384, marks=pytest.mark.slow),
        (40, 20_782, 128),
    ],
)
def test_length_cuts_have_the_published_sizes(cut, train, test):
    dataset = load_scan(_options("length", length_cut=cut), "auto")
    assert _sizes(dataset) == (train, test)
    limit = cut or 22
    assert max(dataset.splits[name].target.longest for name in ("train", "val")) <= limit
    assert dataset.splits["test"].target.length.min() > limit
    assert dataset.spec.timesteps == 48


@pytest.mark.parametrize(
    ("fraction", "train"),
    [
        (None, 16_728),
        (0.01, 209),
        pytest.param(0.02, 418, marks=pytest.mark.slow),
        pytest.param(0.04, 836, marks=pytest.mark.slow),
        (0.08, 1_672),
        pytest.param(0.16, 3_345, marks=pytest.mark.slow),
        pytest.param(0.32, 6_691, marks=pytest.mark.slow),
        (0.64, 13_382),
    ],
)
def test_simple_has_the_published_sizes(fraction, train):
    dataset = load_scan(_options(train_fraction=fraction), "auto")
    assert _sizes(dataset) == (train, 20_910 - train)
    assert len(dataset.splits["val"]) == round(0.05 * train)


def test_simple_is_redrawn_by_the_seed_and_parts_are_nested(read_pairs, simple):
    again, other = (load_scan(_options(seed=seed), "auto") for seed in (0, 1))
    assert simple.content_hash == again.content_hash != other.content_hash
    small, large = (
        {*read_pairs(dataset, "train"), *read_pairs(dataset, "val")}
        for dataset in (load_scan(_options(train_fraction=fraction), "auto") for fraction in (0.01, 0.02))
    )
    assert small < large


def test_simple_splits_hold_every_command_once(commands, read_pairs, simple):
    found = Counter(pair for name in simple.splits for pair in read_pairs(simple, name))
    assert found == Counter(map(tuple, commands))


@pytest.mark.parametrize(
    ("split", "alone", "repeats", "train", "test"),
    [("addprim_jump", "jump", 1_467, 14_670, 7_706), ("addprim_turn_left", "turn left", 2_189, 21_890, 1_208)],
)
def test_a_primitive_is_trained_on_alone(read_pairs, split, alone, repeats, train, test):
    dataset = load_scan(_options(split), "auto")
    assert _sizes(dataset) == (train, test)
    counts = Counter(source for source, _ in read_pairs(dataset, "train"))
    assert counts.pop(alone) == repeats
    assert set(counts.values()) == {1}
    val, tested = ([source for source, _ in read_pairs(dataset, name)] for name in ("val", "test"))
    assert not any(alone in source for source in (*counts, *val))
    assert all(alone in source and source != alone for source in tested)
    assert not set(counts) & set(val)
    assert len(set(val)) == len(val) == round(0.05 * (train - repeats))
    assert len(set(counts)) + len(val) + 1 + len(tested) == 20_910


def test_the_vocabularies_do_not_depend_on_the_split():
    datasets = [load_scan(_options(train_fraction=0.001), "auto"), load_scan(_options("addprim_jump"), "auto")]
    assert len({dataset.source_codec.symbols for dataset in datasets}) == 1
    assert (datasets[0].spec.source_size, datasets[0].spec.target_size) == (13 + 4, 6 + 4)


def test_timesteps_leave_out_what_is_longer(commands):
    dataset = load_scan(_options(), 22)
    counts = {notice.reason: notice.count for notice in dataset.skipped}
    assert sum(counts.values()) == 3_920
    assert sum(len(split) for split in dataset.splits.values()) == 16_990
    with pytest.raises(ConfigError, match="split test, whose shortest target has 24 steps"):
        load_scan(_options("length"), 22)


def test_shares_that_leave_nothing_are_refused():
    with pytest.raises(ConfigError, match=r"dataset\.train_fraction must leave commands"):
        load_scan(_options(train_fraction=1e-5), "auto")
    with pytest.raises(ConfigError, match=r"dataset\.validation_fraction must leave commands"):
        load_scan(_options(train_fraction=0.001, validation_fraction=0.99), "auto")


def test_the_front_of_training_is_a_random_sample(simple):
    lengths = simple.splits["train"].target.length
    assert abs(lengths[:500].mean() - lengths.mean()) < 4 * lengths.std() / np.sqrt(500)
