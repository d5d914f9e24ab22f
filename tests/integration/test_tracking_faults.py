"""Kills, outages and crowds: what a run's directory and its mirror survive."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from helpers import forked
from lengthwise.config.options import MlflowOptions
from lengthwise.tracking.mlflow.mirror import sync
from lengthwise.tracking.runs.heartbeat import reap
from lengthwise.tracking.runs.journal import read_journal
from lengthwise.tracking.runs.manifest import read_manifest

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""MLflow uses what SQLAlchemy and others have deprecated."""

TRACKING = ("lengthwise.tracking.session", "mlflow", "mlflow.store.tracking.sqlalchemy_store")

PROGRAM = """
import sys, time
from pathlib import Path
from lengthwise.config.options import DirectoryOptions, MlflowOptions
from lengthwise.tracking.runs.run_record import RunRecord
from lengthwise.tracking.session import start_run

outputs, uri, timeout, steps, pause = sys.argv[1:]
record = RunRecord(
    study="study", label="run", params={"a": 1}, tags={},
    command=tuple(sys.argv), dataset=None, parent=None, seed=0,
)
directory_only = DirectoryOptions(name="directory")
tracking = MlflowOptions(name="mlflow", uri=uri, timeout_seconds=float(timeout)) if uri else directory_only
if float(pause):
    import mlflow  # so that the mirror begins at once, as it does a minute later in a process that has not
with start_run(record, tracking, output_dir=Path(outputs), config_text="a: 1") as run:
    for step in range(int(steps)):
        run.log({"train/loss": step / 7, "val/loss": step / 3}, step=step)
        print(step, flush=True)
        time.sleep(float(pause))
    ended = time.monotonic()
print("end", time.monotonic() - ended, flush=True)
"""


def start(
    outputs: Path, *, uri: str = "", timeout: float = 60.0, steps: int = 3, pause: float = 0.0
) -> subprocess.Popen[str]:
    arguments = [str(outputs), uri, str(timeout), str(steps), str(pause)]
    pipe = subprocess.PIPE
    return forked.Process(["-c", PROGRAM, *arguments], preload=TRACKING, stdout=pipe, stderr=pipe, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[float, str]:
    """Wait for a program that should end well; return how long the end of its run took, and its messages."""
    output, messages = process.communicate(timeout=120)
    assert process.returncode == 0, messages
    return float(output.splitlines()[-1].split()[1]), messages


def directories(outputs: Path) -> list[Path]:
    return sorted((outputs / "study").iterdir())


def sqlite_tracking(path: Path) -> MlflowOptions:
    return MlflowOptions(name="mlflow", uri=f"sqlite:///{path}", timeout_seconds=60.0)


def points(database: Path) -> dict[str, list[tuple[str, int, float]]]:
    """Return the metrics of each run, by its name in the directory, as the database holds them."""
    query = """select t.value, m.key, m.step, m.value from metrics m join tags t on t.run_uuid = m.run_uuid
               where t.key = 'lengthwise.run' order by m.step, m.key"""
    found: dict[str, list[tuple[str, int, float]]] = {}
    with closing(sqlite3.connect(database)) as connection:
        for name, *point in connection.execute(query):
            found.setdefault(name, []).append(tuple(point))
    return found


def statuses(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [status for (status,) in connection.execute("select status from runs order by start_time")]


def journal_points(directory: Path) -> list[tuple[str, int, float]]:
    return sorted((e.key, e.step, e.value) for e in read_journal(directory / "metrics.jsonl")[0])


@pytest.mark.fault
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    process = start(tmp_path, steps=1_000_000)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 200:
            process.kill()
            break
    acknowledged = max([int(line), *(int(rest) for rest in process.stdout.read().split())])
    process.communicate()
    (directory,) = directories(tmp_path)
    steps = {entry.step for entry in read_journal(directory / "metrics.jsonl")[0] if entry.key == "val/loss"}
    assert steps >= set(range(acknowledged + 1))
    assert read_manifest(directory).status == "RUNNING"
    assert reap(tmp_path) == (directory,)
    assert read_manifest(directory).status == "KILLED"


@pytest.mark.fault
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, None)])
def test_signals_end_a_run_as_killed(tmp_path: Path, number: signal.Signals, code: int | None) -> None:
    process = start(tmp_path, steps=1000, pause=0.05)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == (code if code is not None else -number)
    (directory,) = directories(tmp_path)
    assert read_manifest(directory).status == "KILLED"
    assert not (directory / "heartbeat").exists()


@pytest.mark.fault
def test_the_living_are_spared_from_another_process(tmp_path: Path) -> None:
    process = start(tmp_path, steps=1000, pause=0.05)
    assert process.stdout is not None
    process.stdout.readline()
    (directory,) = directories(tmp_path)
    os.utime(directory / "heartbeat", (0, 0))
    assert reap(tmp_path) == ()
    process.kill()
    process.communicate()
    assert reap(tmp_path) == (directory,)


