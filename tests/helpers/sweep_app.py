"""The application with a small job instead of an experiment, so that launching is tested without TensorFlow."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from lengthwise.config.options import RunOptions
from lengthwise.config.parse import dump_options, flatten_options
from lengthwise.config.paths import find_output_dir
from lengthwise.errors import DataError
from lengthwise.pipeline.command import JOB_TAG, JobFunction, Launch
from lengthwise.tracking.runs.run_record import PrimaryMetric, RunRecord
from lengthwise.tracking.session import resume_run, start_run

RAISES, EXITS, DIES, HANGS, REFUSES, WAITS, GROWS, LEARNS = 101, 102, 103, 104, 105, 106, 107, 108
"""Seeds under which the job goes wrong, each in its own way; any other: it returns `latent_dim + seed`.

WAITS makes one step and hangs, and makes the next once it is resumed; GROWS keeps 300 MB of its process;
LEARNS logs its value after each of `training.epochs` steps, which take `SWEEP_APP_STEP` seconds."""

KEPT: list[bytes] = []


def run_job(options: RunOptions, launch: Launch) -> float:
    if launch.resume is None:
        opened = start_run(
            _record(options, launch),
            options.tracking,
            output_dir=find_output_dir(options),
            config_text=dump_options(options),
        )
    else:
        opened = resume_run(Path(launch.resume), options.tracking)
    with opened as run:
        print(f"job {launch.job_number} in process {os.getpid()} with {launch.cores} cores")
        if options.seed in MISHAPS:
            MISHAPS[options.seed]()
        if options.seed == WAITS:
            run.log({"train/loss": 1.0}, step=1 if launch.resume is None else 2)
            time.sleep(600 if launch.resume is None else 0)
        for step in range(1, options.training.epochs + 1) if options.seed == LEARNS else ():
            run.log({"val/loss": float(options.latent_dim)}, step=step)
            time.sleep(float(os.environ.get("SWEEP_APP_STEP", "0.3")))
        value = float(options.latent_dim + options.seed)
        run.set_summary({"val/loss": value})
        return value


def _record(options: RunOptions, launch: Launch) -> RunRecord:
    return RunRecord(
        study=options.study,
        label="job",
        params=flatten_options(options),
        tags={} if launch.job_number is None else {JOB_TAG: str(launch.job_number)},
        command=launch.command,
        dataset=None,
        parent=launch.parent,
        seed=options.seed,
        primary_metric=PrimaryMetric(name="val/loss", greater_is_better=False),
    )


def _raise() -> None:
    raise ValueError("no good")


def _refuse() -> None:
    raise DataError("pairs.txt", 3, "has no tab", remedy="Write source<TAB>target")


MISHAPS = {
    RAISES: _raise,
    EXITS: lambda: sys.exit(3),
    DIES: lambda: os.kill(os.getpid(), signal.SIGKILL),
    HANGS: lambda: time.sleep(600),
    REFUSES: _refuse,
    GROWS: lambda: KEPT.append(b"x" * 300_000_000),
}

if __name__ == "__main__":
    import sweep_app  # not as `__main__`: workers know the function by the name of its module

    from lengthwise.app.hydra_app import main  # only here: workers, which import this file too, have no use for Hydra

    if "SWEEP_APP_TICK" in os.environ:  # seconds after which a sweep looks at its jobs
        from lengthwise.sweeps.executors import local

        local._TICK_SECONDS = float(os.environ["SWEEP_APP_TICK"])
    preload = ("lengthwise.tracking.session", *os.environ.get("SWEEP_APP_PRELOAD", "").split())
    main(JobFunction(run=sweep_app.run_job, preload=preload))
