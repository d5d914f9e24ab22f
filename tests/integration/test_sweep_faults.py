"""Sweeps that are killed, repeated, changed and crowded; the application, its processes and its files are real."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers import forked
from helpers.commands import train

APP = Path(__file__).parents[1] / "helpers" / "sweep_app.py"
RAISES, DIES, WAITS, GROWS = 101, 103, 106, 107

pytestmark = [pytest.mark.slow, pytest.mark.fault]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the application; whatever of it still runs after the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def make(*arguments: str) -> subprocess.Popen[str]:
        command = [str(APP), *arguments, "tracking=directory", f"output_dir={tmp_path / 'out'}"]
        pipe = subprocess.PIPE
        process = forked.Process(command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True)
        started.append(process)
        return process

    yield make
    for process in started:
        process.kill()
        process.communicate(timeout=60)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=200)
    return process.returncode, output, errors


def read_manifests(directory: Path, kind: str = "run") -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in sorted((directory / "out").glob("*/*/manifest.json"))]
    return [manifest for manifest in found if manifest["kind"] == kind]


def read_status(directory: Path) -> dict[int, str]:
    return {manifest["seed"]: manifest["status"] for manifest in read_manifests(directory)}


def read_stamps(directory: Path, status: str = "FINISHED") -> dict[str, int]:
    """When the manifests of runs were last written, by the runs' names."""
    names = [manifest["name"] for manifest in read_manifests(directory) if manifest["status"] == status]
    return {name: next(directory.glob(f"out/*/{name}/manifest.json")).stat().st_mtime_ns for name in names}


def await_that(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def list_descendants(ancestor: int) -> list[int]:
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True).stdout
    pairs = [line.split() for line in listed.splitlines()]
    parents = {int(pid): int(parent) for pid, parent in pairs}
    found = {ancestor}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {ancestor})


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def has_made_its_step(tmp_path: Path) -> bool:
    """Tell whether the job that waits runs and has logged its first step, after which it only sleeps."""
    running = [manifest["name"] for manifest in read_manifests(tmp_path) if manifest["status"] == "RUNNING"]
    journals = [tmp_path / "out/scratch" / name / "metrics.jsonl" for name in running]
    return any(path.exists() and "train/loss" in path.read_text() for path in journals)


def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    command = ("-m", f"seed=1,2,{WAITS},3,4", "hydra.launcher.num_workers=1")
    first = start(*command)
    await_that(lambda: has_made_its_step(tmp_path))
    others = list_descendants(first.pid)
    assert others
    first.send_signal(signal.SIGKILL)
    finish(first)
    await_that(lambda: not any(is_alive(pid) for pid in others), seconds=15)
    assert read_status(tmp_path) == {1: "FINISHED", 2: "FINISHED", WAITS: "KILLED"}
    finished, runs = read_stamps(tmp_path), {m["seed"]: m["name"] for m in read_manifests(tmp_path)}
    (parent,) = read_manifests(tmp_path, "sweep")

    status, output, errors = finish(start(*command))
    assert (status, errors) == (0, "")
    assert "2 finished before" in output
    assert "1 interrupted before" in output
    assert "5 of 5 jobs finished, 2 of them before" in output
    assert read_status(tmp_path) == dict.fromkeys((1, 2, WAITS, 3, 4), "FINISHED")
    assert len(read_manifests(tmp_path)) == 5
    assert {m["seed"]: m["name"] for m in read_manifests(tmp_path)}.items() >= runs.items()
    assert read_stamps(tmp_path).items() >= finished.items(), "a finished run was touched"
    (again,) = read_manifests(tmp_path, "sweep")
    assert (again["name"], again["status"]) == (parent["name"], "FINISHED")
    assert again["summary"] == {"jobs/total": 5, "jobs/finished": 5, "jobs/failed": 0}
    with (tmp_path / "out/scratch" / parent["name"] / "sweep.csv").open() as file:
        rows = [(row["job"], row["seed"], row["status"]) for row in csv.DictReader(file)]
    assert rows == [(str(place), str(seed), "FINISHED") for place, seed in enumerate((1, 2, WAITS, 3, 4))]


