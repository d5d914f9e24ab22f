"""What a sweep is to do, and what came of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from lengthwise.config.options import RunOptions
from lengthwise.config.parse import dump_options

JobStatus = Literal["FINISHED", "FAILED", "KILLED"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One run of a sweep, through the gate and ready to start.

    Args:
        number: from 0, counted over the whole sweep.
        overrides: what sets it apart, such as `("model=repeat", "latent_dim=32")`.
        options: its configuration.
        config_hash: sha256, hexadecimal, of the configuration as it is stored: equal options, equal hash.
    """

    number: int
    overrides: tuple[str, ...]
    options: RunOptions
    config_hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How one attempt at a job ended, as its process or the pool tells.

    Args:
        status: FINISHED; FAILED after an exception or an exit; KILLED where its process died or was stopped.
        seconds: time from its start.
        value: what the job returned, for a search; None where there is nothing.
        reason: why it did not finish, on one line; None where it did.
        passing: whether another attempt may go better: the process died or ran out of time, the job raised nothing.
    """

    status: JobStatus
    seconds: float
    value: float | None = None
    reason: str | None = None
    passing: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of a job.

    Args:
        job: the job.
        ending: how its last attempt ended.
        attempts: how often it was started.
        run: name of its run directory; None where it did not come so far.
        score: its summary figure, by which the study's runs are compared, with its name; None where there is none.
    """

    job: Job
    ending: Ending
    attempts: int
    run: str | None
    score: tuple[str, float] | None

    @property
    def failed(self) -> bool:
        """Whether the job did not finish."""
        return self.ending.status != "FINISHED"


def plan_job(number: int, overrides: tuple[str, ...], options: RunOptions) -> Job:
    """Make a job of a configuration.

    Args:
        number: from 0, counted over the whole sweep.
        overrides: what sets it apart.
        options: its configuration, through the gate.
    """
    digest = hashlib.sha256(dump_options(options).encode()).hexdigest()
    return Job(number=number, overrides=overrides, options=options, config_hash=digest)
