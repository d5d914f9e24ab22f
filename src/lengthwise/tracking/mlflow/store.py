"""MLflow's tracking store: its address, its safe first use, and its experiments.

MLflow is imported inside functions only: that takes one to two seconds, which are spent in the mirror's thread.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from filelock import FileLock

from lengthwise.config.paths import project_root
from lengthwise.credentials import hide_credentials
from lengthwise.errors import ConfigError, LengthwiseError
from lengthwise.files import sync
from lengthwise.tracking.runs.run_record import PrimaryMetric

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SQLITE = re.compile(r"(sqlite(?:\+\w+)?):///([^?]+)(\?.*)?")
_FIRST_USE_TIMEOUT_SECONDS = 120.0

# The mirror or `sync` repeats a call that fails, so that MLflow's own retries, four minutes of them, would only delay
# the end of a run. Variables that the user has set take precedence.
_BOUNDS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


class StoreError(LengthwiseError):
    """MLflow cannot take a run, for a reason that trying again does not change."""


def resolve_uri(uri: str) -> str:
    """Make the path of an sqlite address absolute; other addresses stay as they are.

    Args:
        uri: The option `tracking.uri`.

    Raises:
        ConfigError: An sqlite address without a file.
    """
    if not uri.startswith("sqlite"):
        return uri
    match = _SQLITE.fullmatch(uri)
    if match is None or ":memory:" in uri:
        raise ConfigError(
            "tracking.uri",
            "must name the database's file",
            received=uri,
            remedy="Write sqlite:///mlflow.db, or sqlite:////directory/mlflow.db for an absolute path",
        )
    scheme, path, query = match.groups()
    return f"{scheme}:///{project_root() / path}{query or ''}"


def show_address(uri: str) -> str:
    """Return the address of a store as it is stored and shown: absolute, without its password.

    Args:
        uri: The option `tracking.uri`, or one that a run has stored.
    """
    try:
        return hide_credentials(resolve_uri(uri))
    except ConfigError:  # no store has this address
        return hide_credentials(uri)


def sqlite_path(uri: str) -> Path | None:
    """Return the database file of a resolved address; None if it is not sqlite."""
    match = _SQLITE.fullmatch(uri)
    return None if match is None else Path(match.group(2))


def quiet_mlflow() -> None:
    """Limit the time of MLflow's calls, and switch off its telemetry and its progress messages, before its import."""
    for name, value in _BOUNDS.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    logging.getLogger("mlflow").setLevel(os.environ["MLFLOW_LOGGING_LEVEL"])  # where it is imported already
    for name in ("alembic", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.ERROR)


def prepare_database(path: Path) -> None:
    """Create MLflow's sqlite database if it is not there; a kill at any instant leaves no database or a whole one.

    Any number of processes may call this at once: one creates the database aside under a lock and renames it, the
    others wait. The system releases the lock of a dead process; the unfinished file that it left is removed.

    Args:
        path: The database file.
    """
    if _exists(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock", timeout=_FIRST_USE_TIMEOUT_SECONDS):
        if _exists(path):
            return
        aside = path.with_name(f"{path.name}.new")
        for left in path.parent.glob(f"{aside.name}*"):
            left.unlink()
        _create_tables(aside, path.parent / "mlruns")
        _write_ahead(aside)
        for suffix in ("-wal", "-shm", "-journal"):  # of a deleted database; SQLite would apply them to this one
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        aside.replace(path)
        sync(path.parent)


def _exists(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _create_tables(path: Path, artifacts: Path) -> None:
    quiet_mlflow()
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore(f"sqlite:///{path}", artifacts.as_uri())  # type: ignore[no-untyped-call]
    store.engine.dispose()


def _write_ahead(path: Path) -> None:
    """Let readers and a writer work side by side (a property of the file), and sync it to the disk."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    sync(path)


class Store(NamedTuple):
    """An open tracking store.

    Args:
        uri: Its address, resolved; it may contain a password.
        client: MLflow's client of it.
        experiments: Ids of the experiments known so far, by study.
        seen: Ids and names of the runs known to be there.
    """

    uri: str
    client: MlflowClient
    experiments: dict[str, str]
    seen: set[tuple[str, str]]

    @property
    def shown_uri(self) -> str:
        """The address without its password."""
        return hide_credentials(self.uri)

    def experiment_id(self, study: str, primary_metric: PrimaryMetric | None) -> str:
        """Return the id of a study's experiment, which is made if it is not there.

        Args:
            study: Name of the study.
            primary_metric: The metric that MLflow shows first; None: no such metric.

        Raises:
            StoreError: The experiment was deleted.
        """
        if study not in self.experiments:
            self.experiments[study] = _find_or_create_experiment(self, study, primary_metric)
        return self.experiments[study]


def open_store(uri: str) -> Store:
    """Open a tracking store; an sqlite database is created if it is not there.

    Args:
        uri: The option `tracking.uri`.
    """
    quiet_mlflow()
    resolved = resolve_uri(uri)
    path = sqlite_path(resolved)
    if path is not None:
        prepare_database(path)
    from mlflow import MlflowClient

    return Store(resolved, MlflowClient(tracking_uri=resolved, registry_uri=resolved), {}, set())


def _find_or_create_experiment(store: Store, study: str, primary_metric: PrimaryMetric | None) -> str:
    from mlflow.exceptions import MlflowException

    tags = _experiment_tags(primary_metric)
    found = store.client.get_experiment_by_name(study)
    if found is None:
        try:
            return str(store.client.create_experiment(study, _artifact_location(store.uri, study), tags))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = store.client.get_experiment_by_name(study)  # another process was first
    if found is None or found.lifecycle_stage == "deleted":
        number = "" if found is None else f" -x {found.experiment_id}"
        raise StoreError(
            f"The experiment {study} was deleted in MLflow. Restore it with `mlflow experiments restore{number}`, "
            f"or choose another study=NAME."
        )
    for key in tags.keys() - found.tags.keys():
        store.client.set_experiment_tag(found.experiment_id, key, tags[key])
    return str(found.experiment_id)


def _experiment_tags(primary_metric: PrimaryMetric | None) -> dict[str, str]:
    # Without this tag MLflow shows an experiment as one about traces of language models.
    kind = {"mlflow.experimentKind": "custom_model_development"}
    if primary_metric is None:
        return kind
    return kind | {
        "mlflow.experiment.primaryMetric.name": primary_metric.name,
        "mlflow.experiment.primaryMetric.greaterIsBetter": str(primary_metric.greater_is_better).lower(),
    }


def _artifact_location(uri: str, study: str) -> str | None:
    """Return where the artifacts of a study go: beside the database; None leaves the choice to the server."""
    if uri.startswith("http"):
        return None
    path = sqlite_path(uri)
    root = project_root() if path is None else path.parent
    return (root / "mlruns" / study).as_uri()
