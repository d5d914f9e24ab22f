from __future__ import annotations

import dataclasses
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.runs import make_manifest
from lengthwise.config.compose import compose_options
from lengthwise.config.parse import flatten_options
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.errors import LengthwiseError
from lengthwise.pipeline.command import JOB_TAG
from lengthwise.sweeps import finished_jobs
from lengthwise.sweeps.finished_jobs import History, find_parent_run, lock_study, read_score, read_validation_value
from lengthwise.sweeps.jobs import AttemptStatus, Job, JobResult, build_job
from lengthwise.sweeps.ledger import LEDGER_NAME, Ledger
from lengthwise.tracking.runs.manifest import write_manifest
from lengthwise.tracking.runs.run_record import DatasetRecord, PrimaryMetric

MakeJob = Callable[..., Job]


def write_run(study: Path, job: Job, name: str, **changes: Any) -> Path:
    values: dict[str, Any] = {
        "study": study.name,
        "parent": "p",
        "duration_seconds": 2.0,
        "params": flatten_options(job.options),
        "tags": {JOB_TAG: "0"},
        "primary_metric": PrimaryMetric(name="test/error", greater_is_better=False),
        "versions": {"lengthwise": "1"},
        "summary": {"test/error": 0.25, "val/error": 0.5},
    }
    directory = study / name
    directory.mkdir(parents=True)
    write_manifest(directory, make_manifest(name=name, **(values | changes)))
    return directory


def find_name(job: Job, study: Path) -> str | None:
    found = History().find(job, study)
    return None if found is None else found[0].name


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["FINISHED"], "run0"),
        (["FINISHED", "FINISHED"], "run1"),
        (["FINISHED", "KILLED"], "run0"),
        (["KILLED", "KILLED"], "run1"),
        (["KILLED", "FAILED"], None),
        (["FAILED", "KILLED"], "run1"),
        (["RUNNING"], None),
        ([], None),
    ],
)
def test_what_need_not_be_done_again(
    statuses: list[str], expected: str | None, make_job: MakeJob, tmp_path: Path
) -> None:
    job = make_job(0)
    for place, status in enumerate(statuses):
        write_run(tmp_path, job, f"run{place}", status=status)
    assert find_name(job, tmp_path) == expected


