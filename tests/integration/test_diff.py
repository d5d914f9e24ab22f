"""`lengthwise diff` and `lengthwise show`, on runs whose decoded sequences are written by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from helpers.commands import read_output, use
from lengthwise.config.compose import compose_options
from lengthwise.config.options import RunOptions
from lengthwise.config.parse import dump_options, flatten_options
from lengthwise.data.dataset import Dataset, Split
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.tracking.runs.arrays import write_array
from lengthwise.tracking.runs.run_record import DatasetRecord, PrimaryMetric, RunRecord
from lengthwise.tracking.session import start_run

DATA = ["dataset=copy", "dataset.num_train=20", "dataset.num_validation=10", "dataset.num_test=60"]


class Written(NamedTuple):
    """Runs that were written, by what they are."""

    output_dir: Path
    names: dict[str, str]


def spoil(split: Split, num_right: int, *, offset: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions and their ends: from `offset` on so many are right; the others lack their last symbol."""
    right = (np.arange(len(split)) - offset) % len(split) < num_right
    length = split.target.length - ~right
    target = split.target.pad()
    values = np.where(np.arange(target.shape[1]) < length[:, None], target, 0)
    ends = np.stack([length, np.ones_like(length)], axis=1).astype(np.int32)
    return np.ascontiguousarray(values.astype(np.uint8)), ends


def write_run(
    options: RunOptions, dataset: Dataset, num_right: int, *, offset: int = 0, keeps_predictions: bool = True
) -> str:
    """Write a run as an experiment does, with that many right examples in its test split."""
    record = RunRecord(
        study=options.study,
        label=f"{options.model.name}-copy",
        params=flatten_options(options),
        tags={},
        command=("python", "train.py"),
        dataset=DatasetRecord(
            name="copy", sha256=dataset.content_hash, split_sizes={"train": 20, "val": 10, "test": 60}
        ),
        parent=None,
        seed=options.seed,
        primary_metric=PrimaryMetric(name="test/exact_match", greater_is_better=True),
    )
    output_dir = Path(options.output_dir)
    with start_run(record, options.tracking, output_dir=output_dir, config_text=dump_options(options)) as run:
        run.set_summary({"test/exact_match": num_right / 60, "test/exposure_gap": 0.0, "val/exact_match": 0.5})
        values, ends = spoil(dataset.splits["test"], num_right, offset=offset)
        if keeps_predictions:
            write_array(run, "samples/test_predictions.npy", values)
            write_array(run, "samples/test_ends.npy", ends)
        correct = (ends[:, 0] == dataset.splits["test"].target.length).astype(np.uint8)
        write_array(run, "samples/test_correct.npy", correct)
        return run.name


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    output_dir = tmp_path_factory.mktemp("outputs")
    base = [*DATA, "tracking=directory", f"output_dir={output_dir}"]
    datasets: dict[int, Dataset] = {}

    def write(*overrides: str, num_right: int, offset: int = 0, keeps_predictions: bool = True) -> str:
        options = compose_options([*base, *overrides])
        seed = getattr(options.dataset, "seed")  # noqa: B009 - only some datasets have one
        if seed not in datasets:
            datasets[seed] = load_dataset(options.dataset, options.timesteps)
        return write_run(options, datasets[seed], num_right, offset=offset, keeps_predictions=keeps_predictions)

    names = {
        "first": write("study=pair", num_right=20),
        "second": write("study=pair", "model=stateful", "latent_dim=32", num_right=50, offset=5),
        "other data": write("study=pair", "dataset.seed=5", num_right=30),
        "old": write("study=pair", "seed=3", num_right=21, keeps_predictions=False),
    }
    for seed in range(5):
        write("study=seeds", f"seed={seed}", num_right=20 + seed)
        write("study=seeds", "model=stateful", f"seed={seed}", num_right=48 + seed)
    return Written(output_dir, names)


def compare(written: Written, tmp_path: Path, *words: str) -> str:
    return read_output(tmp_path, "diff", *words, f"output_dir={written.output_dir}")


