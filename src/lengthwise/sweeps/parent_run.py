"""The parent run of a sweep: where it is stored, and what is recorded at its start."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from lengthwise.config.parse import Scalar, flatten_options
from lengthwise.config.paths import find_output_dir
from lengthwise.sweeps.jobs import Job
from lengthwise.tracking.runs.run_record import RunRecord


def find_study(job: Job) -> Path:
    """Return the directory in which a job's run directory is made, absolute.

    Args:
        job: The job.
    """
    return find_output_dir(job.options) / job.options.study


def build_parent_record(jobs: Sequence[Job], command: tuple[str, ...]) -> RunRecord:
    """Return what is known of a sweep's parent run before it starts.

    Args:
        jobs: The first jobs of the sweep.
        command: The command as typed.
    """
    return RunRecord(
        study=jobs[0].options.study,
        label="sweep",
        params=_merge_params(jobs),
        tags={"lengthwise.num_jobs": str(len(jobs))},
        command=command,
        dataset=None,
        parent=None,
        seed=None,
        kind="sweep",
    )


def write_parent_config(jobs: Sequence[Job]) -> str:
    """Return the configuration of a sweep's parent run, the overrides of each job, as YAML.

    Args:
        jobs: The first jobs of the sweep.
    """
    return json.dumps({"jobs": [list(job.overrides) for job in jobs]}, indent=1)  # JSON is YAML


def _merge_params(jobs: Sequence[Job]) -> dict[str, Scalar]:
    """Return each option with its value if all jobs agree, otherwise with the values it takes, such as `32, 64`."""
    taken: dict[str, dict[Scalar, None]] = {}
    for job in jobs:
        for key, value in flatten_options(job.options).items():
            taken.setdefault(key, {})[value] = None
    return {
        key: next(iter(values)) if len(values) == 1 else ", ".join(str(value) for value in values)
        for key, values in taken.items()
    }
