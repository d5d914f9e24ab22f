from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lengthwise.config.compose import compose_options
from lengthwise.config.options import RunOptions
from lengthwise.config.paths import conf_dir
from lengthwise.config.reflection import read_fields
from lengthwise.data.datasets.registry import load_dataset

NAMES = sorted(file.stem for file in (conf_dir() / "dataset").glob("*.yaml"))
FEW = {"num_train": 30, "num_validation": 5, "num_test": 5}
SMALL = {
    "addition": {"num_digits": 2, "longer_digits": 3, **FEW},
    "copy": {"num_symbols": 4, "max_length": 4, "longer_length": 6, **FEW},
    "ambiguous": {"num_symbols": 4, "min_length": 3, "max_length": 4, "longer_length": 6, **FEW},
    "reverse": {"num_symbols": 4, "max_length": 4, "longer_length": 6, **FEW},
    "pairs": {"source_unit": "words", "target_unit": "words"},
    "sequences": {"scaling": "standard"},
    "forecast": {"history": 4, "period": 2},
    "series": {"scaling": "standard"},
}
"""Changes that make a dataset small; others are loaded as their file in conf/dataset/ has them."""


def _compose(name, tmp_path):
    """Return the options of a dataset, its own file made where it reads one, and the timesteps it needs."""
    if name == "pairs":
        (tmp_path / "pairs").write_text("".join(f"{index} b\tc {index}\n" for index in range(30)), encoding="utf-8")
    elif name == "g2p":
        (tmp_path / "g2p").write_text(
            "".join(f"w{index} A {'BCD'[index % 3]}\n" for index in range(40)), encoding="utf-8"
        )
    elif name == "sequences":
        np.savez(tmp_path / "sequences.npz", *(np.arange(1.0 + length % 7) for length in range(20)))
    elif name in ("forecast", "series"):
        np.save(tmp_path / "series.npy", np.arange(60.0))
    overrides = [f"dataset.{option}={value}" for option, value in SMALL.get(name, {}).items()]
    overrides += [f"dataset.path={file}" for file in tmp_path.iterdir()]
    timesteps = 5 if name in ("forecast", "series") else "auto"
    return compose_options([f"dataset={name}", *overrides, f"timesteps={timesteps}"]).dataset, timesteps


@pytest.mark.parametrize("name", NAMES)
def test_a_dataset_loads_and_keeps_the_contract(name, tmp_path):
    options, timesteps = _compose(name, tmp_path)
    dataset = load_dataset(options, timesteps)
    assert dataset.name == name
    assert list(dataset.splits)[:3] == ["train", "val", "test"]
    assert set(dataset.splits) <= {"train", "val", "test", "longer"}
    if name in SMALL:
        assert ("longer" in dataset.splits) == (name in ("copy", "reverse", "ambiguous", "addition"))
    for split in dataset.splits.values():
        _check_split(split, dataset.spec)
    assert load_dataset(options, timesteps).content_hash == dataset.content_hash


def _check_split(split, spec):
    assert len(split) > 0
    dtype = np.int32 if spec.kind == "tokens" else np.float32
    for sequences, most, size in (
        (split.source, spec.source_timesteps, spec.source_size),
        (split.target, spec.timesteps, spec.target_size),
    ):
        values, lengths = sequences.pad(), sequences.length
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


def test_every_options_class_has_a_file_and_a_loader():
    (section,) = (field for field in read_fields(RunOptions) if field.name == "dataset")
    names = set()
    for kind in section.sections:
        loader = load_dataset.dispatch(kind)
        assert loader is not load_dataset.dispatch(object), f"data/datasets/ has no loader for {kind.__name__}"
        (name,) = (field for field in read_fields(kind) if field.name == "name")
        names.update(name.words)
    assert names == set(NAMES), "conf/dataset/ holds one file for each dataset of config/options.py"


def test_the_readme_lists_every_dataset():
    text = (Path(__file__).parents[4] / "README.md").read_text(encoding="utf-8")
    section = text[text.index("\n## Data\n") : text.index("\n## Using a trained model")]
    first_columns = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    listed = {name for column in first_columns for name in re.findall(r"`(\w+)`", column)}
    assert listed >= set(NAMES), f"README.md, table of data, does not list {sorted(set(NAMES) - listed)}"


def test_options_without_a_loader_are_a_mistake_of_the_code():
    with pytest.raises(TypeError, match="no module in data/datasets/ registers a loader for object"):
        load_dataset(object(), "auto")


@pytest.mark.slow
def test_the_package_imports_neither_tensorflow_nor_sklearn():
    code = (
        "import lengthwise.data.datasets.registry, sys;"
        "print([name for name in ('tensorflow', 'keras', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
