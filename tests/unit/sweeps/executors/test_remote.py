"""The loop that Ray and Slurm share, on a cluster that a test tells what to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pytest

from lengthwise.config.compose import compose_options
from lengthwise.pipeline.launch import EXPERIMENT, Launch
from lengthwise.sweeps.executors import remote
from lengthwise.sweeps.executors.remote import RemoteExecutor
from lengthwise.sweeps.executors.worker import Assignment
from lengthwise.sweeps.jobs import Ending

OPTIONS = compose_options([])
DONE = Ending(status="FINISHED", seconds=1.0)
LOST = Ending(status="KILLED", seconds=0.0, reason="lost", passing=True)
RAISED = Ending(status="FAILED", seconds=1.0, reason="no good")


class FakeCluster:
    """Ends the attempts of each job as listed, one look after they began; None: never."""

    def __init__(self, endings: Mapping[int, Sequence[Ending | None]]) -> None:
        self.endings = {number: list(each) for number, each in endings.items()}
        self.submitted: list[Assignment] = []
        self.stopped: list[int] = []
        self.most, self.running = 0, 0

    def count_places(self) -> int:
        return 2

    def submit(self, assignment: Assignment) -> tuple[int, Ending | None]:
        self.submitted.append(assignment)
        self.running += 1
        self.most = max(self.most, self.running)
        return assignment.number, self.endings[assignment.number].pop(0)

    def has_begun(self, _handle: object, /) -> bool:
        return True

    def poll(self, handle: tuple[int, Ending | None]) -> Ending | None:
        self.running -= handle[1] is not None
        return handle[1]

    def stop(self, handles: Sequence[tuple[int, Ending | None]], patience_seconds: float) -> None:
        self.stopped += [number for number, _ in handles]
        self.running -= len(handles)


class FakeMonitor:
    def __init__(self, prune: Collection[int] = (), interrupt: bool = False) -> None:
        self.noticed: list[tuple[int, str, int]] = []
        self.prune, self.interrupt = prune, interrupt

    def notice(self, assignment: Assignment, ending: Ending, attempts: int) -> None:
        self.noticed.append((assignment.number, ending.status, attempts))

    def renew(self, assignment: Assignment) -> Assignment:
        return dataclasses.replace(assignment, launch=dataclasses.replace(assignment.launch, resume="run"))

    def tick(self, running: Collection[int]) -> Mapping[int, str]:
        if self.interrupt:
            raise KeyboardInterrupt
        return {number: "behind" for number in running if number in self.prune}


def execute(cluster: FakeCluster, monitor: FakeMonitor, *, timeout_minutes: float | None = None) -> None:
    launch = Launch(command=(), overrides=())
    assignments = [
        Assignment(number=number, function=EXPERIMENT, options=OPTIONS, launch=launch, log=Path("x"))
        for number in cluster.endings
    ]
    executor = RemoteExecutor(cluster, num_workers=None, cores=1, timeout_minutes=timeout_minutes, retries=1)
    executor.run(iter(assignments), workers=executor.choose_size(len(assignments)).workers, monitor=monitor)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_TICK_SECONDS", 0.001)


def test_each_job_ends_on_its_own_and_no_more_run_than_there_is_room_for() -> None:
    cluster, monitor = FakeCluster({0: [DONE], 1: [RAISED], 2: [LOST, DONE], 3: [LOST, LOST], 4: [DONE]}), FakeMonitor()
    execute(cluster, monitor)
    assert sorted(monitor.noticed) == [
        (0, "FINISHED", 1),
        (1, "FAILED", 1),
        (2, "FINISHED", 2),
        (3, "KILLED", 2),
        (4, "FINISHED", 1),
    ]
    assert cluster.most == 2
    resumed = [assignment.number for assignment in cluster.submitted if assignment.launch.resume == "run"]
    assert sorted(resumed) == [2, 3]


def test_a_job_that_hangs_is_stopped_and_tried_again() -> None:
    cluster, monitor = FakeCluster({0: [None, DONE], 1: [None, None]}), FakeMonitor()
    execute(cluster, monitor, timeout_minutes=1e-4)
    assert sorted(monitor.noticed) == [(0, "FINISHED", 2), (1, "KILLED", 2)]
    assert sorted(cluster.stopped) == [0, 1, 1]


def test_a_search_can_stop_a_job() -> None:
    cluster, monitor = FakeCluster({0: [None], 1: [DONE]}), FakeMonitor(prune=[0])
    execute(cluster, monitor)
    assert sorted(monitor.noticed) == [(0, "PRUNED", 1), (1, "FINISHED", 1)]
    assert cluster.stopped == [0]


def test_an_interruption_stops_what_runs() -> None:
    cluster = FakeCluster({0: [None], 1: [None], 2: [None]})
    with pytest.raises(KeyboardInterrupt):
        execute(cluster, FakeMonitor(interrupt=True))
    assert sorted(cluster.stopped) == [0, 1]