def test_logs_are_whole_and_of_one_kind_after_a_resume(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    command = ("-m", f"seed={WAITS},1", "hydra.launcher.num_workers=2")
    first = start(*command)
    await_that(lambda: read_status(tmp_path) == {WAITS: "RUNNING", 1: "FINISHED"} and has_made_its_step(tmp_path))
    first.send_signal(signal.SIGTERM)
    assert finish(first)[0] == 143
    assert finish(start(*command))[0] == 0
    runs = read_manifests(tmp_path)
    (parent,) = read_manifests(tmp_path, "sweep")
    assert {run["parent"] for run in runs} == {parent["name"]}
    assert len({tuple(run["params"]) for run in runs}) == 1
    name = next(run["name"] for run in runs if run["seed"] == WAITS)
    lines = (tmp_path / "out/scratch" / name / "metrics.jsonl").read_text().splitlines()
    points = [(entry["key"], entry["step"]) for entry in map(json.loads, lines)]
    assert len(set(points)) == len(points)
    steps = [step for key, step in points if key == "train/loss"]
    assert steps == sorted(set(steps)) == [1, 2]


def test_the_same_command_again_does_nothing_and_a_larger_one_adds(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    assert finish(start("-m", "seed=1,2"))[0] == 0
    stamps = read_stamps(tmp_path)
    status, output, _ = finish(start("-m", "seed=1,2"))
    assert status == 0
    assert "2 of 2 jobs finished, 2 of them before" in output
    assert read_stamps(tmp_path) == stamps
    status, output, _ = finish(start("-m", "seed=3,2,1", "latent_dim=64"))
    assert "3 of 3 jobs finished, 2 of them before" in output
    assert read_status(tmp_path) == {1: "FINISHED", 2: "FINISHED", 3: "FINISHED"}
    assert read_stamps(tmp_path).items() > stamps.items()
    (parent,) = read_manifests(tmp_path, "sweep")
    assert parent["summary"]["jobs/total"] == 3
    tags = {m["seed"]: m["tags"]["lengthwise.job_number"] for m in read_manifests(tmp_path)}
    assert tags == {1: "0", 2: "1", 3: "2"}
    finish(start("-m", "seed=7,8"))
    assert len(read_manifests(tmp_path, "sweep")) == 2, "a sweep without a job of the first is another one"


def test_failed_jobs_are_run_again_and_all_are_on_request(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    command = ("-m", f"seed=1,{RAISES}")
    for runs in (2, 3):
        assert finish(start(*command))[0] == 1
        assert len(read_manifests(tmp_path)) == runs
    assert finish(start(*command, "hydra.launcher.finished=repeat"))[0] == 1
    assert Counter(m["seed"] for m in read_manifests(tmp_path)) == {1: 2, RAISES: 3}
    assert len(read_manifests(tmp_path, "sweep")) == 2


def test_equal_jobs_of_one_command_are_run_once(tmp_path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    status, _, _ = finish(start("-m", "seed=1,1,2"))
    assert status == 0
    assert sorted(m["seed"] for m in read_manifests(tmp_path)) == [1, 2]


def test_two_equal_sweeps_at_once_run_every_job_once(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    processes = [start("-m", "seed=1,2,3,4,5,6", "hydra.launcher.num_workers=1") for _ in range(2)]
    ends = [finish(process) for process in processes]
    assert Counter(m["seed"] for m in read_manifests(tmp_path)) == dict.fromkeys(range(1, 7), 1)
    assert len(read_manifests(tmp_path, "sweep")) == 1
    assert sorted(status for status, _, _ in ends) == [0, 2]
    refusal = next(errors for status, _, errors in ends if status == 2)
    assert "6 of these jobs belong to a sweep that is running" in refusal
    assert refusal.count("\n") == 1


def test_workers_that_have_grown_are_replaced(tmp_path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    size = ("hydra.launcher.num_workers=1", "hydra.launcher.max_memory_mb=300")
    assert finish(start("-m", f"seed=1,2,{GROWS},3,4", *size))[0] == 0
    logs = sorted((tmp_path / "out").glob("scratch/*-sweep-*/jobs/*.log"))
    pids = [log.read_text().split()[4] for log in logs]
    assert pids[0] == pids[1] == pids[2] != pids[3] == pids[4]


def test_two_hundred_tiny_jobs_leave_the_parent_small(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    process = start("-m", "seed=range(1000,1200)", "hydra.launcher.num_workers=2")
    await_that(lambda: len(read_manifests(tmp_path)) > 0)
    sizes = []
    while process.poll() is None:
        with contextlib.suppress(FileNotFoundError):  # it has just ended
            with_pages = Path(f"/proc/{process.pid}/statm").read_text().split()
            if len(with_pages) > 1 and int(with_pages[1]):
                sizes.append(int(with_pages[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)
        time.sleep(0.1)
    assert finish(process)[0] == 0
    assert len(read_manifests(tmp_path)) == 200
    print(f"parent: {sizes[0]:.0f} MB at first, {max(sizes):.0f} MB at most")
    assert max(sizes) - sizes[0] < 50


@pytest.mark.parametrize("batch", ["null", "1", "3"])
def test_batches_lose_no_job_to_another(
    batch: str, tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    command = (
        "-m",
        f"seed=1,{RAISES},{DIES},2,3",
        "hydra.launcher.num_workers=2",
        f"hydra.sweeper.max_batch_size={batch}",
    )
    assert finish(start(*command))[0] == 1
    expected = {1: "FINISHED", RAISES: "FAILED", DIES: "KILLED", 2: "FINISHED", 3: "FINISHED"}
    assert read_status(tmp_path) == expected
    (parent,) = read_manifests(tmp_path, "sweep")
    assert parent["summary"] == {"jobs/total": 5, "jobs/finished": 3, "jobs/failed": 2}


Key = tuple[str, int]
Curve = dict[tuple[str, int], float]


def read_curves(directory: Path) -> dict[Key, Curve]:
    """All that runs have logged, by their model and seed, apart from seconds."""
    found = {}
    for path in directory.glob("*/*/metrics.jsonl"):
        manifest = json.loads((path.parent / "manifest.json").read_text())
        entries = [json.loads(line) for line in path.read_text().splitlines()]
        curve = {(e["key"], e["step"]): e["value"] for e in entries if not e["key"].startswith("time/")}
        if manifest["kind"] == "run":
            assert len(curve) == sum(not entry["key"].startswith("time/") for entry in entries), "logged twice"
            found[manifest["params"]["model.name"], manifest["seed"]] = curve
    return found


@pytest.fixture
def _optimized_graphs() -> Iterator[None]:
    """Run this process' graphs as other processes do, for the same bits."""
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("_optimized_graphs")
def test_real_runs_of_a_killed_sweep_in_forked_workers_end_as_runs_alone_do(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = tmp_path / "held"
    held.touch()
    monkeypatch.setenv("HELD_WHILE", str(held))
    monkeypatch.setitem(globals(), "APP", APP.with_name("held_train.py"))
    size = ("dataset=copy", "dataset.num_train=64", "dataset.num_validation=16", "dataset.num_test=16", "latent_dim=8")
    size += ("training=quick", "training.epochs=6", "training.checkpoint_seconds=0", "model.dropout=0.3")
    workers = ("hydra.launcher.num_workers=1", "hydra.launcher.max_jobs_per_worker=1")
    command = ("-m", "model=stateful,repeat", "seed=1,2", *size, *workers)
    first, out = start(*command), tmp_path / "out"
    await_that(lambda: any(("val/loss", 3) in curve for curve in read_curves(out).values()), 200)
    first.send_signal(signal.SIGKILL)
    finish(first)
    await_that(lambda: "RUNNING" not in read_status(tmp_path).values(), 30)
    held.unlink()
    (interrupted,) = read_manifests(tmp_path)
    assert interrupted["status"] == "KILLED"
    assert max(step for _, step in next(iter(read_curves(out).values()))) == 3, "killed in the middle of its fit"
    status, output, errors = finish(start(*command))
    assert (status, errors) == (0, "")
    assert "1 interrupted before" in output
    runs = read_manifests(tmp_path)
    assert interrupted["name"] in {manifest["name"] for manifest in runs}
    assert {manifest["status"] for manifest in runs} == {"FINISHED"}
    curves = read_curves(out)
    assert sorted(curves) == [(model, seed) for model in ("repeat", "stateful") for seed in (1, 2)]
    assert curves["stateful", 1] != curves["stateful", 2]
    for model, seed in (("stateful", 1), ("stateful", 2)):  # the interrupted one, and one that was not begun
        assert train(f"model={model}", f"seed={seed}", *size, "tracking=directory", f"output_dir={tmp_path}/alone") == 0
        assert read_curves(tmp_path / "alone")[model, seed] == curves[model, seed]
