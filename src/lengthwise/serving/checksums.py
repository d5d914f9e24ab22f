"""Checksums of a directory's files, and the only way to read them: whole, of bounded size, and never through a link."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lengthwise.errors import RunError
from lengthwise.files import dump_json

CHECKSUMS_NAME = "checksums.json"
FORMAT = 2
"""Version of the artifact's format. Version 1 had no checksums."""

_MAX_LIST_BYTES = 64 * 1024
_REMEDY = "Copy the model again from where it came, or train it again."


def build_damage_error(path: Path, problem: str) -> RunError:
    """Return the error for a file of a stored model that is not what it should be."""
    return RunError(f"{path.parent} does not hold a whole model: {path.name} {problem}. {_REMEDY}")


def write_checksums(directory: Path, names: list[str]) -> None:
    """Write the size and the SHA-256 of files of a directory into a list beside them."""
    files = {}
    for name in names:
        content = (directory / name).read_bytes()
        files[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    with (directory / CHECKSUMS_NAME).open("x", encoding="utf-8") as file:  # a new file: never through a link
        file.write(dump_json({"format": FORMAT, "files": files}, indent=1))


def read_checked(directory: Path, max_bytes: Mapping[str, int]) -> dict[str, bytes]:
    """Read files of a directory and check each against its checksum.

    Args:
        directory: As `write_checksums` left it. Files that it holds beside the listed ones are not read.
        max_bytes: Most bytes of each file; these and no other files must be listed.

    Returns:
        The content of each file.

    Raises:
        RunError: A file is missing, is a link or no regular file, is too large, or differs from its checksum.
    """
    listed = _read_list(directory, set(max_bytes))
    contents = {}
    for name, limit in max_bytes.items():
        content = _read_regular(directory / name, limit)
        if len(content) != listed[name]["bytes"]:
            problem = f"has {len(content):,} bytes instead of {listed[name]['bytes']:,}"
            raise build_damage_error(directory / name, problem)
        if hashlib.sha256(content).hexdigest() != listed[name]["sha256"]:
            raise build_damage_error(directory / name, f"differs from its checksum in {CHECKSUMS_NAME}")
        contents[name] = content
    return contents


def parse_json(path: Path, content: bytes) -> dict[str, Any]:
    """Return the JSON object that a file holds.

    Args:
        path: Of the file, for messages.
        content: Of the file.

    Raises:
        RunError: It is no JSON object.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise build_damage_error(path, f"is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise build_damage_error(path, "is not a JSON object")
    return value


def _read_list(directory: Path, names: set[str]) -> dict[str, dict[str, Any]]:
    path = directory / CHECKSUMS_NAME
    if not os.path.lexists(path) and directory.is_dir():
        raise RunError(
            f"{directory} has no {CHECKSUMS_NAME}: it is not whole, or an earlier version of Lengthwise wrote it. "
            "Train the run again."
        )
    content = parse_json(path, _read_regular(path, _MAX_LIST_BYTES))
    if content.get("format") != FORMAT:
        problem = f"has the format {content.get('format')!r:.40}, and this version of Lengthwise reads format {FORMAT}"
        raise build_damage_error(path, problem)
    files = content.get("files")
    if not isinstance(files, dict) or files.keys() != names:
        raise build_damage_error(path, f"does not list exactly {', '.join(sorted(names))}")
    for entry in files.values():
        is_entry = isinstance(entry, dict) and type(entry.get("bytes")) is int and isinstance(entry.get("sha256"), str)
        if not is_entry:
            raise build_damage_error(path, "does not give bytes and sha256 of every file")
    return files


def _read_regular(path: Path, max_bytes: int) -> bytes:
    """Return all bytes of a file that is no link, no device, and no larger than it may be."""
    try:
        # Without blocking, or a named pipe would wait for its other end for ever.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        if path.is_symlink():
            raise build_damage_error(path, "is a link, and links are not followed")
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise build_damage_error(path, "is not a regular file")
            if status.st_size > max_bytes:
                raise build_damage_error(path, f"has {status.st_size:,} bytes; at most {max_bytes:,} are read")
            return file.read(status.st_size)
    except OSError as error:
        raise build_damage_error(path, f"cannot be read ({error.strerror or error})") from error