@contextmanager
def listener(*, answers: bool) -> Iterator[str]:
    """Yield the address of a port that refuses, or that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if answers:
            server.listen(64)
            threading.Thread(target=hold_connections, args=(server,), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def hold_connections(server: socket.socket) -> None:
    held = []
    try:
        while True:
            held.append(server.accept()[0])
    except OSError:
        for connection in held:
            connection.close()


@pytest.mark.fault
@pytest.mark.parametrize("hangs", [False, True], ids=["refused", "hanging"])
def test_a_run_outlives_an_outage(tmp_path: Path, hangs: bool) -> None:
    with listener(answers=hangs) as uri:
        seconds, messages = finish(start(tmp_path / "outputs", uri=uri, timeout=4.0, steps=20))
    assert seconds < 4.0 + 1.5
    assert messages.count("\n") == 1
    assert f"MLflow at {uri} does not have all of this run" in messages
    (directory,) = directories(tmp_path / "outputs")
    assert read_manifest(directory).status == "FINISHED"
    (synced,) = sync(tmp_path / "outputs", sqlite_tracking(tmp_path / "mlflow.db"))
    assert synced.problem is None
    found = points(tmp_path / "mlflow.db")
    assert sorted(found[directory.name]) == journal_points(directory)
    assert len(found[directory.name]) == 40
    assert statuses(tmp_path / "mlflow.db") == ["FINISHED"]


@pytest.mark.fault
def test_a_mirror_that_was_killed_is_completed_without_duplicates(tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    process = start(tmp_path / "outputs", uri=f"sqlite:///{database}", steps=100_000, pause=0.002)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (database.exists() and points(database)):
        time.sleep(0.2)
    process.kill()
    process.communicate()
    (directory,) = directories(tmp_path / "outputs")
    assert len(points(database)[directory.name]) > 0
    reap(tmp_path / "outputs")
    for _ in range(2):
        (synced,) = sync(tmp_path / "outputs", sqlite_tracking(database))
        assert synced.problem is None
        assert sorted(points(database)[directory.name]) == journal_points(directory)
    assert statuses(database) == ["KILLED"]


@pytest.mark.slow
def test_four_processes_start_on_a_fresh_database(tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    processes = [start(tmp_path / "outputs", uri=f"sqlite:///{database}", steps=10) for _ in range(4)]
    for process in processes:
        _, messages = finish(process)
        assert messages == ""
    found = points(database)
    assert len(found) == 4
    for directory in directories(tmp_path / "outputs"):
        assert sorted(found[directory.name]) == journal_points(directory)
    assert statuses(database) == ["FINISHED"] * 4
    with closing(sqlite3.connect(database)) as connection:
        names = connection.execute("select name from experiments order by name").fetchall()
    assert names == [("Default",), ("study",)]


PREPARE = """
import sys
from pathlib import Path
import mlflow.store.tracking.sqlalchemy_store
from lengthwise.tracking.mlflow.store import prepare_database
print("ready", flush=True)
prepare_database(Path(sys.argv[1]))
print("done", flush=True)
"""


@pytest.mark.fault
def test_a_kill_in_the_first_use_leaves_no_broken_database(tmp_path: Path) -> None:
    moments = random.Random(20261121)
    database = tmp_path / "mlflow.db"
    cut = 0
    for _ in range(3):
        command = ["-c", PREPARE, str(database)]
        process = forked.Process(command, preload=TRACKING, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(moments.uniform(0.05, 0.6))
        process.kill()
        cut += "done" not in process.communicate()[0]
    assert cut
    _, messages = finish(start(tmp_path / "outputs", uri=f"sqlite:///{database}"))
    assert messages == ""
    assert statuses(database) == ["FINISHED"]
    assert {path.name for path in tmp_path.glob("mlflow.db*")} <= {
        "mlflow.db",
        "mlflow.db.lock",
        "mlflow.db-wal",
        "mlflow.db-shm",
    }


@pytest.mark.fault
def test_a_full_disk_is_reported_with_the_file(tmp_path: Path) -> None:
    code = PROGRAM.replace(
        "with start_run", "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nwith start_run"
    )
    code = code.replace("    for step", "    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n    for step")
    outputs = tmp_path / "full"
    done = forked.run(["-c", code, str(outputs), "", "1", "1000", "0"], preload=TRACKING)
    (directory,) = directories(outputs)
    assert done.returncode == 1
    assert f"File too large: '{directory}/metrics.jsonl'" in done.stderr
    manifest = json.loads((directory / "manifest.json").read_text())
    assert manifest["status"] == "FAILED"
    assert not [path for path in directory.rglob("*") if path.is_file() and path.stat().st_size == 0]


@contextmanager
def small_disk(directory: Path) -> Iterator[Path]:
    """Mount a disk of a megabyte."""
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(directory)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a tmpfs takes more rights than this process has")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


@pytest.mark.fault
def test_a_run_on_a_full_disk_is_closed_as_failed(tmp_path: Path) -> None:
    code = PROGRAM.replace("    for step", "    Path(outputs, 'filler').write_bytes(b'1' * 800_000)\n    for step")
    with small_disk(tmp_path / "disk") as disk:
        done = forked.run(["-c", code, str(disk), "", "1", "100000", "0"], preload=TRACKING)
        (directory,) = directories(disk)
        assert done.returncode == 1
        assert f"No space left on device: '{directory}/metrics.jsonl'" in done.stderr
        manifest = read_manifest(directory)
        assert manifest.status == "FAILED"
        assert manifest.failure is not None
        assert "OSError" in (directory / "traceback.txt").read_text()
        assert not (directory / "heartbeat").exists()
        assert not [path for path in directory.rglob("*") if path.is_file() and path.stat().st_size == 0]
