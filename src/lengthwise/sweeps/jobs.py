"""The jobs of a sweep: what each is to run, and its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from lengthwise.config.options import RunOptions
from lengthwise.config.parse import Scalar, flatten_options
from lengthwise.credentials import hide_credentials

JobStatus = Literal["FINISHED", "FAILED", "KILLED", "PRUNED"]

_WITHOUT_EFFECT = ("output_dir", "study", "resume", "base", "training.checkpoint_seconds")
"""Options that say where a run is kept or how it is saved; its results do not depend on them, nor on `tracking`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One run of a sweep: checked and ready to start.

    Args:
        number: From 0, counted over the whole sweep.
        overrides: The options that set it apart, such as `("model=repeat", "latent_dim=32")`.
        options: Its configuration.
        identity: Hash of everything that decides its results except the data; equal runs have equal hashes.
    """

    number: int
    overrides: tuple[str, ...]
    options: RunOptions
    identity: str


class Score(NamedTuple):
    """The primary metric of a run, by which the runs of a study are compared.

    Args:
        metric: Its name, such as `test/exact_match`.
        value: Its value.
    """

    metric: str
    value: float


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptStatus:
    """How one attempt at a job ended, as reported by its process or its executor.

    Args:
        status: FINISHED; FAILED after an exception or an exit; KILLED if its process died or was stopped; PRUNED if a
            search stopped it.
        seconds: Time since its start.
        value: What the job returned, for a search; None if it returned nothing.
        reason: Why it did not finish, on one line; None if it finished.
        is_transient: Whether another attempt may succeed: the process died or ran out of time, the job raised nothing.
    """

    status: JobStatus
    seconds: float
    value: float | None = None
    reason: str | None = None
    is_transient: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class JobResult:
    """The result of a job.

    Args:
        job: The job.
        attempt: How its last attempt ended.
        num_attempts: How often it was started; 0 if it had finished before this command.
        run: Name of its run directory; None if it ended before it had one.
        score: Its primary metric; None if it has none.
        missing: Parts of its results that could not be written, such as `figures`; `lengthwise evaluate` makes them.
    """

    job: Job
    attempt: AttemptStatus
    num_attempts: int
    run: str | None
    score: Score | None
    missing: tuple[str, ...] = ()

    @property
    def has_failed(self) -> bool:
        """Whether the job should have finished and did not."""
        return self.attempt.status in ("FAILED", "KILLED")


def build_job(number: int, overrides: tuple[str, ...], options: RunOptions, *, version: str) -> Job:
    """Make a job of a configuration.

    Args:
        number: From 0, counted over the whole sweep.
        overrides: The options that set it apart; credentials in them are hidden.
        options: Its configuration, already checked.
        version: Of this package.
    """
    identity = identify_run(flatten_options(options), version)
    shown = tuple(hide_credentials(override) for override in overrides)
    return Job(number=number, overrides=shown, options=options, identity=identity)


def identify_run(params: Mapping[str, Scalar], version: str) -> str:
    """Return a hash of what decides the results of a run, apart from the data.

    Args:
        params: Every option by its dotted name, from `flatten_options` or from a run's manifest.
        version: Of this package.

    Returns:
        SHA-256, hexadecimal, of the version and of all options except those that say where and how a run is kept.
    """
    kept = {
        key: value
        for key, value in params.items()
        if key not in _WITHOUT_EFFECT and key.partition(".")[0] != "tracking"
    }
    return hashlib.sha256(json.dumps([version, kept], sort_keys=True).encode()).hexdigest()
