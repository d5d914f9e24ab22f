"""Kill, fill, cut off and crowd real runs, and count what is lost.

Run: python experiments/faults/faults.py [--only kills signals database writers outages mirror disk places] [--seed 0]

The long one of two suites: `make test` has the short one (`pytest -m fault`). Every scenario works in a temporary
directory with the command line that users type, and ends with a line `passed of tried`; `results.csv` beside this file
has them all. The disk's scenarios mount a tmpfs, which takes root on Linux; without it they are said to be left out.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from processes import (
    MIRRORED_AT_ONCE,
    await_end,
    await_that,
    describe_result,
    find_runs,
    finish,
    finish_well,
    list_differences,
    list_empty_files,
    read_database,
    read_points,
    read_whole_journal,
    start_training,
    sync,
    use_run,
)

from lengthwise.tracking.runs.manifest import read_manifest

SIDE_BY_SIDE = 2
FIT = (
    "model=repeat",
    "model.dropout=0.2",
    "latent_dim=16",
    "training.epochs=24",
    "training.early_stopping_patience=5",
    "training.checkpoint_seconds=0",
)
"""A fit of the handwritten digits with everything that a resumed run might lose, a checkpoint after every epoch."""


def change_fit(*changes: str) -> tuple[str, ...]:
    """Return the options of the fit with some of them replaced: an option given twice is refused."""
    return tuple({option.partition("=")[0]: option for option in (*FIT, *changes)}.values())


SCHEDULES = {
    "cosine": ("training.schedule=cosine",),
    "plateau": ("training.schedule=plateau", "training.plateau_divisor=2", "training.plateau_patience=2"),
}


class Count(NamedTuple):
    """What came of a scenario.

    Args:
        scenario: what was done.
        tried: how often.
        passed: how often it went as it should.
        detail: figures, and what went wrong.
    """

    scenario: str
    tried: int
    passed: int
    detail: str


# Kills.


def kill_and_resume(work: Path, rng: random.Random) -> list[Count]:
    """Kill runs with signal 9 at 30 random instants, a third of them while a checkpoint is written, and go on."""
    counts = []
    for name, schedule in SCHEDULES.items():
        options = (*FIT, *schedule, "tracking=directory")
        whole = work / name / "whole"
        began = time.monotonic()
        finish_well(start_training(whole, *options))
        seconds = time.monotonic() - began
        (run,) = find_runs(whole)
        wanted = describe_result(run)
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            kill = partial(_kill_chain, work / name, options, seconds)
            chains = list(pool.map(kill, [random.Random(rng.random()) for _ in range(3)]))
        for number, (kills, writing, directory) in enumerate(chains):
            wrong = list_differences(describe_result(directory), wanted)
            points = read_points(directory)
            twice = len(points) - len({point[:2] for point in points})
            told = f"{len(points)} values; {writing} kills in a checkpoint's writing"
            if wrong or twice:
                told += f"; differs in {', '.join(wrong)}; {twice} values twice"
            scenario = f"kill -9 and resume, {name}, run {number + 1}: equal in every bit"
            counts.append(Count(scenario, kills, 0 if wrong or twice else kills, told))
    return counts


def _kill_chain(work: Path, options: tuple[str, ...], seconds: float, rng: random.Random) -> tuple[int, int, Path]:
    """Kill one run five times on its way to its end: the kills, how many in a checkpoint's writing, its directory."""
    output_dir = work / f"killed-{rng.random()}"
    kills = writing = 0
    while True:
        runs = find_runs(output_dir)
        process = start_training(output_dir, *([f"resume={runs[0].name}"] if runs else options))
        if kills < 5:
            if not runs:
                await_that(lambda: bool(find_runs(output_dir)), process)
            if kills % 3 == 2:
                await_end(process, rng.uniform(0, 0.3 * seconds))
                before = set(output_dir.glob("*/*/checkpoints/.epoch-*"))  # of the last kill
                writing += await_that(
                    lambda before=before: bool(set(output_dir.glob("*/*/checkpoints/.epoch-*")) - before),
                    process,
                    tick=0.0005,
                )
            else:
                await_end(process, rng.uniform(0, 0.4 * seconds))
            if process.poll() is None:
                process.kill()
                kills += 1
        status, errors = finish(process)
        if status == 0:
            return kills, writing, find_runs(output_dir)[0]
        if status != -signal.SIGKILL:
            raise SystemExit(f"the run in {output_dir} ended with status {status}: {errors}")


