"""Runs of strangers that name an address: nothing is sent to it, and none of the user's runs is touched."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.runs import StartRun
from lengthwise.config.options import DirectoryOptions, MlflowOptions
from lengthwise.errors import RunError
from lengthwise.tracking.mlflow.logged_model import LOADER_MODULE, has_model
from lengthwise.tracking.mlflow.mirror import sync
from lengthwise.tracking.mlflow.registry import register_model
from lengthwise.tracking.mlflow.store import open_store
from lengthwise.tracking.runs.manifest import read_manifest, write_manifest
from lengthwise.tracking.session import choose_tracking, names_tracking

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""MLflow uses what SQLAlchemy and others have deprecated."""

DIRECTORY = DirectoryOptions(name="directory")
MODEL = f"flavors: {{python_function: {{loader_module: {LOADER_MODULE}}}}}\n"


def mlflow(uri: str) -> MlflowOptions:
    return MlflowOptions(name="mlflow", uri=uri, timeout_seconds=5.0)


@pytest.fixture
def trap() -> Iterator[tuple[str, list[bytes]]]:
    """Yield the address of a server and what it receives."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    received.append(connection.recv(65_536))

        threading.Thread(target=listen, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", received


STORED = ["http://evil.example", "sqlite:////elsewhere/x.db", "sqlite:///:memory:", "postgresql://me@evil/x", "\x1b[2J"]


@pytest.mark.parametrize("uri", STORED)
def test_the_address_in_a_run_is_not_followed(tmp_path: Path, uri: str, caplog: pytest.LogCaptureFixture) -> None:
    default = mlflow("sqlite:///mlflow.db")
    assert choose_tracking(tmp_path, default, stored=mlflow(uri), is_named=False) == DIRECTORY
    assert "which this command does not name: nothing is sent" in caplog.text
    assert "\x1b" not in caplog.text
    named = mlflow("http://own.example")
    assert choose_tracking(tmp_path, named, stored=mlflow(uri), is_named=True) == named


def test_a_run_stays_where_it_is_mirrored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    default = mlflow("sqlite:///mlflow.db")
    assert choose_tracking(tmp_path, default, stored=default, is_named=False) == default
    assert choose_tracking(tmp_path, default, stored=DIRECTORY, is_named=False) == DIRECTORY
    assert choose_tracking(tmp_path, DIRECTORY, stored=default, is_named=False) == DIRECTORY
    assert caplog.text == ""


@pytest.mark.parametrize("uri", ["http://evil.example", "sqlite:///mlflow.db"])
def test_the_address_in_the_state_of_a_mirror_is_not_followed(tmp_path: Path, uri: str) -> None:
    default, state = mlflow("sqlite:////own/mlflow.db"), {"uri": uri, "artifacts": {}}
    (tmp_path / "mirror.json").write_text(json.dumps(state))
    assert choose_tracking(tmp_path, default, stored=default, is_named=False) == DIRECTORY
    (tmp_path / "mirror.json").write_text(json.dumps(state | {"uri": "sqlite:////own/mlflow.db"}))
    assert choose_tracking(tmp_path, default, stored=mlflow(uri), is_named=False) == default


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["tracking=mlflow"], True),
        (["tracking.uri=http://own"], True),
        (["model=x", "tracking.timeout_seconds=5"], True),
        (["output_dir=x"], False),
        ([], False),
    ],
)
def test_whether_a_command_names_its_tracking(overrides: list[str], named: bool) -> None:
    assert names_tracking(overrides) is named


STATES = [
    {"run_id": "VICTIM", "experiment_id": "VICTIM"},
    {"run_id": "VICTIM", "experiment_id": "0"},
    {"run_id": "VICTIM", "experiment_id": "VICTIM", "params_sent": True, "status": "RUNNING"},
    {"run_id": 5, "experiment_id": [], "artifacts": {}},
    {"run_id": "../../x", "experiment_id": "1"},
    {"run_id": "VICTIM", "experiment_id": "VICTIM", "journal_bytes": -1},
]


@pytest.mark.parametrize("state", STATES, ids=str)
def test_no_other_run_in_mlflow_is_touched(start: StartRun, tracking: MlflowOptions, state: dict[str, object]) -> None:
    with start(tracking, study="own") as victim:
        victim.log({"val/loss": 1.0}, step=0)
    own = json.loads((victim.directory / "mirror.json").read_text())
    with start(DIRECTORY, study="strange") as run:
        run.log({"val/loss": 666.0}, step=0)
    filled = {key: own[key] if value == "VICTIM" else value for key, value in state.items()}
    (run.directory / "mirror.json").write_text(json.dumps({"uri": own["uri"], "artifacts": {}} | filled))
    client = open_store(tracking.uri).client
    before = client.get_run(own["run_id"]).to_dictionary()
    for synced in sync(run.directory.parent.parent, tracking):
        assert synced.problem is None
    assert client.get_run(own["run_id"]).to_dictionary() == before
    experiment = client.get_experiment_by_name("strange")
    assert experiment is not None
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.data.metrics == {"val/loss": 666.0}


@pytest.mark.parametrize("uri", ["http://evil.example", "sqlite:////elsewhere/x.db", None])
def test_a_dead_run_of_a_stranger_is_closed_and_not_sent(
    start: StartRun, tracking: MlflowOptions, uri: str | None
) -> None:
    with start(DIRECTORY, study="strange") as run:
        pass
    manifest = read_manifest(run.directory)
    dead = replace(manifest, status="RUNNING", process=replace(manifest.process, pid=2**22 + 1))
    write_manifest(run.directory, dead)
    (run.directory / "heartbeat").touch()
    if uri is not None:
        (run.directory / "mirror.json").write_text(json.dumps({"uri": uri, "artifacts": {}}))
    with start(tracking, study="own"):
        pass
    assert read_manifest(run.directory).status == "KILLED"
    assert open_store(tracking.uri).client.get_experiment_by_name("strange") is None


def test_the_model_of_another_run_is_not_registered(start: StartRun, tracking: MlflowOptions) -> None:
    directories = []
    for _ in range(2):
        with start(tracking) as run:
            run.write_text("model/MLmodel", MODEL)
        directories.append(run.directory)
    states = [json.loads((directory / "mirror.json").read_text()) for directory in directories]
    (directories[1] / "mirror.json").write_text(json.dumps(states[1] | {"model_id": states[0]["model_id"]}))
    with pytest.raises(RunError, match="names a model of another run"):
        register_model(directories[1], tracking, name="adder", alias=None)


DESCRIPTIONS = [
    {"flavors": {"python_function": {"loader_module": "os"}}},
    {"flavors": {"python_function": {"loader_module": "mlflow.pyfunc.model", "python_model": "python_model.pkl"}}},
    {"flavors": {"python_function": {"loader_module": LOADER_MODULE, "code": "code"}}},
    {"flavors": {"python_function": {"loader_module": LOADER_MODULE}, "sklearn": {"pickled_model": "model.pkl"}}},
    {"flavors": {"keras": {"keras_module": "evil"}}},
    {"flavors": [LOADER_MODULE]},
    {},
]


@pytest.mark.parametrize("description", DESCRIPTIONS, ids=str)
def test_a_model_that_would_run_other_code_is_not_sent(
    start: StartRun, tracking: MlflowOptions, tmp_path: Path, description: dict[str, object]
) -> None:
    with start(DIRECTORY) as run:
        run.write_json("model/MLmodel", description)
        run.write_text("model/model.pkl", "canary-9902")
    assert has_model(run.directory)
    (synced,) = sync(run.directory.parent.parent, tracking)
    assert "is not a model that Lengthwise has written" in str(synced.problem)
    with pytest.raises(RunError, match="is not a model that Lengthwise has written"):
        register_model(run.directory, tracking, name="adder", alias=None)
    assert not [path for path in (tmp_path / "mlruns").rglob("*") if path.name in {"model.pkl", "MLmodel"}]
    client = open_store(tracking.uri).client
    experiment = client.get_experiment_by_name("digits-study")
    assert experiment is not None
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.status == "FINISHED", "it does not show as RUNNING for ever"


def test_a_trap_receives_nothing(
    start: StartRun, tracking: MlflowOptions, trap: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, received = trap
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "canary-4410")
    config = f"tracking: {{name: mlflow, uri: {address}, timeout_seconds: 5.0}}\n"
    with start(DIRECTORY, config_text=config, params={"tracking.uri": address}) as run:
        run.write_text("model/MLmodel", MODEL)
    (run.directory / "mirror.json").write_text(json.dumps({"uri": address, "artifacts": {}, "run_id": "0" * 32}))
    assert sync(run.directory.parent.parent, tracking)[0].problem is None
    assert register_model(run.directory, tracking, name="adder", alias=None) == 1
    assert received == []
