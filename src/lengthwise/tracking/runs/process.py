"""The process of a run: identifying it, and finding out whether it still lives."""

from __future__ import annotations

import functools
import getpass
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

_PATIENCE_SECONDS = 600.0
_PATIENCE_AFTER_BOOT_SECONDS = 60.0
_SYSCTL_TIMEOUT_SECONDS = 5.0

# Clocks are read to the second, and a change between two readings moves one of the two times below by it. No system
# gives a process id to a second process that soon.
_START_TOLERANCE_SECONDS = 1.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """A process, identified among those of all hosts and times.

    Args:
        host: Name of the host.
        user: Name of the user.
        pid: Process id, which the system gives to another process some time later.
        created: When the process started, in seconds since the epoch; None where it is not known.
        created_after_boot: The same in seconds since the host started; None where it is not known.
        boot_id: Changes whenever the host starts; None where it is not known.
        pid_namespace: Within which `pid` is valid (containers); None where it is not known.

    Raises:
        ValueError: The process id is below 1.
    """

    host: str
    user: str
    pid: int
    created: float | None
    created_after_boot: float | None
    boot_id: str | None
    pid_namespace: str | None

    def __post_init__(self) -> None:
        if self.pid < 1:
            raise ValueError(f"pid must be at least 1; got {self.pid}")


def current_process() -> Process:
    """Return this process."""
    created = psutil.Process().create_time()
    return Process(
        host=socket.gethostname(),
        user=_user(),
        pid=os.getpid(),
        created=created,
        created_after_boot=created - psutil.boot_time(),
        boot_id=_boot_id(),
        pid_namespace=_pid_namespace(),
    )


def upgrade_process(content: Any) -> Any:
    """Bring the JSON object of a process up to date; version 0.1.0 of November 2026 wrote `start_ticks`.

    Args:
        content: The object, with the clock ticks from the host's start to the process' instead of the two times.

    Returns:
        The fields of `Process`; what is not such an object is returned as it is.
    """
    ticks = content.get("start_ticks") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(ticks, int | None):
        return content
    kept = {key: value for key, value in content.items() if key != "start_ticks"}
    seconds = None if ticks is None else ticks / os.sysconf("SC_CLK_TCK")
    return kept | {"created": None, "created_after_boot": seconds}


def is_dead(process: Process, silent_seconds: float) -> bool:
    """Tell whether a process is certainly, or after a long silence very likely, dead.

    Args:
        process: The process.
        silent_seconds: Time since its last heartbeat.

    Returns:
        On the same host, and within the same container, whether the process has ended. After a restart of the host,
        or where hosts share a name: whether it was silent for a minute. On another host: for ten minutes.
    """
    boot_id = _boot_id()
    is_same_host = process.host == socket.gethostname()
    if is_same_host and process.boot_id is not None and process.boot_id != boot_id:
        return silent_seconds > _PATIENCE_AFTER_BOOT_SECONDS
    if not is_same_host or boot_id is None or process.pid_namespace != _pid_namespace():
        return silent_seconds > _PATIENCE_SECONDS
    try:
        found = psutil.Process(process.pid)
        has_ended = found.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        return has_ended or not _has_start_of(process, found.create_time())
    except (psutil.NoSuchProcess, OverflowError):  # the second: no process can have this id
        return True
    except psutil.AccessDenied:
        return silent_seconds > _PATIENCE_SECONDS


def _has_start_of(process: Process, created: float) -> bool:
    """Compare starts by both times: setting the clock changes one of them, on Linux the first, on macOS the second."""
    pairs = ((process.created, created), (process.created_after_boot, created - psutil.boot_time()))
    differences = [abs(stored - found) for stored, found in pairs if stored is not None]
    return not differences or min(differences) < _START_TOLERANCE_SECONDS


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may run under a number without a name
        return "unknown"


@functools.cache
def _boot_id() -> str | None:
    try:
        if sys.platform == "darwin":
            command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
            done = subprocess.run(command, capture_output=True, timeout=_SYSCTL_TIMEOUT_SECONDS, check=True)
            return done.stdout.decode("ascii").strip() or None
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _pid_namespace() -> str | None:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None
