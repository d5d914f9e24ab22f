from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from lengthwise.config.options import DirectoryOptions
from lengthwise.tracking.runs.heartbeat import HEARTBEAT_NAME, free_reserve, reap
from lengthwise.tracking.runs.manifest import Manifest, read_manifest, seconds_of, write_manifest
from lengthwise.tracking.runs.process import current_owner, is_gone
from lengthwise.tracking.runs.run import Run

OWN = current_owner()
NOBODY = 2**22 + 1
"""Above the highest process id of Linux."""

StartRun = Callable[..., AbstractContextManager[Run]]


@pytest.mark.parametrize(
    ("changes", "silent_seconds", "gone"),
    [
        ({}, 1e9, False),
        ({"pid": NOBODY}, 0.0, True),
        ({"start_ticks": 1}, 0.0, True),
        ({"boot_id": "another"}, 30.0, False),
        ({"boot_id": "another"}, 61.0, True),
        ({"host": "another"}, 599.0, False),
        ({"host": "another", "pid": NOBODY}, 599.0, False),
        ({"host": "another"}, 601.0, True),
        ({"pid_namespace": "pid:[1]", "pid": NOBODY}, 599.0, False),
        ({"pid_namespace": "pid:[1]"}, 601.0, True),
    ],
)
def test_who_is_gone(changes: dict[str, object], silent_seconds: float, gone: bool) -> None:
    assert is_gone(replace(OWN, **changes), silent_seconds) is gone


def test_a_process_that_has_ended_but_not_been_waited_for_is_gone() -> None:
    process = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE)
    ticks = int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19])
    owner = replace(OWN, pid=process.pid, start_ticks=ticks)
    assert not is_gone(owner, 0.0)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie from here on
    assert is_gone(owner, 0.0)
    process.communicate()


@pytest.fixture
def ended(start: StartRun, directory_only: DirectoryOptions) -> tuple[Path, Manifest]:
    with start(directory_only) as run:
        pass
    return run.directory, read_manifest(run.directory)


def reopen(directory: Path, manifest: Manifest, **owner: object) -> None:
    open_again = replace(manifest, status="RUNNING", ended=None, duration_seconds=None)
    write_manifest(directory, replace(open_again, owner=replace(manifest.owner, **owner)))
    (directory / HEARTBEAT_NAME).touch()


def test_the_dead_are_closed(ended: tuple[Path, Manifest]) -> None:
    directory, manifest = ended
    reopen(directory, manifest, pid=NOBODY)
    last_sign = seconds_of(manifest.started) + 12.5
    os.utime(directory / HEARTBEAT_NAME, (last_sign, last_sign))
    assert reap(directory.parent.parent) == (directory,)
    closed = read_manifest(directory)
    assert closed.status == "KILLED"
    assert closed.duration_seconds == 12.5
    assert closed.failure is not None
    assert f"process {NOBODY}" in closed.failure.reason
    assert reap(directory.parent.parent) == ()


def test_the_living_are_spared(start: StartRun, directory_only: DirectoryOptions) -> None:
    with start(directory_only) as run:
        os.utime(run.directory / HEARTBEAT_NAME, (0, 0))
        assert reap(run.directory.parent.parent) == ()
        assert read_manifest(run.directory).status == "RUNNING"
        assert (run.directory / HEARTBEAT_NAME).exists()


def test_a_run_that_ended_by_itself_keeps_its_status(ended: tuple[Path, Manifest]) -> None:
    directory, manifest = ended
    write_manifest(directory, replace(manifest, owner=replace(manifest.owner, pid=NOBODY)))
    (directory / HEARTBEAT_NAME).touch()  # killed between its last two steps
    assert reap(directory.parent.parent) == ()
    assert read_manifest(directory).status == "FINISHED"
    assert not (directory / HEARTBEAT_NAME).exists()


def test_a_directory_killed_before_its_manifest_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "study" / "run").mkdir(parents=True)
    (tmp_path / "study" / "run" / HEARTBEAT_NAME).touch()
    assert reap(tmp_path) == ()
    assert reap(tmp_path / "nowhere") == ()


def test_the_heart_beats(start: StartRun, directory_only: DirectoryOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lengthwise.tracking.runs.heartbeat._TOUCH_EVERY", 1)
    with start(directory_only) as run:
        heartbeat = run.directory / HEARTBEAT_NAME
        os.utime(heartbeat, (0, 0))
        deadline = time.monotonic() + 20
        while heartbeat.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert time.time() - heartbeat.stat().st_mtime < 20


def test_an_open_run_holds_space_for_its_end(start: StartRun, directory_only: DirectoryOptions) -> None:
    with start(directory_only) as run:
        heartbeat = run.directory / HEARTBEAT_NAME
        assert heartbeat.stat().st_size == 64 * 1024
        free_reserve(run.directory)
        assert heartbeat.exists()
        assert heartbeat.stat().st_size == 0
    assert not heartbeat.exists()
    free_reserve(run.directory)  # does nothing
    assert not heartbeat.exists()
