from __future__ import annotations

import io
import re
import zipfile

import numpy as np
import pytest

from lengthwise.config.compose import compose_options
from lengthwise.data import text_file
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.errors import ConfigError, DataError

LENGTHS = [3, 1, 4, 2, 5, 2, 3, 4, 1, 6]
STEPS = [np.arange(2.0 * length).reshape(length, 2) * (1 + index) for index, length in enumerate(LENGTHS)]


def load(path, *overrides, timesteps="auto"):
    options = compose_options(["dataset=sequences", f"dataset.path={path}", f"timesteps={timesteps}", *overrides])
    return load_dataset(options.dataset, options.timesteps)


def write_npz(tmp_path, steps=STEPS, name="numbers.npz"):
    np.savez(tmp_path / name, **{f"s{index}": values for index, values in enumerate(steps)})
    return tmp_path / name


def write_csv(tmp_path, lines, name="numbers.csv"):
    (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / name


def list_lines(header="id,time,a,b", times=None):
    rows = []
    for index, values in enumerate(STEPS):
        for step, (a, b) in enumerate(values):
            rows.append(f"s{index},{step if times is None else times[step]},{a},{b}")
    return [header, *rows]


def collect(dataset):
    """Return id -> the sequence in the data's unit, of all splits."""
    found = {}
    for name, split in dataset.splits.items():
        for index, own in enumerate(dataset.origin.ids[name]):
            found[str(own)] = dataset.target_codec.decode(split.target[index])
    return found


def test_all_forms_of_a_file_give_the_same_sequences(tmp_path):
    padded = np.full((10, 6, 2), np.nan)
    for index, values in enumerate(STEPS):
        padded[index, : len(values)] = values
    np.save(tmp_path / "padded.npy", padded)
    np.save(tmp_path / "lengths.npy", np.array(LENGTHS))
    days = [f"2024-01-{day:02d}" for day in range(1, 7)]
    as_arrays = load(write_npz(tmp_path))
    as_padded = load(tmp_path / "padded.npy", f"dataset.lengths_path={tmp_path / 'lengths.npy'}")
    as_rows = load(write_csv(tmp_path, list_lines()), "dataset.id_column=id", "dataset.time_column=time")
    with_dates = load(write_csv(tmp_path, list_lines(times=days), "dated.csv"), "dataset.id_column=1")
    assert len({data.content_hash for data in (as_arrays, as_padded, as_rows, with_dates)}) == 1
    assert sorted(collect(as_padded)) == sorted(str(number) for number in range(1, 11))
    for data in (as_arrays, as_rows, with_dates):
        for index, values in enumerate(STEPS):
            np.testing.assert_allclose(collect(data)[f"s{index}"], values, atol=1e-5)
    assert as_rows.target_codec.names == ("a", "b")
    first = with_dates.origin.rows["test"][0]
    assert with_dates.origin.dates[first] == np.datetime64("2024-01-01")
    assert first == sum(LENGTHS[: int(with_dates.origin.ids["test"][0][1:])])


def test_a_scaler_knows_only_the_training_steps(tmp_path):
    data = load(write_npz(tmp_path), "dataset.scaling=standard")
    own = np.concatenate([STEPS[int(name[1:])] for name in data.origin.ids["train"]])
    np.testing.assert_allclose(data.source_codec.shift, own.mean(axis=0))
    np.testing.assert_allclose(data.source_codec.scale, own.std(axis=0))
    assert [len(split) for split in data.splits.values()] == [8, 1, 1]
    assert data.splits["train"].target is data.splits["train"].source


def test_a_second_file_gives_the_targets_by_id(tmp_path):
    targets = {f"s{index}": np.full(1 + index % 3, float(index)) for index in reversed(range(10))}
    np.savez(tmp_path / "targets.npz", **targets)
    data = load(write_npz(tmp_path), f"dataset.target_path={tmp_path / 'targets.npz'}")
    assert (data.spec.source_size, data.spec.target_size) == (2, 1)
    assert (data.spec.source_timesteps, data.spec.timesteps) == (6, 3)
    for name, values in collect(data).items():
        np.testing.assert_allclose(values[:, 0], targets[name], atol=1e-5)


def test_long_targets_are_left_out_and_counted(tmp_path):
    data = load(write_npz(tmp_path), "dataset.test_fraction=0.3", "dataset.validation_fraction=0.3", timesteps=4)
    assert sum(len(split) for split in data.splits.values()) == sum(length <= 4 for length in LENGTHS)
    assert sum(each.count for each in data.skipped) == sum(length > 4 for length in LENGTHS)
    with pytest.raises(ConfigError, match="timesteps must leave examples in the split"):
        load(write_npz(tmp_path, [np.arange(5.0)] * 10), timesteps=4)


def test_the_file_may_say_which_split_a_sequence_is_of(tmp_path):
    chosen = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    lines = ["id,split,a", *(f"s{n},{chosen[n]},{n}.{step}" for n in range(10) for step in range(LENGTHS[n]))]
    data = load(write_csv(tmp_path, lines), "dataset.id_column=id", "dataset.split_column=split")
    assert {name: ids.tolist() for name, ids in data.origin.ids.items()} == {
        "train": [f"s{n}" for n in range(6)],
        "val": ["s6", "s7"],
        "test": ["s8", "s9"],
    }


BAD_ROWS = [
    (["id,a"], [], r"holds a header and no rows\. Add rows"),
    (["id,a", "x,1", "y,2", "x,3"], [], r"line 4: the sequence 'x' goes on after rows of others\. Sort the file"),
    (["id,a", "x,1", "x,nan"], [], r"line 3: column 2: nan is not a finite number\. Fill in"),
    (["id,a", "x,1", "x,inf"], [], r"line 3: column 2: inf is not a finite"),
    (["id,a", "x,1", "x"], [], r"line 3: has 1 column, the rows before 2\. Give every row"),
    (["id,a", "x,1", ",2"], [], r"line 3: column 1 is empty\. Fill in"),
    (["id,a", "x,1", "x,2024-01-01"], [], r"line 3: column 2: '2024-01-01' is not a number\. Begin a column of dates"),
    (["id,t,a", "x,2024-01-02,1", "x,2024-01-01,1"], [], r"line 3: the time 2024-01-01\S* is not after 2024-01-02"),
    (["id,t,a", "x,2024-01-02,1", "x,soon,1"], [], r"line 3: column 2: 'soon' is not a date\. Write every date"),
    (["id,t,a", "x,2024-01-02,1", "x,2024-13-02,1"], [], r"line 3: column 2: '2024-13-02' is not a date"),
    (["id,t,a", "x,02/01/2024,1"], [], r"line 2: column 2: '02/01/2024' is not a number\. Write dates with the year"),
    (["id,t,u,a", "x,2024-01-02,2024-01-02,1"], [], r"line 2: columns 2 and 3 are both dates\. Keep one"),
    (["id,t,a", "x,3,1", "x,3,2"], ["dataset.time_column=t"], r"line 3: the time 3\.0 is not after 3\.0"),
    (["id,a", *(f"{n},{n}" for n in range(2))], [], r"has 2 sequences, too few for three splits\. Add sequences"),
    (["id,a", *(f"{n},5" for n in range(9))], [], r"no column changes over the training rows"),
    (["id,s,a", "x,train,1", "x,val,2"], ["dataset.split_column=s"], r"line 3: one sequence is in two splits, train"),
    (["id,s,a", "x,dev,1"], ["dataset.split_column=s"], r"line 2: the split 'dev' is none of train, val, test"),
    (["id,s,a", "x,train,1", "y,val,1"], ["dataset.split_column=s"], r"has no sequence of the split test"),
    (["id", "x", "y"], [], r"has no column of numbers\. Add one column"),
]


@pytest.mark.parametrize(("lines", "overrides", "message"), BAD_ROWS, ids=[case[2][:40] for case in BAD_ROWS])
def test_a_bad_table_gets_one_message_with_its_line(tmp_path, lines, overrides, message):
    with pytest.raises(DataError, match=rf"numbers\.csv\S*,? ?.*{message}"):
        load(write_csv(tmp_path, lines), "dataset.id_column=id", *overrides)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("dataset.id_column=idd", r"dataset\.id_column must name columns of .*numbers\.csv, which has 4 columns: id, "),
        ("dataset.id_column=idd", r"Did you mean id\?"),
        ("dataset.id_column=5", r"got '5'\. .*number from 1 to 4"),
        ("dataset.columns=[a,c]", r"dataset\.columns must name columns"),
        ("dataset.columns=[id]", r"already the dates, ids or labels"),
    ],
)
def test_a_missing_column_is_named_with_those_there_are(tmp_path, override, message):
    overrides = ["dataset.id_column=id", override]
    with pytest.raises(ConfigError, match=message):
        load(write_csv(tmp_path, list_lines()), *overrides[override.startswith("dataset.id") :])


