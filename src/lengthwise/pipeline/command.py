"""What a run is given beside its options, and the function that does its work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lengthwise.config.options import RunOptions

JOB_TAG = "lengthwise.job_number"
"""Tag of a run: the number of its job. By it a sweep finds the run of a job, also where its process died."""

WARNINGS_TAG = "lengthwise.warnings"
"""Tag of a run: what it warned of in its data, one warning a line. A sweep prints those of its jobs once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """Where a run comes from.

    Args:
        command: The command as typed, such as `("python", "train.py", "model=repeat")`.
        overrides: The part of it that makes this run, Hydra's own options left out.
        parent: Name of the run directory of the sweep that this run is a job of; None for a single run.
        job_number: Number of the job in its sweep, from 0; None for a single run.
        cores: The cores that this run may use, its share where jobs run side by side; None: all. Decides what
            `training.num_threads=0` means and must not change results.
        resume: Directory of the run to resume; None for a new run.

    A job's run carries the tag `JOB_TAG` with its number, by which the sweep finds it.
    """

    command: tuple[str, ...]
    overrides: tuple[str, ...]
    parent: str | None = None
    job_number: int | None = None
    cores: int | None = None
    resume: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JobFunction:
    """What a command does with the options of each run, in this process or in the workers of a sweep.

    Args:
        run: Does the work of one run; returns what a search would minimise, None where there is nothing. A function at
            the top of a module: workers are sent its name. It imports TensorFlow only when it is called, since the
            process that refuses wrong options and watches over jobs has no use for it.
        preload: Names of the modules that `run` needs, imported once by the process that workers are forked from;
            `multiprocessing` takes them as text.
    """

    run: Callable[[RunOptions, Launch], float | None]
    preload: tuple[str, ...] = ()


def run_experiment(options: RunOptions, launch: Launch) -> float | None:
    """Train, decode and score one model; see `lengthwise.pipeline.experiment.run_experiment`."""
    from lengthwise.pipeline import experiment

    return experiment.run_experiment(options, launch)


EXPERIMENT = JobFunction(run=run_experiment, preload=("lengthwise.pipeline.preload",))
"""What `python train.py` does."""
