from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.runs import StartRun
from lengthwise.config.options import DirectoryOptions
from lengthwise.tracking.runs.find import list_runs
from lengthwise.tracking.runs.heartbeat import HEARTBEAT_NAME, free_reserve, reap, reap_listed, reap_run
from lengthwise.tracking.runs.manifest import Manifest, read_manifest, seconds_of, write_manifest

NOBODY = 2**22 + 1
"""Above the highest process id of Linux."""


@pytest.fixture
def ended(start: StartRun, directory_only: DirectoryOptions) -> tuple[Path, Manifest]:
    with start(directory_only) as run:
        pass
    return run.directory, read_manifest(run.directory)


def reopen(directory: Path, manifest: Manifest, **process: object) -> None:
    open_again = replace(manifest, status="RUNNING", ended=None, duration_seconds=None)
    write_manifest(directory, replace(open_again, process=replace(manifest.process, **process)))
    (directory / HEARTBEAT_NAME).touch()


def test_the_dead_are_closed(ended: tuple[Path, Manifest]) -> None:
    directory, manifest = ended
    reopen(directory, manifest, pid=NOBODY)
    last_beat = seconds_of(manifest.started) + 12.5
    os.utime(directory / HEARTBEAT_NAME, (last_beat, last_beat))
    assert reap(directory.parent.parent) == (directory,)
    closed = read_manifest(directory)
    assert closed.status == "KILLED"
    assert closed.duration_seconds == 12.5
    assert closed.failure is not None
    assert f"process {NOBODY}" in closed.failure.reason
    assert reap(directory.parent.parent) == ()


def test_a_dead_run_without_a_heartbeat_is_closed_where_it_is_listed(ended: tuple[Path, Manifest]) -> None:
    directory, manifest = ended
    reopen(directory, manifest, pid=NOBODY)
    (directory / HEARTBEAT_NAME).unlink()
    output_dir = directory.parent.parent
    assert reap(output_dir) == ()
    assert reap_listed(list_runs(output_dir)) == (directory,)
    closed = read_manifest(directory)
    assert (closed.status, closed.duration_seconds is None) == ("KILLED", False)
    assert reap_listed(list_runs(output_dir)) == ()
    assert not reap_run(directory / "nowhere")


def test_the_living_are_spared(start: StartRun, directory_only: DirectoryOptions) -> None:
    with start(directory_only) as run:
        os.utime(run.directory / HEARTBEAT_NAME, (0, 0))
        assert reap(run.directory.parent.parent) == reap_listed(list_runs(run.directory.parent.parent)) == ()
        assert read_manifest(run.directory).status == "RUNNING"
        assert (run.directory / HEARTBEAT_NAME).exists()


def test_a_run_that_ended_by_itself_keeps_its_status(ended: tuple[Path, Manifest]) -> None:
    directory, manifest = ended
    write_manifest(directory, replace(manifest, process=replace(manifest.process, pid=NOBODY)))
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
