"""Sending a run's model to MLflow, as a logged model that is linked to its run and loaded as `models:/ID`."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lengthwise.config.plain_yaml import read_yaml
from lengthwise.errors import RunError
from lengthwise.files import list_files
from lengthwise.tracking.mlflow.tags import RUN_TAG, param_texts
from lengthwise.tracking.runs.journal import read_journal
from lengthwise.tracking.runs.layout import JOURNAL_NAME, MODEL_DIRECTORY
from lengthwise.tracking.runs.manifest import Manifest
from lengthwise.tracking.runs.run_files import RunFiles

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

LOADER_MODULE = "lengthwise.serving.mlflow_model"
"""The module by which MLflow loads a model; it runs no code of the model."""

_MLMODEL = "MLmodel"
_FLAVOR = "python_function"
_FLAVOR_KEYS = {"loader_module", "data", "env", "python_version"}
"""Anything else, such as `code` or `python_model`, names files of the model that MLflow would run."""


def has_model(directory: Path) -> bool:
    """Return whether a run directory holds a model in MLflow's format, which no link leads to."""
    return RunFiles(directory).find(MODEL_DIRECTORY, _MLMODEL) is not None


def read_description(directory: Path) -> dict[str, Any]:
    """Read the description of a run's model, and refuse a model that would run other code when MLflow loads it.

    Args:
        directory: The run's directory, for which `has_model` holds.

    Returns:
        The content of its `MLmodel`.

    Raises:
        RunError: The model was not written by Lengthwise.
    """
    path = directory / MODEL_DIRECTORY / _MLMODEL
    description: dict[str, Any] = read_yaml(path)
    flavors = description.get("flavors")
    flavor = flavors.get(_FLAVOR) if isinstance(flavors, dict) and set(flavors) == {_FLAVOR} else None
    if not isinstance(flavor, dict) or flavor.get("loader_module") != LOADER_MODULE or _list_others(flavor):
        raise RunError(
            f"{path} is not a model that Lengthwise has written: MLflow would run other code to load it. "
            "It is not sent. Train the run again."
        )
    return description


def _list_others(flavor: dict[str, Any]) -> set[str]:
    return {key for key, value in flavor.items() if value} - _FLAVOR_KEYS


def send_model_files(client: MlflowClient, run_id: str, directory: Path) -> str:
    """Send the model as files of the run, for a server without logged models.

    Returns:
        An empty id.
    """
    read_description(directory)
    for path in list_files(directory / MODEL_DIRECTORY):
        client.log_artifact(run_id, str(path), path.parent.relative_to(directory).as_posix())
    return ""


def send_model(client: MlflowClient, *, experiment_id: str, run_id: str, directory: Path, manifest: Manifest) -> str:
    """Send the model of a run, and link it to the run and to the run's metrics.

    What an earlier attempt that broke off has made is used.

    Returns:
        The id of the logged model.

    Raises:
        RunError: The model was not written by Lengthwise.
    """
    description = read_description(directory)
    model = _find(client, experiment_id, run_id) or client.create_logged_model(
        experiment_id,
        name=manifest.record.label,
        source_run_id=run_id,
        params=param_texts(manifest),
        tags={RUN_TAG: manifest.name},
    )
    model_id = str(model.model_id)
    _link(client, run_id, model_id)
    _send_summary(client, run_id=run_id, model_id=model_id, directory=directory, manifest=manifest)
    _send_files(client, model_id, directory / MODEL_DIRECTORY)
    _send_description(client, model, run_id, description)
    client.finalize_logged_model(model_id, "READY")
    return model_id


def _send_files(client: MlflowClient, model_id: str, directory: Path) -> None:
    for path in list_files(directory):
        parent = path.parent.relative_to(directory).as_posix()
        client.log_model_artifact(model_id, str(path), None if parent == "." else parent)


def _find(client: MlflowClient, experiment_id: str, run_id: str) -> LoggedModel | None:
    found = client.search_logged_models([experiment_id], filter_string=f"source_run_id = '{run_id}'", max_results=1)
    return found[0] if found else None


def _link(client: MlflowClient, run_id: str, model_id: str) -> None:
    from mlflow.entities import LoggedModelOutput

    outputs = client.get_run(run_id).outputs
    linked = {output.model_id for output in outputs.model_outputs} if outputs else set()
    if model_id not in linked:  # MLflow would list it twice
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])


def _send_summary(client: MlflowClient, *, run_id: str, model_id: str, directory: Path, manifest: Manifest) -> None:
    """Show the run's summary beside the model: the same points of the journal that the run has."""
    from mlflow.entities import Metric

    entries, _ = read_journal(directory / JOURNAL_NAME)
    latest = {entry.key: entry for entry in entries if entry.key in manifest.summary and not math.isinf(entry.value)}
    metrics = [
        Metric(entry.key, entry.value, round(entry.time * 1000), entry.step, model_id=model_id, run_id=run_id)
        for entry in latest.values()
    ]
    client.log_batch(run_id, metrics=metrics)


def _send_description(client: MlflowClient, model: LoggedModel, run_id: str, description: dict[str, Any]) -> None:
    """Write the ids that MLflow has assigned into its copy of the model's description."""
    import yaml

    ids = {"artifact_path": model.artifact_location, "model_id": model.model_id, "model_uuid": model.model_id}
    with tempfile.TemporaryDirectory() as aside:
        path = Path(aside) / _MLMODEL
        path.write_text(yaml.safe_dump(description | ids | {"run_id": run_id}, sort_keys=False), encoding="utf-8")
        client.log_model_artifact(str(model.model_id), str(path))
