"""Provenance of a run's code: commit, uncommitted changes, versions."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from lengthwise.credentials import hide_credentials

_PACKAGES = ("lengthwise", "tensorflow", "keras", "numpy", "hydra-core", "mlflow")
_GIT_TIMEOUT_SECONDS = 5.0
_MAX_DIFF_LENGTH = 10_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class GitState:
    """State of a git checkout.

    Args:
        commit: Full hash of the commit; None before the first one.
        branch: Name of the branch; `(detached)` if there is none.
        dirty: Whether a tracked file was changed, or a new one is not ignored.
    """

    commit: str | None
    branch: str
    dirty: bool


def read_git(directory: Path) -> tuple[GitState | None, str]:
    """Describe the git checkout around a directory.

    Args:
        directory: Any directory.

    Returns:
        The state, and the changes since the commit as a diff of at most ten million characters; None and an empty text
        if there is no checkout, no git, or no answer in five seconds.
    """
    status = _git(directory, "status", "--porcelain=v2", "--branch")
    if status is None:
        return None, ""
    lines = status.splitlines()
    headers = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# "))
    oid = headers.get("branch.oid", "(initial)")
    commit = None if oid == "(initial)" else oid
    dirty = any(not line.startswith("#") for line in lines)
    diff = _git(directory, "diff", "HEAD", "--no-ext-diff", "--no-color") if dirty and commit else None
    state = GitState(commit=commit, branch=headers.get("branch.head", "(detached)"), dirty=dirty)
    return state, hide_credentials(diff or "")[:_MAX_DIFF_LENGTH]


def _git(directory: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=directory,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_TIMEOUT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", errors="replace")


def read_versions() -> Mapping[str, str]:
    """Return the versions of Python and of the packages that results depend on, without importing them."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions
