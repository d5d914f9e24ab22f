from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest

from helpers.small_data import list_accepted
from lengthwise.data import assembly
from lengthwise.data.assembly import (
    TextExamples,
    assemble_features,
    assemble_texts,
    autoencoder_split,
    build_codecs,
    hash_content,
)
from lengthwise.data.dataset import References, Split
from lengthwise.data.scaler import Scaler
from lengthwise.data.sequences import Sequences
from lengthwise.data.vocabulary import Vocabulary
from lengthwise.errors import ConfigError

SPLITS = {
    "train": TextExamples(sources=["ab", "a"], targets=["x y", "y"], references=[["x y", "z"], ["y"]]),
    "val": TextExamples(sources=["b"], targets=["x"]),
    "test": TextExamples(sources=["abc", "ba"], targets=["x x x", "q"]),
    "longer": TextExamples(sources=["abab"], targets=["x y x y"]),
}


def _assemble(splits=SPLITS, timesteps="auto"):
    codecs = build_codecs(splits["train"], "characters", "words")
    return assemble_texts("made", splits, codecs=codecs, timesteps=timesteps)


def test_arrays_lengths_and_specification():
    dataset = _assemble()
    assert dataset.source_codec.symbols == ("a", "b")
    assert dataset.target_codec.symbols == ("x", "y", "z")
    assert dataset.spec.kind == "tokens"
    assert (dataset.spec.source_size, dataset.spec.target_size) == (6, 7)
    assert (dataset.spec.source_timesteps, dataset.spec.timesteps) == (4, 4)
    train = dataset.splits["train"]
    assert train.source.pad().tolist() == [[4, 5], [4, 0]]
    assert train.source.length.tolist() == [2, 1]
    assert train.target.pad().tolist() == [[4, 5], [5, 0]]
    assert train.target.length.tolist() == [2, 1]
    for sequences in (train.source, train.target):
        assert (sequences.values.dtype, sequences.pad().dtype, sequences.length.dtype) == (np.uint8, np.int32, np.int32)
    assert list_accepted(train) == [[[4, 5], [6]], [[5]]]
    assert dataset.splits["test"].references is None


def test_symbols_that_train_lacks_are_unknown_and_counted():
    dataset = _assemble()
    assert dataset.splits["test"].source.pad().tolist() == [[4, 5, 3], [5, 4, 0]]
    assert dataset.splits["test"].target.pad().tolist() == [[4, 4, 4], [3, 0, 0]]
    assert {
        (notice.reason.split(",")[0], notice.reason.split(",")[1][:7], notice.count) for notice in dataset.skipped
    } == {
        ("test: kept", " source", 1),
        ("test: kept", " target", 1),
    }


def test_longer_targets_are_left_out_and_counted():
    dataset = _assemble(timesteps=2)
    assert dataset.spec.timesteps == 2
    assert "longer" not in dataset.splits
    assert dataset.splits["test"].source.pad().tolist() == [[5, 4]]
    assert dataset.spec.source_timesteps == 2
    counts = {notice.reason: notice.count for notice in dataset.skipped}
    assert counts["test: left out, target longer than timesteps=2"] == 1
    assert counts["longer: left out, target longer than timesteps=2"] == 1
    assert sum(len(split) for split in dataset.splits.values()) + 2 == 6


def test_references_follow_their_examples_when_some_are_left_out():
    dataset = _assemble(timesteps=1, splits={**SPLITS, "test": TextExamples(sources=["a"], targets=["x"])})
    assert list_accepted(dataset.splits["train"]) == [[[5]]]


def test_the_vocabulary_does_not_depend_on_timesteps():
    splits = {**SPLITS, "test": TextExamples(sources=["a"], targets=["x"])}
    assert _assemble(splits, timesteps=1).target_codec == _assemble(splits).target_codec


def test_timesteps_beyond_the_longest_target_are_kept_as_given():
    assert _assemble(timesteps=9).spec.timesteps == 9
    assert _assemble(timesteps=9).content_hash == _assemble().content_hash


