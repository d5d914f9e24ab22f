"""The exit statuses of `python train.py` and `lengthwise`, and the message printed with each."""

from __future__ import annotations

import atexit
import errno
import os
import sys
import threading
import traceback
from collections.abc import Callable

from lengthwise.errors import IncompleteRunError, LengthwiseError, printable

EXIT_FAILED = 1
"""An error of the program, a full disk, jobs that failed, or results of a run or of jobs that are not all written."""

EXIT_REFUSED = 2
"""A mistake in what was asked for."""

EXIT_INTERRUPTED = 130
"""Ctrl-C: 128 + SIGINT. SIGTERM ends with the status of `Terminated`."""

_FILE_ERRORS = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP)
"""Errors for which the name or the permissions of a file are to blame, and no mistake of the program."""

_LONGEST_NAME = 200
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def end_process() -> None:
    """End this process with status 0 at once where only memory is left to be freed: TensorFlow takes half a second.

    What is registered for the end of the process is called, and both outputs are flushed. A process with other threads
    that must end first is left to the interpreter, as is one whose output cannot be written.
    """
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread() and not thread.daemon]
    if others or "tensorflow" not in sys.modules:
        return
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return
    os._exit(0)


def print_message(message: str, status: int) -> int:
    """Print the one message that the user gets, on standard error.

    Args:
        message: What is wrong and what to do; nothing is printed where it is empty.
        status: Exit status to end with.

    Returns:
        `status`.
    """
    if message:
        print("\n".join(map(printable, message.split("\n"))), file=sys.stderr)
    return status


def find_status(error: LengthwiseError) -> int:
    """Return the exit status of an error whose message is for the user.

    Args:
        error: Any.
    """
    return EXIT_FAILED if isinstance(error, IncompleteRunError) else EXIT_REFUSED


def is_disk_error(error: BaseException) -> bool:
    """Tell whether a disk is full or takes no writing.

    Args:
        error: Any.
    """
    return isinstance(error, OSError) and error.errno in _DISK_ERRORS


def is_file_error(error: BaseException) -> bool:
    """Tell whether a file that is named cannot be used, by its permissions or its name.

    Args:
        error: Any.
    """
    return isinstance(error, OSError) and error.errno in _FILE_ERRORS and error.filename is not None


def report_error(error: BaseException, *, describe_rest: Callable[[], str] | None = None) -> int:
    """Print what ended a command; a traceback only for errors of the program.

    Args:
        error: An exception, or Ctrl-C.
        describe_rest: Says how the work is resumed; its sentence may be empty. None: nothing can be resumed, and Ctrl-C
            ends the command without a message.

    Returns:
        The exit status.
    """
    if isinstance(error, LengthwiseError):
        return print_message(str(error), find_status(error))
    if isinstance(error, KeyboardInterrupt):
        message = "" if describe_rest is None else f"Interrupted. {describe_rest()}"
        return print_message(message.strip(), EXIT_INTERRUPTED)
    if isinstance(error, BrokenPipeError):  # the reader of the output has gone, as in `--help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    if isinstance(error, OSError) and is_disk_error(error):
        rest = "" if describe_rest is None else describe_rest()
        message = f"{error.filename or 'a file'}: {error.strerror}. Make room there; what was finished is kept. {rest}"
        return print_message(message.strip(), EXIT_FAILED)
    if isinstance(error, OSError) and is_file_error(error):
        name = str(error.filename)[:_LONGEST_NAME]
        return print_message(f"{name}: {error.strerror}. Name another, or change its permissions.", EXIT_REFUSED)
    traceback.print_exception(error)
    return EXIT_FAILED
