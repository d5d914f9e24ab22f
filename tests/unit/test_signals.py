from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from lengthwise.errors import Terminated
from lengthwise.signals import restore_sigterm, terminate_by_exception


@pytest.fixture(autouse=True)
def _default_handler() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


def ignore(_number: int, _frame: object) -> None:
    """A handler of somebody else."""


def test_sigterm_is_raised_once() -> None:
    with pytest.raises(Terminated) as caught, terminate_by_exception():
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_second_one_ends_the_process_at_once() -> None:
    code = (
        "import os, signal\nfrom lengthwise.signals import terminate_by_exception\n"
        "with terminate_by_exception():\n"
        "    try:\n        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    finally:\n        print('closing', flush=True); os.kill(os.getpid(), signal.SIGTERM); print('closed')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGTERM, "closing\n", "")


@pytest.mark.parametrize("handler", [ignore, signal.SIG_IGN])
def test_the_handler_of_somebody_else_stays(handler: signal.Handlers) -> None:
    signal.signal(signal.SIGTERM, handler)
    with terminate_by_exception():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is handler


def test_other_threads_change_nothing() -> None:
    found = []

    def look() -> None:
        with terminate_by_exception():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.SIG_DFL]


def test_a_handler_is_put_back_and_may_get_the_signal() -> None:
    received = []
    signal.signal(signal.SIGTERM, lambda number, _frame: received.append(number))
    handler = signal.getsignal(signal.SIGTERM)
    with restore_sigterm():
        assert signal.getsignal(signal.SIGTERM) is handler
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) is handler
    with restore_sigterm(use_default=True) as pass_on:
        with pytest.raises(Terminated), terminate_by_exception():
            os.kill(os.getpid(), signal.SIGTERM)
        pass_on()
    assert received == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is handler
