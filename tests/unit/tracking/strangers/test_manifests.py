"""Manifests of strangers: names that lead elsewhere, values of other types, sizes without bound."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.runs import StartRun, make_manifest
from lengthwise.config.options import DirectoryOptions, MlflowOptions
from lengthwise.errors import RunError
from lengthwise.tracking.mlflow.mirror import sync
from lengthwise.tracking.runs.find import find_run, list_runs
from lengthwise.tracking.runs.manifest import read_manifest, write_manifest

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""MLflow uses what SQLAlchemy and others have deprecated."""

NAMES = (
    "../../../x",
    "/etc",
    "..",
    ".",
    "",
    "a/b",
    "a\\b",
    ".hidden",
    "a\0b",
    "a\nb",
    "x" * 131,
    "\x1b[2J",
    "'; --",
    5,
)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write the manifest of a run with some fields of its JSON replaced; None as a whole removes a field."""

    def write(**changes: Any) -> Path:
        directory = tmp_path / "outputs" / "try" / "run"
        directory.mkdir(parents=True, exist_ok=True)
        write_manifest(directory, make_manifest())
        path = directory / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        return directory

    return write


@pytest.mark.parametrize("field", ["study", "name", "id", "label", "parent"])
@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:12])
def test_a_name_that_leads_elsewhere_is_refused(write: Callable[..., Path], field: str, name: object) -> None:
    with pytest.raises(
        RunError, match=rf"manifest\.json cannot be read as the manifest of a run \((record\.)?{field} "
    ):
        read_manifest(write(**{field: name}))


CONTENTS: list[tuple[dict[str, Any], str]] = [
    ({"status": "DONE"}, "status must be one of RUNNING, FINISHED, FAILED, KILLED; got 'DONE'"),
    ({"kind": "other"}, "record.kind must be one of run, sweep; got 'other'"),
    ({"seed": "7"}, "record.seed must be a whole number; got '7'"),
    ({"seed": True}, "record.seed must be a whole number; got True"),
    ({"command": "rm -rf"}, "record.command must be a list; got 'rm -rf'"),
    ({"command": [1]}, "record.command[0] must be a text; got 1"),
    ({"params": []}, "record.params must be an object"),
    ({"params": {"a": {"b": 1}}}, "record.params.a must be a text, a number or a boolean"),
    ({"tags": {"a": 1}}, "record.tags.a must be a text; got 1"),
    ({"dataset": {"name": "x"}}, "record.dataset.sha256 is missing"),
    ({"primary_metric": {"name": "x", "greater_is_better": "yes"}}, "greater_is_better must be true or false"),
    ({"summary": {"a": "many"}}, "summary.a must be a number; got 'many'"),
    ({"summary": {"a": 10**400}}, "int too large"),
    ({"started": "yesterday"}, "Invalid isoformat string"),
    ({"ended": 7}, "ended must be a text; got 7"),
    ({"duration_seconds": "long"}, "duration_seconds must be a number"),
    ({"failure": "no"}, "failure must be an object; got 'no'"),
    ({"process": None}, "process must be an object; got None"),
    ({"git": {"commit": None, "branch": "main", "dirty": False, "hook": "rm"}}, "git.hook is not a field"),
    ({"missing": {"a": 1}}, "missing must be a list"),
    ({"surprise": 1}, "surprise is not a field of it"),
]


@pytest.mark.parametrize(("changes", "message"), CONTENTS, ids=lambda value: str(value)[:30])
def test_a_value_of_another_type_is_named(write: Callable[..., Path], changes: dict[str, Any], message: str) -> None:
    directory = write(**changes)
    with pytest.raises(RunError) as caught:
        read_manifest(directory)
    assert message in str(caught.value)
    assert list_runs(directory.parent.parent) == [], "listings leave it out"


@pytest.mark.parametrize("pid", [0, -1, 2**70])
def test_a_process_id_that_none_can_have(write: Callable[..., Path], pid: int) -> None:
    process = {"host": "h", "user": "u", "pid": pid, "created": None, "created_after_boot": None}
    directory = write(process=process | {"boot_id": None, "pid_namespace": None}, status="RUNNING")
    if pid < 1:
        with pytest.raises(RunError, match="pid must be at least 1"):
            read_manifest(directory)
    else:
        assert read_manifest(directory).process.pid == pid


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"null", b"{", b"\xff\xfe", b'"x"', b"[" * 100_000, b'{"a":' * 50_000, b" " * 10_000_001],
    ids=lambda content: repr(content[:8]),
)
def test_what_is_no_json_object_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(RunError, match="cannot be read as the manifest of a run"):
        read_manifest(tmp_path)


def test_a_manifest_that_is_no_file_is_refused_at_once(write: Callable[..., Path], tmp_path: Path) -> None:
    real = write() / "manifest.json"
    for number, make in enumerate([Path.mkdir, os.mkfifo, lambda path: path.symlink_to(real)]):
        directory = tmp_path / f"run{number}"
        directory.mkdir()
        make(directory / "manifest.json")
        with pytest.raises(RunError, match=r"manifest\.json is not a regular file"):
            read_manifest(directory)


def test_nothing_is_written_outside_the_store(
    write: Callable[..., Path], tracking: MlflowOptions, tmp_path: Path
) -> None:
    write()
    before = {path for path in tmp_path.rglob("*") if "mlruns" not in path.parts}
    for study in ("../../../x", "/tmp/x", "a/../../x", "..", "."):
        directory = write(study=study)
        with pytest.raises(RunError, match="study must be letters"):
            sync(directory.parent.parent, tracking, run=str(directory))
        assert sync(directory.parent.parent, tracking) == ()
    assert {path for path in tmp_path.rglob("*") if "mlruns" not in path.parts} == before
    assert not (tmp_path / "mlruns").exists()


def test_a_run_sets_no_tag_of_mlflow(start: StartRun, tracking: MlflowOptions) -> None:
    from lengthwise.tracking.mlflow.store import open_store

    tags = {"mlflow.parentRunId": "0" * 32, "mlflow.note.content": "<script>", "mlflow.user": "root", "own": "kept"}
    with start(DirectoryOptions(name="directory"), tags=tags) as run:
        pass
    sync(run.directory.parent.parent, tracking)
    client = open_store(tracking.uri).client
    (found,) = client.search_runs([client.get_experiment_by_name("digits-study").experiment_id])
    assert found.data.tags["own"] == "kept"
    assert "mlflow.parentRunId" not in found.data.tags
    assert "<script>" not in found.data.tags["mlflow.note.content"]
    assert found.data.tags["mlflow.user"] == read_manifest(run.directory).process.user


def test_a_run_is_not_found_outside(write: Callable[..., Path]) -> None:
    directory = write()
    for reference in ("best:../x", "best:*", "../run", "best:/etc"):
        with pytest.raises(RunError):
            find_run(directory.parent, reference)