def test_a_finished_run_comes_with_its_score(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job(0)
    write_run(tmp_path, job, "run0")
    found = History().find(job, tmp_path)
    assert found is not None
    _, manifest = found
    assert (read_score(manifest), read_validation_value(manifest)) == (("test/error", 0.25), 0.5)
    assert manifest.duration_seconds == 2.0


def test_another_version_or_a_run_alone_does_not_count(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job(0)
    write_run(tmp_path, job, "run0", versions={"lengthwise": "2"})
    write_run(tmp_path, job, "run1", tags={})
    assert find_name(job, tmp_path) is None


def test_a_file_of_data_that_has_changed_makes_its_runs_old(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("".join(f"{'ab'[n % 2] * (n % 5 + 1)}\t{'x' * (n % 7 + 1)}\n" for n in range(200)))
    options = compose_options(["dataset=pairs", f"dataset.path={path}", "model=stateful"])
    job = build_job(0, (), options, version="1")
    dataset = load_dataset(options.dataset, options.timesteps)
    record = DatasetRecord(name="pairs", sha256=dataset.content_hash, split_sizes={})
    write_run(tmp_path / "s", job, "run0", dataset=record)
    assert find_name(job, tmp_path / "s") == "run0"
    with path.open("a") as file:
        file.write("aba\txx\n" * 20)
    assert find_name(job, tmp_path / "s") is None
    path.unlink()
    assert find_name(job, tmp_path / "s") is None, "the job itself says that the file is missing"


def write_sweep(study: Path, jobs: list[Job], name: str, **changes: Any) -> None:
    directory = write_run(study, jobs[0], name, kind="sweep", tags={}, **changes)
    Ledger(directory).enter(jobs)


def other(job: Job, seed: int) -> Job:
    options = dataclasses.replace(job.options, seed=seed)
    return build_job(0, (f"seed={seed}",), options, version="1")


def test_a_command_goes_on_with_the_newest_sweep_that_has_one_of_its_jobs(make_job: MakeJob, tmp_path: Path) -> None:
    jobs = [other(make_job(0), seed) for seed in range(4)]
    write_sweep(tmp_path, jobs[:2], "a")
    write_sweep(tmp_path, jobs[1:2], "b")
    write_sweep(tmp_path, jobs[3:], "c")
    assert find_parent_run(tmp_path, jobs[:3]) == tmp_path / "b"
    assert find_parent_run(tmp_path, jobs[2:3]) is None
    (tmp_path / "b" / LEDGER_NAME).write_text("{")
    assert find_parent_run(tmp_path, jobs[:3]) == tmp_path / "a"


def test_a_sweep_that_is_running_keeps_its_jobs_to_itself(make_job: MakeJob, tmp_path: Path) -> None:
    jobs = [other(make_job(0), seed) for seed in range(3)]
    write_sweep(tmp_path, jobs[:2], "a", status="RUNNING")
    with pytest.raises(LengthwiseError, match=f"^2 of these jobs .* running, a, as process {os.getpid()} on"):
        find_parent_run(tmp_path, jobs)
    assert find_parent_run(tmp_path, jobs[2:]) is None


def test_numbers_and_rows_of_jobs_last(make_job: MakeJob, tmp_path: Path) -> None:
    jobs = [other(make_job(0), seed) for seed in (5, 6, 5, 7)]
    assert [job.number for job in Ledger(tmp_path).enter(jobs)] == [0, 1, 0, 2]
    ledger = Ledger(tmp_path)
    (entered,) = ledger.enter(jobs[1:2])
    attempt = AttemptStatus(status="FINISHED", seconds=1.0, value=0.125)
    done = JobResult(job=entered, attempt=attempt, num_attempts=1, run="r", score=None)
    ledger.record(done)
    ledger.record(dataclasses.replace(done, num_attempts=0, run="not this"))
    again = Ledger(tmp_path)
    assert [(row["job"], row["seed"], row["status"]) for row in again.rows] == [
        ("0", "5", "NOT RUN"),
        ("1", "6", "FINISHED"),
        ("2", "7", "NOT RUN"),
    ]
    assert again.rows[1]["run"] == "r"
    assert again.find_value(entered) == 0.125


def test_one_sweep_at_a_time_chooses_its_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finished_jobs, "_MAX_WAIT_SECONDS", 0.1)
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with lock_study(tmp_path / "s"):
            held.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    with pytest.raises(LengthwiseError, match=r"^Another sweep of s is being started"), lock_study(tmp_path / "s"):
        pass
    release.set()
    thread.join()
    with lock_study(tmp_path / "s"):
        pass


def test_a_ledger_grows_by_a_line_a_result_and_survives_a_torn_one(make_job: MakeJob, tmp_path: Path) -> None:
    jobs = [other(make_job(0), seed) for seed in range(3)]
    ledger = Ledger(tmp_path)
    entered = ledger.enter(jobs)
    path = tmp_path / LEDGER_NAME
    before = path.read_bytes()
    assert before.count(b"\n") == 3
    attempt = AttemptStatus(status="FINISHED", seconds=1.0, value=7.0)
    ledger.record(JobResult(job=entered[1], attempt=attempt, num_attempts=1, run="r", score=None))
    assert path.read_bytes().startswith(before)
    assert path.read_bytes().count(b"\n") == 4
    path.write_bytes(path.read_bytes() + b'{"identity": "to')  # killed in the middle of a line
    again = Ledger(tmp_path)
    assert again.rows == ledger.rows
    assert again.find_value(entered[1]) == 7.0
    assert [job.number for job in again.enter([other(make_job(0), 9)])] == [3]
    assert path.read_bytes().count(b"\n") == 4, "written anew without what was replaced or torn"
    path.rename(tmp_path / "rest")
    (tmp_path / "jobs.json").write_text(json.dumps([json.loads(line) for line in before.splitlines()]))
    assert [row["job"] for row in Ledger(tmp_path).rows] == ["0", "1", "2"], "as older versions have written it"
