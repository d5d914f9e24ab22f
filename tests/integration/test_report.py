"""`lengthwise report`, from run directories to files."""

from __future__ import annotations

import csv
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lengthwise.app.cli import run_command
from lengthwise.config.compose import compose_options
from lengthwise.config.parse import dump_options, flatten_options
from lengthwise.errors import LengthwiseError, RunError
from lengthwise.studies.collect import collect_studies
from lengthwise.studies.report.writer import report_studies, report_sweep
from lengthwise.tracking.runs.run_record import DatasetRecord, PrimaryMetric, RunRecord
from lengthwise.tracking.session import start_run

FEEDBACKS, LENGTHS, SEEDS = ("none", "teacher"), ("fixed", "stop"), (0, 1, 2)
COMMAND = ("python", "train.py", "experiment=cube", "output_dir=/somewhere", "tracking=directory")


def write_run(output_dir: Path, feedback: str, length: str, seed: int, parent: str) -> str:
    """Write a run as an experiment does; `feedback=teacher, length=fixed, seed=2` fails."""
    options = compose_options(
        [
            "dataset=copy",
            "tracking=directory",
            "study=cube",
            f"output_dir={output_dir}",
            f"seed={seed}",
            f"model.feedback={feedback}",
            f"model.length={length}",
        ]
    )
    record = RunRecord(
        study="cube",
        label="repeat-copy",
        params=flatten_options(options),
        tags={},
        command=COMMAND,
        dataset=DatasetRecord(name="copy", sha256="ab" * 32, split_sizes={"train": 10, "test": 5}),
        parent=parent,
        seed=seed,
        primary_metric=PrimaryMetric(name="test/exact_match", greater_is_better=True),
    )
    name = ""
    try:
        text = dump_options(options)
        with start_run(record, options.tracking, output_dir=output_dir, config_text=text) as run:
            name = run.name
            if (feedback, length, seed) == ("teacher", "fixed", 2):
                raise ValueError("the loss is no longer finite")
            for epoch in (1, 2):
                run.log({"val/loss": 1 / epoch}, step=epoch)
            score = 0.5 + 0.3 * (feedback == "teacher") + 0.01 * seed
            run.set_summary({"test/exact_match": score, "longer/exact_match": 0.1, "model/parameters": 1000})
            columns = ["target_length", "beyond_trained", "examples", "exact_match"]
            run.write_json("samples/test_by_length.json", {"columns": columns, "data": [["1-2", False, 5, score]]})
            longer = {"columns": columns, "data": [["3", True, 5, 0.1], ["4", True, 5, None]]}
            run.write_json("samples/longer_by_length.json", longer)
            samples = {"columns": ["example", "source", "prediction"], "data": [[3, "ab", "<i>a"]]}
            run.write_json("samples/test_samples.json", samples)
    except ValueError:
        pass
    return name


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a sweep of which one run failed and one, feedback=teacher, length=stop, seed=2, was never started."""
    output_dir = tmp_path_factory.mktemp("outputs")
    options = compose_options(["dataset=copy", "tracking=directory"])
    params = flatten_options(options) | {"model.feedback": "none, teacher", "model.length": "fixed, stop"}
    record = RunRecord(
        study="cube",
        label="sweep",
        params=params | {"seed": "0, 1, 2"},
        tags={},
        command=COMMAND,
        dataset=None,
        parent=None,
        seed=None,
        kind="sweep",
    )
    with start_run(record, options.tracking, output_dir=output_dir, config_text="{}") as parent:
        jobs = list(itertools.product(FEEDBACKS, LENGTHS, SEEDS))[:-1]
        names = [write_run(output_dir, *job, parent.name) for job in jobs]
        rows = "".join(f"{number},{name}\n" for number, name in enumerate(names))
        parent.write_text("sweep.csv", f"job,run\n{rows}{len(names)},\n")
        return parent.directory


def test_studies_are_set_side_by_side(sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["report", "cube", "--side-by-side", f"output_dir={sweep.parent.parent}", "--output", str(tmp_path)]
    assert run_command(words) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"report  {tmp_path / 'report.html'}"
    text = (tmp_path / "README.md").read_text()
    assert "Which should I take for my data, and why?" in text
    assert "| cube  | feedback=teacher, length=stop" in text
    assert (tmp_path / "figures" / "side_by_side.png").read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "changes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["verdict"] for row in rows} == {"not judged"}, "of two or three seeds"
    (fixed,) = (
        row for row in rows if (row["change"], row["at"]) == ("feedback: teacher instead of none", "length=fixed")
    )
    assert float(fixed["difference"]) == pytest.approx((0.3 + 0.3 + (0 - 0.52)) / 3), "a failed run counts with 0"


def test_side_by_side_leaves_no_run_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["report", "cube", "--side-by-side", "--leave-out-failed"]) == 2
    assert "--side-by-side cannot be used with --leave-out-failed" in capsys.readouterr().err


def test_a_study_is_reported_by_one_command(sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "experiments" / "cube"
    output_dir = sweep.parent.parent
    assert run_command(["report", "cube", f"output_dir={output_dir}", "--output", str(place)]) == 0
    printed = capsys.readouterr().out
    words = " ".join(printed.split())
    assert words.startswith("Not decided. Predicted before the runs: P2")
    assert ("1 of 11 runs failed in training and count with the worst score, 0.0 % (1 of feedback=") in words
    assert "3 seeds are too few for verdicts" in words
    assert printed.splitlines()[-1] == f"report  {place / 'report.html'}"
    assert {path.name for path in place.iterdir()} == {
        "README.md",
        "answer.md",
        "report.html",
        "results.csv",
        "figures",
    }
    assert (place / "figures" / "effects_longer.png").read_bytes().startswith(b"\x89PNG")
    with (place / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows].count("FINISHED") == 10
    text = (place / "README.md").read_text()
    for part in (
        "Of 12 runs in the grid 10 have a score: 1 failed, 1 not run; 1 of them count with the worst score",
        "ValueError: the loss is no longer",
    ):
        assert part in text
    assert "    python train.py experiment=cube\n" in text, "without the directories of this machine"
    assert str(tmp_path) not in text
    assert text.splitlines()[2].startswith("Which of the axes decides")


def test_what_a_sweep_tuned_is_reported_and_what_it_cannot_read_is_named(sweep: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(sweep.parent, tmp_path / "cube") / sweep.name
    trials = [{"candidate": ["training.learning_rate=0.1"], "values": [0.25, 0.35]}]
    trials += [{"candidate": ["training.learning_rate=0.2"], "values": [0.5, None]}]
    row = {"condition": ["model.feedback=none"], "chosen": ["training.learning_rate=0.1"], "trials": trials}
    (copied / "tuning.json").write_text(json.dumps({"conditions": [row]}))
    text = (report_sweep(copied).directory / "README.md").read_text()
    section = text[text.index("\n## Tuning\n") :]
    cells = [cell.strip() for cell in next(line for line in section.splitlines() if "feedback=none" in line).split("|")]
    assert cells[1:-1] == ["model.feedback=none", "30.0", "\N{EN DASH}", "0.1"]
    assert "cube_tuning" in section
    (copied / "tuning.json").write_text("[")
    with pytest.raises(RunError, match=r"tuning\.json cannot be read"):
        report_sweep(copied)


def test_failed_runs_are_left_out_where_that_is_asked_for(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "report")
    arguments = ["report", "cube", f"output_dir={sweep.parent.parent}", "--output", place, "--leave-out-failed"]
    assert run_command(arguments) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert ("1 of 11 runs failed in training and are left out (1 of feedback=teacher, length=fixed)") in words
    assert "true previous output instead of nothing: +30.0 [" in words


def test_what_each_example_adds_is_read_without_trusting_it(sweep: Path, tmp_path: Path) -> None:
    study = tmp_path / "cube"
    shutil.copytree(sweep.parent, study)
    runs = [path.parent.parent for path in study.glob("*/samples/test_by_length.json")]
    parts = np.array([1, 0, 0, 0, 0, 0, 0], np.uint8)  # does not add up to the score of any run
    np.save(runs[0] / "samples" / "test_correct.npy", parts)
    read = {run.manifest.name: run.examples for run in collect_studies(tmp_path, ["cube"]).study.runs}
    assert read[runs[0].name] == {}
    manifest = json.loads((runs[0] / "manifest.json").read_text())
    manifest["summary"]["test/exact_match"] = 1 / 7
    (runs[0] / "manifest.json").write_text(json.dumps(manifest))
    read = {run.manifest.name: run.examples for run in collect_studies(tmp_path, ["cube"]).study.runs}
    assert read[runs[0].name]["test"].tolist() == parts.tolist()
    for bad in (np.zeros((2, 2), np.uint8), np.zeros(2), np.array([{}], object)):
        np.save(runs[0] / "samples" / "test_correct.npy", bad, allow_pickle=True)
        with pytest.raises(RunError, match=r"test_correct\.npy cannot be read"):
            collect_studies(tmp_path, ["cube"])
    whole = (runs[0] / "samples" / "test_correct.npy").read_bytes()
    claims_more = whole.replace(b"(1,)", b"(9999999999,)").replace(b"|O", b"|u1")
    (runs[0] / "samples" / "test_correct.npy").write_bytes(claims_more)
    with pytest.raises(RunError, match=r"test_correct\.npy cannot be read"):
        collect_studies(tmp_path, ["cube"])


def test_a_sweep_has_its_report_in_its_directory(sweep: Path) -> None:
    written = report_sweep(sweep)
    assert written.html == sweep / "report" / "report.html"
    assert "&lt;i&gt;a" in written.html.read_text()


def test_a_study_without_runs_is_named(sweep: Path) -> None:
    output_dir = sweep.parent.parent
    with pytest.raises(LengthwiseError, match=r"no runs of a study 'other'.*Studies there: cube"):
        report_studies(output_dir, ["cube", "other"])


@pytest.mark.parametrize("arguments", [["report"], ["report", "nothing", "output_dir=/nowhere"]])
def test_a_report_of_nothing_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(arguments) == 2
    assert capsys.readouterr().err.startswith(("Name a study", "There are no runs"))