def pack(**arrays):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in arrays.items():
            archive.writestr(f"{name}.npy", data)
    return content.getvalue()


def store(array):
    content = io.BytesIO()
    np.save(content, array, allow_pickle=True)
    return content.getvalue()


GOOD = store(np.zeros((2, 2)))
BAD_ARCHIVES = [
    (b"not an archive", r"cannot be read as \.npz: .*Store it with numpy\.savez"),
    (pack(a=GOOD)[:-30], r"cannot be read as \.npz"),
    (pack(), r"holds no array"),
    (pack(a=b"no array"), r"array a: cannot be read as \.npy"),
    (pack(a=GOOD, b=store(np.array([object()]))), r"array b: cannot be read as \.npy: .*allow_pickle"),
    (pack(a=GOOD, b=store(np.array(["x"]))), r"array b: holds <U1 of shape \(1,\)"),
    (pack(a=GOOD, b=store(np.array([1j]))), r"array b: holds complex128"),
    (pack(a=GOOD, b=store(np.zeros((2, 2, 2)))), r"array b: holds float64 of shape \(2, 2, 2\)"),
    (pack(a=GOOD, b=store(np.zeros((0, 2)))), r"array b: holds float64 of shape \(0, 2\)"),
    (pack(a=GOOD, b=store(np.zeros((2, 3)))), r"array b has 3 features, a 2\. Give every sequence"),
    (pack(a=GOOD, b=store(np.array([[1, np.nan]]))), r"array b: row 1, column 2: nan is not a finite number"),
    (pack(a=GOOD, b=store(np.array([[1, np.inf]]))), r"array b: row 1, column 2: inf is not a finite number"),
    (pack(a=GOOD, b=store(np.array([["2024-01-01"]], "datetime64[D]"))), r"array b: holds datetime64\[D\]"),
]


