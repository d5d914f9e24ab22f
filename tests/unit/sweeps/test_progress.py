from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from rich.console import Console

from lengthwise.sweeps.jobs import Job, JobResult
from lengthwise.sweeps.progress import SweepProgress, format_seconds


def test_a_file_gets_one_plain_line_for_each_job(
    make_job: Callable[..., Job], make_result: Callable[..., JobResult]
) -> None:
    output = io.StringIO()
    jobs = [make_job(0, "seed=1"), make_job(1, "seed=2")]
    with SweepProgress(len(jobs), varied=["seed"], num_workers=1, console=Console(file=output, width=40)) as progress:
        progress.tick()
        progress.show(make_result(jobs[1], "KILLED", reason="a reason that is longer than the width of a line"))
        progress.show(make_result(jobs[0]))
    assert output.getvalue().splitlines() == [
        "[1/2]  KILLED  2.0 s  seed=2  a reason that is longer than the width of a line",
        "[2/2]  FINISHED  2.0 s  seed=1  val/loss=0.25",
    ]


def test_a_terminal_sees_the_time_left(make_job: Callable[..., Job], make_result: Callable[..., JobResult]) -> None:
    output = io.StringIO()
    jobs = [make_job(number, f"seed={number}") for number in range(4)]
    console = Console(file=output, width=100, force_terminal=True)
    with SweepProgress(len(jobs), varied=["seed"], num_workers=2, console=console) as progress:
        progress.show(make_result(jobs[0], "FAILED", seconds=600.0, reason="x"))
    # Four jobs, two at a time, ten minutes each; less what the display itself took.
    assert re.search(r"1 failed, about (20 min 0|19 min 5\d) s left", output.getvalue())


def test_a_terminal_sees_each_job_once(make_job: Callable[..., Job], make_result: Callable[..., JobResult]) -> None:
    output = io.StringIO()
    jobs = [make_job(number, f"seed={number}") for number in range(2)]
    console = Console(file=output, width=100, force_terminal=True)
    with SweepProgress(len(jobs), varied=["seed"], num_workers=2, console=console) as progress:
        progress.show(make_result(jobs[0]))
        progress.show(make_result(jobs[1], "FAILED", reason="no good"))
    assert "seed=0" not in output.getvalue()
    assert output.getvalue().count("seed=1") == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (90_000, "25 h 0 min"),
    ],
)
def test_a_duration_in_words(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
