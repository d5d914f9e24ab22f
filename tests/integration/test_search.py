"""Searches with Optuna through the real application; skipped where the extra is not installed."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from helpers import forked

pytest.importorskip("optuna", reason="the extra `optuna` is not installed")

APP = Path(__file__).parents[1] / "helpers" / "sweep_app.py"
LEARNS = 108
SEARCH = (*forked.APPLICATION, "optuna", "lengthwise.sweeps.search")
SPACE = ("latent_dim=int(interval(1,100))", "training.learning_rate=tag(log, interval(1e-4,1e-2))")

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEEP_APP_STEP", "0.1")


def write_command(directory: Path, *arguments: str) -> list[str]:
    fixed = ("tracking=directory", f"output_dir={directory / 'out'}", "hydra/sweeper=optuna")
    return [str(APP), "-m", *arguments, *fixed]


def search(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return forked.run(write_command(directory, *arguments), cwd=directory, preload=SEARCH)


def read_runs(directory: Path, kind: str = "run") -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in sorted(directory.glob("out/*/*/manifest.json"))]
    return [manifest for manifest in found if manifest["kind"] == kind]


def test_a_search_goes_on_to_its_number_of_trials_and_finds_the_best(tmp_path: Path) -> None:
    done = search(tmp_path, *SPACE, "hydra.sweeper.num_trials=4")
    assert (done.returncode, done.stderr) == (0, "")
    first = {run["name"] for run in read_runs(tmp_path)}
    assert len(first) == 4
    done = search(tmp_path, *SPACE, "hydra.sweeper.num_trials=7")
    assert (done.returncode, done.stderr) == (0, "")
    runs = read_runs(tmp_path)
    assert len(runs) == 7
    assert first < {run["name"] for run in runs}
    (parent,) = read_runs(tmp_path, "sweep")
    assert {run["parent"] for run in runs} == {parent["name"]}
    assert all(1 <= run["params"]["latent_dim"] <= 100 for run in runs)
    assert all(1e-4 <= run["params"]["training.learning_rate"] <= 1e-2 for run in runs)
    best = min(run["params"]["latent_dim"] for run in runs)
    told = json.loads((tmp_path / "out/scratch" / parent["name"] / "best.json").read_text())
    assert (told["value"], told["options"]["latent_dim"]) == (best, best)
    assert f"Best of 7 trials: {best} with" in done.stdout
    again = search(tmp_path, *SPACE, "hydra.sweeper.num_trials=7")
    assert again.returncode == 0
    assert len(read_runs(tmp_path)) == 7


def test_trials_that_fall_behind_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEEP_APP_TICK", "0.1")
    size = ("hydra.sweeper.num_trials=14", "hydra.sweeper.warmup_epochs=1", "hydra.launcher.num_workers=2")
    done = search(tmp_path, SPACE[0], f"seed={LEARNS}", "training.epochs=8", *size)
    assert (done.returncode, done.stderr) == (0, "")
    pruned = {run["params"]["latent_dim"] for run in read_runs(tmp_path) if run["status"] == "KILLED"}
    finished = {run["params"]["latent_dim"] for run in read_runs(tmp_path) if run["status"] == "FINISHED"}
    assert pruned, "with fourteen trials some are behind the median of those before"
    assert min(pruned) > min(finished)
    (parent,) = read_runs(tmp_path, "sweep")
    assert parent["summary"]["jobs/pruned"] == len(pruned)
    assert parent["summary"]["jobs/failed"] == 0


@pytest.mark.fault
def test_a_search_that_was_killed_takes_its_trials_up_again(tmp_path: Path) -> None:
    command = (SPACE[0], f"seed={LEARNS}", "training.epochs=12", "hydra.sweeper.num_trials=4")
    process = forked.Process(write_command(tmp_path, *command), preload=SEARCH, stdout=subprocess.DEVNULL, cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not any(run["status"] == "RUNNING" for run in read_runs(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    begun = {run["name"] for run in read_runs(tmp_path)}
    while any(run["status"] == "RUNNING" for run in read_runs(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.1)
    (journal,) = tmp_path.glob("out/*/search-*.jsonl")
    with contextlib.suppress(FileExistsError):  # the kill may fall into a write, under Optuna's own lock
        journal.with_name(f"{journal.name}.lock").symlink_to(journal)
    done = search(tmp_path, *command)
    assert (done.returncode, done.stderr) == (0, "")
    runs = read_runs(tmp_path)
    assert [run["status"] for run in runs] == ["FINISHED"] * 4
    assert begun <= {run["name"] for run in runs}
    assert len(read_runs(tmp_path, "sweep")) == 1


def test_a_search_needs_something_to_search(tmp_path: Path) -> None:
    done = search(tmp_path, "latent_dim=8")
    assert done.returncode == 2
    assert done.stderr == (
        "hydra/sweeper=optuna needs something to search. Give an option several values, as in "
        "latent_dim=choice(32,64).\n"
    )
    assert list(tmp_path.iterdir()) == []
