"""Which process a run belongs to, and whether it still lives."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from pathlib import Path

_PATIENCE_SECONDS = 600.0
_PATIENCE_AFTER_BOOT_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """A process, told apart from any other one on any host at any time.

    Args:
        host: name of the host.
        user: name of the user.
        pid: process id.
        start_ticks: when the process started, in clock ticks since boot; tells a reused id. None where not known.
        boot_id: changes whenever the host starts; None where not known.
        pid_namespace: within which `pid` means something (containers); None where not known.
    """

    host: str
    user: str
    pid: int
    start_ticks: int | None
    boot_id: str | None
    pid_namespace: str | None


def current_owner() -> Owner:
    """Return this process."""
    return Owner(
        host=socket.gethostname(),
        user=_user(),
        pid=os.getpid(),
        start_ticks=_start_ticks(os.getpid()),
        boot_id=_boot_id(),
        pid_namespace=_pid_namespace(),
    )


def is_gone(owner: Owner, silent_seconds: float) -> bool:
    """Tell whether a process is certainly, or after long silence very likely, dead.

    Args:
        owner: the process.
        silent_seconds: time since its last heartbeat.

    Returns:
        On the same host, and within the same container, whether the process is there. After a restart of the host,
        or where hosts share a name: whether it was silent for a minute. On another host: for ten minutes.
    """
    boot_id = _boot_id()
    same_host = owner.host == socket.gethostname()
    if same_host and owner.boot_id is not None and owner.boot_id != boot_id:
        return silent_seconds > _PATIENCE_AFTER_BOOT_SECONDS
    if not same_host or boot_id is None or owner.pid_namespace != _pid_namespace():
        return silent_seconds > _PATIENCE_SECONDS
    return _start_ticks(owner.pid) != owner.start_ticks


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may run under a number without a name
        return "unknown"


def _boot_id() -> str | None:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None


def _pid_namespace() -> str | None:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None


def _start_ticks(pid: int) -> int | None:
    """Return a process' start in ticks since boot, field 22 of proc_pid_stat(5); None where it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before may hold spaces and brackets
    return None if fields[0] in {"Z", "X"} else int(fields[19])
