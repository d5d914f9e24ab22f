"""Bringing MLflow up to date with a run directory: sends what is missing there, idempotent.

Runs are found again by their tag, MLflow drops metrics that it has (same key, step, time and value), and files are
overwritten; so it does not matter where an earlier attempt broke off.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from lengthwise.config.about import read_study_about
from lengthwise.errors import ConfigError
from lengthwise.files import list_files
from lengthwise.tracking.mlflow.logged_model import has_model, send_model, send_model_files
from lengthwise.tracking.mlflow.mirror_state import MirrorState, read_state, write_state
from lengthwise.tracking.mlflow.store import Store, StoreError
from lengthwise.tracking.mlflow.tags import (
    RUN_TAG,
    dataset_inputs,
    find_varied,
    first_tags,
    last_tags,
    param_texts,
    run_label,
)
from lengthwise.tracking.runs.journal import Entry, read_journal
from lengthwise.tracking.runs.layout import (
    ANSWER_NAME,
    CHECKPOINTS_DIRECTORY,
    HEARTBEAT_NAME,
    JOURNAL_NAME,
    MANIFEST_NAME,
    MIRROR_STATE_NAME,
    MODEL_DIRECTORY,
)
from lengthwise.tracking.runs.manifest import Manifest, read_manifest, seconds_of
from lengthwise.tracking.runs.run_files import RunFiles

if TYPE_CHECKING:
    from mlflow import MlflowClient

_LOCK_TIMEOUT_SECONDS = 10.0
_MOST_METRICS = 1000
_WITHOUT_STEP = ("test/", "longer/", "best/", "model/", "jobs/")
"""Metrics that a run has once: MLflow draws them as bars where they have no step, and as curves of one point else."""

_NOT_MIRRORED = frozenset({CHECKPOINTS_DIRECTORY, JOURNAL_NAME, MIRROR_STATE_NAME, HEARTBEAT_NAME})
_NOTE, _OWN_NOTE = "mlflow.note.content", "lengthwise.note"
"""Tags of an experiment: its description, and the one that was written last by a sweep."""

_MAX_NOTE_LENGTH = 4000
_WITHOUT_LOGGED_MODELS = frozenset({"ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED"})


def bring_up_to_date(directory: Path, store: Store) -> None:
    """Send to MLflow what it lacks of a run; if the run has ended, its files, model and status too.

    Args:
        directory: A run directory.
        store: MLflow's store.

    Raises:
        RunError: The directory holds no run.
        StoreError: The run or its experiment was deleted in MLflow.
        Exception: Any error of MLflow, such as where it cannot be reached; the next call continues from there.
    """
    with _lock(directory):
        upload = _find_or_create_run(directory, store)
        upload.send_metrics()
        if upload.manifest.status != "RUNNING":
            upload.send_end()


def _lock(directory: Path) -> FileLock:
    """Return the lock that keeps two processes from mirroring a run at once."""
    return FileLock(RunFiles(directory).path(".mirror.lock"), timeout=_LOCK_TIMEOUT_SECONDS)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Upload:
    """A run that exists in MLflow, and what MLflow has of it."""

    directory: Path
    client: MlflowClient
    manifest: Manifest
    state: MirrorState
    run_id: str
    experiment_id: str

    def save(self) -> None:
        write_state(self.directory, self.state)

    def send_params(self) -> None:
        from mlflow.entities import Param

        params = [Param(key, text) for key, text in param_texts(self.manifest).items()]
        self.client.log_batch(self.run_id, params=params)
        inputs = dataset_inputs(self.manifest)
        if inputs:
            self.client.log_inputs(self.run_id, inputs)
        self.state.params_sent = True
        self.save()

    def send_metrics(self) -> None:
        path = self.directory / JOURNAL_NAME
        while True:
            entries, end = read_journal(path, start=self.state.journal_bytes, limit=_MOST_METRICS)
            if end == self.state.journal_bytes:
                return
            self._send_entries(entries)
            self.state.journal_bytes = end
            self.save()

    def _send_entries(self, entries: list[Entry]) -> None:
        """Send metrics, and infinities as tags: MLflow would store 1.8e308, which ruins the charts."""
        from mlflow.entities import Metric, RunTag

        metrics = [
            Metric(e.key, e.value, round(e.time * 1000), 0 if e.key.startswith(_WITHOUT_STEP) else e.step)
            for e in entries
            if not math.isinf(e.value)
        ]
        infinite = {e.key: f"{e.value} at step {e.step}" for e in entries if math.isinf(e.value)}
        tags = [RunTag(f"lengthwise.infinite/{key}", text) for key, text in infinite.items()]
        self.client.log_batch(self.run_id, metrics=metrics, tags=tags)

    def send_end(self) -> None:
        """Send model and files, then tags and status, also if files fail, so that no dead run shows as RUNNING."""
        changed = dict(_changed_files(self.directory, self.state))
        model_missing = has_model(self.directory) and self.state.model_id is None
        if not changed and not model_missing and self.state.status == self.manifest.status:
            return
        try:
            if model_missing:
                self._send_model()
            self._send_files(dict(_changed_files(self.directory, self.state)))
        finally:
            self._send_status()

    def _send_model(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.state.model_id = send_model(
                self.client,
                experiment_id=self.experiment_id,
                run_id=self.run_id,
                directory=self.directory,
                manifest=self.manifest,
            )
        except MlflowException as error:
            if error.error_code not in _WITHOUT_LOGGED_MODELS:
                raise
            self.state.model_id = send_model_files(self.client, self.run_id, self.directory)
        self.save()

    def _send_files(self, files: dict[str, tuple[int, int]]) -> None:
        try:
            for name, stamp in files.items():
                parent = Path(name).parent.as_posix()
                self.client.log_artifact(self.run_id, str(self.directory / name), None if parent == "." else parent)
                self.state.artifacts[name] = stamp
        finally:
            self.save()

    def _read_answer(self) -> str:
        """Return the first paragraph of a sweep's report, with the link to it; the study is described by it too."""
        files = RunFiles(self.directory)
        if self.manifest.record.kind != "sweep" or files.find("report", ANSWER_NAME) is None:
            return ""
        paragraph = files.read_text(f"report/{ANSWER_NAME}").partition("\n")[0]
        page = f"#/experiments/{self.experiment_id}/runs/{self.run_id}/artifacts/report/report.html"
        answer = f"[Report]({page}?workflowType=machine_learning): {paragraph}"  # MLflow folds it after two lines
        self._describe_study(answer)
        return answer

    def _describe_study(self, answer: str) -> None:
        """Describe the experiment by the study's question and its answer, unless somebody else has described it."""
        about = None
        with contextlib.suppress(ConfigError):  # a file of the user's that is not whole says nothing of a study
            about = read_study_about(self.manifest.record.study)
        text = answer if about is None else f"**{about.question}**\n\n{answer}"
        tags = self.client.get_experiment(self.experiment_id).tags
        if tags.get(_NOTE, "") == tags.get(_OWN_NOTE, ""):
            for tag in (_OWN_NOTE, _NOTE):
                self.client.set_experiment_tag(self.experiment_id, tag, text[:_MAX_NOTE_LENGTH])

    def _send_status(self) -> None:
        from mlflow.entities import RunTag

        tags = last_tags(self.manifest, self.state.artifacts, self._read_answer())
        self.client.log_batch(self.run_id, tags=[RunTag(key, text) for key, text in tags.items()])
        ended = round(seconds_of(self.manifest.ended or self.manifest.started) * 1000)
        self.client.set_terminated(self.run_id, self.manifest.status, ended)
        self.state.status = self.manifest.status
        self.save()


