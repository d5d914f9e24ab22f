"""The loop that Ray and Slurm share, on a cluster whose jobs end as a test prescribes."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pytest

from lengthwise.config.compose import compose_options
from lengthwise.pipeline.command import EXPERIMENT, Launch
from lengthwise.sweeps.executors import remote
from lengthwise.sweeps.executors.contract import Assignment
from lengthwise.sweeps.executors.remote import RemoteExecutor
from lengthwise.sweeps.jobs import AttemptStatus, build_job

OPTIONS = compose_options([])
DONE = AttemptStatus(status="FINISHED", seconds=1.0)
LOST = AttemptStatus(status="KILLED", seconds=0.0, reason="lost", is_transient=True)
RAISED = AttemptStatus(status="FAILED", seconds=1.0, reason="no good")


class FakeCluster:
    """Ends the attempts of each job as listed, at the first poll; None: never."""

    def __init__(self, statuses: Mapping[int, Sequence[AttemptStatus | None]]) -> None:
        self.statuses = {number: list(each) for number, each in statuses.items()}
        self.submitted: list[Assignment] = []
        self.stopped: list[int] = []
        self.most, self.running = 0, 0

    def count_places(self) -> int:
        return 2

    def submit(self, assignment: Assignment) -> tuple[int, AttemptStatus | None]:
        self.submitted.append(assignment)
        self.running += 1
        self.most = max(self.most, self.running)
        return assignment.job.number, self.statuses[assignment.job.number].pop(0)

    def has_begun(self, _handle: object, /) -> bool:
        return True

    def poll(self, handle: tuple[int, AttemptStatus | None]) -> AttemptStatus | None:
        self.running -= handle[1] is not None
        return handle[1]

    def stop(self, handles: Sequence[tuple[int, AttemptStatus | None]], patience_seconds: float) -> None:
        self.stopped += [number for number, _ in handles]
        self.running -= len(handles)


class FakeMonitor:
    def __init__(self, prune: Collection[int] = (), interrupt: bool = False) -> None:
        self.ended: list[tuple[int, str, int]] = []
        self.prune, self.interrupt = prune, interrupt

    def on_end(self, assignment: Assignment, attempt: AttemptStatus, num_attempts: int) -> None:
        self.ended.append((assignment.job.number, attempt.status, num_attempts))

    def on_retry(self, assignment: Assignment) -> Assignment:
        return dataclasses.replace(assignment, launch=dataclasses.replace(assignment.launch, resume="run"))

    def on_tick(self, running: Sequence[Assignment]) -> Mapping[int, str]:
        if self.interrupt:
            raise KeyboardInterrupt
        return {each.job.number: "behind" for each in running if each.job.number in self.prune}


def execute(cluster: FakeCluster, monitor: FakeMonitor, *, timeout_minutes: float | None = None) -> None:
    launch = Launch(command=(), overrides=())
    assignments = [
        Assignment(job=build_job(number, (), OPTIONS, version="1"), function=EXPERIMENT, launch=launch, log=Path("x"))
        for number in cluster.statuses
    ]
    executor = RemoteExecutor(cluster, num_workers=None, cores=1, timeout_minutes=timeout_minutes, retries=1)
    num_workers = executor.choose_size(len(assignments)).num_workers
    executor.run(iter(assignments), num_workers=num_workers, monitor=monitor)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_TICK_SECONDS", 0.001)


def test_each_job_ends_on_its_own_and_no_more_run_than_there_is_room_for() -> None:
    cluster, monitor = FakeCluster({0: [DONE], 1: [RAISED], 2: [LOST, DONE], 3: [LOST, LOST], 4: [DONE]}), FakeMonitor()
    execute(cluster, monitor)
    assert sorted(monitor.ended) == [
        (0, "FINISHED", 1),
        (1, "FAILED", 1),
        (2, "FINISHED", 2),
        (3, "KILLED", 2),
        (4, "FINISHED", 1),
    ]
    assert cluster.most == 2
    resumed = [assignment.job.number for assignment in cluster.submitted if assignment.launch.resume == "run"]
    assert sorted(resumed) == [2, 3]


def test_a_job_that_hangs_is_stopped_and_tried_again() -> None:
    cluster, monitor = FakeCluster({0: [None, DONE], 1: [None, None]}), FakeMonitor()
    execute(cluster, monitor, timeout_minutes=1e-4)
    assert sorted(monitor.ended) == [(0, "FINISHED", 2), (1, "KILLED", 2)]
    assert sorted(cluster.stopped) == [0, 1, 1]


def test_a_search_can_stop_a_job() -> None:
    cluster, monitor = FakeCluster({0: [None], 1: [DONE]}), FakeMonitor(prune=[0])
    execute(cluster, monitor)
    assert sorted(monitor.ended) == [(0, "PRUNED", 1), (1, "FINISHED", 1)]
    assert cluster.stopped == [0]


def test_an_interruption_stops_what_runs() -> None:
    cluster = FakeCluster({0: [None], 1: [None], 2: [None]})
    with pytest.raises(KeyboardInterrupt):
        execute(cluster, FakeMonitor(interrupt=True))
    assert sorted(cluster.stopped) == [0, 1]
