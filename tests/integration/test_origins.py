"""Runs that start from others: `base=RUN`, `weights=RUN`, and a finished run trained longer."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import yaml

from helpers.commands import train
from helpers.step_by_step import step_by_step
from lengthwise.config.parse import parse_stored
from lengthwise.pipeline.longer import OPTION
from lengthwise.serving.artifact import load_artifact
from lengthwise.serving.artifact_files import find_artifact
from lengthwise.tracking.runs.find import StoredRun, list_runs
from lengthwise.tracking.runs.journal import read_journal
from lengthwise.tracking.runs.manifest import write_manifest

pytestmark = pytest.mark.slow

DATA = ["dataset=copy", "dataset.num_train=32", "dataset.num_validation=8", "dataset.num_test=8"]
SMALL = [*DATA, "dataset.max_length=4", "dataset.longer_length=5", "latent_dim=4", "tracking=directory"]
LONG = ["model=stateful", "model.dropout=0.2", "training.batch_size=8", "training.learning_rate=0.05", "seed=3"]
LONG += ["training.early_stopping_patience=null"]


@pytest.fixture(scope="module", autouse=True)
def _operations_one_by_one() -> Iterator[None]:
    """Train without graphs, which each run would trace anew; `test_checkpoint.py` resumes compiled fits."""
    with step_by_step():
        yield


class Runs(NamedTuple):
    """Finished runs: two epochs at a constant rate, four of the same, and two with a cosine schedule."""

    output_dir: Path
    short: StoredRun
    long: StoredRun
    cosine: StoredRun


def run(output_dir: Path, *words: str) -> StoredRun:
    """Train, and return the run, the newest one."""
    assert train(*words, f"output_dir={output_dir}") == 0
    return next(each for each in list_runs(output_dir) if each.manifest.record.kind == "run")


def read_weights(found: StoredRun) -> list[np.ndarray]:
    return load_artifact(find_artifact(found.directory)).models.network.get_weights()


def refuse(capsys: pytest.CaptureFixture[str], output_dir: Path, *words: str) -> str:
    """Give a command that must be refused before a run is made; return its message."""
    before = len(list_runs(output_dir))
    capsys.readouterr()
    assert train(*words, f"output_dir={output_dir}") == 2
    assert len(list_runs(output_dir)) == before
    return " ".join(capsys.readouterr().err.split())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    output_dir = tmp_path_factory.mktemp("outputs")
    constant = [*SMALL, *LONG, "training.schedule=constant"]
    short = run(output_dir, *constant, "training.epochs=2", "study=short")
    long = run(output_dir, *constant, "training.epochs=4", "study=long")
    cosine = run(output_dir, *SMALL, *LONG, "training.epochs=1", "study=cosine")
    return Runs(output_dir, short, long, cosine)


def test_a_finished_run_trained_longer_equals_the_long_run_bit_for_bit(runs: Runs) -> None:
    longer = run(runs.output_dir, f"resume={runs.short.manifest.id}", "training.epochs=4", "tracking=directory")
    assert longer.directory != runs.short.directory
    assert longer.manifest.record.params["base"] == f"short/{runs.short.manifest.name}"
    assert longer.manifest.record.params[OPTION] == 4
    for ours, theirs in zip(read_weights(longer), read_weights(runs.long), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    scores = {key: value for key, value in runs.long.manifest.summary.items() if not key.startswith("time/")}
    assert {key: longer.manifest.summary[key] for key in scores} == scores
    curves = [
        [(entry.key, entry.step, entry.value) for entry in read_journal(each.directory / "metrics.jsonl")[0]]
        for each in (longer, runs.long)
    ]
    kept = [sorted(entry for entry in own if not entry[0].startswith("time/")) for own in curves]
    assert kept[0] == kept[1]


def test_more_epochs_are_refused_where_they_would_not_give_the_long_run(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    cosine = f"resume={runs.cosine.manifest.id}"
    message = refuse(capsys, runs.output_dir, cosine, "training.epochs=4", "tracking=directory")
    assert "with training.schedule=cosine it decides every learning rate" in message
    assert f"base={runs.cosine.manifest.name} training.epochs=4" in message
    fewer = refuse(capsys, runs.output_dir, f"resume={runs.short.manifest.id}", "training.epochs=2")
    assert "must be more than the 2" in fewer
    assert "has finished" in refuse(capsys, runs.output_dir, f"resume={runs.short.manifest.id}")
    other = refuse(capsys, runs.output_dir, f"resume={runs.short.manifest.id}", "training.epochs=4", "seed=1")
    assert "only output_dir, tracking and training.epochs can be set" in other


def test_a_run_starts_from_the_configuration_of_another(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    found = run(runs.output_dir, f"base={runs.cosine.manifest.id}", "seed=4", "tracking=directory")
    stored = parse_stored((found.directory / "config.yaml").read_text())
    origin = parse_stored((runs.cosine.directory / "config.yaml").read_text())
    assert stored.base == f"cosine/{runs.cosine.manifest.name}"
    assert (stored.model, stored.dataset, stored.training) == (origin.model, origin.dataset, origin.training)
    assert (stored.latent_dim, stored.seed, stored.study) == (4, 4, "cosine")
    capsys.readouterr()
    words = [f"base={runs.cosine.manifest.id}", "model=repeat", f"output_dir={runs.output_dir}"]
    assert train(*words, "--cfg", "job") == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert (shown["model"]["name"], shown["model"]["dropout"], shown["seed"]) == ("repeat", 0.0, 3)
    assert shown["training"] == dataclasses.asdict(origin.training)
    message = refuse(capsys, runs.output_dir, f"base={runs.cosine.manifest.id}", "experiment=cube")
    assert "base cannot be used with experiment" in message
    assert "There is no run 'nowhere'" in refuse(capsys, runs.output_dir, "base=nowhere")


def test_a_command_starts_from_the_command_of_a_sweep(
    runs: Runs, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("python", "train.py", "-m", "model=repeat,stateful", "seed=0,1", "latent_dim=4", "output_dir=elsewhere")
    directory = runs.short.directory.parent.with_name("swept") / "20260101-000000-sweep-abcdef"
    directory.mkdir(parents=True)
    manifest = replace(
        runs.short.manifest,
        name=directory.name,
        id="abcdef",
        record=replace(runs.short.manifest.record, study="swept", kind="sweep", command=command),
    )
    write_manifest(directory, manifest)
    composed: list[list[str]] = []
    monkeypatch.setattr(
        "hydra._internal.hydra.Hydra.multirun", lambda _self, _name, _task, words: composed.append(words)
    )
    assert train("base=abcdef", "seed=7", f"output_dir={runs.output_dir}") == 0
    assert composed[0][:4] == ["model=repeat,stateful", "latent_dim=4", f"base=swept/{directory.name}", "seed=7"]
    assert "output_dir=elsewhere" not in composed[0]
    shutil.rmtree(directory.parent)


def test_a_run_starts_from_the_weights_of_another(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    options = [*SMALL, *LONG, "training.learning_rate=1e-30", "training.epochs=1"]
    options.remove("training.learning_rate=0.05")
    found = run(runs.output_dir, *options, f"weights={runs.short.manifest.id}", "study=tuned")
    assert found.manifest.record.params["weights"] == f"short/{runs.short.manifest.name}"
    assert len(found.manifest.record.tags["lengthwise.weights_sha256"]) == 64
    for ours, theirs in zip(read_weights(found), read_weights(runs.short), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ("latent_dim=6", "latent_dim is 4 there and 6 here, decoder_dim is 4 there and 6 here"),
        ("model=repeat", "conditioning is initial_state there and repeat here"),
        ("dataset.num_symbols=5", "spec.source_size is 12 there and 9 here"),
        ("training.precision=float64", "float32 there and float64 here"),
    ],
)
def test_weights_of_another_wiring_are_refused_with_both(
    runs: Runs, capsys: pytest.CaptureFixture[str], changed: str, message: str
) -> None:
    words = [word for word in (*SMALL, *LONG) if word.partition("=")[0] != changed.partition("=")[0]]
    words = [word for word in words if not (changed == "model=repeat" and word.startswith("model."))]
    assert message in refuse(capsys, runs.output_dir, *words, changed, f"weights={runs.short.manifest.id}")
