"""Runs of strangers with links, pipes and devices for files: nothing is read, sent or written through them."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from helpers.runs import StartRun
from lengthwise.config.options import DirectoryOptions, MlflowOptions
from lengthwise.errors import RunError
from lengthwise.files import list_files, refuse_links
from lengthwise.tracking.amend import add_to_run
from lengthwise.tracking.mlflow.logged_model import LOADER_MODULE
from lengthwise.tracking.mlflow.mirror import sync
from lengthwise.tracking.mlflow.registry import register_model
from lengthwise.tracking.runs.heartbeat import free_reserve, place_heartbeat
from lengthwise.tracking.runs.manifest import read_manifest, write_manifest
from lengthwise.tracking.runs.run_files import RunFiles
from lengthwise.tracking.session import resume_run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""MLflow uses what SQLAlchemy and others have deprecated."""

MODEL = f"flavors: {{python_function: {{loader_module: {LOADER_MODULE}}}}}\n"


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A directory of the user's, with two files."""
    directory = tmp_path / "private"
    directory.mkdir()
    (directory / "secret").write_text("canary-7731")
    (directory / "MLmodel").write_text(MODEL)
    return directory


@pytest.fixture
def run(start: StartRun, directory_only: DirectoryOptions) -> Path:
    """A run that was stopped, with a model."""
    with start(directory_only) as opened:
        opened.log({"val/loss": 1.0}, step=0)
        for name, text in {"model/data/weights": "weights", "model/MLmodel": MODEL, "samples/test.json": "{}"}.items():
            opened.write_text(name, text)
    manifest = read_manifest(opened.directory)
    write_manifest(opened.directory, replace(manifest, status="KILLED"))
    return opened.directory


def link(run: Path, name: str, target: Path) -> None:
    path = run / name
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


FILES = [
    "model/data/pw", "model/MLmodel", "samples/test.json", "log.txt", "config.yaml", "figures/a/b/c.png", "git.diff",
]  # fmt: skip
FOLDERS = ["model", "model/data", "samples", "evaluations", "figures/inner"]


def sent(tmp_path: Path) -> bytes:
    """Return all that MLflow has: files and database."""
    files = [path for path in (tmp_path / "mlruns").rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in [*files, *tmp_path.glob("mlflow.db*")])


@pytest.mark.parametrize("name", FILES)
def test_a_linked_file_is_not_sent(
    run: Path, private: Path, tracking: MlflowOptions, tmp_path: Path, name: str
) -> None:
    link(run, name, private / "secret")
    sync(run.parent.parent, tracking)
    assert b"canary-7731" not in sent(tmp_path)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_linked_folder_is_not_sent(
    run: Path, private: Path, tracking: MlflowOptions, tmp_path: Path, name: str
) -> None:
    link(run, name, private)
    sync(run.parent.parent, tracking)
    assert b"canary-7731" not in sent(tmp_path)


@pytest.mark.parametrize("name", ["model/data/pw", "model", "model/data"])
def test_a_linked_model_is_not_registered(
    run: Path, private: Path, tracking: MlflowOptions, tmp_path: Path, name: str
) -> None:
    link(run, name, private if (run / name).is_dir() else private / "secret")
    if name == "model":
        with pytest.raises(RunError, match="no model in MLflow's format"):
            register_model(run, tracking, name="stolen", alias=None)
    else:
        register_model(run, tracking, name="stolen", alias=None)
    assert b"canary-7731" not in sent(tmp_path)


def amend(run: Path) -> None:
    tracking = DirectoryOptions(name="directory")
    add_to_run(run, tracking, metrics={"test/beam/error": 1.0}, files={"evaluations/beam.json": "{}"})


def resume(run: Path) -> None:
    with resume_run(run, DirectoryOptions(name="directory")) as opened:
        opened.log({"val/loss": 0.5}, step=1)
        opened.path("checkpoints", "x").write_text("x")


WRITTEN = [
    "metrics.jsonl", "evaluations/beam.json", "heartbeat", ".amend.lock", "traceback.txt", "log.txt", ".mirror.lock",
    "checkpoints/epoch-000001", "figures/curves.png", ".manifest.json.aa",
]  # fmt: skip


