"""What a sweep is to do, and what came of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lengthwise.config.options import RunOptions
from lengthwise.config.parse import Scalar, flatten_options

JobStatus = Literal["FINISHED", "FAILED", "KILLED", "PRUNED"]

_WITHOUT_EFFECT = ("output_dir", "study", "resume", "training.checkpoint_seconds")
"""Options that say where a run is kept or how it is saved, not what comes of it; `tracking` is another such group."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One run of a sweep, through the gate and ready to start.

    Args:
        number: from 0, counted over the whole sweep.
        overrides: what sets it apart, such as `("model=repeat", "latent_dim=32")`.
        options: its configuration.
        identity: hash of all that decides its results but the data: equal for equal runs.
    """

    number: int
    overrides: tuple[str, ...]
    options: RunOptions
    identity: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How one attempt at a job ended, as its process or the pool tells.

    Args:
        status: FINISHED; FAILED after an exception or an exit; KILLED where its process died or was stopped; PRUNED
            where a search stopped it.
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
        attempts: how often it was started; 0 where it had finished before this command.
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
        """Whether the job should have finished and did not."""
        return self.ending.status in ("FAILED", "KILLED")


def plan_job(number: int, overrides: tuple[str, ...], options: RunOptions, *, version: str) -> Job:
    """Make a job of a configuration.

    Args:
        number: from 0, counted over the whole sweep.
        overrides: what sets it apart.
        options: its configuration, through the gate.
        version: of this package.
    """
    identity = identify_run(flatten_options(options), version)
    return Job(number=number, overrides=overrides, options=options, identity=identity)


def identify_run(params: Mapping[str, Scalar], version: str) -> str:
    """Return a hash of what decides the results of a run, apart from the data.

    Args:
        params: every option by its dotted name, of `flatten_options` or from a run's manifest.
        version: of this package.

    Returns:
        sha256, hexadecimal, of the version and of all options but those that say where and how a run is kept.
    """
    kept = {
        key: value
        for key, value in params.items()
        if key not in _WITHOUT_EFFECT and key.partition(".")[0] != "tracking"
    }
    return hashlib.sha256(json.dumps([version, kept], sort_keys=True).encode()).hexdigest()
