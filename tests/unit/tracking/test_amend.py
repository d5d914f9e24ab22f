from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.runs import StartRun
from lengthwise.config.options import DirectoryOptions, MlflowOptions
from lengthwise.errors import LengthwiseError, RunError
from lengthwise.tracking.amend import add_to_run
from lengthwise.tracking.mlflow.logged_model import LOADER_MODULE
from lengthwise.tracking.mlflow.registry import fetch_model, register_model
from lengthwise.tracking.mlflow.store import open_store
from lengthwise.tracking.runs.journal import read_journal
from lengthwise.tracking.runs.manifest import read_manifest, write_manifest

# MLflow's own, of SQLAlchemy.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


MLMODEL = f"flavors: {{python_function: {{loader_module: {LOADER_MODULE}}}}}\n"


def make_run(start: StartRun, tracking: MlflowOptions | DirectoryOptions, *, with_model: bool = False) -> Path:
    with start(tracking) as run:
        run.log({"val/loss": 1.0}, step=7)
        run.set_summary({"test/exact_match": 0.5})
        if with_model:
            run.path("model", "MLmodel").write_text(MLMODEL)
    return run.directory


def test_metrics_and_files_are_added_and_all_else_stays(start: StartRun, directory_only: DirectoryOptions) -> None:
    directory = make_run(start, directory_only)
    before = read_manifest(directory)
    add_to_run(
        directory, directory_only, metrics={"test/beam/exact_match": 0.75}, files={"evaluations/beam.json": "{}"}
    )
    added = {"test/exact_match": 0.5, "test/beam/exact_match": 0.75}
    assert read_manifest(directory) == replace(before, summary=added)
    assert (directory / "evaluations" / "beam.json").read_text() == "{}"
    entries, _ = read_journal(directory / "metrics.jsonl")
    assert [(entry.key, entry.step, entry.value) for entry in entries][-1] == ("test/beam/exact_match", 7, 0.75)


def test_a_run_that_is_running_is_refused(start: StartRun, directory_only: DirectoryOptions) -> None:
    with start(directory_only) as run, pytest.raises(RunError, match="still running"):
        add_to_run(run.directory, directory_only, metrics={"test/beam/exact_match": 0.75}, files={})


def test_mlflow_gets_it_once(start: StartRun, tracking: MlflowOptions) -> None:
    directory = make_run(start, tracking)
    for _ in range(2):
        add_to_run(directory, tracking, metrics={"test/beam/exact_match": 0.75}, files={"evaluations/beam.json": "{}"})
    client = open_store(tracking.uri).client
    run_id = json.loads((directory / "mirror.json").read_text())["run_id"]
    assert client.get_run(run_id).data.metrics["test/beam/exact_match"] == 0.75
    assert client.get_run(run_id).info.status == "FINISHED"
    assert [file.path for file in client.list_artifacts(run_id, "evaluations")] == ["evaluations/beam.json"]


def test_without_mlflow_the_run_has_it_and_a_warning_says_so(
    start: StartRun, directory_only: DirectoryOptions, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    directory = make_run(start, directory_only)
    (tmp_path / "file").touch()
    away = MlflowOptions(name="mlflow", uri=f"sqlite:///{tmp_path}/file/no.db", timeout_seconds=1.0)
    add_to_run(directory, away, metrics={"test/beam/exact_match": 0.75}, files={})
    assert "lengthwise sync" in caplog.text
    assert read_manifest(directory).summary["test/beam/exact_match"] == 0.75


def test_a_model_is_registered_once_and_its_alias_moves(start: StartRun, tracking: MlflowOptions) -> None:
    first, second = (make_run(start, tracking, with_model=True) for _ in range(2))
    assert register_model(first, tracking, name="adder", alias="champion") == 1
    assert register_model(first, tracking, name="adder", alias=None) == 1
    assert register_model(second, tracking, name="adder", alias="champion") == 2
    client = open_store(tracking.uri).client
    version = client.get_model_version_by_alias("adder", "champion")
    assert int(version.version) == 2
    assert version.tags["lengthwise.run"] == second.name
    assert (fetch_model("models:/adder@champion", tracking) / "MLmodel").is_file()
    assert (fetch_model("models:/adder/1", tracking) / "MLmodel").is_file()
    for uri in ("models:/adder@nobody", "models:/none/1", "models:/adder/9"):
        with pytest.raises(RunError, match="MLflow has no model"):
            fetch_model(uri, tracking)


@pytest.mark.parametrize(("name", "alias"), [("", None), ("a/b", None), ("adder", ""), ("adder", "a b'; --")])
def test_an_impossible_name_is_refused(start: StartRun, tracking: MlflowOptions, name: str, alias: str | None) -> None:
    directory = make_run(start, DirectoryOptions(name="directory"), with_model=True)
    with pytest.raises(LengthwiseError, match="is made of letters"):
        register_model(directory, tracking, name=name, alias=alias)


def test_a_run_without_a_model_cannot_be_registered(start: StartRun, tracking: MlflowOptions) -> None:
    with pytest.raises(RunError, match="no model in MLflow's format"):
        register_model(make_run(start, tracking), tracking, name="adder", alias=None)


def test_a_run_that_is_running_cannot_be_registered(start: StartRun, tracking: MlflowOptions) -> None:
    with start(tracking) as run, pytest.raises(RunError, match="is still running"):
        register_model(run.directory, tracking, name="adder", alias=None)


def test_metrics_are_added_to_a_run_whose_process_is_dead(start: StartRun, directory_only: DirectoryOptions) -> None:
    directory = make_run(start, directory_only)
    manifest = read_manifest(directory)
    write_manifest(directory, replace(manifest, status="RUNNING", process=replace(manifest.process, pid=2**22 + 1)))
    add_to_run(directory, directory_only, metrics={"test/beam/error": 0.5}, files={})
    assert read_manifest(directory).status == "KILLED"
    assert read_manifest(directory).summary["test/beam/error"] == 0.5
