from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from lengthwise.config.paths import conf_dir, project_root
from lengthwise.errors import ConfigError
from lengthwise.tracking.mlflow.store import open_store, prepare_database, resolve_uri, sqlite_path

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""MLflow uses what SQLAlchemy and others have deprecated."""


def test_relative_addresses_are_taken_from_the_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_uri("sqlite:///mlflow.db") == f"sqlite:///{project_root()}/mlflow.db"
    assert resolve_uri("sqlite:////else/where.db") == "sqlite:////else/where.db"
    assert resolve_uri("sqlite:///a/b.db?timeout=9") == f"sqlite:///{project_root()}/a/b.db?timeout=9"
    assert sqlite_path(resolve_uri("sqlite:///mlflow.db")) == project_root() / "mlflow.db"


@pytest.mark.parametrize("uri", ["http://host:5000", "postgresql+psycopg2://me@host/runs"])
def test_servers_stay_as_they_are(uri: str) -> None:
    assert resolve_uri(uri) == uri
    assert sqlite_path(uri) is None


@pytest.mark.parametrize("uri", ["sqlite:///:memory:", "sqlite://mlflow.db", "sqlite:///"])
def test_a_database_without_a_file_is_refused(uri: str) -> None:
    with pytest.raises(ConfigError, match=r"tracking\.uri must name the database's file"):
        resolve_uri(uri)


def test_the_checkout_is_the_project() -> None:
    assert (project_root() / "src" / "lengthwise" / "config" / "paths.py").is_file()
    assert (conf_dir() / "config.yaml").is_file()


def test_the_database_is_whole_and_lets_writers_work_side_by_side(empty_database: Path) -> None:
    with contextlib.closing(sqlite3.connect(empty_database)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT name FROM experiments").fetchall() == [("Default",)]
    names = {path.name for path in empty_database.parent.iterdir()}
    assert not {name for name in names if name.startswith("mlflow.db.new")}


def test_a_database_that_is_there_is_not_touched(empty_database: Path) -> None:
    before = empty_database.stat()
    prepare_database(empty_database)
    assert empty_database.stat() == before


def test_an_experiment_that_another_process_made_first_is_used(
    tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlflow.db").write_bytes(empty_database.read_bytes())
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    other = open_store(uri).experiment_id("study", None)
    store = open_store(uri)
    ask = store.client.get_experiment_by_name
    answers = iter([None])
    monkeypatch.setattr(store.client, "get_experiment_by_name", lambda name: next(answers, ask(name)))
    assert store.experiment_id("study", None) == other


def test_tracking_imports_neither_tensorflow_nor_mlflow() -> None:
    heavy = "{'mlflow', 'tensorflow', 'keras', 'hydra'} & set(sys.modules)"
    modules = ", ".join(f"lengthwise.tracking.{name}" for name in ("session", "amend", "mlflow.ui", "mlflow.registry"))
    code = f"import sys, {modules}; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
