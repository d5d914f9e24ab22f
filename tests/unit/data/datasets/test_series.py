from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.config.options import SeriesOptions
from lengthwise.data.datasets.series import load_series
from lengthwise.data.numbers.columns import read_values
from lengthwise.data.numbers.number_file import open_table
from lengthwise.data.splitting import count_enough_rows, cut_windows, plan_windows
from lengthwise.errors import ConfigError, DataError


def _options(path=None, **changes):
    values = {"columns": None, "label_column": None, "alarm_share": 0.01, "stride": 1, "scaling": "minmax"}
    values |= {"validation_fraction": 0.1, "test_fraction": 0.2, **changes}
    return SeriesOptions(name="series", path=path, **values)


def read_table(path, columns=None):
    return read_values(open_table(path), columns)


def _write(tmp_path, content, name="numbers.csv"):
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(file)


def _save(tmp_path, array):
    np.save(tmp_path / "numbers.npy", array, allow_pickle=True)
    return str(tmp_path / "numbers.npy")


@pytest.mark.parametrize(
    ("content", "header"),
    [
        ("1,2\n3,4.5\n", None),
        ("1;2\r\n3;4.5", None),
        ("1\t2\n3\t4.5\n\n", None),
        ("\ufeff1, 2\n 3 ,4.5\n", None),
        ('time,"a,b"\n1,2\n3,4.5\n', ("time", "a,b")),
        ('"1","2"\n"3","4.5"\n', None),
        ("x;2020\n1e0;+2\n3;4.5\n", ("x", "2020")),
        ("#1,b\n1,2\n3,4.5\n", ("#1", "b")),
    ],
)
def test_text_tables(tmp_path, content, header):
    table = read_table(_write(tmp_path, content))
    assert table.rows.tolist() == [[1, 2], [3, 4.5]]
    assert table.names == (header or ())


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16, np.uint8, np.bool_])
def test_npy_tables(tmp_path, dtype):
    array = np.array([[1, 0], [0, 1], [1, 1]], dtype)
    assert read_table(_save(tmp_path, array)).rows.tolist() == array.astype(float).tolist()
    assert read_table(_save(tmp_path, array[:, 0])).rows.tolist() == [[1], [0], [1]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"numbers\.csv: is empty\."),
        ("\n \n", r"numbers\.csv: is empty\."),
        (b"1,2\n\xff,3\n", r"numbers\.csv, line 2: is not UTF-8\."),
        ("a,b\n", r"numbers\.csv: holds a header and no rows\."),
        ("a,b\n1,2\n3,nan\n", r"numbers\.csv, line 3: column 2: nan is not a finite number\."),
        ("1\n-inf\n", r"numbers\.csv, line 2: column 1: -inf is not a finite number\."),
        ("1\n1e200\n", r"numbers\.csv, line 2: column 1: 1e200 is beyond 1e\+100\."),
        ("1,2\n3\n", r"numbers\.csv, line 2: has 1 column, the rows before 2\."),
        ("1,2\n3,4,5\n", r"numbers\.csv, line 2: has 3 columns, the rows before 2\."),
        ("a,b,c\n1,2\n3,4\n", r"numbers\.csv, line 2: has 2 columns, the header 3\."),
        ("1,2\n\n3,4\n", r"numbers\.csv, line 2: is empty\. Fill in the missing step or remove the line\."),
        ("1,2\n3,\n", r"numbers\.csv, line 2: column 2 is empty\."),
        ("1,\n3,4\n", r"numbers\.csv, line 1: column 2 is empty\."),
        ("1,2\n3,x\n", r"numbers\.csv, line 2: column 2: 'x' is not a number\."),
        ("1,2\n3,1_000\n", r"numbers\.csv, line 2: column 2: '1_000' is not a number\."),
        ("a;b\n1,5;2,5\n", r"numbers\.csv, line 2: column 1: '1,5' is not a number\. .*decimal point"),
        ("1 2\n3 4\n", r"numbers\.csv, line 2: column 1: '3 4' is not a number\."),
        ("date,x\n1,1\n2020-01-01,1\n", r"numbers\.csv, line 3: column 1: '2020-01-01' is not a number\. .*first row"),
        ('1,2\n3,"4\n5,6\n', r"numbers\.csv, line 2: column 2: '\"4' is not a number\."),
    ],
)
def test_a_bad_text_gets_one_message_with_its_line(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read_table(_write(tmp_path, content))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([[1.0, 2.0], [3.0, np.nan]]), r"numbers\.npy: row 2, column 2: nan is not a finite number\."),
        (np.array([1.0, -np.inf]), r"numbers\.npy: row 2, column 1: -inf is not a finite number\."),
        (np.array([1e200]), r"numbers\.npy: row 1, column 1: 1e\+200 is beyond 1e\+100\."),
        (np.zeros((2, 2, 2)), r"numbers\.npy: holds float64 of shape \(2, 2, 2\)\."),
        (np.zeros((0, 3)), r"numbers\.npy: holds float64 of shape \(0, 3\)\."),
        (np.array(1.0), r"numbers\.npy: holds float64 of shape \(\)\."),
        (np.array(["a"]), r"numbers\.npy: holds <U1 of shape \(1,\)\."),
        (np.array([1j]), r"numbers\.npy: holds complex128"),
        (np.array([{"a": 1}]), r"numbers\.npy: cannot be read as \.npy: .*allow_pickle"),
    ],
)
def test_a_bad_array_gets_one_message(tmp_path, array, message):
    with pytest.raises(DataError, match=message):
        read_table(_save(tmp_path, array))


