"""SIGTERM as an exception, its handler put back after code that replaces it, and Ctrl-C held back for a moment."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

from lengthwise.errors import Terminated


@contextlib.contextmanager
def terminate_by_exception() -> Iterator[None]:
    """Let SIGTERM raise `Terminated`, so that whatever is open is closed; a second one ends the process at once.

    Nothing changes outside the main thread, which is the only one that receives signals, nor where SIGTERM is handled
    already: whoever installed that handler decides.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def terminate(_number: int, _frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise Terminated

    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def restore_sigterm(*, use_default: bool = False) -> Iterator[Callable[[], None]]:
    """Put the present handler of SIGTERM back at the end, whatever was installed meanwhile.

    Args:
        use_default: whether the block begins with the system's own handling, so that `terminate_by_exception` takes
            effect in it.

    Yields:
        A function that puts the handler back at once and sends SIGTERM to this process for it.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if use_default:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def pass_on() -> None:
        signal.signal(signal.SIGTERM, handler)
        os.kill(os.getpid(), signal.SIGTERM)

    try:
        yield pass_on
    finally:
        signal.signal(signal.SIGTERM, handler)


@contextlib.contextmanager
def hold_interrupt() -> Iterator[None]:
    """Hold Ctrl-C back until the block ends; processes that are started in it never receive it.

    A terminal sends SIGINT to the whole process group. Children that their parent stops should get it from nobody
    else, not even in their first moments, in which they have no handler yet.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
