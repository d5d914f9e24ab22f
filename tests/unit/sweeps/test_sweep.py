"""A sweep with an executor that only reports: what the sweep makes of its reports and of the run directories."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from helpers.runs import make_manifest
from lengthwise.config.compose import compose_options
from lengthwise.pipeline.command import JOB_TAG, WARNINGS_TAG
from lengthwise.sweeps.executors.contract import Assignment, Monitor, PoolSize
from lengthwise.sweeps.jobs import AttemptStatus, Job, build_job
from lengthwise.sweeps.parent_run import find_study
from lengthwise.sweeps.sweep import Sweep, SweepOptions
from lengthwise.tracking.runs.manifest import write_manifest
from lengthwise.tracking.runs.run_record import PrimaryMetric

KILLED = AttemptStatus(status="KILLED", seconds=5.0, reason="its process was killed", is_transient=True)


class FakeExecutor:
    """Makes the run of each job, with the fields of its manifest that a test gives, and reports a killed process.

    Args:
        fields: Of the runs, by the number of the job; a job without any has made no run.
        interrupted: Number of the job that is running when Ctrl-C is pressed.
    """

    def __init__(self, fields: Mapping[int, Mapping[str, Any]], *, interrupted: int | None = None) -> None:
        self.fields, self.interrupted = fields, interrupted

    def choose_size(self, num_jobs: int) -> PoolSize:
        return PoolSize(num_workers=1, cores=1)

    def run(self, assignments: Iterable[Assignment], *, num_workers: int, monitor: Monitor) -> None:
        for assignment in assignments:
            number = assignment.job.number
            if number in self.fields:
                self.make_run(assignment)
            if number == self.interrupted:
                raise KeyboardInterrupt
            monitor.on_end(assignment, KILLED, 1)

    def make_run(self, assignment: Assignment) -> None:
        number = assignment.job.number
        directory = find_study(assignment.job) / f"run-{number:06x}"
        directory.mkdir()
        fields: dict[str, Any] = {"status": "FINISHED", "duration_seconds": 2.0} | self.fields[number]
        if fields["status"] == "FINISHED":
            fields |= {"summary": {"test/error": 0.25, "val/error": 0.5}}
        manifest = make_manifest(
            name=directory.name,
            parent=assignment.launch.parent,
            tags={JOB_TAG: str(number)} | fields.pop("tags", {}),
            primary_metric=PrimaryMetric(name="test/error", greater_is_better=False),
            **fields,
        )
        write_manifest(directory, manifest)


RunSweep = Callable[[FakeExecutor], tuple[list[dict[str, str]], str]]


@pytest.fixture
def run_sweep(tmp_path: Path) -> RunSweep:
    """Run a sweep of three jobs; returns its rows and what it printed."""
    jobs: list[Job] = []
    for seed in range(3):
        options = compose_options([f"output_dir={tmp_path}", "tracking=directory", f"seed={seed}"])
        jobs.append(build_job(seed, (f"seed={seed}",), options, version="1"))

    def run(executor: FakeExecutor) -> tuple[list[dict[str, str]], str]:
        console = Console(file=io.StringIO(), width=100)
        sweep = Sweep(jobs, executor, SweepOptions(command=("x",)), console=console)
        try:
            with sweep:
                sweep.run(jobs)
        except KeyboardInterrupt:
            assert executor.interrupted is not None
        with (sweep.directory / "sweep.csv").open() as file:
            return list(csv.DictReader(file)), console.file.getvalue()  # type: ignore[attr-defined]

    return run


def test_a_job_has_finished_if_its_run_has_whatever_happened_to_its_process(run_sweep: RunSweep) -> None:
    rows, printed = run_sweep(FakeExecutor({0: {}, 1: {"status": "FAILED", "duration_seconds": 1.0}}))
    assert [(row["status"], row["seconds"], row["value"], row["reason"]) for row in rows] == [
        ("FINISHED", "2.0", "0.5", ""),
        ("KILLED", "5.0", "", "its process was killed"),
        ("KILLED", "5.0", "", "its process was killed"),
    ]
    assert [row["run"] for row in rows] == ["run-000000", "run-000001", ""]
    assert "1 of 3 jobs finished, 2 did not" in printed


def test_results_that_could_not_be_written_are_told_in_the_table(run_sweep: RunSweep) -> None:
    rows, printed = run_sweep(FakeExecutor({0: {"missing": ("attention", "report")}, 1: {}, 2: {}}))
    assert [row["missing"] for row in rows] == ["attention, report", "", ""]
    assert "test/error=0.25, missing: attention, report\n" in printed
    assert "3 of 3 jobs finished, 1 without all results (`lengthwise evaluate RUN` writes them)" in printed


def test_what_jobs_warn_of_is_printed_once(run_sweep: RunSweep) -> None:
    both, one = {WARNINGS_TAG: "long lines\nrare\x1b[0m symbols"}, {WARNINGS_TAG: "rare\x1b[0m symbols"}
    _, printed = run_sweep(FakeExecutor({0: {"tags": both}, 1: {"tags": one}, 2: {}}))
    assert printed.count("warning: ") == 2
    assert printed.count("warning: long lines\n") == 1
    assert printed.count("warning: rare\\x1b[0m symbols\n") == 1


def test_an_interrupted_sweep_tells_which_jobs_were_running(run_sweep: RunSweep) -> None:
    fields = {0: {"status": "FAILED"}, 1: {"status": "KILLED", "duration_seconds": 3.0}}
    rows, printed = run_sweep(FakeExecutor(fields, interrupted=1))
    assert [(row["status"], row["seconds"]) for row in rows] == [("KILLED", "5.0"), ("KILLED", "3.0"), ("NOT RUN", "")]
    assert rows[1]["reason"] == "interrupted; the same command resumes it"
    assert "0 of 3 jobs finished, 3 did not" in printed
