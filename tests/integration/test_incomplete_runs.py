"""Nothing after the fit costs a run its scores: each part of the results fails by itself, and is made up for."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from helpers import forked
from lengthwise.app import cli
from lengthwise.app.exit_status import EXIT_FAILED
from lengthwise.config.compose import compose_options
from lengthwise.config.options import DirectoryOptions
from lengthwise.errors import ConfigError, IncompleteRunError, RunError, Terminated
from lengthwise.pipeline import outputs, stages
from lengthwise.pipeline.command import Launch
from lengthwise.pipeline.experiment import run_experiment
from lengthwise.pipeline.reevaluation import write_missing
from lengthwise.pipeline.results import RunResult
from lengthwise.tracking.runs import run as run_module
from lengthwise.tracking.runs.arrays import read_array
from lengthwise.tracking.runs.heartbeat import HEARTBEAT_NAME, RESERVE_BYTES
from lengthwise.tracking.runs.manifest import Manifest, read_manifest, write_manifest
from lengthwise.tracking.runs.run_files import RunFiles

pytestmark = pytest.mark.slow

DIRECTORY = DirectoryOptions(name="directory")
OPTIONS = (
    *("tracking=directory", "model=stateful", "model.attention=multiplicative", "latent_dim=4"),
    *("dataset=copy", "dataset.num_train=64", "dataset.num_validation=16", "dataset.num_test=16"),
    *("dataset.max_length=3", "dataset.longer_length=5", "training.epochs=2", "training.batch_size=16"),
    "training.checkpoint_seconds=3600",  # so that a slow machine stores no checkpoint more
)
TIMES = {"time/fit_seconds", "time/evaluation_seconds"}


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A whole run."""

    directory: Path
    result: RunResult
    files: set[str]


def run(output_dir: Path, *, job_number: int | None = None) -> Path:
    options = compose_options([*OPTIONS, f"output_dir={output_dir}"])
    error = None
    try:
        run_experiment(options, Launch(command=("python", "train.py"), overrides=(), job_number=job_number))
    except IncompleteRunError as raised:
        error = raised
    (directory,) = (output_dir / "scratch").iterdir()
    missing = read_manifest(directory).missing
    assert (error is not None) == (bool(missing) and job_number is None)
    assert error is None or f"lengthwise evaluate {directory.name}" in str(error)
    return directory


def list_files(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def read_scores(directory: Path) -> dict[str, float]:
    return {name: value for name, value in read_manifest(directory).summary.items() if name not in TIMES}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    results = []

    def keep(*arguments: object) -> RunResult:
        results.append(stages_evaluate(*arguments))
        return results[-1]

    stages_evaluate = stages.evaluate_model
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "evaluate_model", keep)
        directory = run(tmp_path_factory.mktemp("whole"))
    return Trained(directory=directory, result=results[0], files=list_files(directory))


def fail(error: BaseException) -> Callable[[RunFiles, RunResult], None]:
    def write(_files: RunFiles, _result: RunResult) -> None:
        raise error

    return write


def test_a_whole_run_misses_nothing(trained: Trained) -> None:
    manifest = read_manifest(trained.directory)
    assert (manifest.status, manifest.missing) == ("FINISHED", ())
    figures = {Path(name).stem for name in trained.files if name.startswith("figures/")}
    assert {"learning_curves", "latents", "outcomes", "wiring", "attention_1", "test_by_length"} <= figures
    for split in ("val", "test", "longer"):
        correct = np.load(trained.directory / "samples" / f"{split}_correct.npy", allow_pickle=False)
        assert correct.dtype == np.uint8
        assert correct.mean() == pytest.approx(manifest.summary[f"{split}/exact_match"], abs=1e-12)
    with pytest.raises(ConfigError, match="decoding must be another than the run's own"):
        write_missing(trained.directory, console=Console(file=io.StringIO()), tracking=DIRECTORY)


