from __future__ import annotations

from collections.abc import Callable

import pytest

from lengthwise.config.compose import compose_options
from lengthwise.sweeps.jobs import Ending, Job, Outcome, plan_job

MakeJob = Callable[..., Job]
MakeOutcome = Callable[..., Outcome]


@pytest.fixture(scope="session")
def make_job() -> MakeJob:
    options = compose_options([])
    return lambda number, *overrides: plan_job(number, overrides, options, version="1")


@pytest.fixture
def make_outcome() -> MakeOutcome:
    def make(job: Job, status: str = "FINISHED", *, seconds: float = 2.0, reason: str | None = None) -> Outcome:
        score = ("val/loss", 0.25) if status == "FINISHED" else None
        ending = Ending(status=status, seconds=seconds, value=score and score[1], reason=reason)  # type: ignore[arg-type]
        return Outcome(
            job=job, ending=ending, attempts=1, run=f"20260101-000000-repeat-digits-{job.number:06x}", score=score
        )

    return make
