from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lengthwise.config.compose import compose_options
from lengthwise.config.options import RunOptions
from lengthwise.errors import DataError
from lengthwise.pipeline.command import JobFunction, Launch
from lengthwise.sweeps.executors.contract import Assignment
from lengthwise.sweeps.executors.worker import perform_job
from lengthwise.sweeps.jobs import build_job

JOB = build_job(3, ("seed=7",), compose_options(["seed=7"]), version="1")
LAUNCH = Launch(command=("x",), overrides=("seed=7",), parent="p", job_number=3, cores=1)

Run = Callable[[RunOptions, Launch], float | None]


def make_assignment(directory: Path, run: Run) -> Assignment:
    return Assignment(job=JOB, function=JobFunction(run=run), launch=LAUNCH, log=directory / "3.log")


def raise_error(error: BaseException) -> float:
    raise error


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (ValueError("no\n good"), "FAILED", "ValueError: no good"),
        (DataError("x.txt", 3, "has no tab", remedy="Mend it"), "FAILED", "x.txt, line 3: has no tab. Mend it."),
        (SystemExit(3), "FAILED", "exited with status 3"),
        (SystemExit("bye"), "FAILED", "exited with status bye"),
        (SystemExit(0), "FINISHED", None),
        (KeyboardInterrupt(), "FAILED", "KeyboardInterrupt:"),
        (RuntimeError("x" * 1_000), "FAILED", "RuntimeError: " + "x" * 286),
    ],
)
def test_whatever_a_job_raises_becomes_its_status(
    error: BaseException, status: str, reason: str | None, tmp_path: Path
) -> None:
    attempt = perform_job(make_assignment(tmp_path, lambda _options, _launch: raise_error(error)))
    assert (attempt.status, attempt.reason, attempt.is_transient) == (status, reason, False)


@pytest.mark.parametrize(("returned", "value"), [(2, 2.0), (0.5, 0.5), (float("nan"), None), (None, None), ("x", None)])
def test_what_a_job_returns(returned: Any, value: float | None, tmp_path: Path) -> None:
    assert perform_job(make_assignment(tmp_path, lambda _options, _launch: returned)).value == value


def test_a_job_gets_its_options_and_prints_into_its_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def job(options: RunOptions, launch: Launch) -> float:
        sys.__stdout__.write(f"seed {options.seed}, job {launch.job_number}\n")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]
        raise OSError("disk full")

    with capfd.disabled():
        before = signal.getsignal(signal.SIGTERM)
        assert perform_job(make_assignment(tmp_path, job)).reason == "OSError: disk full"
        assert signal.getsignal(signal.SIGTERM) == before
    text = (tmp_path / "3.log").read_text()
    assert "seed 7, job 3" in text
    assert "Traceback" in text
