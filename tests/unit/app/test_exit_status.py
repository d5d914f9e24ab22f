from __future__ import annotations

import subprocess
import sys

import pytest

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