def test_timesteps_that_empty_a_split_are_refused():
    splits = {**SPLITS, "val": TextExamples(sources=["b"], targets=["x x x x"])}
    with pytest.raises(
        ConfigError, match=r"^timesteps must leave examples in the split val.*4 steps; got 3\..*at least 4"
    ):
        _assemble(splits, timesteps=3)


def _replace_train(**changes):
    return {**SPLITS, "train": dataclasses.replace(SPLITS["train"], **changes)}


def test_equal_data_has_an_equal_hash():
    assert _assemble().content_hash == _assemble(dict(reversed(SPLITS.items()))).content_hash
    assert len(_assemble().content_hash) == 64


@pytest.mark.parametrize(
    "splits",
    [
        _replace_train(sources=["aa", "a"]),
        _replace_train(targets=["y y", "y"], references=[["y y", "z"], ["y"]]),
        _replace_train(references=[["x y", "y"], ["y"]]),
        _replace_train(references=None),
        _replace_train(sources=["a", "ab"], targets=["y", "x y"], references=[["y"], ["x y", "z"]]),
        {name: split for name, split in SPLITS.items() if name != "longer"},
        {**SPLITS, "val": TextExamples(sources=["b", "b"], targets=["x", "x"])},
        {**SPLITS, "val": SPLITS["longer"], "longer": SPLITS["val"]},
    ],
)
def test_other_data_has_another_hash(splits):
    assert _assemble(splits).content_hash != _assemble().content_hash


def test_the_same_ids_of_other_symbols_have_another_hash():
    splits = _assemble().splits
    first, second = (Vocabulary(tuple(symbols), "characters") for symbols in ("ab", "cd"))
    assert hash_content(splits, (first, first)) != hash_content(splits, (second, second))


def test_the_hash_is_that_of_padded_arrays(monkeypatch):
    monkeypatch.setattr(assembly, "HASHED_STEPS", 5)  # two rows at a time, and one for the rest
    codec = Vocabulary(tuple("abc"), "characters")
    target = Sequences.from_lists([[4], [5], [6]])
    further = References(example=np.array([1, 1]), target=Sequences.from_lists([[6, 4], [5, 5]]))
    split = Split(source=Sequences.from_lists([[4, 5], [6], [4]]), target=target, references=further)
    digest = hashlib.sha256(2 * codec.to_json().encode())
    for values in (
        [[4, 5], [6, 0], [4, 0]],
        [2, 1, 1],
        [[4], [5], [6]],
        [1, 1, 1],
        [1, 3, 1],
        [1, 1, 2, 2, 1],
        [4, 5, 6, 4, 5, 5, 6],
    ):
        array = np.array(values, "<i4")
        digest.update(f"train <i4 {array.shape}".encode() + array.tobytes())
    assert hash_content({"train": split}, (codec, codec)) == digest.hexdigest()


def test_features_are_hashed_by_value_whatever_their_memory():
    codec = Scaler((0.0,), (1.0,))

    def assemble(source, labels=None):
        split = autoencoder_split(source, labels)
        splits = {"train": split, "val": split, "test": split}
        return assemble_features("made", splits, codecs=(codec, codec), timesteps=3)

    rows = np.arange(10_003, dtype=np.float32)[:, None]
    length = np.full(10_001, 3, np.int32)
    windows = Sequences(rows, np.arange(10_001), length)
    dataset = assemble(windows)
    assert dataset.content_hash == assemble(Sequences.join(windows.flatten(), length)).content_hash
    changed = windows.flatten()
    changed[9_999 * 3 + 2] += 1
    assert dataset.content_hash != assemble(Sequences.join(changed, length)).content_hash
    assert dataset.content_hash != assemble(windows, np.zeros(10_001, np.int64)).content_hash
    assert dataset.spec.kind == "features"
    assert (dataset.spec.source_size, dataset.spec.source_timesteps, dataset.spec.timesteps) == (1, 3, 3)