# Signals.


def stop_by_signal(work: Path, rng: random.Random) -> list[Count]:
    """Send SIGTERM and SIGINT at random instants of whole runs, decoding and upload among them; then go on."""
    counts = []
    options = (*FIT, f"tracking.uri=sqlite:///{work / 'mlflow.db'}")
    began = time.monotonic()
    finish_well(start_training(work / "whole", *options, program=MIRRORED_AT_ONCE))
    seconds = time.monotonic() - began
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        passed, slowest, wrong = 0, 0.0, []
        for place in range(6):
            output_dir = work / f"{number.name}-{place}"
            process = start_training(output_dir, *options, program=MIRRORED_AT_ONCE)
            await_that(lambda output_dir=output_dir: bool(find_runs(output_dir)), process)
            # The second half of a run is decoding, scoring, figures and the upload.
            if await_end(process, rng.uniform(0, 0.8 * seconds)):
                wrong.append("ended before the signal")
                continue
            sent = time.monotonic()
            process.send_signal(number)
            status, errors = finish(process)
            slowest = max(slowest, time.monotonic() - sent)
            (run,) = find_runs(output_dir)
            found = read_manifest(run).status
            # A signal that comes when the run is closed already finds a process that has nothing to do but end.
            good = (status, found) == (code, "KILLED") or (found == "FINISHED" and status in (0, -number))
            if good and found == "KILLED":
                good = finish(start_training(output_dir, f"resume={run.name}", options[-1]))[0] == 0
                good = good and read_manifest(run).status == "FINISHED"
            passed += good
            if not good:
                wrong.append(f"status {status}, {found}: {errors[-300:]}")
        told = f"slowest end {slowest:.1f} s" + "".join(f"; {each}" for each in wrong)
        counts.append(Count(f"{number.name} at a random instant: {code}, KILLED, resumed to the end", 6, passed, told))
    output_dir = work / "twice"
    process = start_training(output_dir, *options)
    await_that(lambda: any(output_dir.glob("*/*/checkpoints/epoch-*")), process)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)  # two at once are one to the system
    process.send_signal(signal.SIGTERM)
    sent = time.monotonic()
    status, _ = finish(process)
    took = time.monotonic() - sent
    counts.append(Count("a second SIGTERM ends at once", 1, int(took < 1.5), f"{took:.2f} s, status {status}"))
    return counts


# The database.

PREPARE = """
import sys
from pathlib import Path
import mlflow.store.tracking.sqlalchemy_store
from lengthwise.tracking.mlflow.store import prepare_database
print("ready", flush=True)
prepare_database(Path(sys.argv[1]))
print("done", flush=True)
"""


def kill_first_use(work: Path, rng: random.Random) -> list[Count]:
    """Kill the first use of a database 20 times; each time the next process makes it, and it is whole."""
    passed = cut = 0
    for number in range(20):
        database = work / f"{number}.db"
        command = [sys.executable, "-c", PREPARE, str(database)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        next(iter(process.stdout or ()))
        time.sleep(rng.uniform(0, 3.0))
        process.kill()
        cut += "done" not in process.communicate()[0]
        again = subprocess.run(command, capture_output=True, text=True, check=False)
        with closing(sqlite3.connect(database)) as connection:
            sound = connection.execute("pragma integrity_check").fetchone() == ("ok",)
            made = connection.execute("select count(*) from experiments").fetchone()[0]
        passed += "done" in again.stdout and sound and made > 0
    return [Count("kill -9 in a database's first use: the next run makes it", 20, passed, f"{cut} cut short")]


OPEN = """
import os, sys, threading, time
from pathlib import Path
import mlflow
from lengthwise.config.options import MlflowOptions
from lengthwise.tracking.runs.run_record import RunRecord
from lengthwise.tracking.session import start_run

outputs, uri, seconds = sys.argv[1:]
record = RunRecord(
    study="study", label="run", params={"a": 1}, tags={},
    command=("fault",), dataset=None, parent=None, seed=0,
)
"""

WRITE = (
    OPEN
    + """
took, step = [], 0
tracking = MlflowOptions(name="mlflow", uri=uri, timeout_seconds=300.0)
with start_run(record, tracking, output_dir=Path(outputs), config_text="a: 1") as run:
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        began = time.perf_counter()
        run.log({"train/loss": step / 7, "val/loss": step / 3}, step=step)
        took.append(time.perf_counter() - began)
        step += 1
        time.sleep(0.02)
took.sort()
print(step, took[int(0.99 * len(took))], took[-1])
"""
)


def write_together(work: Path, _rng: random.Random) -> list[Count]:
    """Let 4 and 16 processes log into one new sqlite file for 60 seconds."""
    counts = []
    for writers in (4, 16):
        database, outputs = work / f"{writers}.db", work / str(writers)
        command = [sys.executable, "-c", WRITE, str(outputs), f"sqlite:///{database}", "60"]
        pipe = subprocess.PIPE
        processes = [subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) for _ in range(writers)]
        ends = [process.communicate(timeout=900) for process in processes]
        good, total, percentile = 0, 0, 0.0
        for directory in find_runs(outputs):
            points = read_whole_journal(directory)
            total += len(points)
            good += points == read_database(database, directory.name) and read_manifest(directory).status == "FINISHED"
        errors = sum(bool(end[1]) or process.returncode != 0 for end, process in zip(ends, processes, strict=True))
        for printed, _ in ends:
            percentile = max(percentile, float(printed.split()[1]) if printed else math.inf)
        told = f"{total:,} points, {errors} processes with errors, slowest 99th percentile {1e3 * percentile:.1f} ms"
        passed = good if percentile < 0.5 and not errors else 0
        counts.append(Count(f"{writers} processes log into one new sqlite file for 60 s", writers, passed, told))
    return counts


# Outages.


class Refusal(BaseHTTPRequestHandler):
    """Answers every request with the server's status."""

    def answer(self) -> None:
        """Send the status."""
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()

    do_GET = do_POST = do_PATCH = do_PUT = answer  # noqa: N815  (the names that http.server calls)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Hanging(BaseHTTPRequestHandler):
    """Takes connections and never answers."""

    def handle(self) -> None:
        """Wait."""
        time.sleep(3600)