def test_two_runs_are_compared_on_one_screen(written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    text = compare(written, tmp_path, written.names["first"], written.names["second"])
    lines = text.splitlines()
    assert len(lines) <= 50
    # The first is right in examples 0 to 19, the second in 5 to 54: 35 only it gets right, 5 only the first.
    assert "B is better than A. Exact match on test: B 83.3 %, A 33.3 %; +50.0 [" in text
    assert "(35 only B gets right, 5 only A; McNemar's exact test, p < 0.001)" in " ".join(text.split())
    assert "one seed each says nothing of the methods" in text
    assert any(line.split() == ["latent_dim", "64", "32"] for line in lines)
    assert not any(line.startswith(("study", "output_dir", "training.")) for line in lines)
    assert any(line.split()[:3] == ["stopped", "early", "66.7"] for line in lines)
    assert "Only B is right: 35 examples" in text
    assert "Only A is right: 5 examples" in text


def test_the_numbers_are_there_for_a_program(written: Written, tmp_path: Path) -> None:
    found = json.loads(compare(written, tmp_path, written.names["first"], written.names["second"], "--json"))
    assert found["verdict"] == 1
    assert found["options"]["model.name"] == ["repeat", "stateful"]
    test = found["splits"]["test"]
    assert test["num_examples"] == 60
    assert test["metrics"]["exact_match"]["difference"] == pytest.approx(0.5)
    assert test["metrics"]["length_error"]["difference"] == pytest.approx(-0.5)  # one step is missing, or none
    assert test["transitions"] == [[15, 5, 0, 0], [35, 5, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert sum(each["num_examples"] for each in test["by_length"].values()) == 60
    assert found["splits"]["val"]["num_examples"] == 0
    back = json.loads(compare(written, tmp_path, written.names["second"], written.names["first"], "--json"))
    assert back["verdict"] == -1


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_and_markdown_hold_the_whole_comparison(written: Written, tmp_path: Path) -> None:
    words = (written.names["first"], written.names["second"])
    text = compare(written, tmp_path, *words, "--md", "--html", "page.html")
    page = (tmp_path / "page.html").read_text()
    reader = _Reader()
    reader.feed(page)
    assert reader.open == []
    for part in ("Options that differ", "By outcome, test", "By target length, test", "Examples of test", "The runs"):
        assert f"## {part}" in text
        assert f"<h2>{part}</h2>" in page
    assert text.count("[\N{MINUS SIGN}") > 10  # ten examples that only the second gets right, five the other way
    assert "The study" not in page


def test_other_data_are_named_first_and_nothing_is_tested(written: Written, tmp_path: Path) -> None:
    text = compare(written, tmp_path, written.names["first"], written.names["other data"])
    assert text.splitlines()[1].startswith("The data differ")
    assert "no difference is tested" in " ".join(text.split())
    assert "better" not in text


def test_a_run_that_has_kept_only_its_primary_metric_is_compared_by_that(written: Written, tmp_path: Path) -> None:
    found = json.loads(compare(written, tmp_path, written.names["first"], written.names["old"], "--json"))
    test = found["splits"]["test"]
    assert list(test["metrics"]) == ["exact_match"]
    assert test["metrics"]["exact_match"]["p_value"] == 1.0  # one example differs
    assert test["outcomes"] == {}


def test_methods_are_compared_over_their_seeds(written: Written, tmp_path: Path) -> None:
    text = compare(written, tmp_path, "seeds:model=repeat", "seeds:model=stateful")
    assert "B is better than A at the 5 % level. Exact match on test, B less A: +46.7 [" in text
    assert "over 5 seeds" in text
    assert "This compares two methods over their seeds, 5 runs of A and 5 runs of B." in text
    assert "latent_dim" not in text
    found = json.loads(compare(written, tmp_path, "seeds:model=repeat", "seeds:model=stateful", "--json"))
    assert found["options"]["model.name"] == ["repeat", "stateful"]
    assert found["metrics"]["test/exact_match"]["num_seeds"] == 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("FIRST", "FIRST"), "is on both sides. Name two runs."),
        (("seeds", "seeds:model=repeat"), "is on both sides"),
        (("FIRST", "seeds:model"), "is not STUDY:OPTION=VALUE"),
        (("FIRST", "seeds:modle=repeat"), "have no option 'modle'"),
        (("FIRST", "seeds:model=bahdanau2015"), "No run of seeds has model=bahdanau2015"),
        (("FIRST", "nowhere"), "There is no run 'nowhere'"),
        (("FIRST",), "Name two runs"),
        (("FIRST", "OLD", "--md", "--json"), "--md cannot be used with --json"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    written: Written, words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {"FIRST": written.names["first"], "OLD": written.names["old"]}
    status = use("diff", *(named.get(word, word) for word in words), f"output_dir={written.output_dir}")
    assert status == 2
    assert message in capsys.readouterr().err


def test_damaged_predictions_are_refused(written: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = compose_options([*DATA, "tracking=directory", f"output_dir={tmp_path}", "study=damaged"])
    dataset = load_dataset(options.dataset, options.timesteps)
    names = [write_run(replace(options, seed=seed), dataset, 20) for seed in (0, 1)]
    path = tmp_path / "damaged" / names[1] / "samples" / "test_predictions.npy"
    values = np.load(path)
    np.save(path, np.full_like(values, 250))
    assert use("diff", *names, f"output_dir={tmp_path}") == 2
    assert "symbols that the data do not have" in capsys.readouterr().err
    path.write_bytes(path.read_bytes()[:-1])
    assert use("diff", *names, f"output_dir={tmp_path}") == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_run_is_shown_on_one_screen(written: Written, tmp_path: Path) -> None:
    text = read_output(tmp_path, "show", written.names["second"], f"output_dir={written.output_dir}")
    assert len(text.splitlines()) <= 30
    assert "stateful: conditioning initial_state, feedback teacher, length stop, seed 0" in text
    assert "copy (20 train, 10 val, 60 test)" in text
    assert "latent_dim=32, dataset.num_train=20" in text
    assert "0.8333" in text
    identity = written.names["second"].rpartition("-")[2]
    assert f'lengthwise decode {identity} "an input"' in text
    assert f"python train.py base={identity} seed=1" in text
