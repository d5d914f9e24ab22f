"""A file read for a trained model gives, bit for bit, the examples that it gives as the test split of a dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lengthwise.config.compose import compose_options
from lengthwise.config.options import RunOptions
from lengthwise.data.dataset import Dataset, Split
from lengthwise.data.datasets.new_files import TrainedData, choose_file, read_split, read_texts
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.errors import ConfigError, DataError

ROWS = np.random.default_rng(0).normal(size=(60, 3)).round(3)


def write_rows(file: Path, rows: np.ndarray, header: str = "a,b,c") -> Path:
    np.savetxt(file, rows, "%.3f", ",", header=header, comments="")
    return file


def load(*overrides: str) -> tuple[RunOptions, Dataset, TrainedData]:
    options = compose_options(overrides)
    dataset = load_dataset(options.dataset, options.timesteps)
    data = TrainedData(spec=dataset.spec, source_codec=dataset.source_codec, target_codec=dataset.target_codec)
    return options, dataset, data


def assert_equal(found: Split, wanted: Split) -> None:
    for one, other in ((found.source, wanted.source), (found.target, wanted.target)):
        np.testing.assert_array_equal(one.length, other.length)
        np.testing.assert_array_equal(one.pad(), other.pad())
        assert one.pad().dtype == other.pad().dtype
    assert (found.references is None) == (wanted.references is None)
    if found.references is not None and wanted.references is not None:
        np.testing.assert_array_equal(found.references.target.pad(), wanted.references.target.pad())


@pytest.mark.parametrize("overrides", [[], ["dataset.stride=2"], ["dataset.columns=[c,a]"]])
def test_windows_of_a_series(overrides: list[str], tmp_path: Path) -> None:
    path = write_rows(tmp_path / "all.csv", ROWS)
    options, dataset, data = load("dataset=series", f"dataset.path={path}", "timesteps=4", *overrides)
    assert dataset.origin is not None
    first = int(dataset.origin.rows["test"][0])
    new = write_rows(tmp_path / "new.csv", ROWS[first:])
    chosen = choose_file(options, data, [f"dataset.path={new}"])
    assert_equal(read_split(chosen.dataset, data, "new").split, dataset.splits["test"])


@pytest.mark.parametrize("overrides", [[], ["dataset.known_columns=[b]"], ["dataset.target_columns=[c]"]])
def test_forecasts(overrides: list[str], tmp_path: Path) -> None:
    path = write_rows(tmp_path / "all.csv", ROWS)
    settings = ["dataset.history=5", "timesteps=3", *overrides]
    options, dataset, data = load("dataset=forecast", f"dataset.path={path}", *settings)
    assert dataset.origin is not None
    first = int(dataset.origin.rows["test"][0]) - 5
    new = write_rows(tmp_path / "new.csv", ROWS[first:])
    chosen = choose_file(options, data, [f"dataset.path={new}"])
    assert_equal(read_split(chosen.dataset, data, "new").split, dataset.splits["test"])


def test_sequences(tmp_path: Path) -> None:
    sequences = {f"s{n}": ROWS[n : n + 2 + n % 5] for n in range(12)}
    np.savez(tmp_path / "all.npz", **sequences)
    options, dataset, data = load("dataset=sequences", f"dataset.path={tmp_path}/all.npz")
    assert dataset.origin is not None
    np.savez(tmp_path / "new.npz", **{name: sequences[name] for name in dataset.origin.ids["test"]})
    chosen = choose_file(options, data, [f"dataset.path={tmp_path}/new.npz"])
    assert_equal(read_split(chosen.dataset, data, "new").split, dataset.splits["test"])
    np.savez(tmp_path / "long.npz", s=ROWS, t=ROWS[:2])
    new = read_split(choose_file(options, data, [f"dataset.path={tmp_path}/long.npz"]).dataset, data, "long")
    assert len(new.split) == 1
    assert [(each.reason, each.count) for each in new.skipped] == [
        (f"long: left out, target longer than timesteps={dataset.spec.timesteps}", 1)
    ]


def test_a_column_of_splits_is_a_feature_of_no_other_file(tmp_path: Path) -> None:
    splits = ["train"] * 8 + ["val"] * 2 + ["test"] * 2
    columns = ["dataset.id_column=id", "dataset.split_column=split"]

    def write(name: str, first: int, *, with_splits: bool = True) -> list[str]:
        for option, power in (("path", 1), ("target_path", 2)):
            lines = ["id,split,x"] + [
                f"{n},{splits[n]},{(n + row) ** power}" for n in range(first, 12) for row in range(3)
            ]
            kept = lines if with_splits else [",".join(line.split(",")[::2]) for line in lines]
            (tmp_path / f"{name}_{option}.csv").write_text("\n".join(kept), encoding="utf-8")
        return [f"dataset.{option}={tmp_path}/{name}_{option}.csv" for option in ("path", "target_path")]

    options, dataset, data = load("dataset=sequences", *write("all", 0), *columns)
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 8, "val": 2, "test": 2}
    assert (dataset.spec.source_size, dataset.spec.target_size) == (1, 1)
    for files in (write("new", 10), write("plain", 10, with_splits=False)):
        assert_equal(read_split(choose_file(options, data, files).dataset, data, "new").split, dataset.splits["test"])


def test_images_are_read_as_sequences(tmp_path: Path) -> None:
    options, dataset, data = load("dataset=digits")
    images = np.asarray(dataset.source_codec.decode(dataset.splits["test"].source.pad()))  # type: ignore[arg-type]
    np.save(tmp_path / "new.npy", images)
    chosen = choose_file(options, data, [f"dataset.path={tmp_path}/new.npy"])
    assert_equal(read_split(chosen.dataset, data, "new").split, dataset.splits["test"])


@pytest.mark.parametrize("unit", ["characters", "words"])
def test_pairs_with_references(unit: str, tmp_path: Path) -> None:
    (tmp_path / "all.tsv").write_text("".join(f"{n % 3} b\t{n} {n}\n" for n in range(20)), encoding="utf-8")
    (tmp_path / "test.tsv").write_text("1 b\t1 2\n1 b\t3\n0 x\t4 y\n", encoding="utf-8")
    units = [f"dataset.source_unit={unit}", f"dataset.target_unit={unit}"]
    paths = [f"dataset.path={tmp_path}/all.tsv", f"dataset.test_path={tmp_path}/test.tsv"]
    options, dataset, data = load("dataset=pairs", *paths, *units)
    new = read_split(choose_file(options, data, [f"dataset.path={tmp_path}/test.tsv"]).dataset, data, "test")
    assert_equal(new.split, dataset.splits["test"])
    assert {each for each in dataset.skipped if each.reason.startswith("test: kept, target")} <= set(new.skipped)


def test_a_run_on_generated_text_reads_pairs_in_its_own_units(tmp_path: Path) -> None:
    options, _, data = load("dataset=scan")
    (tmp_path / "new.txt").write_text("IN: walk twice OUT: I_WALK I_WALK\n", encoding="utf-8")
    split = read_split(choose_file(options, data, [f"dataset.path={tmp_path}/new.txt"]).dataset, data, "new").split
    assert split.source.length.tolist() == split.target.length.tolist() == [2]


def test_sources_with_tags_are_read_without_targets(tmp_path: Path) -> None:
    (tmp_path / "all.tsv").write_text("".join(f"go{n}\tgone{n}\tV;PST\n" for n in range(20)), encoding="utf-8")
    options, _, data = load("dataset=pairs", f"dataset.path={tmp_path}/all.tsv", "dataset.tags_column=3")
    covered = tmp_path / "covered.tsv"
    covered.write_text("go7\tV;PST\n\nox\tN\n", encoding="utf-8")
    chosen = choose_file(options, data, ["dataset.tags_column=2"], path=str(covered))
    assert read_texts(chosen.dataset, data) == ["go7[V][PST]", "ox[N]"]
    with pytest.raises(DataError, match=r"covered.tsv, line 1: has 2 columns, and column 3 is to be read"):
        read_texts(choose_file(options, data, [], path=str(covered)).dataset, data)
    covered.write_text("go7\tV;PST\n \tN\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"covered.tsv, line 2: has a blank source"):
        read_texts(chosen.dataset, data)


def test_a_file_of_another_form_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "all.csv", ROWS)
    options, _, data = load("dataset=series", f"dataset.path={path}", "timesteps=4")
    for rows, header, message in (
        (ROWS[:, :2], "a,b", r"has 2 features a step, and the model reads 3 columns of numbers: a, b, c\. Choose"),
        (ROWS, "a,c,b", r"has the columns a, c, b, and the model reads 3 columns of numbers: a, b, c\. Choose"),
        (ROWS[:3], "a,b,c", r"has 3 rows, and the model reads windows of 4\. Name a longer file"),
    ):
        new = write_rows(tmp_path / "new.csv", rows, header)
        with pytest.raises(DataError, match=message):
            read_split(choose_file(options, data, [f"dataset.path={new}"]).dataset, data, "new")
    for option in ("dataset.scaling=standard", "dataset.test_fraction=0.2", "dataset=pairs"):
        with pytest.raises(ConfigError, match="cannot be changed here: the model was trained with the run's own"):
            choose_file(options, data, [option])