@pytest.mark.parametrize("name", outputs.PARTS)
def test_each_part_fails_by_itself(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) if name == "model" else ValueError("zero-size array")
    calls: list[str] = []
    parts = {other: lambda *_, other=other: calls.append(other) for other in outputs.PARTS}
    monkeypatch.setattr(outputs, "PARTS", parts | {name: fail(error)})
    console = Console(file=io.StringIO(), width=200)
    assert outputs.write_outputs(RunFiles(tmp_path), trained.result, console) == [name]
    assert calls == [other for other in outputs.PARTS if other != name]
    assert f"not written: {name} ({type(error).__name__}" in console.file.getvalue()
    assert str(error) in (tmp_path / "traceback.txt").read_text(encoding="utf-8")


def test_scores_survive_when_everything_else_fails_and_the_rest_is_made_up_for(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(outputs, "PARTS", dict.fromkeys(outputs.PARTS, fail(MemoryError("no room"))))
        directory = run(tmp_path)
    manifest = read_manifest(directory)
    assert (manifest.status, manifest.failure, manifest.missing) == ("FINISHED", None, tuple(outputs.PARTS))
    assert read_scores(directory) == read_scores(trained.directory)
    assert not (directory / "model").exists()
    log = (directory / "log.txt").read_text(encoding="utf-8")
    assert all(f"not written: {name} (MemoryError: no room)" in log for name in outputs.PARTS)
    capsys.readouterr()
    arguments = ["evaluate", directory.name, f"output_dir={tmp_path}", "tracking=directory"]
    assert cli.run_command(arguments) == 0
    assert "written: model, samples" in capsys.readouterr().out
    manifest = read_manifest(directory)
    assert (manifest.status, manifest.missing) == ("FINISHED", ())
    assert read_scores(directory) == read_scores(trained.directory)
    assert list_files(directory) - {"traceback.txt", ".amend.lock"} == trained.files
    for name in ("samples/test_samples.json", "figures/learning_curves.png", "figures/attention_1.png"):
        assert (directory / name).read_bytes() == (trained.directory / name).read_bytes()


def test_parts_that_fail_again_stay_missing(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "scratch" / trained.directory.name
    shutil.copytree(trained.directory, directory)
    change_manifest(directory, missing=["samples", "latents"])
    monkeypatch.setattr(outputs, "PARTS", outputs.PARTS | {"latents": fail(ValueError("again"))})
    arguments = ["evaluate", directory.name, f"output_dir={tmp_path}", "tracking=directory"]
    assert cli.run_command(arguments) == EXIT_FAILED
    assert "could not be written: latents. To write them: lengthwise evaluate" in capsys.readouterr().err
    assert read_manifest(directory).missing == ("latents",)
    assert cli.run_command(["runs", f"output_dir={tmp_path}"]) == 0
    assert "not written: latents" in capsys.readouterr().out
    with pytest.raises(RunError, match=r"could not be written: latents\. To write them: lengthwise evaluate"):
        resume(tmp_path)


def test_a_run_that_has_not_finished_or_lost_its_weights_is_not_completed(trained: Trained, tmp_path: Path) -> None:
    directory = tmp_path / "scratch" / trained.directory.name
    shutil.copytree(trained.directory, directory, ignore=shutil.ignore_patterns("model", "checkpoints"))
    change_manifest(directory, missing=["model"])
    with pytest.raises(RunError, match="neither its model nor its last checkpoint"):
        write_missing(directory, console=Console(file=io.StringIO()), tracking=DIRECTORY)
    change_manifest(directory, status="KILLED")
    with pytest.raises(RunError, match=r"has not finished \(KILLED\)\. Resume it: python train\.py resume="):
        write_missing(directory, console=Console(file=io.StringIO()), tracking=DIRECTORY)


def change_manifest(directory: Path, **values: object) -> None:
    path = directory / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


def test_a_job_of_a_sweep_keeps_its_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "PARTS", {"samples": fail(ValueError("no"))})
    assert read_manifest(run(tmp_path, job_number=0)).missing == ("samples",)


def test_empty_predictions_have_no_attention_to_draw(trained: Trained, tmp_path: Path) -> None:
    """An untrained model may predict nothing at all; the scores of such a run were once lost."""
    nothing = {
        name: type(made)(
            values=made.values[:, :0],
            length=np.zeros_like(made.length),
            stopped=np.ones_like(made.stopped),
            log_probability=made.log_probability,
        )
        for name, made in trained.result.predictions.items()
    }
    result = RunResult(
        **{field: getattr(trained.result, field) for field in RunResult.__dataclass_fields__} | {"predictions": nothing}
    )
    files, names = RunFiles(tmp_path), ["attention", "predictions"]
    assert outputs.write_outputs(files, result, Console(file=io.StringIO()), names=names) == []
    assert not (tmp_path / "figures").exists()
    values = read_array(files, "samples/test_predictions.npy", dtypes=["uint8"], num_dimensions=2)
    assert values is not None
    assert not values.any()
    np.testing.assert_array_equal(np.load(tmp_path / "samples" / "test_ends.npy"), [[0, 1]] * len(values))


def test_a_signal_after_the_scores_loses_none(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as stopped:
        stopped.setattr(outputs, "PARTS", outputs.PARTS | {"samples": fail(Terminated())})
        with pytest.raises(Terminated):
            run(tmp_path)
    (directory,) = (tmp_path / "scratch").iterdir()
    assert read_manifest(directory).status == "KILLED"
    assert read_scores(directory) == read_scores(trained.directory)
    assert resume(tmp_path) == directory
    assert list_files(directory) == trained.files


KILLED = """
import os, signal, sys
from lengthwise.app import hydra_app
from lengthwise.pipeline import stages

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(stages, sys.argv.pop(1), kill)
hydra_app.main()
"""


@pytest.mark.fault
@pytest.mark.parametrize(("at", "has_scores"), [("evaluate_model", False), ("write_outputs", True)])
def test_a_run_killed_after_its_fit_ends_with_its_scores(
    trained: Trained, tmp_path: Path, at: str, has_scores: bool
) -> None:
    killed = forked.run(["-c", KILLED, at, *OPTIONS, f"output_dir={tmp_path}"], preload=forked.TRAINING)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (directory,) = (tmp_path / "scratch").iterdir()
    assert bool(read_scores(directory)) == has_scores
    assert resume(tmp_path) == directory
    assert list_files(directory) == trained.files


def test_a_disk_that_fills_up_after_the_fit_costs_no_score(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be written but into the space that the run holds in reserve."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write_into_reserve(directory: Path, manifest: Manifest) -> None:
        if (directory / HEARTBEAT_NAME).stat().st_size == RESERVE_BYTES:
            raise full
        write_manifest(directory, manifest)

    def evaluate_on_full_disk(*arguments: object) -> RunResult:
        monkeypatch.setattr(run_module, "write_manifest", write_into_reserve)
        monkeypatch.setattr(RunFiles, "write_text", lambda *_: fail(full)(*_[:2]))
        return evaluate(*arguments)

    evaluate, parts = stages.evaluate_model, tuple(outputs.PARTS)
    monkeypatch.setattr(stages, "evaluate_model", evaluate_on_full_disk)
    monkeypatch.setattr(outputs, "PARTS", dict.fromkeys(parts, fail(full)))
    directory = run(tmp_path)
    manifest = read_manifest(directory)
    assert (manifest.status, manifest.missing) == ("FINISHED", parts)
    assert read_scores(directory) == read_scores(trained.directory)


def resume(output_dir: Path) -> Path:
    """Resume the only run, and return its directory: it has finished with the scores of a run never stopped."""
    run_experiment(
        compose_options([f"output_dir={output_dir}", "resume=latest"]),
        Launch(command=("python", "train.py"), overrides=()),
    )
    (directory,) = (output_dir / "scratch").iterdir()
    assert (read_manifest(directory).status, read_manifest(directory).missing) == ("FINISHED", ())
    return directory
