"""How a run was started: what it is told beside its options."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from lengthwise.config.options import RunOptions

RUN_EXPERIMENT = "lengthwise.pipeline.run:run_experiment"
"""What a command does with its options, as `module:function`; imported only then, for it imports TensorFlow."""

PRELOADS = {RUN_EXPERIMENT: "lengthwise.pipeline.preload"}
"""By what is done: the module that imports beforehand what it needs, for processes that many jobs are to run in."""

JOB_TAG = "lengthwise.job_number"
"""Tag of a run: the number of its job. By it a sweep finds the run of a job, also where its process died."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """Where a run comes from.

    Args:
        command: the command as typed, such as `("python", "train.py", "model=repeat")`.
        overrides: the part of it that makes this run, Hydra's own options left out.
        parent: name of the run directory of the sweep that this run is a job of; None for a run alone.
        job_number: number of the job in its sweep, from 0; None for a run alone.
        cores: the cores that this run may use, its share where jobs run side by side; None: all. Decides what
            `training.num_threads=0` means and must not change results.
        resume: directory of a run to go on with, in the place of a new one; None for a new run.

    A job's run carries the tag `JOB_TAG` with its number, by which the sweep finds it.
    """

    command: tuple[str, ...]
    overrides: tuple[str, ...]
    parent: str | None = None
    job_number: int | None = None
    cores: int | None = None
    resume: str | None = None


JobFunction = Callable[[RunOptions, Launch], float | None]
"""Does the work of one run; returns what a search would minimise, None where there is nothing."""


def find_function(path: str) -> JobFunction:
    """Import what a job does.

    Args:
        path: `module:function`.
    """
    module, _, name = path.partition(":")
    function: JobFunction = getattr(importlib.import_module(module), name)
    return function
