"""A trained run on files that it has not seen: scored as a split of its own, decoded, encoded."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import lengthwise
from helpers.commands import train, use
from lengthwise.files import dump_json
from lengthwise.tracking.runs.manifest import Manifest, read_manifest

pytestmark = pytest.mark.slow

TRAIN = "".join(f"{a}{b}\t{b}{a}{b}\n" for a in "abcd" for b in "abcd")
TEST = "ab\tbab\nab\tab\ncaz\tac\n\nbb\tbbb\nab\tbab\n" + "d" * 9 + "\t" + "d" * 9 + "\n"
ROWS = np.random.default_rng(1).normal(size=(50, 2)).round(3)
SMALL = ["training.epochs=2", "training.batch_size=4", "training.learning_rate=0.05", "latent_dim=4"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on pairs of texts whose test split is a file of its own."""
    directory = tmp_path_factory.mktemp("texts")
    (directory / "train.tsv").write_text(TRAIN, encoding="utf-8")
    (directory / "new-pairs.tsv").write_text(TEST, encoding="utf-8")
    files = [f"dataset.path={directory}/train.tsv", f"dataset.test_path={directory}/new-pairs.tsv", "timesteps=4"]
    places = [f"output_dir={directory}/out", "tracking=directory"]
    assert train("model=stateful", "dataset=pairs", *files, *places, *SMALL) == 0
    return directory


