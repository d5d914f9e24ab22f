"""Find a trained model by the name a person gives it, and load it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lengthwise.config.compose import change_decoding, compose_options
from lengthwise.config.options import MlflowOptions
from lengthwise.config.paths import find_output_dir
from lengthwise.errors import ConfigError, RunError
from lengthwise.silence import silence_import
from lengthwise.tracking.runs.find import StoredRun, find_run
from lengthwise.tracking.runs.layout import MODEL_DIRECTORY

if TYPE_CHECKING:
    from lengthwise.serving.predictor import Predictor

REGISTERED = "models:/"
_DECODING = re.compile(r"decoding[.=]")
_PLACE = re.compile(r"(output_dir|tracking)[.=]")


def load_run(run: str | Path, overrides: Sequence[str] = ()) -> Predictor:
    """Load the trained model of a run.

    Args:
        run: An id or the beginning of one, a name, a directory, `latest`, `best:STUDY`, or `models:/NAME@ALIAS` of
            MLflow's registry.
        overrides: As on the command line: where runs are (`output_dir=DIR`, `tracking.uri=URI`), and how to decode
            instead of the run's own decoding (`decoding=beam`).

    Raises:
        RunError: There is no such run, or it holds no whole model.
        ConfigError: An override is refused.
    """
    places, changes = split_overrides(overrides)
    directory = find_model(str(run), places)
    with silence_import():  # the run has been found: only now is TensorFlow's import worth its seconds
        from lengthwise.serving.artifact import load_artifact
        from lengthwise.serving.artifact_files import find_artifact
        from lengthwise.serving.predictor import Predictor

    artifact = load_artifact(find_artifact(directory))
    decoding = change_decoding(artifact.options, changes).decoding if changes else None
    return Predictor(artifact, decoding)


def split_overrides(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split overrides into those that say where runs are and those of the decoding.

    Raises:
        ConfigError: One is neither, and would have no effect on a trained model.
    """
    for word in overrides:
        if _PLACE.match(word) is None and _DECODING.match(word) is None:
            rule = "has no effect on a trained model: its options are stored with it"
            remedy = "Leave it out; only decoding.OPTION, output_dir and tracking.uri can be given here"
            raise ConfigError(word.lstrip("+~").partition("=")[0], rule, received=None, remedy=remedy)
    places = [word for word in overrides if _PLACE.match(word)]
    return places, [word for word in overrides if not _PLACE.match(word)]


def find_model(run: str, overrides: Sequence[str]) -> Path:
    """Return the directory of a run, or of a model of MLflow's registry, that holds a trained model.

    Args:
        run: As in `load_run`.
        overrides: Where runs are.

    Raises:
        RunError: There is none.
    """
    options = compose_options(overrides)
    if run.startswith(REGISTERED):
        if not isinstance(options.tracking, MlflowOptions):
            remedy = "Leave it out, or name a run"
            raise ConfigError(
                "tracking", "must be mlflow to use MLflow's registry", received="'directory'", remedy=remedy
            )
        from lengthwise.tracking.mlflow.registry import fetch_model

        return fetch_model(run, options.tracking)
    if (Path(run) / "MLmodel").is_file():
        return Path(run)
    return check_model(find_run(find_output_dir(options), run, latest_among=("FINISHED",)))


def check_model(run: StoredRun) -> Path:
    """Return the directory of a run that holds a trained model.

    Raises:
        RunError: It holds none.
    """
    manifest = run.manifest
    if manifest.record.kind == "sweep":
        raise RunError(f"{manifest.name} is a sweep. Name one of its runs, or best:{manifest.record.study}.")
    model = run.directory / MODEL_DIRECTORY
    if model.is_symlink():
        raise RunError(f"{model} is a link, and links in a run are not followed. Name the run it leads to.")
    if not model.is_dir():
        raise RunError(
            f"{manifest.name} ({manifest.status}) holds no trained model. Train it again, or name another run."
        )
    return run.directory