@pytest.mark.parametrize("use", [amend, resume])
@pytest.mark.parametrize("name", WRITTEN)
def test_nothing_is_written_through_a_link(run: Path, private: Path, use: Callable[[Path], None], name: str) -> None:
    link(run, name, private / "secret")
    with pytest.raises(RunError, match=r"is not a regular file\. Links and devices are never followed"):
        use(run)
    assert (private / "secret").read_text() == "canary-7731"


@pytest.mark.parametrize("use", [amend, resume])
@pytest.mark.parametrize("name", ["evaluations", "checkpoints", "samples", "figures", "model", "a/b/c"])
def test_nothing_is_written_into_a_linked_folder(
    run: Path, private: Path, use: Callable[[Path], None], name: str
) -> None:
    link(run, name, private)
    before = sorted(path.name for path in private.iterdir())
    with pytest.raises(RunError, match="is not a regular file"):
        use(run)
    assert sorted(path.name for path in private.iterdir()) == before


@pytest.mark.parametrize("name", ["mirror.json", ".mirror.lock", ".mirror.json", "manifest.json", "metrics.jsonl"])
def test_sync_writes_through_no_link(run: Path, private: Path, tracking: MlflowOptions, name: str) -> None:
    link(run, name, private / "secret")
    sync(run.parent.parent, tracking)
    assert (private / "secret").read_text() == "canary-7731"


def test_a_pipe_or_a_socket_keeps_nobody_waiting(
    run: Path, tracking: MlflowOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mirror.json", "metrics.jsonl", "samples/test.json", "model/data/weights"):
        (run / name).unlink(missing_ok=True)
        os.mkfifo(run / name)
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(run)  # the path of a socket is short
        server.bind("s")
    (synced,) = sync(run.parent.parent, tracking)
    assert "is not a regular file" in str(synced.problem)
    for use in (amend, resume):
        with pytest.raises(RunError, match="is not a regular file"):
            use(run)


def test_the_heartbeat_of_an_open_run_is_a_file(tmp_path: Path, private: Path) -> None:
    (tmp_path / "heartbeat").symlink_to(private / "secret")
    free_reserve(tmp_path)
    with pytest.raises(RunError, match="heartbeat is not a regular file"):
        place_heartbeat(tmp_path)
    assert (private / "secret").read_text() == "canary-7731"


@pytest.mark.parametrize("parts", [("link",), ("link", "x"), ("a", "link", "x"), ("pipe",)])
def test_a_path_in_a_run_leads_through_no_link(tmp_path: Path, private: Path, parts: tuple[str, ...]) -> None:
    run = tmp_path / "run"
    (run / "a").mkdir(parents=True)
    (run / "link").symlink_to(private)
    (run / "a" / "link").symlink_to(private)
    os.mkfifo(run / "pipe")
    files = RunFiles(run)
    with pytest.raises(RunError, match="is a link or a device"):
        files.path(*parts)
    assert files.find(*parts) is None
    with pytest.raises(RunError):
        files.read_text("/".join(parts))
    with pytest.raises(RunError):
        files.write_text("/".join(parts), "x")


def test_files_are_listed_without_links_at_any_depth(tmp_path: Path, private: Path) -> None:
    run = tmp_path / "run"
    deep = run.joinpath(*["d"] * 300)
    deep.mkdir(parents=True)
    (deep / "file").touch()
    (run / "a").touch()
    (run / "up").symlink_to("..")
    (run / "self").symlink_to("self")
    (run / "away").symlink_to(private)
    assert list_files(run) == [run / "a", deep / "file"]
    with pytest.raises(RunError, match="is not a regular file"):
        refuse_links(run)
    for name in ("up", "self", "away"):
        (run / name).unlink()
    refuse_links(run)
    (tmp_path / "by-link").symlink_to(run)
    refuse_links(tmp_path / "by-link")  # the way to a run is the user's


def test_a_linked_parent_is_not_sent(
    start: StartRun, directory_only: DirectoryOptions, tracking: MlflowOptions, tmp_path: Path
) -> None:
    with start(directory_only, kind="sweep", study="other") as parent:
        pass
    with start(directory_only, parent="sweep") as child:
        pass
    (child.directory.parent / "sweep").symlink_to(parent.directory)
    (synced,) = sync(tmp_path / "outputs", tracking, run=child.name)
    assert synced.problem is None
    assert MlflowClient(tracking_uri=tracking.uri).get_experiment_by_name("other") is None
    assert not (parent.directory / "mirror.json").exists()