@pytest.mark.parametrize(("content", "message"), BAD_ARCHIVES, ids=[case[1][:40] for case in BAD_ARCHIVES])
def test_a_bad_archive_gets_one_message_with_its_array(tmp_path, content, message):
    (tmp_path / "numbers.npz").write_bytes(content)
    with pytest.raises(DataError, match=rf"numbers\.npz.*{message}"):
        load(tmp_path / "numbers.npz")


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (np.array([1, 2]), r"lengths\.npy: holds int64 of shape \(2,\)\. Store one whole number from 1 to 6 for each"),
        (np.array([1.5] * 10), r"lengths\.npy: holds float64"),
        (np.array([0] + [1] * 9), r"lengths\.npy: row 1: 0 is no length of 6 steps at most"),
        (np.array([1] * 9 + [7]), r"lengths\.npy: row 10: 7 is no length"),
        (np.array([4] * 10), r"padded\.npy, sequence 3: row 4, column 1: nan .*dataset\.lengths_path"),
        (None, r"padded\.npy, sequence 1: row 4, column 1: nan .*dataset\.lengths_path"),
    ],
)
def test_bad_lengths_get_one_message(tmp_path, lengths, message):
    values = np.ones((10, 6, 1))
    values[0, 3:], values[2, 3:] = (1 if lengths is not None else np.nan), np.nan
    np.save(tmp_path / "padded.npy", values)
    overrides = []
    if lengths is not None:
        np.save(tmp_path / "lengths.npy", lengths)
        overrides = [f"dataset.lengths_path={tmp_path / 'lengths.npy'}"]
    with pytest.raises(DataError, match=message):
        load(tmp_path / "padded.npy", *overrides)


def test_targets_of_other_ids_are_refused(tmp_path):
    path = write_npz(tmp_path)
    for steps, message in ((STEPS[:9], "has no sequence 's9', so 1 sequence of .*numbers.npz has no target"),):
        with pytest.raises(DataError, match=message):
            load(path, f"dataset.target_path={write_npz(tmp_path, steps, 'targets.npz')}")
    targets = write_npz(tmp_path, [*STEPS, STEPS[0]], "targets.npz")
    with pytest.raises(DataError, match=re.escape("has no sequence 's10', so 1 sequence of ")):
        load(path, f"dataset.target_path={targets}")


def test_ten_million_columns_are_refused_before_they_are_read(tmp_path):
    wide = np.lib.format.header_data_from_array_1_0(np.zeros((1, 1))) | {"shape": (5, 10_000_000)}
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, wide)
    (tmp_path / "wide.npz").write_bytes(pack(a=header.getvalue()))
    (tmp_path / "wide.csv").write_bytes(b"1," * 10_000_000 + b"1\n")
    for name, overrides in (("wide.npz", []), ("wide.csv", ["dataset.id_column=1"])):
        with pytest.raises(DataError, match=r"has 10,000,00[01] columns, more than the 65,536"):
            load(tmp_path / name, *overrides)


def test_an_array_that_claims_more_than_it_holds_asks_for_no_memory(tmp_path):
    claim = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 2)}
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, claim)
    (tmp_path / "claim.npz").write_bytes(pack(a=header.getvalue() + bytes(80)))
    with pytest.raises(DataError, match=r"array a: cannot be read as \.npy: it is too short for float64 of shape"):
        load(tmp_path / "claim.npz")


def test_an_archive_that_unpacks_to_far_more_than_it_holds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(text_file, "MOST_FREE_BYTES", 1_000)
    np.savez_compressed(tmp_path / "bomb.npz", *[np.zeros((4_000, 2))] * 10)
    with pytest.raises(DataError, match=r"unpacks to more than 100 times its .* bytes\. If it is what it should be"):
        load(tmp_path / "bomb.npz")


def test_other_files_are_refused(tmp_path):
    (tmp_path / "numbers.mat").write_bytes(b"x")
    with pytest.raises(DataError, match=r"numbers\.mat: is none of \.npz, \.npy and \.csv"):
        load(tmp_path / "numbers.mat")
    np.save(tmp_path / "flat.npy", np.zeros((3, 2)))
    with pytest.raises(DataError, match=r"holds float64 of shape \(3, 2\)\. .*\(sequences, steps, features\)"):
        load(tmp_path / "flat.npy")
