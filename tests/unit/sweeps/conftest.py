from __future__ import annotations

from collections.abc import Callable

import pytest

from lengthwise.config.compose import compose_options
from lengthwise.sweeps.jobs import AttemptStatus, Job, JobResult, Score, build_job

MakeJob = Callable[..., Job]
MakeResult = Callable[..., JobResult]


@pytest.fixture(scope="session")
def make_job() -> MakeJob:
    options = compose_options([])
    return lambda number, *overrides: build_job(number, overrides, options, version="1")


@pytest.fixture
def make_result() -> MakeResult:
    def make(job: Job, status: str = "FINISHED", *, seconds: float = 2.0, reason: str | None = None) -> JobResult:
        score = Score("val/loss", 0.25) if status == "FINISHED" else None
        value = None if score is None else score.value
        attempt = AttemptStatus(status=status, seconds=seconds, value=value, reason=reason)  # type: ignore[arg-type]
        run = f"20260101-000000-repeat-digits-{job.number:06x}"
        return JobResult(job=job, attempt=attempt, num_attempts=1, run=run, score=score)

    return make
