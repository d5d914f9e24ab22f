from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.config.options import ScanOptions
from lengthwise.data.assembly import autoencoder_split
from lengthwise.data.batching import draw_batches, measure_padding, plan_batches, plan_evaluation_batches, take_batch
from lengthwise.data.dataset import Split
from lengthwise.data.datasets.scan import load_scan
from lengthwise.data.sequences import Sequences

LENGTHS = st.lists(st.tuples(st.integers(1, 20), st.integers(1, 30)), min_size=1, max_size=400).map(
    lambda pairs: np.array(pairs, np.int32).T
)


def _plan(lengths, **changes):
    return plan_batches(*lengths, **{"batch_size": 8, "seed": 0, "epoch": 0, **changes})


def _lists(batches):
    return [batch.tolist() for batch in batches]


def test_draws_with_replacement_are_even_and_independent():
    batches = draw_batches(50, batch_size=4, seed=3, epoch=0, batches_per_epoch=10_000)
    assert {len(batch) for batch in batches} == {4}
    counts = np.bincount(np.concatenate(batches), minlength=50)
    # 800 of each expected; 5 deviations of a binomial are 140.
    assert counts.sum() == 40_000
    assert abs(counts - 800).max() < 140
    num_repeated = sum(len(set(batch.tolist())) < 4 for batch in batches)
    # 4 draws of 50 differ with probability 49 * 48 * 47 / 50^3 = 0.884; 5 deviations are 160.
    assert abs(num_repeated - 1_157) < 160


def test_draws_follow_from_seed_and_epoch():
    def draw(seed, epoch):
        return _lists(draw_batches(20, batch_size=3, seed=seed, epoch=epoch))

    assert len(draw(0, 0)) == 7, "as many as a pass over the data has"
    assert draw(0, 1) == draw(0, 1)
    assert draw(0, 1) != draw(0, 2)
    assert draw(0, 1) != draw(1, 1)


@given(LENGTHS, st.integers(1, 50), st.integers(0, 2**31 - 1), st.integers(0, 10_000))
def test_an_epoch_holds_every_example_once(lengths, batch_size, seed, epoch):
    batches = _plan(lengths, batch_size=batch_size, seed=seed, epoch=epoch)
    assert sorted(np.concatenate(batches).tolist()) == list(range(lengths.shape[1]))
    assert len(batches) == math.ceil(lengths.shape[1] / batch_size)
    assert sum(len(batch) < batch_size for batch in batches) <= 1
    assert all(batch.dtype == np.int64 for batch in batches)


@given(LENGTHS, st.integers(0, 2**31 - 1), st.integers(0, 99), st.integers(1, 60) | st.none())
def test_the_order_is_a_function_of_seed_and_epoch(lengths, seed, epoch, batches_per_epoch):
    changes = {"seed": seed, "epoch": epoch, "batches_per_epoch": batches_per_epoch}
    state = np.random.get_state()[1].tolist()
    assert _lists(_plan(lengths, **changes)) == _lists(_plan(lengths.copy(), **changes))
    assert np.random.get_state()[1].tolist() == state


def test_batches_differ_in_order_and_in_members_between_epochs_and_seeds():
    lengths = np.random.default_rng(1).integers(1, 20, (2, 5_000)).astype(np.int32)
    plans = [_plan(lengths, **changes) for changes in ({}, {"epoch": 1}, {"seed": 1})]
    members = [{frozenset(batch.tolist()) for batch in plan} for plan in plans]
    for first in range(3):
        for second in range(first):
            assert len(members[first] & members[second]) < 10


def test_batches_differ_even_where_no_two_lengths_are_equal():
    lengths = np.array([np.arange(1, 81), np.arange(1, 81)], np.int32)
    members = [{frozenset(batch.tolist()) for batch in _plan(lengths, epoch=epoch)} for epoch in range(3)]
    assert not members[0] & members[1] & members[2]
    assert len(members[0] & members[1]) <= 2


