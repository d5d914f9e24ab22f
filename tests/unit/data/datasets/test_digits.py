from __future__ import annotations

import numpy as np
import pytest
from sklearn import datasets

from lengthwise.config.options import DigitsOptions
from lengthwise.data.datasets.digits import load_digits
from lengthwise.errors import ConfigError


def _options(validation=0.1, test=0.1, seed=0):
    return DigitsOptions(name="digits", validation_fraction=validation, test_fraction=test, seed=seed)


def test_every_image_is_in_one_split_with_its_label():
    dataset = load_digits(_options(), "auto")
    raw = datasets.load_digits()
    found = [
        (label, np.rint(dataset.target_codec.decode(image)).astype(int).tobytes())
        for split in dataset.splits.values()
        for image, label in zip(split.source.pad(), split.labels, strict=True)
    ]
    expected = [(label, image.astype(int).tobytes()) for image, label in zip(raw.images, raw.target, strict=True)]
    assert sorted(found) == sorted(expected)


def test_shapes_and_specification():
    dataset = load_digits(_options(), 8)
    for split in dataset.splits.values():
        assert split.source.pad().shape[1:] == (8, 8)
        assert split.source.values.dtype == np.float32
        assert split.target is split.source
        assert split.target.length.tolist() == [8] * len(split)
    spec = dataset.spec
    assert (spec.kind, spec.source_size, spec.target_size, spec.timesteps) == ("features", 8, 8, 8)


def test_scaling_rests_on_training_alone():
    dataset = load_digits(_options(), "auto")
    train = dataset.splits["train"].source.pad()
    np.testing.assert_allclose(train.min(axis=(0, 1)), 0)
    np.testing.assert_allclose(train.max(axis=(0, 1)), 1)
    pixels = dataset.source_codec.decode(train)
    assert dataset.source_codec.shift == tuple(np.rint(pixels).min(axis=(0, 1)))


def test_classes_have_the_same_share_in_every_split():
    dataset = load_digits(_options(test=0.2), "auto")
    counts = np.bincount(datasets.load_digits().target)
    np.testing.assert_array_equal(np.bincount(dataset.splits["val"].labels), np.round(counts * 0.1))
    np.testing.assert_array_equal(np.bincount(dataset.splits["test"].labels), np.round(counts * 0.2))


def test_the_seed_decides_the_split():
    first, again, other = (load_digits(_options(seed=seed), "auto") for seed in (0, 0, 1))
    assert first.content_hash == again.content_hash
    assert first.content_hash != other.content_hash


def test_the_front_of_training_holds_many_classes():
    assert len(set(load_digits(_options(), "auto").splits["train"].labels[:40].tolist())) == 10


def test_shares_that_leave_no_training_are_refused():
    with pytest.raises(ConfigError, match=r"must with dataset\.validation_fraction leave training images"):
        load_digits(_options(validation=0.5, test=0.5), "auto")
