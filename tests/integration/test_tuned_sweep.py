"""A sweep whose conditions are tuned first, through the real application with a small job instead of an experiment."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from helpers import forked

APP = Path(__file__).parents[1] / "helpers" / "sweep_app.py"
RAISES = 101

pytestmark = pytest.mark.slow


def tune(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    fixed = ("tracking=directory", f"output_dir={directory / 'out'}", "hydra/sweeper=tuned")
    return forked.run([str(APP), "-m", *fixed, *arguments], cwd=directory)


def read_runs(directory: Path, study: str) -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in sorted((directory / "out" / study).glob("*/manifest.json"))]
    return [manifest for manifest in found if manifest["kind"] == "run"]


def test_each_condition_is_tuned_reported_and_not_run_again(tmp_path: Path) -> None:
    # The job returns latent_dim + seed, of which less is better.
    arguments = ("model=repeat,stateful", "seed=0,1", "hydra.sweeper.tune='latent_dim=8,4,16'")
    done = tune(tmp_path, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    tuning, reported = read_runs(tmp_path, "scratch_tuning"), read_runs(tmp_path, "scratch")
    assert sorted((run["params"]["latent_dim"], run["seed"]) for run in tuning) == [
        (4, 1000), (4, 1000), (8, 1000), (8, 1000), (16, 1000), (16, 1000)
    ]  # fmt: skip
    assert sorted((run["params"]["model.name"], run["params"]["latent_dim"], run["seed"]) for run in reported) == [
        ("repeat", 4, 0), ("repeat", 4, 1), ("stateful", 4, 0), ("stateful", 4, 1)
    ]  # fmt: skip
    (kept,) = (tmp_path / "out" / "scratch").glob("*/tuning.json")
    assert [row["chosen"] for row in json.loads(kept.read_text())["conditions"]] == [["latent_dim=4"]] * 2
    again = tune(tmp_path, *arguments)
    assert again.returncode == 0
    assert "6 finished before" in again.stdout
    assert "4 finished before" in again.stdout
    assert len(read_runs(tmp_path, "scratch")) == 4
    assert len(list((tmp_path / "out" / "scratch").glob("*/jobs.jsonl"))) == 1, "one parent run, resumed"
    doubled = tune(tmp_path, *arguments, "hydra.sweeper.doubling=true", "training.epochs=30")
    assert doubled.returncode == 0
    assert {run["params"]["training.epochs"] for run in read_runs(tmp_path, "scratch_doubled")} == {60}
    assert len(read_runs(tmp_path, "scratch_doubled")) == 4
    assert "lengthwise report scratch" in doubled.stdout


def test_a_small_budget_runs_one_value_and_one_seed(tmp_path: Path) -> None:
    small = ("hydra.sweeper.budget_minutes=0.0001", "hydra.sweeper.tune='latent_dim=8,4,16'")
    done = tune(tmp_path, "model=repeat,stateful", "seed=0,1,2", *small)
    assert (done.returncode, done.stderr) == (0, "")
    assert {run["params"]["latent_dim"] for run in read_runs(tmp_path, "scratch_tuning")} == {4}
    assert {run["seed"] for run in read_runs(tmp_path, "scratch")} == {0}
    assert "1 of 3 values fit into half of hydra.sweeper.budget_minutes" in done.stdout
    assert "1 of 3 seeds fit into hydra.sweeper.budget_minutes; the same command with more minutes" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("hydra.sweeper.tune=latent_dim",), "hydra.sweeper.tune must be a text: OPTION=VALUE,VALUE,..."),
        (("hydra.sweeper.tune='latent_dim=8'",), "hydra.sweeper.tune needs several values of latent_dim."),
        (("latent_dim=4,8", "hydra.sweeper.tune='latent_dim=8,4'"), "hydra.sweeper.tune holds latent_dim, which is"),
        (("seed=999,1000",), "hydra.sweeper.tuning_seed must differ from the seeds that are reported"),
        (("hydra.sweeper.tune='training.learning_rate=0.1,-1'",), "training.learning_rate must be"),
        (("hydra.sweeper.tune='latent_din=8,16'",), "latent_din"),
        (("hydra.sweeper.tune='latent_dim=('",), "latent_dim has a value that cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_tuned_is_refused_before_anything_runs(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = tune(tmp_path, "model=repeat,stateful", *arguments)
    assert done.returncode == 2, done.stdout
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []
