"""Real runs in processes of their own, and what their directories and databases hold afterwards."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from lengthwise.tracking.runs.journal import read_journal

ROOT = Path(__file__).resolve().parents[2]
TRAIN = [sys.executable, str(ROOT / "train.py")]
LENGTHWISE = [sys.executable, "-c", "from lengthwise.app.cli import main; main()"]
MIRRORED_AT_ONCE = [
    sys.executable,
    "-c",
    "import mlflow, sys; sys.argv[0] = 'train.py'; from lengthwise.app.hydra_app import main; main()",
]
"""The application in a process that has MLflow, whose mirror does not wait until training is over."""

Point = tuple[str, int, float]


def start_training(
    output_dir: Path, *overrides: str, program: list[str] = TRAIN, environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start a run."""
    command = [*program, *overrides, f"output_dir='{output_dir}'"]
    pipe = subprocess.PIPE
    variables = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | (environment or {})
    return subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, env=variables)


def finish(process: subprocess.Popen[str], seconds: float = 600) -> tuple[int, str]:
    """Wait for a process: its exit status and what it said on standard error."""
    _, errors = process.communicate(timeout=seconds)
    return process.returncode, errors


def finish_well(process: subprocess.Popen[str]) -> None:
    """Wait for a process that nothing is done to."""
    status, errors = finish(process)
    if status:
        raise SystemExit(f"{process.args} ended with status {status}: {errors}")


def sync(run: Path, uri: str) -> subprocess.CompletedProcess[str]:
    """Bring MLflow up to date with a run by the command for it."""
    return use_run("sync", run, f"tracking.uri={uri}")


def use_run(name: str, run: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    """Do something with a run by a command of `lengthwise`."""
    command = [*LENGTHWISE, name, run.name, f"output_dir='{run.parent.parent}'", *overrides]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def find_runs(output_dir: Path) -> list[Path]:
    """Return the directories of runs, oldest first."""
    return sorted(path.parent for path in output_dir.glob("*/*/manifest.json"))


def await_that(
    condition: Callable[[], bool], process: subprocess.Popen[str], *, seconds: float = 300, tick: float = 0.02
) -> bool:
    """Wait until something is so; returns whether it came to that before the process ended."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(tick)
    return False


def await_end(process: subprocess.Popen[str], seconds: float) -> bool:
    """Wait for some time; returns whether the process has ended."""
    return await_that(lambda: False, process, seconds=seconds) or process.poll() is not None


def is_timed(key: str) -> bool:
    """Tell whether a metric counts seconds, which differ from run to run."""
    return "seconds" in key


def read_points(directory: Path) -> list[Point]:
    """Return what a run has logged, apart from seconds, in the order of the journal."""
    return [(e.key, e.step, e.value) for e in read_journal(directory / "metrics.jsonl")[0] if not is_timed(e.key)]


def read_database(database: Path, name: str) -> list[Point]:
    """Return what MLflow has of a run, sorted."""
    query = """select m.key, m.step, m.value from metrics m join tags t on t.run_uuid = m.run_uuid
               where t.key = 'lengthwise.run' and t.value = ?"""
    with closing(sqlite3.connect(database)) as connection:
        return sorted(tuple(row) for row in connection.execute(query, (name,)))


def read_whole_journal(directory: Path) -> list[Point]:
    """Return all that a run has logged, sorted."""
    return sorted((e.key, e.step, e.value) for e in read_journal(directory / "metrics.jsonl")[0])


def describe_result(directory: Path) -> dict[str, Any]:
    """Return all of a finished run that must not depend on whether it was interrupted."""
    (checkpoint, *_) = sorted(directory.glob("checkpoints/epoch-*"), reverse=True)
    with np.load(checkpoint / "variables.npz", allow_pickle=False) as stored:
        arrays = {name: stored[name].tobytes() for name in stored.files}
    state = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))
    history = {name: values for name, values in state["history"].items() if not is_timed(name)}
    samples = {path.name: path.read_text(encoding="utf-8") for path in sorted((directory / "samples").iterdir())}
    kept = {name: state[name] for name in ("epoch", "best_epoch", "best_loss", "last_change", "is_over")}
    return {"arrays": arrays, "history": history, "samples": samples, "state": kept, "points": read_points(directory)}


def list_differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Return the parts of two results that are not equal in every bit."""
    return [part for part in wanted if found[part] != wanted[part]]


def list_empty_files(directory: Path) -> list[Path]:
    """Return the files of no bytes under a final name."""
    return [
        path
        for path in directory.rglob("*")
        if path.is_file() and not path.name.startswith(".") and path.name != "heartbeat" and not path.stat().st_size
    ]
