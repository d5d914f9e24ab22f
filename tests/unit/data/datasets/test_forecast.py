from __future__ import annotations

import numpy as np
import pytest

from lengthwise.config.compose import compose_options
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.errors import ConfigError, DataError

HISTORY, AHEAD = 5, 3


def load(path, *overrides, timesteps=AHEAD, history=HISTORY):
    overrides = [f"dataset.history={history}", f"timesteps={timesteps}", *overrides]
    options = compose_options(["dataset=forecast", f"dataset.path={path}", *overrides])
    return load_dataset(options.dataset, options.timesteps)


@pytest.fixture
def numbers(tmp_path):
    """A table whose value is its row, in two columns, with the weekday as a third."""
    lines = ["date,load,double,weekday"]
    lines += [f"{np.datetime64('2024-01-01') + row},{row},{2 * row % 7},{row % 5}" for row in range(90)]
    (tmp_path / "numbers.csv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "numbers.csv"


def read_rows(dataset, split):
    """Return the rows `(examples, steps)` of the file that sources and targets are made of, from the first column."""
    found = dataset.splits[split]
    rows = [
        codec.decode(side.pad())[..., 0]
        for codec, side in ((dataset.source_codec, found.source), (dataset.target_codec, found.target))
    ]
    return [np.rint(side).astype(int) for side in rows]


@pytest.mark.parametrize(("stride", "history", "timesteps"), [(1, 5, 3), (2, 5, 4), (9, 4, 2), (3, 1, 1)])
def test_no_example_of_one_split_sees_a_target_of_another(numbers, stride, history, timesteps):
    data = load(numbers, f"dataset.stride={stride}", history=history, timesteps=timesteps)
    read = {split: read_rows(data, split) for split in ("train", "val", "test")}
    for split, (source, target) in read.items():
        for rows, later in zip(source, target, strict=True):
            assert rows.tolist() == list(range(rows[0], rows[0] + history))
            assert later.tolist() == list(range(rows[-1] + 1, rows[-1] + 1 + timesteps))
        for other in set(read) - {split}:
            seen = {*source.ravel().tolist(), *target.ravel().tolist()}
            assert not seen & {row for side in read[other] for row in side.ravel().tolist()}
        np.testing.assert_array_equal(data.origin.rows[split], target[:, 0])
    assert read["train"][1].max() < read["val"][0].min() <= read["val"][1].max() < read["test"][0].min()
    assert data.origin.dates[target[0, 0]] == np.datetime64("2024-01-01") + int(target[0, 0])


def test_columns_have_roles(numbers):
    data = load(numbers, "dataset.columns=[load,weekday]", "dataset.known_columns=[weekday]", "dataset.scaling=minmax")
    assert data.source_codec.names == ("load", "weekday", "ahead")
    assert data.target_codec.names == ("load",)
    split = data.splits["val"]
    source, target = data.source_codec.decode(split.source.pad()), data.target_codec.decode(split.target.pad())
    first = data.origin.rows["val"]
    rows = first[:, None] - HISTORY + np.arange(HISTORY + AHEAD)
    np.testing.assert_allclose(source[:, :, 1], rows % 5, atol=1e-5)
    np.testing.assert_allclose(source[:, :HISTORY, 0], rows[:, :HISTORY], atol=1e-4)
    assert not split.source.pad()[:, HISTORY:, 0].any(), "what is to be forecast is not shown"
    assert split.source[0][:, 2].tolist() == [0] * HISTORY + [1] * AHEAD
    np.testing.assert_allclose(target[:, :, 0], rows[:, HISTORY:], atol=1e-4)
    assert data.forecast.columns == (0,)


def test_some_of_the_columns_read_may_be_the_target(numbers):
    data = load(numbers, "dataset.target_columns=[double]")
    assert (data.spec.source_size, data.spec.target_size) == (3, 1)
    assert (data.spec.source_timesteps, data.spec.timesteps) == (HISTORY, AHEAD)
    values = data.target_codec.decode(data.splits["test"].target.pad())[:, :, 0]
    rows = data.origin.rows["test"][:, None] + np.arange(AHEAD)
    np.testing.assert_allclose(values, 2 * rows % 7, atol=1e-5)


def test_the_scaler_and_the_naive_error_know_only_the_training_rows(numbers):
    data = load(numbers, "dataset.period=3", "dataset.columns=[double]", "dataset.scaling=standard")
    last = int(data.origin.rows["train"][-1]) + AHEAD
    values = np.array([2.0 * row % 7 for row in range(last)])
    np.testing.assert_allclose(data.source_codec.shift, values.mean())
    np.testing.assert_allclose(data.source_codec.scale, values.std())
    expected = sum(abs(values[row] - values[row - 3]) for row in range(3, last)) / (last - 3)
    np.testing.assert_allclose(data.forecast.naive_error, [expected])


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (
            ["dataset.columns=[wind]"],
            ConfigError,
            r"dataset\.columns must name .*date, load, double, weekday",
        ),
        (["dataset.columns=[date]"], ConfigError, r"already the dates"),
        (["dataset.columns=[load]", "dataset.target_columns=[double]"], ConfigError, r"columns that are read"),
        (["dataset.columns=[load]", "dataset.known_columns=[load]"], ConfigError, r"must leave a column to forecast"),
        (
            ["dataset.history=80"],
            DataError,
            r"has 90 rows, too few for examples of dataset\.history=80",
        ),
    ],
)
def test_options_that_do_not_fit_the_file_are_refused(numbers, overrides, error, message):
    options = compose_options(["dataset=forecast", f"dataset.path={numbers}", f"timesteps={AHEAD}", *overrides])
    with pytest.raises(error, match=message):
        load_dataset(options.dataset, options.timesteps)


def test_dates_must_increase_and_gaps_are_reported(tmp_path):
    days = [f"2024-{1 + row // 28:02d}-{1 + row % 28:02d}" for row in range(84)]
    lines = [f"{day},{row % 5}" for row, day in enumerate(days)]
    (tmp_path / "gaps.csv").write_text("\n".join(lines), encoding="utf-8")
    (warning,) = load(tmp_path / "gaps.csv").warnings
    # January has 31 and February 29 days, of which 28 are in the file.
    assert warning.startswith("the dates have gaps: 2 of 83 steps are longer than the usual 1 day, 0:00:00, the first")
    (tmp_path / "back.csv").write_text("\n".join([*lines[:50], lines[49]]), encoding="utf-8")
    with pytest.raises(DataError, match=r"back\.csv, line 51: the date 2024-02-22\S* is not after 2024-02-22"):
        load(tmp_path / "back.csv")


def test_a_column_of_row_numbers_is_reported(numbers):
    (warning,) = load(numbers).warnings
    assert warning.startswith("column load grows by 1 from each row to the next")
    assert load(numbers, "dataset.columns=[load]").warnings == (), "a series of one column is taken as it is"