def test_files_that_are_no_tables(tmp_path):
    for content in (b"not numpy", b"\x93NUMPY\x01\x00", b"PK\x03\x04 an archive"):
        with pytest.raises(DataError, match=r"cannot be read as \.npy"):
            read_table(_write(tmp_path, content, "numbers.npy"))
    whole = (tmp_path / "whole.npy", np.arange(100.0))
    np.save(*whole)
    with pytest.raises(DataError, match=r"cannot be read as \.npy"):
        read_table(_write(tmp_path, whole[0].read_bytes()[:-8], "cut.npy"))
    with pytest.raises(DataError, match=r"table\.xlsx: is neither a \.csv nor a \.npy file\."):
        read_table(_write(tmp_path, "1", "table.xlsx"))
    with pytest.raises(DataError, match="no such file"):
        read_table(str(tmp_path / "nowhere.csv"))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="is a directory"):
        read_table(str(tmp_path / "folder.csv"))


def test_cutting_windows():
    rows = np.arange(12.0).reshape(6, 2)
    expected = [[[0, 1], [2, 3], [4, 5]], [[4, 5], [6, 7], [8, 9]]]
    assert cut_windows(rows, np.array([0, 2]), 3).pad().tolist() == expected


@given(st.integers(1, 120), st.integers(1, 12), st.integers(1, 15), st.floats(0.01, 0.4), st.floats(0.01, 0.4))
@settings(max_examples=300, deadline=None)
def test_no_row_is_in_two_splits_and_every_window_is_accounted_for(num_rows, timesteps, stride, validation, test):
    options = _options(stride=stride, validation_fraction=validation, test_fraction=test)
    plan = plan_windows(num_rows, timesteps, options)
    starts = list(range(0, num_rows - timesteps + 1, stride))
    if plan is None:
        shares = max(1, round(len(starts) * validation)) + max(1, round(len(starts) * test))
        assert len(starts) < shares + 1 + 2 * ((timesteps - 1) // stride)
        return
    parts = [starts[part] for part in plan[:3]]
    rows = [{start + step for start in part for step in range(timesteps)} for part in parts]
    assert all(parts)
    assert max(rows[0]) < min(rows[1])
    assert max(rows[1]) < min(rows[2])
    assert sum(map(len, parts)) + plan.num_straddling == len(starts)
    assert len(parts[2]) == max(1, round(len(starts) * test))
    assert len(parts[1]) == max(1, round(len(starts) * validation))


@given(st.integers(1, 12), st.integers(1, 15), st.floats(0.01, 0.45), st.floats(0.01, 0.45))
@settings(max_examples=200, deadline=None)
def test_the_rows_said_to_be_enough_are_and_not_many_more_than_needed(timesteps, stride, validation, test):
    options = _options(stride=stride, validation_fraction=validation, test_fraction=test)
    enough = count_enough_rows(timesteps, options)
    assert plan_windows(enough, timesteps, options) is not None
    fewest = next(rows for rows in range(1, enough + 1) if plan_windows(rows, timesteps, options) is not None)
    assert enough - fewest <= stride * (3 / (1 - validation - test) + 1)


def test_too_few_rows_are_refused_with_how_many_are_enough(tmp_path):
    options = _options(_save(tmp_path, np.arange(14.0)), validation_fraction=0.05, test_fraction=0.05)
    with pytest.raises(
        DataError, match=r"numbers\.npy: has 14 rows, too few for windows of timesteps=5 .*17 are enough"
    ):
        load_series(options, 5)


def test_windows_are_scaled_by_their_training_rows_alone(tmp_path):
    values = np.concatenate([np.linspace(2, 4, 60), np.linspace(100, 200, 40)])
    rows = np.stack([values, np.full(100, 7.0)], axis=1)
    dataset = load_series(_options(_save(tmp_path, rows)), 5)
    train = dataset.splits["train"]
    last = len(train) - 1 + 5
    scale = values[:last].max() - 2
    assert dataset.source_codec.shift == (2.0, 7.0)
    np.testing.assert_allclose(dataset.source_codec.scale, [scale, 1.0])
    scaled = np.stack([(values - 2) / scale, np.zeros(100)], axis=1)
    windows = [scaled[start : start + 5] for start in range(len(train))]
    np.testing.assert_allclose(train.source.pad(), windows, rtol=1e-6)
    test = dataset.splits["test"]
    first = 96 - len(test)
    np.testing.assert_allclose(
        test.source.pad(), [scaled[start : start + 5] for start in range(first, 96)], rtol=1e-5, atol=1e-6
    )
    assert train.target is train.source
    assert train.source.values.dtype == np.float32
    assert dataset.spec.timesteps == dataset.spec.source_timesteps == 5
    assert dataset.spec.source_size == 2


@pytest.mark.parametrize("stride", [1, 3, 6])
def test_standard_scaling_uses_each_training_row_once(tmp_path, stride):
    values = np.random.default_rng(0).normal(5, 3, 200)
    dataset = load_series(_options(_save(tmp_path, values), stride=stride, scaling="standard"), 4)
    num_windows = len(dataset.splits["train"])
    rows = sorted({start * stride + step for start in range(num_windows) for step in range(4)})
    np.testing.assert_allclose(dataset.source_codec.shift, values[rows].mean())
    np.testing.assert_allclose(dataset.source_codec.scale, values[rows].std())


def test_what_is_left_out_is_counted(tmp_path):
    path = _write(tmp_path, "a\n" + "\n".join(map(str, range(102))))
    dataset = load_series(_options(path, stride=4), 6)
    assert {notice.reason: notice.count for notice in dataset.skipped} == {
        "line 1, read as the names of the columns: a": 1,
        "windows across the borders between splits": 2,
    }
    longer = load_series(_options(_write(tmp_path, "\n".join(map(str, range(105)))), stride=4), 6)
    assert {notice.reason: notice.count for notice in longer.skipped} == {
        "windows across the borders between splits": 2,
        "rows at the end, too few for another window": 3,
    }


def test_timesteps_and_path_must_be_given(tmp_path):
    with pytest.raises(
        ConfigError, match=r"^timesteps must be a number with dataset=series.*got auto\. .*timesteps=24"
    ):
        load_series(_options(_save(tmp_path, np.arange(50.0))), "auto")
    with pytest.raises(ConfigError, match=r"^dataset\.path must name a file with dataset=series"):
        load_series(_options(None), 5)
