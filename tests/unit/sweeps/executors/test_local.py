from __future__ import annotations

import os

import pytest

from lengthwise.config.options import LocalLauncherOptions
from lengthwise.sweeps.executors.contract import PoolSize
from lengthwise.sweeps.executors.local import LocalExecutor, describe_exit


@pytest.mark.parametrize(
    ("wanted", "cores", "jobs", "size"),
    [
        ("auto", 8, 20, PoolSize(num_workers=8, cores=1)),
        ("auto", 8, 3, PoolSize(num_workers=3, cores=2)),
        ("auto", 8, 1, PoolSize(num_workers=1, cores=8)),
        (2, 8, 20, PoolSize(num_workers=2, cores=4)),
        (16, 8, 20, PoolSize(num_workers=16, cores=1)),
        (3, 8, 20, PoolSize(num_workers=3, cores=2)),
        (4, 2, 1, PoolSize(num_workers=1, cores=2)),
    ],
)
def test_the_cores_are_divided_among_the_workers(
    wanted: int, cores: int, jobs: int, size: PoolSize, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(cores)))
    options = LocalLauncherOptions(
        num_workers=wanted,
        max_jobs_per_worker=1,
        max_memory_mb=None,
        timeout_minutes=None,
        retries=0,
        finished="skip",
    )
    assert LocalExecutor(options).choose_size(jobs) == size


@pytest.mark.parametrize(
    ("code", "words"),
    [(-9, "killed (signal 9; often for lack of memory)"), (-11, "died (signal 11)"), (3, "died (status 3)")],
)
def test_how_a_process_ended(code: int, words: str) -> None:
    assert words in describe_exit(code)
