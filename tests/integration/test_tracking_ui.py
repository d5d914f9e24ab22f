"""MLflow's interface as `lengthwise ui` serves it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from lengthwise.tracking.mlflow.ui import serve_ui

PROGRAM = (
    "import sys; from lengthwise.tracking.mlflow.ui import serve_ui; sys.exit(serve_ui(sys.argv[1], int(sys.argv[2])))"
)


def status_of(address: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def group_members(leader: int) -> list[int]:
    """Return the processes below one, by /proc."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(path.parent.name)] = int(fields[1])
    found, fresh = [], [leader]
    while fresh:
        fresh = [pid for pid, parent in parents.items() if parent in fresh]
        found += fresh
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 0)])
def test_it_answers_on_a_free_port_and_ends_with_all_its_processes(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, f"sqlite:///{tmp_path}/mlflow.db", str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        first, second = process.stdout.readline(), process.stdout.readline()
    assert first.startswith(f"Port {port} is taken; using ")
    address = re.search(r"http://127\.0\.0\.1:\d+", second)
    assert address is not None, process.communicate()
    assert status_of(address.group()) == 200
    assert status_of(address.group(), Host="evil.example") == 403
    below = group_members(process.pid)
    assert 1 <= len(below) <= 3
    process.send_signal(number)
    _, messages = process.communicate(timeout=30)
    assert (process.returncode, messages) == (code, "")
    time.sleep(0.2)
    assert not [pid for pid in below if Path(f"/proc/{pid}/stat").exists()]


def test_a_server_is_only_pointed_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert serve_ui("http://me:secret@host:5000", 5000) == 0
    assert capsys.readouterr().out == "The runs are on a server: http://me:***@host:5000/#/experiments\n"
