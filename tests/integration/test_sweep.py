"""Sweeps of a small job through the real application: processes, signals and run directories are real."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers import forked

APP = Path(__file__).parents[1] / "helpers" / "sweep_app.py"
RAISES, EXITS, DIES, HANGS, REFUSES = 101, 102, 103, 104, 105

pytestmark = pytest.mark.slow


def write_command(directory: Path, *arguments: str) -> list[str]:
    return [str(APP), *arguments, "tracking=directory", f"output_dir={directory / 'out'}"]


def run_app(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return forked.run(write_command(directory, *arguments), cwd=directory, timeout=120)


def read_manifests(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((directory / "out").glob("*/*/manifest.json"))]


def read_sweep(directory: Path) -> tuple[dict[str, Any], list[dict[str, str]]]:
    (parent,) = [manifest for manifest in read_manifests(directory) if manifest["kind"] == "sweep"]
    with (directory / "out" / parent["study"] / parent["name"] / "sweep.csv").open() as file:
        return parent, list(csv.DictReader(file))


def test_a_sweep_is_a_parent_with_a_child_for_each_job(tmp_path: Path) -> None:
    done = run_app(tmp_path, "-m", "model=repeat,stateful", "latent_dim=8,16", "study=s")
    assert (done.returncode, done.stderr) == (0, "")
    parent, rows = read_sweep(tmp_path)
    children = [manifest for manifest in read_manifests(tmp_path) if manifest["kind"] == "run"]
    assert len(children) == 4
    assert {child["parent"] for child in children} == {parent["name"]}
    assert {child["study"] for child in children} == {"s"}
    assert len({tuple(sorted(child["params"])) for child in children}) == 1
    assert sorted((child["params"]["model.name"], child["params"]["latent_dim"]) for child in children) == [
        ("repeat", 8),
        ("repeat", 16),
        ("stateful", 8),
        ("stateful", 16),
    ]
    assert parent["status"] == "FINISHED"
    assert parent["params"]["latent_dim"] == "8, 16"
    assert parent["params"]["seed"] == 0
    assert parent["summary"] == {"jobs/total": 4, "jobs/finished": 4, "jobs/failed": 0}
    assert [(row["model"], row["latent_dim"], row["value"]) for row in rows] == [
        ("repeat", "8", "8"),
        ("repeat", "16", "16"),
        ("stateful", "8", "8"),
        ("stateful", "16", "16"),
    ]
    assert {row["run"] for row in rows} == {child["name"] for child in children}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"], "Hydra itself wrote something"


def test_a_dry_run_says_what_is_done_and_starts_nothing(tmp_path: Path) -> None:
    assert run_app(tmp_path, "-m", "latent_dim=8", "study=s").returncode == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    listed = run_app(tmp_path, "-m", "latent_dim=8,16,32", "study=s", "--dry-run")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert [line.split()[:3] for line in listed.stdout.splitlines()[2:5]] == [
        ["0", "8", "DONE"],
        ["1", "16", "TO"],
        ["2", "32", "TO"],
    ]
    assert "3 jobs, 1 done, 2 to run." in listed.stdout
    assert "by 1 finished run of the study. Nothing was started." in listed.stdout
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    for words in (["latent_dim=8"], ["-m", "latent_dim=8,9", "hydra/launcher=basic"]):
        refused = run_app(tmp_path, *words, "study=s", "--dry-run")
        assert (refused.returncode, refused.stderr[:9]) == (2, "--dry-run")


def test_a_job_that_goes_wrong_costs_itself_alone(tmp_path: Path) -> None:
    seeds = f"seed=0,{RAISES},{EXITS},{DIES},{HANGS},{REFUSES},1,2"
    done = run_app(tmp_path, "-m", seeds, "hydra.launcher.timeout_minutes=0.05")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    parent, rows = read_sweep(tmp_path)
    assert [row["status"] for row in rows] == [
        "FINISHED", "FAILED", "FAILED", "KILLED", "KILLED", "FAILED", "FINISHED", "FINISHED",
    ]  # fmt: skip
    assert parent["status"] == "FINISHED"
    assert parent["summary"] == {"jobs/total": 8, "jobs/finished": 3, "jobs/failed": 5}
    runs = {manifest["name"]: manifest for manifest in read_manifests(tmp_path)}
    assert [runs[row["run"]]["status"] for row in rows] == [row["status"] for row in rows]
    assert "3 of 8 jobs finished, 5 did not" in done.stdout
    for row, words in zip(rows[1:6], ("no good", "status 3", "signal 9", "had not ended", "line 3"), strict=True):
        assert words in row["reason"]
        assert words in done.stdout
    log = tmp_path / "out" / "scratch" / parent["name"] / "jobs" / "001.log"
    assert "ValueError: no good" in log.read_text()


def test_a_job_whose_process_died_is_started_again_as_often_as_asked(tmp_path: Path) -> None:
    done = run_app(tmp_path, "-m", f"seed={DIES},{RAISES}", "hydra.launcher.retries=2")
    assert done.returncode == 1
    _, rows = read_sweep(tmp_path)
    assert [row["attempts"] for row in rows] == ["3", "1"]
    runs = [manifest for manifest in read_manifests(tmp_path) if manifest["seed"] == DIES]
    assert len(runs) == 1, "an attempt goes on with the run of the one before"


def test_batches_of_a_sweeper_share_one_parent_and_none_is_lost(tmp_path: Path) -> None:
    done = run_app(tmp_path, "-m", f"seed=0,{RAISES},1", "hydra.sweeper.max_batch_size=1")
    assert done.returncode == 1
    parent, rows = read_sweep(tmp_path)
    assert [row["status"] for row in rows] == ["FINISHED", "FAILED", "FINISHED"]
    assert parent["summary"]["jobs/total"] == 3


def test_processes_are_warm_and_replaced_in_time_and_share_the_cores(tmp_path: Path) -> None:
    run_app(tmp_path, "-m", "seed=0,1,2,3", "hydra.launcher.num_workers=1", "hydra.launcher.max_jobs_per_worker=2")
    parent, _ = read_sweep(tmp_path)
    logs = sorted((tmp_path / "out" / "scratch" / parent["name"] / "jobs").iterdir())
    words = [log.read_text().split() for log in logs]
    processes = [each[4] for each in words]
    assert processes[0] == processes[1] != processes[2] == processes[3]
    assert {each[6] for each in words} == {str(len(os.sched_getaffinity(0)))}


def test_one_bad_job_stops_the_sweep_before_the_first_starts(tmp_path: Path) -> None:
    done = run_app(tmp_path, "-m", "latent_dim=8,0", "model=repeat")
    assert done.returncode == 2
    assert done.stderr.startswith("Job 1 (latent_dim=0 model=repeat")
    assert "latent_dim must be a whole number from 1 to 65536 units; got 0" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_two_sweeps_that_repeat_everything_share_nothing(tmp_path: Path) -> None:
    command = write_command(tmp_path, "-m", "seed=1,2", "hydra.launcher.finished=repeat")
    commands = [forked.Process(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [command.wait(60) for command in commands] == [0, 0]
    manifests = read_manifests(tmp_path)
    parents = [manifest["name"] for manifest in manifests if manifest["kind"] == "sweep"]
    assert len(set(parents)) == 2
    for parent in parents:
        assert sum(manifest["parent"] == parent for manifest in manifests) == 2


ADVICE = "Interrupted. The same command again resumes interrupted jobs and runs what is missing.\n"


@pytest.mark.parametrize(
    ("number", "send", "status"),
    [(signal.SIGINT, os.kill, 130), (signal.SIGINT, os.killpg, 130), (signal.SIGTERM, os.kill, 143)],
    ids=["interrupt", "ctrl-c", "terminate"],
)
def test_a_sweep_that_is_stopped_closes_its_runs(
    number: signal.Signals, send: Callable[[int, int], None], status: int, tmp_path: Path
) -> None:
    command = write_command(tmp_path, "-m", f"seed=1,{HANGS},2", "hydra.launcher.num_workers=2")
    pipe = subprocess.PIPE
    process = forked.Process(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while sum(manifest["kind"] == "run" for manifest in read_manifests(tmp_path)) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    send(process.pid, number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert errors == (ADVICE if number == signal.SIGINT else "")
    parent, rows = read_sweep(tmp_path)
    assert parent["status"] == "KILLED"
    assert [row["status"] for row in rows] == ["FINISHED", "KILLED", "FINISHED"]
    assert rows[1]["reason"] == "interrupted; the same command resumes it"
    assert rows[1]["reason"] in output
    (stopped,) = [manifest for manifest in read_manifests(tmp_path) if manifest["seed"] == HANGS]
    assert (stopped["name"], stopped["status"]) == (rows[1]["run"], "KILLED")


def test_ctrl_c_while_workers_are_started_prints_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("SWEEP_APP_PRELOAD", "slow_import")
    begun = tmp_path / "begun"
    (tmp_path / "slow_import.py").write_text(f"import time\nopen({str(begun)!r}, 'w').close()\ntime.sleep(2)\n")
    command = write_command(tmp_path, "-m", "seed=1,2")
    pipe = subprocess.PIPE
    process = forked.Process(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)  # no process that could still print holds the pipe
    assert (process.returncode, errors) == (130, ADVICE)
    assert [row["status"] for row in read_sweep(tmp_path)[1]] == ["NOT RUN", "NOT RUN"]


def test_the_basic_launcher_runs_the_same_jobs_in_one_process(tmp_path: Path) -> None:
    done = run_app(tmp_path, "-m", "seed=1,2", "hydra/launcher=basic")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(manifest["seed"] for manifest in read_manifests(tmp_path)) == [1, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_single_run_writes_its_directory_alone(tmp_path: Path) -> None:
    done = run_app(tmp_path, "latent_dim=5", "seed=2")
    assert (done.returncode, done.stderr) == (0, "")
    (manifest,) = read_manifests(tmp_path)
    assert manifest["command"][:3] == ["python", "sweep_app.py", "latent_dim=5"]
    assert manifest["parent"] is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


@pytest.mark.parametrize(
    ("seed", "status", "words", "has_traceback"),
    [
        (RAISES, 1, "ValueError: no good", True),
        (EXITS, 3, "", False),
        (REFUSES, 2, "pairs.txt, line 3: has no tab", False),
    ],
)
def test_a_single_run_that_fails_ends_with_its_status(
    seed: int, status: int, words: str, has_traceback: bool, tmp_path: Path
) -> None:
    done = run_app(tmp_path, f"seed={seed}")
    assert done.returncode == status
    assert words in done.stderr
    assert ("Traceback" in done.stderr) == has_traceback
    assert "HYDRA_FULL_ERROR" not in done.stderr


def test_a_directory_for_temporary_files_with_a_long_name_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("long" * 40)  # no socket's path may have as many characters
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    done = run_app(tmp_path, "-m", "seed=1,2")
    assert (done.returncode, done.stderr) == (0, "")
    assert [row["status"] for row in read_sweep(tmp_path)[1]] == ["FINISHED", "FINISHED"]