@given(LENGTHS, st.integers(1, 12), st.integers(0, 99))
def test_parts_of_an_epoch_use_every_example_equally_often(lengths, batches_per_epoch, seed):
    num_batches = math.ceil(lengths.shape[1] / 8)
    num_epochs = num_batches if batches_per_epoch < num_batches else 3
    epochs = [
        _plan(lengths, seed=seed, epoch=epoch, batches_per_epoch=batches_per_epoch) for epoch in range(num_epochs)
    ]
    assert {len(batches) for batches in epochs} == {min(batches_per_epoch, num_batches)}
    counts = np.bincount(np.concatenate([batch for batches in epochs for batch in batches]))
    assert set(counts.tolist()) == {min(batches_per_epoch, num_batches) * num_epochs // num_batches}


def test_parts_are_those_of_whole_passes():
    lengths = np.random.default_rng(1).integers(1, 20, (2, 80)).astype(np.int32)
    passes = [*_plan(lengths), *_plan(lengths, epoch=1)]
    assert len(passes) == 20
    parts = [batch for epoch in range(5) for batch in _plan(lengths, epoch=epoch, batches_per_epoch=4)]
    assert _lists(parts) == _lists(passes)
    assert _lists(_plan(lengths, epoch=2, batches_per_epoch=4)) == _lists(passes[8:12])


@pytest.mark.parametrize("batches_per_epoch", [10, 11, 200])
def test_as_many_batches_as_there_are_or_more_are_one_pass(batches_per_epoch):
    lengths = np.random.default_rng(1).integers(1, 20, (2, 80)).astype(np.int32)
    assert _lists(_plan(lengths, epoch=3, batches_per_epoch=batches_per_epoch)) == _lists(_plan(lengths, epoch=3))


def test_padding_is_the_share_of_steps_that_are_not_real():
    lengths = np.array([1, 4, 2, 2], np.int32)
    assert measure_padding(lengths, [np.array([0, 1]), np.array([2, 3])]) == pytest.approx(3 / 12)
    assert measure_padding(lengths, [np.array([0]), np.array([1]), np.array([2, 3])]) == 0


def test_padding_on_scan_is_under_a_tenth():
    options = ScanOptions(
        name="scan", split="simple", length_cut=None, train_fraction=None, validation_fraction=0.05, seed=0
    )
    train = load_scan(options, "auto").splits["train"]
    for epoch in range(2):
        batches = plan_batches(train.source.length, train.target.length, batch_size=64, seed=0, epoch=epoch)
        assert measure_padding(train.target.length, batches) < 0.05
        assert measure_padding(train.source.length, batches) < 0.1


@given(LENGTHS, st.integers(1, 50))
def test_evaluation_batches_are_sorted_by_length(lengths, batch_size):
    source, target = lengths
    batches = plan_evaluation_batches(source, target, batch_size)
    expected = sorted(range(len(source)), key=lambda index: (target[index], source[index], index))
    assert np.concatenate(batches).tolist() == expected
    assert all(len(batch) == batch_size for batch in batches[:-1])


@given(LENGTHS.filter(lambda lengths: lengths.shape[1] > 1), st.data())
@settings(deadline=None)
def test_a_batch_is_its_examples_without_needless_padding(lengths, data):
    source_length, target_length = lengths
    rows = [np.arange(1, steps + 1) for steps in source_length]
    targets = [np.arange(101, steps + 101) for steps in target_length]

    def pad(arrays):
        width = max(map(len, arrays))
        return np.array([np.pad(array, (0, width - len(array))) for array in arrays], np.int32)

    split = Split(source=Sequences.from_arrays(rows), target=Sequences.from_arrays(targets))
    indices = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=9).map(np.array))
    batch = take_batch(split, indices)
    assert batch.source.tolist() == pad([rows[index] for index in indices]).tolist()
    assert batch.target.tolist() == pad([targets[index] for index in indices]).tolist()
    assert batch.source_length.tolist() == source_length[indices].tolist()
    assert batch.target_length.tolist() == target_length[indices].tolist()


def test_an_autoencoder_batch_copies_its_values_once():
    values = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
    lengths = np.array([4, 2, 3, 1, 2], np.int32)
    split = autoencoder_split(Sequences.from_padded(values, lengths))
    batch = take_batch(split, np.array([1, 2]))
    np.testing.assert_array_equal(batch.source[0], [*values[1, :2], [0, 0, 0]])
    np.testing.assert_array_equal(batch.source[1], values[2, :3])
    assert batch.target is batch.source
    batch.source[:] = 0
    assert split.source.values.any()
