from __future__ import annotations

import base64
import json
import math
import shutil
import time
import zlib
from dataclasses import replace
from pathlib import Path

import mlflow
import pandas
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run as MlflowRun

from helpers.runs import StartRun
from lengthwise.config.options import DirectoryOptions, MlflowOptions
from lengthwise.errors import ConfigError, RunError
from lengthwise.tracking.mlflow.logged_model import LOADER_MODULE
from lengthwise.tracking.mlflow.mirror import sync
from lengthwise.tracking.mlflow.store import open_store
from lengthwise.tracking.mlflow.views import share_view
from lengthwise.tracking.runs.heartbeat import reap
from lengthwise.tracking.runs.journal import read_journal
from lengthwise.tracking.runs.run import Run
from lengthwise.tracking.runs.run_record import PrimaryMetric

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""MLflow uses what SQLAlchemy, protobuf and others have deprecated."""


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lengthwise.tracking.mlflow.mirror._MAX_FIRST_WAIT_SECONDS", 0.0)


@pytest.fixture
def client(tracking: MlflowOptions) -> MlflowClient:
    return MlflowClient(tracking_uri=tracking.uri)


def only_run(client: MlflowClient, study: str = "digits-study") -> MlflowRun:
    experiment = client.get_experiment_by_name(study)
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    return run


def history(client: MlflowClient, run_id: str, key: str) -> list[tuple[int, float]]:
    return [(metric.step, metric.value) for metric in client.get_metric_history(run_id, key)]


def fill(run: Run) -> None:
    for step in range(4):
        run.log({"train/loss": 1 / (step + 1), "val/loss": 2.0 * step}, step=step)
    run.write_json("samples/test.json", {"columns": ["source", "prediction"], "data": [["ab", "ba"]]})
    run.path("figures", "curves.png").write_bytes(b"\x89PNG")
    run.path("checkpoints", "1", "weights").write_bytes(b"weights")
    run.write_text("log.txt", "a line\n")
    run.set_summary({"test/exact_match": 0.75})


def test_mlflow_shows_what_the_directory_holds(
    start: StartRun, tracking: MlflowOptions, client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    monkeypatch.setenv("SECRET_TOKEN", "canary-5812")
    with start(
        tracking,
        params={
            "latent_dim": 64,
            "model.name": "repeat",
            "training.clip_norm": None,
            "model.head": True,
            "long": "x" * 7000,
        },
    ) as run:
        fill(run)
    found = only_run(client)
    assert found.info.status == "FINISHED"
    assert found.info.run_name == run.name[16:]
    assert found.info.end_time >= found.info.start_time
    long = found.data.params.pop("long")
    assert found.data.params == {
        "latent_dim": "64",
        "model.name": "repeat",
        "training.clip_norm": "null",
        "model.head": "true",
    }
    assert len(long) == 6000
    assert long.endswith("(cut; whole in config.yaml)")
    assert history(client, found.info.run_id, "val/loss") == [(0, 0.0), (1, 2.0), (2, 4.0), (3, 6.0)]
    assert history(client, found.info.run_id, "test/exact_match") == [(0, 0.75)]  # without a step: a bar
    tags = found.data.tags
    assert tags["lengthwise.run"] == run.name
    assert tags["overrides"] == "latent_dim=64"
    assert tags["mlflow.source.name"] == "train.py"
    assert "| test/exact_match | 0.75 |" in tags["mlflow.note.content"]
    assert json.loads(tags["mlflow.loggedArtifacts"]) == [{"path": "samples/test.json", "type": "table"}]
    dataset = found.inputs.dataset_inputs[0].dataset
    assert (dataset.name, dataset.digest) == ("digits", ("0123456789abcdef" * 4)[:36])
    experiment = client.get_experiment(found.info.experiment_id)
    assert experiment.tags["mlflow.experiment.primaryMetric.name"] == "test/exact_match"
    assert experiment.artifact_location == (tmp_path / "mlruns" / "digits-study").as_uri()
    names = {file.path for file in client.list_artifacts(found.info.run_id)}
    assert names == {"config.yaml", "figures", "log.txt", "manifest.json", "samples"}
    sent = [path.read_bytes() for path in (tmp_path / "mlruns").rglob("*") if path.is_file()]
    assert not any(b"canary-5812" in content for content in [*sent, (tmp_path / "mlflow.db").read_bytes()])


def test_the_table_is_one_that_mlflow_reads(
    start: StartRun, tracking: MlflowOptions, client: MlflowClient, tmp_path: Path
) -> None:
    with start(tracking) as run:
        fill(run)
    (found,) = client.search_runs(  # as MLflow's load_table asks
        [only_run(client).info.experiment_id],
        """tags.`mlflow.loggedArtifacts` LIKE '%"path"%:%"samples/test.json",%"type"%:%"table"%'""",
    )
    path = client.download_artifacts(found.info.run_id, "samples/test.json", str(tmp_path))
    table = pandas.read_json(path, orient="split")
    assert table.to_dict("list") == {"source": ["ab"], "prediction": ["ba"]}


def test_metrics_arrive_while_the_run_is_open(
    start: StartRun, tracking: MlflowOptions, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lengthwise.tracking.mlflow.mirror._TICK_SECONDS", 0.05)
    with start(tracking) as run:
        run.log({"val/loss": 0.5}, step=0)
        state = run.directory / "mirror.json"
        journal_bytes = (run.directory / "metrics.jsonl").stat().st_size
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if state.exists() and json.loads(state.read_text())["journal_bytes"] == journal_bytes:
                break
            time.sleep(0.02)
        found = only_run(client)
        assert found.info.status == "RUNNING"
        assert history(client, found.info.run_id, "val/loss") == [(0, 0.5)]


def test_infinities_never_become_numbers(start: StartRun, tracking: MlflowOptions, client: MlflowClient) -> None:
    with start(tracking) as run:
        for step, value in enumerate([math.inf, math.nan, -math.inf, 1.0]):
            run.log({"val/loss": value}, step=step)
    found = only_run(client)
    values = history(client, found.info.run_id, "val/loss")
    assert [step for step, _ in values] == [1, 3]
    assert math.isnan(values[0][1])
    assert found.data.tags["lengthwise.infinite/val/loss"] == "-inf at step 2"


def snapshot(client: MlflowClient, study: str = "digits-study") -> dict[str, object]:
    found = only_run(client, study)
    points = {key: history(client, found.info.run_id, key) for key in found.data.metrics}
    outputs = [output.model_id for output in found.outputs.model_outputs] if found.outputs else []
    inputs = [entry.dataset.digest for entry in found.inputs.dataset_inputs]
    run_info = (found.info.run_id, found.info.status, found.info.end_time)
    return {"info": run_info, "data": found.data.to_dictionary(), "points": points, "in": inputs, "out": outputs}


def save_model(run: Run) -> None:
    """Write a directory such as `mlflow.pyfunc.save_model(loader_module=...)` does, without its seconds."""
    run.write_text("model/data/weights", "weights")
    flavor = {"loader_module": LOADER_MODULE, "data": "data", "python_version": "3.11"}
    run.write_json("model/MLmodel", {"flavors": {"python_function": flavor}, "model_uuid": "x", "run_id": None})


@pytest.mark.parametrize("lost", [False, True], ids=["state kept", "state lost"])
def test_sync_is_idempotent(start: StartRun, tracking: MlflowOptions, client: MlflowClient, lost: bool) -> None:
    with start(tracking) as run:
        fill(run)
        save_model(run)
    before = snapshot(client)
    for _ in range(2):
        if lost:
            (run.directory / "mirror.json").unlink()
        (synced,) = sync(run.directory.parent.parent, tracking)
        assert synced.problem is None
    assert snapshot(client) == before
    assert len(client.search_logged_models([only_run(client).info.experiment_id])) == 1


def test_the_model_belongs_to_its_run(start: StartRun, tracking: MlflowOptions, client: MlflowClient) -> None:
    with start(tracking) as run:
        run.set_summary({"test/exact_match": 0.75})
        save_model(run)
    found = only_run(client)
    (output,) = found.outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert model.status == "READY"
    assert model.source_run_id == found.info.run_id
    assert model.params["latent_dim"] == "64"
    assert [(metric.key, metric.value) for metric in model.metrics] == [("test/exact_match", 0.75)]
    location = Path(model.artifact_location.removeprefix("file://"))
    description = yaml.safe_load((location / "MLmodel").read_text())
    assert (description["model_id"], description["run_id"]) == (output.model_id, found.info.run_id)
    assert description["flavors"]["python_function"]["loader_module"] == LOADER_MODULE
    assert (location / "data" / "weights").read_text() == "weights"
    assert "model" not in {file.path for file in client.list_artifacts(found.info.run_id)}


def test_children_are_shown_below_their_sweep(start: StartRun, tracking: MlflowOptions, client: MlflowClient) -> None:
    sweep = {"kind": "sweep", "label": "sweep", "dataset": None, "seed": None}
    with start(tracking, study="grid", **sweep) as parent, start(tracking, parent=parent.name, study="grid") as child:
        child.log({"val/loss": 1.0}, step=0)
    experiment = client.get_experiment_by_name("grid")
    assert experiment is not None
    runs = {run.data.tags["lengthwise.run"]: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {parent.name, child.name}
    assert runs[child.name].data.tags["mlflow.parentRunId"] == runs[parent.name].info.run_id
    assert "mlflow.parentRunId" not in runs[parent.name].data.tags
    assert {run.info.status for run in runs.values()} == {"FINISHED"}


def test_a_failure_is_shown_with_its_reason(start: StartRun, tracking: MlflowOptions, client: MlflowClient) -> None:
    with pytest.raises(ZeroDivisionError), start(tracking) as run:
        run.log({"val/loss": 1.0 / 0}, step=0)
    found = only_run(client)
    assert found.info.status == "FAILED"
    assert found.data.tags["lengthwise.failure"] == "ZeroDivisionError: float division by zero"
    assert "traceback.txt" in {file.path for file in client.list_artifacts(found.info.run_id)}


def test_runs_of_directories_only_are_sent_later(
    start: StartRun, directory_only: DirectoryOptions, tracking: MlflowOptions, client: MlflowClient
) -> None:
    for study in ("one", "one", "two"):
        with start(directory_only, study=study) as run:
            run.log({"val/loss": 1.0}, step=0)
    outputs = run.directory.parent.parent
    assert not (run.directory / "mirror.json").exists()
    assert [synced.name for synced in sync(outputs, tracking, run=run.name)] == [run.name]
    assert len(sync(outputs, tracking, study="one")) == 2
    assert all(synced.problem is None for synced in sync(outputs, tracking))
    experiments = client.search_experiments(filter_string="name != 'Default'")
    assert {experiment.name for experiment in experiments} == {"one", "two"}
    assert len(client.search_runs([experiment.experiment_id for experiment in experiments])) == 3


def test_a_sweep_is_synced_with_its_children(
    start: StartRun, directory_only: DirectoryOptions, tracking: MlflowOptions
) -> None:
    with start(directory_only, kind="sweep", label="sweep") as parent:
        for _ in range(2):
            with start(directory_only, parent=parent.name):
                pass
        with start(directory_only):
            pass
    assert len(sync(parent.directory.parent.parent, tracking, run=parent.name)) == 3


def test_more_metrics_than_a_call_takes(
    start: StartRun, directory_only: DirectoryOptions, tracking: MlflowOptions, client: MlflowClient
) -> None:
    with start(directory_only) as run:
        for step in range(250):
            run.log({f"train/m{i}": float(step * i) for i in range(5)}, step=step)
    sync(run.directory.parent.parent, tracking)
    found = only_run(client)
    for i in range(5):
        assert history(client, found.info.run_id, f"train/m{i}") == [(step, float(step * i)) for step in range(250)]
    assert len(read_journal(run.directory / "metrics.jsonl")[0]) == 1250


def test_a_database_made_again_gets_everything(
    start: StartRun, tracking: MlflowOptions, empty_database: Path, tmp_path: Path
) -> None:
    with start(tracking) as run:
        fill(run)
    new = replace(tracking, uri=f"sqlite:///{tmp_path}/new.db")
    shutil.copy(empty_database, tmp_path / "new.db")
    state = run.directory / "mirror.json"
    state.write_text(state.read_text().replace("mlflow.db", "new.db"))  # as if the file had been replaced
    (synced,) = sync(run.directory.parent.parent, new)
    assert synced.problem is None
    found = only_run(MlflowClient(tracking_uri=new.uri))
    assert found.data.metrics["test/exact_match"] == 0.75
    assert found.info.status == "FINISHED"


def test_what_was_deleted_in_mlflow_stays_deleted(
    start: StartRun, tracking: MlflowOptions, client: MlflowClient
) -> None:
    with start(tracking) as run:
        pass
    found = only_run(client)
    client.delete_run(found.info.run_id)
    (synced,) = sync(run.directory.parent.parent, tracking)
    assert synced.problem == (
        f"It was deleted in MLflow; to have it back: mlflow runs restore --run-id {found.info.run_id}"
    )
    client.delete_experiment(found.info.experiment_id)
    with start(replace(tracking, timeout_seconds=20.0)) as second:
        pass
    problems = {synced.name: synced.problem for synced in sync(run.directory.parent.parent, tracking)}
    assert "mlflow experiments restore -x" in str(problems[second.name])


def test_a_reaped_run_is_closed_in_mlflow_by_the_next_start(
    start: StartRun, tracking: MlflowOptions, client: MlflowClient
) -> None:
    with start(tracking, study="first") as run:
        run.log({"val/loss": 1.0}, step=0)
    manifest = json.loads((run.directory / "manifest.json").read_text())
    manifest |= {"status": "RUNNING", "process": manifest["process"] | {"pid": 2**22 + 1}}
    (run.directory / "manifest.json").write_text(json.dumps(manifest))
    (run.directory / "heartbeat").touch()
    client.update_run(only_run(client, "first").info.run_id, status="RUNNING")
    with start(tracking, study="second"):
        deadline = time.monotonic() + 30
        while only_run(client, "first").info.status == "RUNNING" and time.monotonic() < deadline:
            time.sleep(0.05)
    assert only_run(client, "first").info.status == "KILLED"
    assert reap(run.directory.parent.parent) == ()


def test_a_link_out_of_the_directory_is_not_followed(
    start: StartRun, tracking: MlflowOptions, client: MlflowClient, tmp_path: Path
) -> None:
    (tmp_path / "private").write_text("private")
    with start(tracking) as run:
        run.path("link").symlink_to(tmp_path / "private")
    names = {file.path for file in client.list_artifacts(only_run(client).info.run_id)}
    assert names == {"config.yaml", "manifest.json"}


def test_sync_needs_mlflow(tmp_path: Path, directory_only: DirectoryOptions, tracking: MlflowOptions) -> None:
    with pytest.raises(ConfigError, match="tracking must be mlflow to sync; got directory"):
        sync(tmp_path, directory_only)
    with pytest.raises(RunError, match="no runs"):
        sync(tmp_path, tracking, run="latest")
    assert sync(tmp_path, tracking) == ()


def test_a_job_is_named_and_grouped_by_the_values_that_vary(
    start: StartRun, tracking: MlflowOptions, client: MlflowClient
) -> None:
    sweep = {"kind": "sweep", "label": "sweep", "dataset": None, "seed": None}
    params = {"model.name": "repeat", "latent_dim": 32, "seed": 1, "study": "grid", "model.conditioning": "repeat"}
    planned = params | {"model.name": "repeat, stateful", "seed": "0, 1", "model.conditioning": "repeat, initial_state"}
    tags = {"lengthwise.overrides": "model=repeat latent_dim=32 seed=1 study=grid"}
    with (
        start(tracking, study="grid", params=planned, **sweep) as parent,
        start(tracking, parent=parent.name, study="grid", params=params, tags=tags) as child,
    ):
        child.log({"val/loss": 1.0}, step=3)
        child.set_summary({"test/exact_match": 0.75, "test/baseline_copy_exact_match": 0.25, "val/exact_match": 0.5})
        parent.path("report", "report.html").write_text("<p>page")
        parent.path("report", "answer.md").write_text("Use repeat.\nMore.")
    experiment = client.get_experiment_by_name("grid")
    runs = {run.data.tags["lengthwise.run"]: run for run in client.search_runs([experiment.experiment_id])}
    found = runs[child.name]
    assert found.info.run_name == f"repeat seed=1 {child.name[-6:]}"
    assert found.data.tags["lengthwise.condition"] == "repeat"
    assert history(client, found.info.run_id, "test/exact_match") == [(0, 0.75)]  # a bar, not a curve of one point
    assert history(client, found.info.run_id, "val/exact_match") == [(3, 0.5)]
    first = found.data.tags["mlflow.note.content"].splitlines()[0]
    assert "test/exact_match **0.75** (best baseline 0.25)." in first
    note = runs[parent.name].data.tags["mlflow.note.content"]
    link = f"#/experiments/{experiment.experiment_id}/runs/{runs[parent.name].info.run_id}/artifacts/report/report.html"
    link += "?workflowType=machine_learning"
    assert note.startswith(f"[Report]({link}): Use repeat.")
    assert client.get_experiment(experiment.experiment_id).tags["mlflow.note.content"].startswith("[Report](")


def test_the_description_of_somebody_else_stays(start: StartRun, tracking: MlflowOptions, client: MlflowClient) -> None:
    sweep = {"kind": "sweep", "label": "sweep", "dataset": None, "seed": None, "study": "grid"}
    for text, expected in (("First.", "First."), ("Second.", "Second."), ("Third.", "Mine.")):
        with start(tracking, **sweep) as parent:
            parent.path("report", "answer.md").write_text(text)
        number = client.get_experiment_by_name("grid").experiment_id
        note = client.get_experiment(number).tags["mlflow.note.content"]
        assert expected in (note, note.partition("): ")[2])  # below the link to the report
        if text == "Second.":
            client.set_experiment_tag(number, "mlflow.note.content", "Mine.")


def test_the_view_of_a_study_is_a_shared_view(start: StartRun, tracking: MlflowOptions, client: MlflowClient) -> None:
    metric = PrimaryMetric(name="test/error_rate", greater_is_better=False)
    store = open_store(tracking.uri)
    assert share_view(store, "grid", ["latent_dim"], metric) == "#/experiments"
    with start(tracking, study="grid"):
        pass
    number = client.get_experiment_by_name("grid").experiment_id
    expected = f"#/experiments/{number}/runs?viewStateShareKey=lengthwise&workflowType=machine_learning"
    assert share_view(store, "grid", ["model.name", "latent_dim"], metric) == expected
    state = json.loads(client.get_experiment(number).tags["mlflow.sharedViewState.lengthwise"])["state"]
    view = json.loads(zlib.decompress(base64.b64decode(state.removeprefix("deflate;"))))
    assert view["selectedColumns"] == ["params.`model.name`", "params.`latent_dim`", "metrics.`test/error_rate`"]
    assert (view["orderByKey"], view["orderByAsc"]) == ("metrics.`test/error_rate`", True)
    found = client.search_runs([number], str(view["searchFilter"]), order_by=[f"{view['orderByKey']} ASC"])
    assert len(found) == 1


def test_the_pages_of_mlflow_still_read_a_shared_view() -> None:
    """The format is private to MLflow: where its pages no longer know the words, the view has to be written again."""
    pages = Path(mlflow.__file__).parent / "server" / "js" / "build" / "static" / "js"
    text = "".join(path.read_text(encoding="utf-8") for path in pages.glob("*.js"))
    words = ("mlflow.sharedViewState.", "viewStateShareKey", "deflate;", "selectedColumns", "modelVersionFilter")
    assert [word for word in words if word not in text] == []