@contextmanager
def pretend_server(kind: str) -> Iterator[str]:
    """Yield the address of a server that is of no use: `refused`, `hanging`, `503` or `429`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hanging if kind == "hanging" else Refusal)
    server.daemon_threads = True
    address = f"http://127.0.0.1:{server.server_address[1]}"
    if kind == "refused":
        server.server_close()
        yield address
        return
    server.status = int(kind) if kind.isdigit() else 0  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()


def cut_off(work: Path, _rng: random.Random, rounds: int = 5) -> list[Count]:
    """Train while the server is away from the start and for ever, in four ways; then bring it up to date, twice."""
    kinds = ("refused", "hanging", "503", "429")
    seconds: dict[str, list[float]] = {kind: [] for kind in ("none", *kinds)}
    wrong: dict[str, list[str]] = {kind: [] for kind in kinds}
    options = change_fit(
        "training.early_stopping_patience=null", "training.epochs=60", "training.checkpoint_seconds=10"
    )
    for turn in range(rounds):
        output_dir = work / f"none-{turn}"
        finish_well(start_training(output_dir, *options, "tracking=directory", program=MIRRORED_AT_ONCE))
        seconds["none"].append(read_manifest(find_runs(output_dir)[0]).summary["time/fit_seconds"])
        for kind in kinds:
            output_dir = work / f"{kind}-{turn}"
            with pretend_server(kind) as uri:
                mirrored = (f"tracking.uri={uri}", "tracking.timeout_seconds=5")
                status, errors = finish(start_training(output_dir, *options, *mirrored, program=MIRRORED_AT_ONCE))
            (run,) = find_runs(output_dir)
            seconds[kind].append(read_manifest(run).summary["time/fit_seconds"])
            if status or read_manifest(run).status != "FINISHED" or "lengthwise sync" not in errors:
                wrong[kind].append(f"status {status}: {errors[-200:]}")
            database = work / f"{kind}-{turn}.db"
            for _ in range(2):
                sync(run, f"sqlite:///{database}")
                if read_database(database, run.name) != read_whole_journal(run):
                    wrong[kind].append("points are missing after sync")
    counts = []
    for kind in kinds:
        ratios = sorted(found / own for found, own in zip(seconds[kind], seconds["none"], strict=True))
        told = f"a fit of 12 s took {100 * (ratios[rounds // 2] - 1):+.1f} % (from {100 * (ratios[0] - 1):+.1f} to "
        told += f"{100 * (ratios[-1] - 1):+.1f}), MLflow's import included" + "".join(
            f"; {each}" for each in wrong[kind]
        )
        passed = rounds - len(wrong[kind])
        counts.append(
            Count(f"server {kind} for ever: FINISHED, all there after sync, also after a second", rounds, passed, told)
        )
    return [*counts, lose_server(work)]


TIME_MIRROR = (
    OPEN
    + """