def _find_or_create_run(directory: Path, store: Store) -> _Upload:
    """Make sure that the run is in MLflow with its parameters, tags and dataset; the caller holds its lock."""
    manifest = read_manifest(directory)
    state = read_state(directory, store.shown_uri)
    if not _is_there(store, state, manifest.name):
        state = MirrorState(uri=store.shown_uri)  # the database was made again, or the file is another run's
    if state.run_id is None or state.experiment_id is None:
        state.experiment_id = store.experiment_id(manifest.record.study, manifest.record.primary_metric)
        state.run_id = _find_run(store, state.experiment_id, manifest.name) or _create_run(
            directory, store, manifest, state.experiment_id
        )
        write_state(directory, state)
    upload = _Upload(
        directory=directory,
        client=store.client,
        manifest=manifest,
        state=state,
        run_id=state.run_id,
        experiment_id=state.experiment_id,
    )
    if not state.params_sent:
        upload.send_params()
    if manifest.status == "RUNNING" and state.status not in (None, "RUNNING"):
        store.client.update_run(upload.run_id, status="RUNNING")  # resumed
        state.status = "RUNNING"
        upload.save()
    return upload


def _is_there(store: Store, state: MirrorState, name: str) -> bool:
    """Return whether the run that a `mirror.json` names is in MLflow, and is this run."""
    from mlflow.exceptions import MlflowException

    if state.run_id is None:
        return False
    if (state.run_id, name) in store.seen:
        return True
    try:
        run = store.client.get_run(state.run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    if run.data.tags.get(RUN_TAG) != name or run.info.experiment_id != state.experiment_id:
        return False
    _refuse_deleted(run.info.lifecycle_stage, state.run_id)
    store.seen.add((state.run_id, name))
    return True


def _find_run(store: Store, experiment_id: str, name: str) -> str | None:
    from mlflow.entities import ViewType

    runs = store.client.search_runs([experiment_id], f"tags.`{RUN_TAG}` = '{name}'", ViewType.ALL, max_results=1)
    if not runs:
        return None
    _refuse_deleted(runs[0].info.lifecycle_stage, runs[0].info.run_id)
    return str(runs[0].info.run_id)


def _refuse_deleted(lifecycle_stage: str, run_id: str) -> None:
    if lifecycle_stage == "deleted":
        raise StoreError(f"It was deleted in MLflow; to have it back: mlflow runs restore --run-id {run_id}")


def _create_run(directory: Path, store: Store, manifest: Manifest, experiment_id: str) -> str:
    parent_run_id = _parent_run_id(directory, store, manifest)
    varied = {} if parent_run_id is None else find_varied(manifest, read_manifest(directory.parent / _parent(manifest)))
    tags = first_tags(manifest, directory, parent_run_id, varied)
    started = round(seconds_of(manifest.started) * 1000)
    name = run_label(manifest, varied)
    run = store.client.create_run(experiment_id, start_time=started, tags=tags, run_name=name)
    store.seen.add((run.info.run_id, manifest.name))
    return str(run.info.run_id)


def _parent(manifest: Manifest) -> str:
    return manifest.record.parent or manifest.name


def _parent_run_id(directory: Path, store: Store, manifest: Manifest) -> str | None:
    """Return the parent's id in MLflow, to which it is sent first if needed; None if its directory is gone."""
    if manifest.record.parent is None:
        return None
    parent = directory.parent / manifest.record.parent
    if parent.is_symlink() or not (parent / MANIFEST_NAME).is_file():
        return None
    with _lock(parent):
        return _find_or_create_run(parent, store).run_id


def _changed_files(directory: Path, state: MirrorState) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the files to send, each with its size and time of change: nothing hidden, no model that is sent as one."""
    model_is_apart = has_model(directory)
    for path in list_files(directory):
        parts = path.relative_to(directory).parts
        is_hidden = any(part.startswith(".") for part in parts)
        if parts[0] in _NOT_MIRRORED or is_hidden or (parts[0] == MODEL_DIRECTORY and model_is_apart):
            continue
        name = path.relative_to(directory).as_posix()
        found = path.lstat()
        if state.artifacts.get(name) != (found.st_size, found.st_mtime_ns):
            yield name, (found.st_size, found.st_mtime_ns)
