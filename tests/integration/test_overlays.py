"""Every study of conf/experiment/ composes with each of its jobs, and its first job runs."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpers.random_runs import cut
from helpers.step_by_step import step_by_step
from lengthwise.config.about import read_study_about
from lengthwise.config.compose import compose_options
from lengthwise.config.options import RunOptions
from lengthwise.config.parse import flatten_options
from lengthwise.config.paths import conf_dir
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.evaluation.metrics import find_metric
from lengthwise.pipeline.command import Launch
from lengthwise.pipeline.experiment import run_experiment
from lengthwise.tracking.runs.find import list_runs

STUDIES = sorted(path.stem for path in (conf_dir() / "experiment").glob("*.yaml"))
OWN_FILE = ("compare", "keras_seq2seq", "g2p", "cmusphinx2016")
"""Studies that read a file of the user's, or can."""

DATASET = "override /dataset"
SEQUENCES = ["dataset.num_train=64", "dataset.num_validation=8", "dataset.num_test=8"]
SMALL = {
    "ambiguous": SEQUENCES,
    "copy": SEQUENCES,
    "addition": SEQUENCES,
}


def read_overlay(study: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((conf_dir() / "experiment" / f"{study}.yaml").read_text(encoding="utf-8"))
    return content


def list_jobs(study: str) -> list[list[str]]:
    """Return the overrides of each job of a study's sweep."""
    params = read_overlay(study)["hydra"]["sweeper"]["params"]
    levels = [[f"{key}={value}" for value in str(values).split(",")] for key, values in params.items()]
    return [list(job) for job in itertools.product(*levels)]


def give_file(study: str, directory: Path) -> list[str]:
    """Write the file that a study reads, and return the override that names it."""
    if study not in OWN_FILE:
        return []
    path = directory / "own.txt"
    line = "word{0}  W ER{0} D" if study in ("g2p", "cmusphinx2016") else "ab{0}\tba{0}"
    texts = ["".join(letters) for letters in itertools.product("ABCD", repeat=3)]
    path.write_text("".join(line.format(text) + "\n" for text in texts), encoding="utf-8")
    return [f"dataset.path={path}"]


@pytest.mark.parametrize("study", STUDIES)
def test_an_overlay_says_what_it_is_for(study: str) -> None:
    about = read_study_about(study)
    assert about is not None
    assert "?" in about.question
    assert about.command.startswith(f"python train.py experiment={study}")
    assert about.minutes > 0
    overlay = read_overlay(study)
    assert overlay["study"] == study
    assert overlay["hydra"]["mode"] == "MULTIRUN"


@pytest.mark.parametrize("study", STUDIES)
def test_every_job_of_an_overlay_passes_the_gate(study: str, tmp_path: Path) -> None:
    given = give_file(study, tmp_path)
    jobs = list_jobs(study)
    seen = {repr(compose_options([f"experiment={study}", *given, *job])) for job in (jobs[0], jobs[-1])}
    assert len(seen) == 2
    assert sum("seed=" in part for part in jobs[0]) == 1
    assert len({part for job in jobs for part in job if part.startswith("seed=")}) >= 3


PINNED = [
    "optimizer",
    "learning_rate",
    "schedule",
    "clip_norm",
    "draws",
    "batch_size",
    "epochs",
    "batches_per_epoch",
    "early_stopping_patience",
    "keep",
    "monitor",
]


def describe_recipe(options: RunOptions, tuned: str | None) -> str:
    """Say how the models of a study are trained, in the words of their headers."""
    training = options.training
    rate = f"at {training.learning_rate:g}" if tuned is None else f"its rate tuned over {tuned.replace(',', ', ')}"
    schedule: str = training.schedule
    if training.plateau_divisor is not None:
        checks = f"{training.plateau_patience} epoch{'s' * (training.plateau_patience != 1)}"
        schedule = f"divided by {training.plateau_divisor:g} after {checks} without a better "
        schedule += training.monitor
    batches = f"batches of {training.batch_size}" + ", drawn with replacement" * (training.draws == "replacement")
    epochs = f"{training.epochs} epochs"
    if training.batches_per_epoch is not None:
        most = "" if training.draws == "replacement" else "at most "
        epochs += f" of {most}{training.batches_per_epoch:,} batches"
    patience = training.early_stopping_patience
    return "; ".join(
        [
            f"{training.optimizer}{' ' if tuned is None else ', '}{rate}, {schedule}",
            "not clipped" if training.clip_norm is None else f"clipped at {training.clip_norm:g}",
            batches,
            epochs,
            "no early stopping"
            if patience is None
            else f"ends after {patience} epochs without a better {training.monitor}",
            f"the best weights by {training.monitor}" if training.keep == "best" else "the last weights",
        ]
    )


@pytest.mark.parametrize("study", STUDIES)
def test_an_overlay_trains_as_its_header_says(study: str, tmp_path: Path) -> None:
    about, overlay = read_study_about(study), read_overlay(study)
    options = compose_options([f"experiment={study}", *give_file(study, tmp_path)])
    tune = overlay["hydra"]["sweeper"].get("tune")
    assert about is not None
    assert about.recipe == describe_recipe(options, None if tune is None else tune.partition("=")[2])
    assert tune is None or tune.startswith("training.learning_rate=")


@pytest.mark.parametrize("study", STUDIES)
def test_an_overlay_depends_on_no_default_of_training(study: str) -> None:
    overlay = read_overlay(study)
    presets = [entry["override /training"] for entry in overlay["defaults"] if "override /training" in entry]
    files = [yaml.safe_load((conf_dir() / "training" / f"{name}.yaml").read_text()) for name in presets]
    given = {key for values in (*files, overlay.get("training", {})) for key in values}
    assert set(PINNED) <= given


@pytest.mark.parametrize("study", STUDIES)
def test_a_header_counts_the_runs(study: str) -> None:
    about = read_study_about(study)
    assert about is not None
    assert f"= {len(list_jobs(study))} runs" in about.runs
    sweeper = read_overlay(study)["hydra"]["sweeper"]
    if "tune" in sweeper:
        conditions = {tuple(part for part in job if not part.startswith("seed=")) for job in list_jobs(study)}
        assert f"after {len(conditions) * len(sweeper['tune'].split(','))} for tuning" in about.runs


@pytest.mark.parametrize("study", STUDIES)
def test_what_refutes_a_prediction_is_of_options_that_the_study_has(study: str, tmp_path: Path) -> None:
    about, params = read_study_about(study), read_overlay(study)["hydra"]["sweeper"]["params"]
    assert about is not None
    assert bool(about.refuted_if) == (about.prediction is not None)
    swept = {{"dataset": "dataset.name"}.get(key, key): str(values).split(",") for key, values in params.items()}
    for name in swept.get("training", ()):
        preset = yaml.safe_load((conf_dir() / "training" / f"{name}.yaml").read_text(encoding="utf-8"))
        for key, value in preset.items():
            swept.setdefault(f"training.{key}", []).append(str(value))
    options = flatten_options(compose_options([f"experiment={study}", *give_file(study, tmp_path)]))
    for rule in about.refuted_if:
        for option, value in rule.where.items():
            assert str(value) in swept.get(option, [str(options[option])]), rule.text
        for option, ends in rule.change.items():
            assert {str(end) for end in ends} <= set(swept[option]), rule.text
        assert rule.metric is None or find_metric(rule.metric.rpartition("/")[2]) is not None


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES)
def test_the_first_job_of_an_overlay_runs_for_one_step(
    study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of whole splits most of the time would be spent on decoding them.
    monkeypatch.setattr(
        "lengthwise.pipeline.experiment.load_dataset", lambda options, steps: cut(load_dataset(options, steps))
    )
    (dataset,) = (entry[DATASET] for entry in read_overlay(study)["defaults"] if DATASET in entry)
    job = list_jobs(study)[0]
    overrides = [f"experiment={study}", *job, *give_file(study, tmp_path), *SMALL.get(dataset, [])]
    is_free = "parameter_budget" not in read_overlay(study).get("model", {})
    if is_free and not any(part.startswith("latent_dim=") for part in job):
        overrides.append("latent_dim=8")  # nothing here depends on the width
    overrides += [f"output_dir={tmp_path}", "tracking=directory", "training.epochs=1", "training.batches_per_epoch=1"]
    with step_by_step():
        value = run_experiment(compose_options(overrides), Launch(command=("test",), overrides=tuple(overrides)))
    (run,) = list_runs(tmp_path, study)
    assert run.manifest.status == "FINISHED"
    assert value is not None
    assert any(name.startswith("test/") for name in run.manifest.summary)