@pytest.fixture(scope="module")
def forecaster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that forecasts two rows of two named columns from three."""
    directory = tmp_path_factory.mktemp("numbers")
    np.savetxt(directory / "rows.csv", ROWS, "%.3f", ",", header="load,heat", comments="")
    data = ["dataset=forecast", f"dataset.path={directory}/rows.csv", "dataset.history=3", "timesteps=2"]
    places = [f"output_dir={directory}/out", "tracking=directory"]
    assert train("model=repeat", *data, *places, "training.epochs=1", "latent_dim=3") == 0
    return directory


@pytest.fixture
def ask(trained: Path) -> Callable[..., int]:
    """Run a command on the run."""
    places = [f"output_dir={trained}/out", "tracking=directory"]
    return lambda command, *words: use(command, "latest", *words, *places)


def find_run(trained: Path) -> Path:
    (run,) = (trained / "out" / "scratch").iterdir()
    return run


def read(trained: Path) -> Manifest:
    return read_manifest(find_run(trained))


def test_a_file_has_the_scores_of_the_same_examples_in_a_test_split(
    trained: Path, ask: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask("evaluate", f"dataset.path={trained}/new-pairs.tsv") == 0
    summary = read(trained).summary
    found = {name.partition("/")[2]: value for name, value in summary.items() if name.startswith("new-pairs/")}
    assert {"exact_match", "stopped_early", "exposure_gap", "baseline_majority_target_exact_match"} <= found.keys()
    assert found == {name: summary[f"test/{name}"] for name in found}
    out = capsys.readouterr().out
    assert re.search(r"exact match, best baseline \(.*\) +\d", out)
    figures = {file.name for file in (find_run(trained) / "figures").iterdir()}
    assert {"new-pairs_outcomes.png", "new-pairs_by_length.png"} <= figures
    assert use("show", "latest", f"output_dir={trained}/out") == 0
    assert re.search(r"scores +val +test +new-pairs\n", capsys.readouterr().out)
    assert "new-pairs: left out, target longer than timesteps=4: 1" in out
    assert "new-pairs: kept, source has symbols that are not in train, read as <unknown>: 1" in out
    written = json.loads((find_run(trained) / "evaluations" / "new-pairs.json").read_text(encoding="utf-8"))
    assert written["scores"]["new-pairs"] == json.loads(dump_json(found))
    assert written["files"][0]["path"] == f"{trained}/new-pairs.tsv"
    assert written["examples"] == 3
    assert (find_run(trained) / "samples" / "new-pairs_samples.md").is_file()


def test_a_name_and_another_decoding(trained: Path, ask: Callable[..., int]) -> None:
    file = f"dataset.path={trained}/new-pairs.tsv"
    assert ask("evaluate", file, "--split", "again", "decoding=beam", "decoding.width=2") == 0
    assert "again/beam_model_width-2/exact_match" in read(trained).summary


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dataset.path=nowhere.tsv"], "nowhere.tsv: no such file."),
        (["dataset.path={file}", "--split", "test"], "--split must be letters"),
        (["dataset.path={file}", "--split", "a/b"], "--split must be letters"),
        (["--split", "x"], "--split has no effect without dataset.path=FILE"),
        (["dataset.path={file}", "dataset.seed=1"], "dataset.seed cannot be changed here"),
        (["dataset.path={file}", "dataset.target_unit=words"], "dataset.target_unit cannot be changed here"),
        (["dataset=scan"], "dataset cannot be changed here"),
        (["dataset.path={file}", "dataset.columns=a"], "dataset.columns"),
        (["dataset.path={file}", "dataset.target_column=3"], "line 1: has 2 columns, and column 3 is to be read"),
        (["dataset.path={file}", "training.epochs=3"], "training.epochs has no effect on a trained model"),
        (["dataset.path={words}"], "of the source symbols of words"),
    ],
)
def test_what_does_not_fit_the_run_is_refused(
    words: list[str],
    message: str,
    trained: Path,
    ask: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.tsv").write_text("".join(f"xyz {n}\tab\n" for n in range(20)), encoding="utf-8")
    before = read(trained)
    named = {"file": str(trained / "train.tsv"), "words": str(tmp_path / "words.tsv")}
    assert ask("evaluate", *(word.format(**named) for word in words)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert read(trained) == before


def test_another_file_of_the_same_name_is_refused(
    trained: Path, ask: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "twice.tsv").write_text("ab\tbab\n", encoding="utf-8")
    assert ask("evaluate", f"dataset.path={tmp_path}/twice.tsv") == 0
    assert ask("evaluate", f"dataset.path={tmp_path}/twice.tsv") == 0
    (tmp_path / "twice.tsv").write_text("ab\tab\n", encoding="utf-8")
    assert ask("evaluate", f"dataset.path={tmp_path}/twice.tsv") == 2
    assert "Choose another with --split NAME" in capsys.readouterr().err


def test_a_file_of_numbers_is_scored_beside_its_baselines(
    forecaster: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run,) = (forecaster / "out" / "scratch").iterdir()
    dataset = read_manifest(run).record.dataset
    assert dataset is not None
    rows = ROWS[-dataset.split_sizes["test"] - 4 :]  # windows of five rows, one after each row
    np.savetxt(tmp_path / "later.csv", rows, "%.3f", ",", header="load,heat", comments="")
    evaluate = ["evaluate", str(run), f"dataset.path={tmp_path}/later.csv", "tracking=directory"]
    assert use(*evaluate) == 0
    summary = read_manifest(run).summary
    assert summary["later/mase"] == summary["test/mase"]
    assert summary["later/baseline_last_value_mean_absolute_error"] > 0
    assert "later, in its own unit" in capsys.readouterr().out
    figures = {file.name for file in (run / "figures").iterdir()}
    assert {"later_forecasts.png", "later_error_by_step.png", "later_reconstructions.png"} <= figures
    (forecaster / "rows.csv").rename(forecaster / "gone.csv")
    assert use(*evaluate, "--split", "alone") == 0
    (forecaster / "gone.csv").rename(forecaster / "rows.csv")
    summary = read_manifest(run).summary
    assert summary["alone/mean_absolute_error"] == summary["later/mean_absolute_error"]
    assert not {name for name in summary if name.startswith(("alone/baseline_", "alone/mase"))}
    assert "no scaled errors and no baselines, which need the data trained on" in capsys.readouterr().out


def test_numbers_from_file_to_file(forecaster: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savetxt(tmp_path / "in.csv", ROWS[:5], "%.3f", ",", header="load,heat", comments="")
    (run,) = (forecaster / "out" / "scratch").iterdir()
    predictor = lengthwise.load(run)
    wanted = [prediction.value for prediction in predictor.decode([ROWS[start : start + 3] for start in range(3)])]
    decode = ["decode", str(run), "--file", str(tmp_path / "in.csv")]
    assert use(*decode, "--output", str(tmp_path / "out.csv")) == 0
    lines = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "id,step,load,heat"
    made = np.array([[float(number) for number in line.split(",")] for line in lines[1:]])
    assert made[:, :2].tolist() == [[first, step] for first in (1, 2, 3) for step in (1, 2)]
    np.testing.assert_allclose(made[:, 2:].reshape(3, 2, 2), wanted, rtol=1e-5)
    assert use(*decode, "--output", str(tmp_path / "out.npz")) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "out.npz")["2"], made[2:4, 2:])
    capsys.readouterr()
    assert use(*decode) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[1]) == {"id": "2", "prediction": made[2:4, 2:].tolist()}
    assert use("encode", str(run), "--file", str(tmp_path / "in.csv"), "--output", str(tmp_path / "z.npz")) == 0
    latents = np.load(tmp_path / "z.npz")["latents"]
    np.testing.assert_allclose(latents, predictor.encode([ROWS[start : start + 3] for start in range(3)]), rtol=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--output", "out.txt"], "--output must end in .csv or .npz"),
        (["--output", "nowhere/out.csv"], "--output must be in a directory that exists"),
        (["--best", "2"], "--best has no effect on a run on numbers"),
        (["dataset.history=4"], "dataset.history cannot be changed here"),
        (["dataset.columns=[load]"], "has 1 feature a step, and the model reads 2 columns of numbers: load, heat"),
    ],
)
def test_numbers_of_another_form(
    words: list[str], message: str, forecaster: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run,) = (forecaster / "out" / "scratch").iterdir()
    assert use("decode", str(run), "--file", str(forecaster / "rows.csv"), *words) == 2
    assert message in capsys.readouterr().err


def test_texts_from_file_to_file(
    trained: Path, ask: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.txt").write_text("ab\n\nzc\n", encoding="utf-8")
    texts = ["ab", "", "zc"]
    predictor = lengthwise.load(find_run(trained))
    file = ["--file", str(tmp_path / "in.txt")]
    assert ask("decode", *file, "--output", str(tmp_path / "out.txt")) == 0
    made = (tmp_path / "out.txt").read_text(encoding="utf-8").splitlines()
    assert made == [prediction.value for prediction in predictor.decode(texts)]
    assert ask("encode", *file, "--output", str(tmp_path / "z.csv")) == 0
    rows = list(csv.reader((tmp_path / "z.csv").read_text(encoding="utf-8").splitlines()))
    assert rows[0] == ["source", "latent_1", "latent_2", "latent_3", "latent_4"]
    assert [row[0] for row in rows[1:]] == texts
    np.testing.assert_allclose(np.array([row[1:] for row in rows[1:]], np.float32), predictor.encode(texts), rtol=1e-5)
    assert ask("encode", *file) == 2
    assert ask("decode", *file, "--output", str(tmp_path / "in.txt")) == 2
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"ab\n")))
    assert use("decode", "no-such-run", "--file", "-", "--output", str(tmp_path / "out.txt")) == 2
    assert (tmp_path / "in.txt").read_text(encoding="utf-8") == "ab\n\nzc\n"
    assert (tmp_path / "out.txt").read_text(encoding="utf-8").splitlines() == made
    assert ask("decode", *file, "dataset.source_column=2") == 2, "it has one column"
    assert ask("decode", "ab", "dataset.source_column=2") == 2, "there is no file"
    (tmp_path / "table.csv").write_text('name,text\n1,"ab"\n\n2,zc\n', encoding="utf-8")
    columns = ["--file", str(tmp_path / "table.csv"), "dataset.source_column=text"]
    assert ask("decode", *columns, "--output", str(tmp_path / "out.txt")) == 0
    assert (tmp_path / "out.txt").read_text(encoding="utf-8").splitlines() == [made[0], made[2]]
    assert ask("decode", *columns, "dataset.tags_column=1") == 2, "the model reads no tags"
    beam = ["decoding=beam", "decoding.width=2"]
    assert ask("decode", *file, *beam, "--best", "2", "--output", str(tmp_path / "best.tsv")) == 0
    best = lengthwise.load(find_run(trained), *beam).search(texts, 2)
    wanted = [f"{n}\t{each.score:.4f}\t{each.value}" for n, found in enumerate(best, start=1) for each in found]
    assert (tmp_path / "best.tsv").read_text(encoding="utf-8").splitlines() == wanted
