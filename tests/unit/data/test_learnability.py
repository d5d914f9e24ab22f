"""Data that cannot be learnt are refused before training, doubtful ones reported, ordinary ones left in peace."""

from __future__ import annotations

import numpy as np
import pytest

from lengthwise.config.compose import compose_options
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.errors import DataError


def _load_pairs(tmp_path, pairs, *overrides):
    file = tmp_path / "pairs.tsv"
    file.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    options = compose_options(["dataset=pairs", f"dataset.path={file}", *overrides])
    return load_dataset(options.dataset, options.timesteps)


def _load_series(tmp_path, rows):
    file = tmp_path / "series.csv"
    file.write_text("\n".join(",".join(map(str, row)) for row in rows), encoding="utf-8")
    options = compose_options(["dataset=series", f"dataset.path={file}", "timesteps=4"])
    return load_dataset(options.dataset, options.timesteps)


def _spell(count):
    """Return pairs of a word of four letters and its reverse, all different."""
    words = ["".join("abcd"[number // 4**place % 4] for place in range(4)) for number in range(count)]
    return [(word, word[::-1]) for word in words]


def test_ordinary_data_give_no_warning(tmp_path):
    assert _load_pairs(tmp_path, _spell(200)).warnings == ()
    for name in ("copy", "reverse", "addition", "scan"):
        options = compose_options([f"dataset={name}"])
        assert load_dataset(options.dataset, options.timesteps).warnings == ()


def test_targets_that_training_does_not_know_are_refused(tmp_path):
    pairs = [(f"text {index % 7} {index}", f"label{index}") for index in range(1_500)]
    message = r"^dataset=pairs: 100% of the target symbols of val \(150 of 150\) .*dataset\.target_unit=characters"
    with pytest.raises(DataError, match=message):
        _load_pairs(tmp_path, pairs, "dataset.source_unit=words", "dataset.target_unit=words")


def test_sources_that_training_does_not_know_are_refused(tmp_path):
    pairs = [(f"word{index}", "yes" if index % 2 else "no") for index in range(400)]
    with pytest.raises(DataError, match=r"100% of the source symbols of val \(40 of 40\) do not occur in training"):
        _load_pairs(tmp_path, pairs, "dataset.source_unit=words", "dataset.target_unit=words")


def test_some_unknown_symbols_are_reported(tmp_path):
    pairs = [(f"same old words and {index}", f"much the same {index}") for index in range(400)]
    warnings = _load_pairs(tmp_path, pairs, "dataset.source_unit=words", "dataset.target_unit=words").warnings
    assert [each.split(" do not occur")[0] for each in warnings] == [
        f"{share}% of the {side} symbols of {split} (40 of {40 * length})"
        for side, length, share in (("source", 5, 20), ("target", 4, 25))
        for split in ("val", "test")
    ]


def test_one_target_by_far_too_long_is_refused_before_memory_is_taken(tmp_path):
    pairs = [*_spell(200), ("abcde", "e" * 200_000)]
    message = (
        r"^dataset=pairs: 1 of 201 targets is far longer than the others: the longest has 200,000 steps \(it begins "
        r"with 'e{20}'\), while 95 % have at most 4\. Set timesteps=4 to leave such examples out"
    )
    with pytest.raises(DataError, match=message):
        _load_pairs(tmp_path, pairs)
    dataset = _load_pairs(tmp_path, pairs, "timesteps=4")
    assert dataset.spec.timesteps == 4
    assert dataset.warnings == ()


def test_one_source_by_far_too_long_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"1 of 201 sources is far longer .*200,000 steps.*Shorten it"):
        _load_pairs(tmp_path, [*_spell(200), ("e" * 200_000, "abcd")], "timesteps=4")


def test_a_long_target_is_reported_where_it_costs_less(tmp_path):
    (warning,) = _load_pairs(tmp_path, [*_spell(200), ("abcd" * 2, "abcd" * 30)]).warnings
    assert warning.startswith("1 of 201 targets is far longer than the others: the longest has 120 steps")
    assert warning.endswith("Set timesteps=4 to leave such examples out, or shorten them.")


@pytest.mark.parametrize("longest", [5, 40, 100])
def test_lengths_of_a_hundred_steps_are_never_outliers(tmp_path, longest):
    assert _load_pairs(tmp_path, [*_spell(200), ("abcd" * 2, ("abcd" * 25)[:longest])]).warnings == ()


def test_equal_targets_are_refused(tmp_path):
    pairs = [(source, "yes") for source, _ in _spell(200)]
    message = r"^dataset=pairs: all 160 training targets are equal \('yes'\), so there is nothing to learn\."
    with pytest.raises(DataError, match=message):
        _load_pairs(tmp_path, pairs)
    other = [*pairs[:100], *((source, "yet") for source, _ in pairs[100:])]
    assert _load_pairs(tmp_path, other).warnings == ()


def test_a_constant_column_is_named_and_a_constant_table_refused(tmp_path):
    steps = np.arange(60)
    rows = [("time", "flat", "level"), *((step, 7.5, 3) for step in steps)]
    (warning,) = _load_series(tmp_path, rows).warnings
    assert warning.startswith("columns flat, level are constant over the training rows")
    (warning,) = _load_series(tmp_path, [(step, 7.5) for step in steps]).warnings
    assert warning.startswith("column 2 is constant")
    with pytest.raises(DataError, match=r"series\.csv: no column changes over the training rows"):
        _load_series(tmp_path, [(7.5, 3) for _ in steps])
    assert _load_series(tmp_path, [(step, step % 5) for step in steps]).warnings == ()


def test_a_column_that_changes_only_after_training_is_constant(tmp_path):
    (warning,) = _load_series(tmp_path, [(step, int(step > 58)) for step in range(60)]).warnings
    assert warning.startswith("column 2 is constant over the training rows")
