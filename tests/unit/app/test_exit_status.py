from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from lengthwise.app.cli import run_command
from lengthwise.app.exit_status import EXIT_FAILED, EXIT_REFUSED, report_error

SCRIPT = """
import atexit, sys, threading
from lengthwise.app.exit_status import end_process
sys.modules["tensorflow"] = sys  # as if it had been imported
atexit.register(print, "called at the end")
class Kept:
    def __del__(self):
        print("freed")
kept = Kept()
{before}
end_process()
print("goes on")
"""


@pytest.mark.parametrize(
    ("before", "printed"),
    [
        ("", ["called at the end"]),
        ("del sys.modules['tensorflow']", ["goes on", "called at the end", "freed"]),
        ("threading.Timer(0.05, print, ['thread']).start()", ["goes on", "thread", "called at the end", "freed"]),
    ],
)
def test_only_freeing_memory_is_left_out_of_the_end(before, printed):
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(before=before)], check=True, capture_output=True, text=True, timeout=60
    )
    assert ended.stdout.split("\n")[:-1] == printed
    assert ended.stderr == ""


@pytest.mark.parametrize(
    "words", [["show", "é" * 300], ["models", "é"], ["models", "x" * 300], ["diff", "x" * 5_000, "x"]]
)
def test_a_name_that_no_file_can_have_gets_one_message(words, capsys):
    assert run_command(words) == EXIT_REFUSED
    output = capsys.readouterr()
    assert output.err.count("\n") == 1
    assert "Traceback" not in output.err


def test_a_file_that_may_not_be_written_gets_one_message(capsys):
    assert report_error(PermissionError(errno.EACCES, os.strerror(errno.EACCES), "a/\x1b[31mname")) == EXIT_REFUSED
    message = "a/\\x1b[31mname: Permission denied. Name another, or change its permissions.\n"
    assert capsys.readouterr().err == message


def test_an_error_of_the_program_keeps_its_traceback(capsys):
    assert report_error(PermissionError(errno.EACCES, "without a name")) == EXIT_FAILED
    assert "PermissionError" in capsys.readouterr().err
