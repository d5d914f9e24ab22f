"""The user's own numbers, from file to finished run; and files that cannot be used: one message, status 2, no run."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from helpers.commands import train, use
from lengthwise.config.compose import compose_options
from lengthwise.config.options import RunOptions
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.errors import ConfigError, DataError
from lengthwise.tracking.runs.manifest import read_manifest

SMALL = ["latent_dim=3", "training.epochs=1", "tracking=directory"]


def run(capsys: pytest.CaptureFixture[str], directory: Path, *words: str) -> tuple[Path, dict[str, float], str]:
    """Train on numbers; return the run's directory, its scores and what it printed."""
    status = train(*words, *SMALL, f"output_dir={directory / 'outputs'}")
    printed = capsys.readouterr()
    assert status == 0, printed.err
    (found,) = (directory / "outputs" / "scratch").iterdir()
    manifest = json.loads((found / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["missing"] == []
    return found, manifest["summary"], printed.out


@pytest.mark.slow
def test_sequences_of_any_length(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["gesture,day,x,y"]
    for index in range(30):
        lines += [
            f"g{index},2024-01-{day:02d},{x:.3f},{y:.3f}"
            for day, (x, y) in enumerate(rng.random((2 + index % 5, 2)), 1)
        ]
    (tmp_path / "gestures.csv").write_text("\n".join(lines), encoding="utf-8")
    given = ["model=stateful", "dataset=sequences", f"dataset.path={tmp_path / 'gestures.csv'}", "dataset.id_column=1"]
    found, summary, printed = run(capsys, tmp_path, *given)
    assert summary["test/length_error"] >= 0
    assert {"outcomes.png", "test_length_error_by_length.png", "test_by_length.png", "reconstructions.png"} <= {
        file.name for file in (found / "figures").iterdir()
    }
    assert "in its own unit" in printed
    columns = json.loads((found / "samples" / "test_by_column.json").read_text(encoding="utf-8"))
    assert [row[0] for row in columns["data"]] == ["x", "y"]


@pytest.mark.slow
def test_a_forecast_of_sunspots(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    package = find_spec("statsmodels")  # found, not imported: only its data file is read
    if package is None or package.origin is None:
        pytest.skip("statsmodels, which ships the sunspots, is not installed")
    path = Path(package.origin).parent / "datasets" / "sunspots" / "sunspots.csv"
    given = ["model=repeat", "model.head=dense", "dataset=forecast", f"dataset.path={path}"]
    given += ["dataset.columns=[SUNACTIVITY]", "dataset.history=22", "timesteps=11", "dataset.period=11"]
    found, summary, _ = run(capsys, tmp_path, *given)
    years = np.loadtxt(path, delimiter=",", skiprows=1, usecols=1)
    assert len(years) == 309
    # 277 examples of 33 rows: 28 for the test, 28 for validation, and 32 across each of two borders.
    manifest = json.loads((found / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["dataset"]["split_sizes"] == {"train": 157, "val": 28, "test": 28}
    error = [
        abs(years[309 - 11 - back + step] - years[309 - 22 - back + step]) for back in range(28) for step in range(11)
    ]
    scale = np.ptp(years[: 157 + 32])
    assert summary["test/baseline_seasonal_mean_absolute_error"] == pytest.approx(np.mean(error) / scale, rel=1e-5)
    assert summary["test/mase"] > 0
    assert summary["test/smape"] < 200
    assert {"forecasts.png", "error_by_step.png"} <= {file.name for file in (found / "figures").iterdir()}


@pytest.mark.slow
def test_anomalies_of_a_labelled_series(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = np.arange(300)
    load = np.sin(rows / 4) + 3 * ((rows > 270) & (rows < 275))
    days = np.datetime64("2023-01-01") + rows
    lines = [f"{day},{value:.4f},{int(value > 1.5)}" for day, value in zip(days, load, strict=True)]
    (tmp_path / "load.csv").write_text("\n".join(["day,load,anomaly", *lines]), encoding="utf-8")
    given = ["model=malhotra2016", "dataset=series", f"dataset.path={tmp_path / 'load.csv'}", "timesteps=10"]
    given += ["dataset.label_column=anomaly", "dataset.test_fraction=0.2", "training.epochs=20"]
    status = train(*given, *[word for word in SMALL if "epochs" not in word], f"output_dir={tmp_path / 'outputs'}")
    printed = capsys.readouterr()
    assert status == 0, printed.err
    (found,) = (tmp_path / "outputs" / "scratch").iterdir()
    summary = json.loads((found / "manifest.json").read_text(encoding="utf-8"))["summary"]
    assert summary["test/anomaly_average_precision"] > 0.9, "four rows stand far out of a sine"
    scored = {name.removeprefix("test/"): value for name, value in summary.items() if "anomaly_" in name}
    assert "alarms:" in printed.out
    text = (found / "samples" / "test_anomalies.csv").read_text(encoding="utf-8").splitlines()
    assert text[0] == "row,date,score,alarm,label"
    assert [line.split(",")[1][:10] for line in text if line.endswith(",1")] == [str(day) for day in days[load > 1.5]]
    assert (found / "figures" / "anomalies.png").is_file()
    # The rows of the test split as a file of their own have the same scores and alarms.
    first, last = (int(text[place].split(",")[0]) for place in (1, -1))
    (tmp_path / "new.csv").write_text("\n".join(["day,load,anomaly", *lines[first - 1 : last]]), encoding="utf-8")
    assert use("evaluate", str(found), f"dataset.path={tmp_path / 'new.csv'}", "tracking=directory") == 0
    again = read_manifest(found).summary
    assert {name: again[f"new/{name}"] for name in scored} == scored
    written = (found / "samples" / "new_anomalies.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[1:] for line in written] == [line.split(",")[1:] for line in text]
    assert (found / "figures" / "new_anomalies.png").is_file()


Case = tuple[str, bytes, list[str], str]
"""Name of the file, its content, the options, and what the message must hold: the place of the mistake."""

COLUMNS = ["dataset=series", "timesteps=4"]
AHEAD = ["dataset=forecast", "timesteps=4", "dataset.history=4"]
IDS = ["dataset=sequences", "dataset.id_column=id"]


def make_table(r: random.Random, changes: dict[int, str]) -> tuple[bytes, list[str]]:
    """Return a table of 60 rows with some lines replaced, counted from 1 with the header, and its options."""
    options = r.choice((COLUMNS, AHEAD, IDS))
    head = "id,a,b" if options is IDS else "a,b"
    lines = [head, *(f"{f'i{n // 4},' if options is IDS else ''}{n}.5,{n * n % 7}" for n in range(60))]
    for number, text in changes.items():
        lines[number - 1] = f"i{(number - 2) // 4},{text}" if options is IDS and text else text
    return "\n".join(lines).encode(), options


def bad_value(r: random.Random) -> Case:
    line, text = (
        r.randint(2, 60),
        r.choice(("nan,1", "1,inf", "1,-inf", "x,1", "1,", "1_0,2", "1e999,1", "2024-01-01,1", "1,0x1")),
    )
    if text.startswith("2024"):
        line = max(line, 3)
    content, options = make_table(r, {line: text})
    return "t.csv", content, options, f"line {line}"


def ragged_row(r: random.Random) -> Case:
    line = r.randint(3, 60)
    content, options = make_table(r, {line: r.choice(("1", "1,2,3", "1,2,3,4", ""))})
    return "t.csv", content, options, f"line {line}"


def bad_dates(r: random.Random) -> Case:
    days = [str(np.datetime64("2024-01-01") + row) for row in range(60)]
    line = r.randint(3, 60)
    days[line - 2] = r.choice(("2023-01-01", "soon", "31/12/2024", "2024-02-31", ""))
    lines = ["day,a", *(f"{day},{row}" for row, day in enumerate(days))]
    return "t.csv", "\n".join(lines).encode(), r.choice((COLUMNS, AHEAD)), f"line {line}"


def too_few_rows(r: random.Random) -> Case:
    count = r.randint(1, 12)
    return "t.csv", "\n".join(f"{row}" for row in range(count)).encode(), r.choice((COLUMNS, AHEAD)), f"{count} row"


def missing_column(r: random.Random) -> Case:
    content, options = make_table(r, {})
    option = r.choice(
        {"series": ["columns", "label_column"], "forecast": ["columns", "target_columns"]}.get(
            options[0][8:], ["columns"]
        )
    )
    value = "[wind]" if option.endswith("columns") else "wind"
    return "t.csv", content, [*options, f"dataset.{option}={value}"], f"dataset.{option}"


def empty_or_binary(r: random.Random) -> Case:
    content = r.choice((b"", b"\n\n", b"a,b\n", b"\xff\xfe1\x00", b"1,2\n\x001,2\n"))
    return "t.csv", content, r.choice((COLUMNS, AHEAD)), "t.csv"


def bad_array(r: random.Random) -> Case:
    array = r.choice(
        (
            np.zeros((2, 3, 4, 5)),
            np.array(["a"]),
            np.array([{}]),
            np.array([1j]),
            np.zeros((0, 2)),
            np.full((60, 2), np.nan),
        )
    )
    content = io.BytesIO()
    np.save(content, array, allow_pickle=True)
    name, options = r.choice((("t.npy", COLUMNS), ("t.npy", AHEAD), ("t.npy", ["dataset=sequences"])))
    data = content.getvalue()
    return name, data[: r.choice((len(data), 20, len(data) - 4))], options, "t.npy"


def bad_archive(r: random.Random) -> Case:
    arrays = {f"s{n}": np.ones((2, 2)) * n for n in range(10)}
    arrays["s5"] = r.choice(
        (np.ones((2, 3)), np.array([["x"]]), np.array([[np.nan, 1]]), np.ones(()), np.array([object()]))
    )
    content = io.BytesIO()
    np.savez(content, **arrays)
    return "t.npz", content.getvalue(), ["dataset=sequences"], "s5"


def bad_ids(r: random.Random) -> Case:
    lines = ["id,split,a", *(f"i{n // 4},{('train', 'val', 'test')[n // 20]},{n}" for n in range(60))]
    line = r.randint(10, 58)
    lines[line - 1] = r.choice(("i0,train,5", ",train,5", f"i{(line - 2) // 4},nothing,5"))
    return "t.csv", "\n".join(lines).encode(), [*IDS, "dataset.split_column=split"], "line "


BAD: tuple[Callable[[random.Random], Case], ...] = (
    bad_value,
    ragged_row,
    bad_dates,
    too_few_rows,
    missing_column,
    empty_or_binary,
    bad_array,
    bad_archive,
    bad_ids,
)


def generate(count: int, *, seed: int) -> Iterator[Case]:
    """Yield bad files, the kinds by turns."""
    r = random.Random(seed)
    for index in range(count):
        yield BAD[index % len(BAD)](r)


@cache
def compose(words: tuple[str, ...], ending: str) -> RunOptions:
    return compose_options([*words, f"dataset.path=x{ending}"])


def test_bad_files_are_refused_with_their_place(tmp_path: Path) -> None:
    for number, (name, content, words, place) in enumerate(generate(120, seed=0)):
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(content)
        options = compose(tuple(words), str(path.suffix))
        with pytest.raises((DataError, ConfigError)) as caught:
            load_dataset(replace(options.dataset, path=str(path)), options.timesteps)
        message = str(caught.value)
        assert path.name in message, message
        assert place in message, (message, words, content[-200:])
        assert "\n" not in message
        assert message.count(". ") >= 1, "a remedy follows the problem"


@pytest.mark.slow
def test_a_bad_file_ends_the_command_with_one_message_and_leaves_no_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for number, (name, content, words, place) in enumerate(generate(len(BAD), seed=1)):
        path, outputs = tmp_path / f"{number}-{name}", tmp_path / "outputs"
        path.write_bytes(content)
        status = train(*words, f"dataset.path={path}", "tracking=directory", f"output_dir={outputs}")
        printed = capsys.readouterr()
        assert status == 2, (words, printed.err)
        assert path.name in printed.err
        assert place in printed.err
        assert "Traceback" not in printed.err
        assert not outputs.exists()
