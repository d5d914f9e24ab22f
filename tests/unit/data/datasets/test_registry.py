from __future__ import annotations

import subprocess
import sys
from typing import get_args, get_type_hints

import numpy as np
import pytest

from lengthwise.config import options
from lengthwise.data.datasets.registry import DATASETS, load_dataset


def _make_options(tmp_path):
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("".join(f"{index} b\tc {index}\n" for index in range(30)), encoding="utf-8")
    dictionary = tmp_path / "words.dict"
    dictionary.write_text("".join(f"w{index} A B{index % 3}\n" for index in range(40)), encoding="utf-8")
    series = tmp_path / "series.npy"
    np.save(series, np.arange(60.0))
    shares = {"validation_fraction": 0.1, "test_fraction": 0.1}
    numbers = {"num_train": 30, "num_validation": 5, "num_test": 5, "seed": 0}
    lengths = {"num_symbols": 4, "min_length": 1, "max_length": 4, "longer_length": 6}
    return [
        options.DigitsOptions(name="digits", seed=0, **shares),
        options.G2pOptions(name="g2p", path=str(dictionary)),
        options.ScanOptions(
            name="scan", split="simple", length_cut=None, train_fraction=None, validation_fraction=0.1, seed=0
        ),
        options.SymbolTaskOptions(name="copy", **lengths, **numbers),
        options.SymbolTaskOptions(name="reverse", **lengths, **numbers),
        options.AdditionOptions(name="addition", num_digits=2, longer_digits=3, **numbers),
        options.PairsOptions(name="pairs", path=str(pairs), unit="words", max_examples=None, seed=0, **shares),
        options.SeriesOptions(name="series", path=str(series), stride=1, scaling="standard", **shares),
    ]


def test_every_dataset_loads_and_keeps_the_contract(tmp_path):
    cases = _make_options(tmp_path)
    assert [case.name for case in cases] == list(DATASETS)
    for case in cases:
        dataset = load_dataset(case, 5 if case.name == "series" else "auto")
        assert dataset.name == case.name
        assert list(dataset.splits)[:3] == ["train", "val", "test"]
        assert ("longer" in dataset.splits) == (case.name in ("copy", "reverse", "addition"))
        for split in dataset.splits.values():
            _check_split(split, dataset.spec)
        again = load_dataset(case, 5 if case.name == "series" else "auto")
        assert again.content_hash == dataset.content_hash


def _check_split(split, spec):
    assert len(split) > 0
    dtype = np.int32 if spec.kind == "tokens" else np.float32
    for values, lengths, most, size in (
        (split.source, split.source_length, spec.source_timesteps, spec.source_size),
        (split.target, split.target_length, spec.timesteps, spec.target_size),
    ):
        assert values.dtype == dtype
        assert lengths.dtype == np.int32
        assert lengths.min() >= 1
        assert lengths.max() == values.shape[1] <= most
        is_real = np.arange(values.shape[1]) < lengths[:, None]
        if spec.kind == "tokens":
            assert ((values >= 3) == is_real).all()
            assert ((values == 0) == ~is_real).all()
            assert values.max() < size
        else:
            assert values.shape[2] == size
            assert np.isfinite(values).all()


def test_the_table_names_every_kind_of_options():
    kinds = get_args(options.DatasetOptions)
    assert {name for kind in kinds for name in get_args(get_type_hints(kind)["name"])} == set(DATASETS)


@pytest.mark.slow
def test_the_package_imports_neither_tensorflow_nor_sklearn():
    code = (
        "import lengthwise.data.datasets.registry, sys;"
        "print([name for name in ('tensorflow', 'keras', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
