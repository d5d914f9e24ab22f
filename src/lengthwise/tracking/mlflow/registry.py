"""MLflow's registry of models: registering a run's model under a name, and fetching a registered model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from lengthwise.config.options import MlflowOptions
from lengthwise.errors import LengthwiseError, RunError
from lengthwise.tracking.mlflow.logged_model import has_model
from lengthwise.tracking.mlflow.mirror import plain_text
from lengthwise.tracking.mlflow.mirror_state import read_state
from lengthwise.tracking.mlflow.store import Store, open_store
from lengthwise.tracking.mlflow.tags import RUN_TAG
from lengthwise.tracking.mlflow.upload import bring_up_to_date
from lengthwise.tracking.runs.heartbeat import reap_run
from lengthwise.tracking.runs.layout import MIRROR_STATE_NAME
from lengthwise.tracking.runs.manifest import read_manifest

if TYPE_CHECKING:
    from mlflow import MlflowClient

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,99}")


def register_model(directory: Path, tracking: MlflowOptions, *, name: str, alias: str | None) -> int:
    """Register the model of a run under a name; the same run under the same name is registered once.

    Args:
        directory: The run's directory; MLflow is brought up to date with it first.
        tracking: MLflow's store.
        name: Name of the registered model, made if it is new.
        alias: Moved to this version, such as `champion`; None: no alias.

    Returns:
        The version.

    Raises:
        RunError: The run is running, or has no model in MLflow's format that Lengthwise has written.
        LengthwiseError: MLflow refuses, or cannot be reached.
    """
    for word, text in (("name", name), ("alias", alias)):
        if text is not None and _NAME.fullmatch(text) is None:
            raise LengthwiseError(f"A model's {word} is made of letters, digits, '_', '.', '-'; got {text!r}.")
    reap_run(directory)
    if read_manifest(directory).status == "RUNNING":
        raise RunError(f"{directory.name} is still running. Wait for its end.")
    if not has_model(directory):
        raise RunError(f"{directory.name} holds no model in MLflow's format. Train it with tracking=mlflow.")
    try:
        store = open_store(tracking.uri)
        bring_up_to_date(directory, store)
        version = _find_version(directory, store, name) or _create_version(directory, store, name)
        if alias is not None:
            store.client.set_registered_model_alias(name, alias, str(version))
    except LengthwiseError:
        raise
    except Exception as error:
        raise LengthwiseError(
            f"MLflow cannot register the model: {plain_text(error)}. The run stays as it is."
        ) from error
    return version


def _find_version(directory: Path, store: Store, name: str) -> int | None:
    run_id = read_state(directory, store.shown_uri).run_id
    found = store.client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    return max((int(version.version) for version in found), default=None)


def _create_version(directory: Path, store: Store, name: str) -> int:
    state = read_state(directory, store.shown_uri)
    _ensure_name(store.client, name)
    version = store.client.create_model_version(
        name,
        _find_source(store.client, str(state.run_id), state.model_id),
        run_id=state.run_id,
        tags={RUN_TAG: read_manifest(directory).name},
        model_id=state.model_id or None,
    )
    return int(version.version)


def _find_source(client: MlflowClient, run_id: str, model_id: str | None) -> str:
    """Return the model's address; MLflow would look `models:/ID` up in its global store, not in this one."""
    if model_id:
        model = client.get_logged_model(model_id)
        if model.source_run_id != run_id:
            raise RunError(f"{MIRROR_STATE_NAME} of this run names a model of another run. Remove that file.")
        return str(model.artifact_location)
    return f"{client.get_run(run_id).info.artifact_uri}/model"


def _ensure_name(client: MlflowClient, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def fetch_model(uri: str, tracking: MlflowOptions) -> Path:
    """Return a directory with a registered model, downloaded if it is not on this machine.

    Args:
        uri: Such as `models:/NAME@ALIAS`, `models:/NAME/VERSION` or `models:/ID`.
        tracking: MLflow's store.

    Raises:
        RunError: There is no such model.
    """
    store = open_store(tracking.uri)
    from mlflow.artifacts import download_artifacts

    try:
        location = _locate(store.client, uri.removeprefix("models:/"))
        directory = Path(download_artifacts(artifact_uri=location, tracking_uri=store.uri))
    except Exception as error:
        raise RunError(f"MLflow has no model {uri!r}: {plain_text(error)}") from error
    if not (directory / "MLmodel").is_file():
        raise RunError(f"{uri!r} is no model in MLflow's format.")
    return directory


def _locate(client: MlflowClient, reference: str) -> str:
    """Return the address of the files of NAME@ALIAS, NAME/VERSION or an id; MLflow would ask its global store."""
    name, _, alias = reference.partition("@")
    if alias:
        return str(client.get_model_version_download_uri(name, client.get_model_version_by_alias(name, alias).version))
    name, _, version = reference.partition("/")
    if version:
        return str(client.get_model_version_download_uri(name, version))
    return str(client.get_logged_model(reference).artifact_location)