tracking = MlflowOptions(name="mlflow", uri=uri, timeout_seconds=1.0)
with start_run(record, tracking, output_dir=Path(outputs), config_text="a: 1") as run:
    (mirror,) = [thread for thread in threading.enumerate() if thread.name == "lengthwise-mirror"]
    for step in range(int(seconds)):
        run.log({"train/loss": step / 7, "val/loss": step / 3}, step=step)
        time.sleep(1)
    fields = Path(f"/proc/self/task/{mirror.native_id}/stat").read_text().rpartition(")")[2].split()
    print((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
"""
)


def cost_of_outage(work: Path, _rng: random.Random, seconds: int = 120) -> list[Count]:
    """Read what the mirror's thread takes of the processor in the first two minutes of an outage, its imports included.

    Fits beside each other differ by more than the 5 % that are asked about; a thread's own time does not.
    """
    counts = []
    kinds = ("refused", "hanging", "503", "429")
    with ExitStack() as servers:
        processes = {}
        for kind in kinds:
            uri = servers.enter_context(pretend_server(kind))
            command = [sys.executable, "-c", TIME_MIRROR, str(work / kind), uri, str(seconds)]
            processes[kind] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for kind, process in processes.items():
            printed = process.communicate(timeout=600)[0]
            share = float(printed) / seconds if printed else math.inf
            told = f"{printed.strip()} s of {seconds}, {100 * share:.1f} %"
            counts.append(Count(f"server {kind}: what the mirror takes of training's time", 1, int(share < 0.05), told))
    return counts


def lose_server(work: Path) -> Count:
    """Take a real MLflow server away in the middle of a run for 20 seconds, and bring it back."""
    database, output_dir = work / "server.db", work / "middle"
    with pretend_server("refused") as uri:
        port = uri.rpartition(":")[2]
    command = [str(Path(sys.executable).with_name("mlflow")), "server", "--backend-store-uri", f"sqlite:///{database}"]
    command += ["--port", port, "--workers", "1", "--artifacts-destination", str(work / "artifacts")]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": work, "start_new_session": True}
    server = subprocess.Popen(command, **quiet)  # type: ignore[call-overload]
    options = change_fit("training.early_stopping_patience=null", "training.epochs=200", f"tracking.uri={uri}")
    process = start_training(output_dir, *options, program=MIRRORED_AT_ONCE)

    def has_points() -> bool:
        runs = find_runs(output_dir)
        try:
            return bool(runs) and bool(read_database(database, runs[0].name))
        except Exception:  # not made yet
            return False

    reached = await_that(has_points, process)
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    time.sleep(20)
    still = process.poll() is None
    server = subprocess.Popen(command, **quiet)  # type: ignore[call-overload]
    status, errors = finish(process)
    (run,) = find_runs(output_dir)
    missing = len(read_whole_journal(run)) - len(read_database(database, run.name))
    synced = sync(run, uri)
    equal = read_database(database, run.name) == read_whole_journal(run)
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    told = f"{missing} points missing at the run's end, none after sync" if equal else f"points are missing: {errors}"
    good = reached and still and status == 0 and equal and synced.returncode == 0
    return Count("server killed in the middle and back after 20 s", 1, int(good), told)


# The disk.


@contextmanager
def small_disk(directory: Path, megabytes: int) -> Iterator[Path]:
    """Mount a tmpfs of some megabytes."""
    directory.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def fill(disk: Path) -> Path:
    """Write a file until the disk is full."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            try:
                while True:
                    file.write(b"\1" * size)
            except OSError:
                continue
    return filler


def fill_disk(work: Path, _rng: random.Random) -> list[Count]:
    """Fill the disk at a checkpoint, at the log, after the scores, and under the database."""
    try:
        with small_disk(work / "probe", 1):
            pass
    except (subprocess.CalledProcessError, FileNotFoundError):
        return [Count("disk full: not run, a tmpfs cannot be mounted here", 0, 0, "")]
    moments: dict[str, tuple[Callable[[Path], bool], tuple[str, ...]]] = {
        "checkpoint": (lambda disk: any(disk.glob("*/*/checkpoints/epoch-*")), ()),
        "log": (
            lambda disk: any(path.stat().st_size > 0 for path in disk.glob("*/*/metrics.jsonl")),
            ("training.checkpoint_seconds=1000",),
        ),
    }
    counts = [_fill_run(work, name, *moment) for name, moment in moments.items()]
    return [*counts, _fill_results(work), _fill_database(work)]


def _fill_run(work: Path, name: str, is_time: Callable[[Path], bool], options: tuple[str, ...]) -> Count:
    with small_disk(work / f"disk-{name}", 64) as disk:
        process = start_training(disk, *change_fit(*options), "tracking=directory")
        in_time = await_that(lambda: is_time(disk), process)
        filler = fill(disk)
        status, errors = finish(process)
        (run,) = find_runs(disk)
        found, empty = read_manifest(run).status, list_empty_files(run)
        told = errors.strip().splitlines()[-1].replace(str(run), "RUN") if errors.strip() else "no message"
        filler.unlink()
        resumed, problem = finish(start_training(disk, f"resume={run.name}"))
        good = in_time and status == 1 and str(run) in errors and found == "FAILED" and not empty
        good = good and resumed == 0 and read_manifest(run).status == "FINISHED"
        told = f"{found}, status {status}: {told}" + (f"; empty: {empty}" if empty else "")
        told += "; went on when there was room" if not resumed else f"; did not go on: {problem[-300:]}"
    return Count(f"disk full at the {name}: FAILED with the path, resumed when there is room", 1, int(good), told)


def _fill_results(work: Path) -> Count:
    with small_disk(work / "disk-results", 64) as disk:
        process = start_training(disk, *FIT, "tracking=directory")
        in_time = await_that(lambda: any(disk.glob("*/*/figures/learning_curves.png")), process)
        filler = fill(disk)
        status, _ = finish(process)
        (run,) = find_runs(disk)
        found = read_manifest(run)
        good = in_time and status == 1 and found.status == "FINISHED" and "test/mean_absolute_error" in found.summary
        filler.unlink()
        written = use_run("evaluate", run)
        left = read_manifest(run).missing
        good = good and bool(found.missing) and written.returncode == 0 and not left and not list_empty_files(run)
        told = f"{found.status}, status {status}, missing: {', '.join(found.missing)}; "
        told += f"left after evaluate: {', '.join(left) or 'none'}"
    return Count("disk full after the scores: FINISHED, evaluate writes what is missing", 1, int(good), told)


def _fill_database(work: Path) -> Count:
    with small_disk(work / "disk-database", 2) as disk:
        database, output_dir = disk / "mlflow.db", work / "database"
        process = start_training(output_dir, *FIT, f"tracking.uri=sqlite:///{database}", program=MIRRORED_AT_ONCE)
        in_time = await_that(database.exists, process)
        filler = fill(disk)
        status, errors = finish(process)
        (run,) = find_runs(output_dir)
        found = read_manifest(run).status
        filler.unlink()
        missing = len(read_whole_journal(run)) - len(read_database(database, run.name))
        synced = sync(run, f"sqlite:///{database}")
        equal = read_database(database, run.name) == read_whole_journal(run)
    good = in_time and status == 0 and found == "FINISHED" and equal and "lengthwise sync" in errors
    told = f"{found}; {missing} points missing, {'none' if equal else 'some still'} after sync"
    told += "" if synced.returncode == 0 else f"; {synced.stderr[-300:]}"
    return Count("disk full under the database: the run ends well, sync brings the rest", 1, int(good), told)


# Places.


def change_places(work: Path, _rng: random.Random) -> list[Count]:
    """Run where paths, languages and clocks are unusual."""
    quick = ("training=quick", "training.epochs=1", "training.batches_per_epoch=2", "latent_dim=4")
    cases = {
        "a path with a space and beyond ASCII": (work / "a path, ünï", {}),
        "locale C": (work / "c", {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0"}),
        "another time zone": (work / "tz", {"TZ": "Pacific/Kiritimati"}),
    }
    counts = []
    for name, (output_dir, environment) in cases.items():
        mirrored = f"tracking.uri=sqlite:///{work / 'places.db'}"
        process = start_training(output_dir, *quick, mirrored, environment=environment)
        status, errors = finish(process)
        good = status == 0 and [read_manifest(run).status for run in find_runs(output_dir)] == ["FINISHED"]
        good = good and all(read_database(work / "places.db", run.name) for run in find_runs(output_dir))
        counts.append(Count(name, 1, int(good), "" if good else errors[-300:]))
    blocked = work / "a file"
    blocked.write_text("")
    status, errors = finish(start_training(blocked, *quick))
    good = status == 2 and errors.startswith("output_dir") and errors.count("\n") <= 1
    counts.append(Count("output_dir is a file: one message, status 2", 1, int(good), errors.strip()))
    return counts


SCENARIOS = {
    "kills": kill_and_resume,
    "signals": stop_by_signal,
    "database": kill_first_use,
    "writers": write_together,
    "outages": cut_off,
    "mirror": cost_of_outage,
    "disk": fill_disk,
    "places": change_places,
}


def main() -> None:
    """Run what is asked for, print and write the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--seed", type=int, default=0, help="of the random instants")
    given = parser.parse_args()
    results = Path(__file__).with_name("results.csv")
    rows: list[dict[str, object]] = []
    if results.exists():
        with results.open(newline="", encoding="utf-8") as file:
            rows = [dict(row) for row in csv.DictReader(file) if row["part"] not in given.only]
    failed = 0
    for part in given.only:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="lengthwise-faults-") as work:
            counts = SCENARIOS[part](Path(work), random.Random(given.seed))
        for count in counts:
            print(f"{count.passed} of {count.tried}  {count.scenario}  ({count.detail})", flush=True)
            rows.append({"part": part, **count._asdict()})
            failed += count.passed < count.tried
        print(f"{part}: {time.monotonic() - began:.0f} s", flush=True)
    order = list(SCENARIOS)
    rows.sort(key=lambda row: order.index(str(row["part"])))
    with results.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=["part", *Count._fields], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
