from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from lengthwise.tracking.runs import process
from lengthwise.tracking.runs.process import Process, current_process, is_dead
from lengthwise.tracking.runs.schema import parse_fields

OWN = current_process()
NOBODY = 2**22 + 1
"""Above the highest process id of Linux."""

ANOTHER_START = {"created": 1e9, "created_after_boot": 1e9}


@pytest.mark.parametrize(
    ("changes", "silent_seconds", "dead"),
    [
        ({}, 1e9, False),
        ({"pid": NOBODY}, 0.0, True),
        (ANOTHER_START, 0.0, True),
        ({"created": 1e9}, 1e9, False),
        ({"created_after_boot": 1e9}, 1e9, False),
        ({"created": None, "created_after_boot": 1e9}, 0.0, True),
        ({"created": None}, 1e9, False),
        ({"created": None, "created_after_boot": None}, 1e9, False),
        ({"boot_id": "another"}, 30.0, False),
        ({"boot_id": "another"}, 61.0, True),
        ({"host": "another"}, 599.0, False),
        ({"host": "another", "pid": NOBODY}, 599.0, False),
        ({"host": "another"}, 601.0, True),
        ({"pid_namespace": "pid:[1]", "pid": NOBODY}, 599.0, False),
        ({"pid_namespace": "pid:[1]"}, 601.0, True),
    ],
)
def test_which_process_is_dead(changes: dict[str, object], silent_seconds: float, dead: bool) -> None:
    assert is_dead(replace(OWN, **changes), silent_seconds) is dead


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as started:
        yield started
        started.kill()


def test_a_process_that_has_ended_but_not_been_waited_for_is_dead(other: subprocess.Popen[bytes]) -> None:
    created = psutil.Process(other.pid).create_time()
    owner = replace(OWN, pid=other.pid, created=created, created_after_boot=created - psutil.boot_time())
    assert not is_dead(owner, 0.0)
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # a zombie from here on
    assert is_dead(owner, 0.0)


def test_an_id_that_was_given_again_is_not_taken_for_the_process(other: subprocess.Popen[bytes]) -> None:
    earlier = replace(OWN, pid=other.pid, created=time.time() - 60, created_after_boot=0.0)
    assert is_dead(earlier, 0.0)


@pytest.mark.parametrize("seconds", [-3600.0, -1.0, 1.0, 3600.0])
def test_setting_the_clock_kills_nobody(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    created, boot = psutil.Process().create_time(), psutil.boot_time()
    monkeypatch.setattr(psutil, "boot_time", lambda: boot + seconds)
    assert not is_dead(OWN, 1e9), "as macOS has it: the start of a process stays, that of the host moves"
    monkeypatch.setattr(psutil.Process, "create_time", lambda _self: created + seconds)
    assert not is_dead(OWN, 1e9), "as Linux has it: both move"


def test_where_a_process_cannot_be_looked_at_its_heartbeat_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: psutil.Process) -> float:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "create_time", refuse)
    assert not is_dead(OWN, 599.0)
    assert is_dead(OWN, 601.0)


def test_a_system_without_proc_tells_hosts_apart_by_its_boot_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(command: list[str], **_options: object) -> subprocess.CompletedProcess[bytes]:
        assert command[1:] == ["-n", "kern.bootsessionuuid"]
        return subprocess.CompletedProcess(command, 0, stdout=b"0F1E-2D3C\n")

    monkeypatch.setattr(process.sys, "platform", "darwin")
    monkeypatch.setattr(process.subprocess, "run", answer)
    process._boot_id.cache_clear()
    try:
        assert current_process().boot_id == "0F1E-2D3C"
    finally:
        process._boot_id.cache_clear()


def test_a_process_is_read_back() -> None:
    assert parse_fields(Process, asdict(OWN)) == OWN
    assert OWN.pid == os.getpid()
    started = float(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    assert OWN.created_after_boot == pytest.approx(started, abs=1.5)
