"""Decide a run's status by how it ended."""

from __future__ import annotations

from typing import Literal

from lengthwise.credentials import hide_credentials

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]

_INTERRUPTED, _TERMINATED = 130, 143  # exit statuses after SIGINT and SIGTERM
_MAX_REASON_LENGTH = 2000


def judge_end(error: BaseException | None) -> tuple[Status, str | None]:
    """Return the status that an exception means, and why the run did not finish.

    Args:
        error: What has ended the run; None after a normal end.

    Returns:
        FINISHED without a reason after a normal end; KILLED after Ctrl-C or SIGTERM; FAILED after any other exception.
    """
    code = error.code if isinstance(error, SystemExit) else None
    if error is None or (isinstance(error, SystemExit) and code in (None, 0)):
        return "FINISHED", None
    if isinstance(error, KeyboardInterrupt) or code == _INTERRUPTED:
        return "KILLED", "stopped by SIGINT"
    if code == _TERMINATED:
        return "KILLED", "stopped by SIGTERM"
    kind = "exit" if isinstance(error, SystemExit) else type(error).__name__
    return "FAILED", hide_credentials(f"{kind}: {error}")[:_MAX_REASON_LENGTH]
