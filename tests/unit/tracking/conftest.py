"""Records of runs, and an MLflow database that is made once and copied."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from helpers.runs import StartRun
from lengthwise.config.options import DirectoryOptions, MlflowOptions, TrackingOptions
from lengthwise.tracking.mlflow.store import prepare_database
from lengthwise.tracking.runs.run import Run
from lengthwise.tracking.runs.run_record import DatasetRecord, PrimaryMetric, RunRecord
from lengthwise.tracking.session import start_run

DIRECTORY_ONLY = DirectoryOptions(name="directory")


@pytest.fixture(autouse=True)
def _no_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare every run the description of this repository."""
    monkeypatch.setattr("lengthwise.tracking.runs.run.project_root", lambda: tmp_path)


@pytest.fixture
def record() -> Callable[..., RunRecord]:
    def make(**changes: Any) -> RunRecord:
        fields: dict[str, Any] = {
            "study": "digits-study",
            "label": "repeat-digits",
            "params": {"latent_dim": 64, "model.name": "repeat", "training.clip_norm": None, "model.head": True},
            "tags": {"overrides": "latent_dim=64"},
            "command": ("train.py", "model=repeat", "latent_dim=64"),
            "dataset": DatasetRecord(name="digits", sha256="0123456789abcdef" * 4, split_sizes={"train": 7, "test": 3}),
            "parent": None,
            "seed": 5,
            "primary_metric": PrimaryMetric(name="test/exact_match", greater_is_better=True),
        }
        return RunRecord(**(fields | changes))

    return make


@pytest.fixture
def start(record: Callable[..., RunRecord], tmp_path: Path) -> StartRun:
    def start(tracking: TrackingOptions, **changes: Any) -> AbstractContextManager[Run]:
        output_dir = changes.pop("output_dir", tmp_path / "outputs")
        config_text = changes.pop("config_text", "latent_dim: 64\n")
        return start_run(record(**changes), tracking, output_dir=output_dir, config_text=config_text)

    return start


@pytest.fixture
def directory_only() -> DirectoryOptions:
    return DIRECTORY_ONLY


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # MLflow's own, of SQLAlchemy
        prepare_database(path)
    return path


@pytest.fixture
def tracking(tmp_path: Path, empty_database: Path) -> MlflowOptions:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return MlflowOptions(name="mlflow", uri=f"sqlite:///{tmp_path}/mlflow.db", timeout_seconds=60.0)
