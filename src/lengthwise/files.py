"""Writing files that are whole or not there, reading files without following links, and values as JSON."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from lengthwise.errors import RunError

_NOT_ASCII = re.compile(r"[^\n -~]")


def dump_json(value: Any, *, indent: int | None = None) -> str:
    """Return a value as JSON that every parser takes: NaN and infinities as null, paths as text, tuples as lists.

    What cannot be printed is escaped, so that the text may go to a terminal; letters of all languages stay as they are.

    >>> dump_json({"loss": float("nan"), "splits": ("train", "test")})
    '{"loss": null, "splits": ["train", "test"]}'

    Args:
        value: Numbers, texts, None, paths, and mappings and sequences of those.
        indent: Spaces by which each level is indented; None: all in one line.
    """
    text = json.dumps(as_json(value), ensure_ascii=False, allow_nan=False, indent=indent)
    return _NOT_ASCII.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    letter = found.group()
    return letter if letter.isprintable() else json.dumps(letter)[1:-1]


def as_json(value: Any) -> Any:
    """Return a value as `dump_json` writes it, in dicts, lists, texts, numbers, booleans and None.

    Args:
        value: As `dump_json` takes it.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return value


def write_whole(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file aside and rename it, so that a kill at any instant leaves the old or the new one.

    A link at `path` is replaced by the file; nothing is written through it.

    Args:
        path: The file; its directory must exist.
        content: All its bytes.
        durable: Whether it is synced to the disk, so that a loss of power leaves the old or the new one too.

    Raises:
        OSError: It cannot be written; names `path`. Nothing is left under its name that was not there before.
    """
    if not path.name:  # an empty text, which stands for the current directory
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with aside.open("xb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        aside.replace(path)
        if durable:
            sync(path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        aside.unlink(missing_ok=True)


def append(path: Path, content: bytes) -> None:
    """Add to the end of a file, on the disk when this returns; a kill in the middle leaves a part of what was added.

    Args:
        path: The file, neither a link nor a device; it is made where it is missing.
        content: What is added.

    Raises:
        RunError: It is a link, a device, a pipe or a directory.
        OSError: It cannot be written; names `path`.
    """
    try:
        with os.fdopen(open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextlib.contextmanager
def open_whole(path: Path) -> Iterator[TextIO]:
    """Open a text file that takes its place at the end of the context; until then what was there stays.

    A device or a pipe is written at once. Ctrl-C keeps what was written so far; any other error keeps what was there.

    Args:
        path: The file, in UTF-8; no link.

    Raises:
        RunError: It is a link.
        OSError: It cannot be written.
    """
    if path.is_symlink():
        raise _refusal(path)
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        return
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with aside.open("x", encoding="utf-8", newline="\n") as file:
            yield file
    except KeyboardInterrupt:
        aside.replace(path)
        raise
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    aside.replace(path)


def sync(path: Path) -> None:
    """Sync to the disk what was written to a file, or the entries of a directory.

    Args:
        path: The file or directory.

    Raises:
        OSError: It cannot be written.
    """
    if path.is_dir() and os.name != "posix":
        return  # directories cannot be opened there
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a file that is neither a link nor a device, and return its descriptor.

    Args:
        path: The file; only its last part is looked at.
        flags: As `os.open` takes them.

    Raises:
        RunError: It is a link, a device, a pipe or a directory.
        OSError: It cannot be opened.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise _refusal(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _refusal(path)
    return descriptor


def read_regular(path: Path, *, max_bytes: int) -> bytes:
    """Read a file that is neither a link nor a device.

    Args:
        path: The file; only its last part is looked at.
        max_bytes: Longest content that is read.

    Raises:
        RunError: It is a link, a device, a pipe or a directory, or it is longer.
        OSError: It cannot be read.
    """
    with open_stream(path) as file:
        size = min(os.fstat(file.fileno()).st_size, max_bytes)
        content = file.read(size + 1)  # not `max_bytes`, for which memory would be taken each time
        if size < len(content) <= max_bytes:  # it is growing
            content += file.read(max_bytes + 1 - len(content))
    if len(content) > max_bytes:
        raise RunError(f"{path} has more than {max_bytes:,} bytes, which no run writes. Move the run's directory away.")
    return content


def open_stream(path: Path) -> BinaryIO:
    """Open a file for reading that is neither a link nor a device.

    Args:
        path: The file; only its last part is looked at.

    Raises:
        RunError: It is a link, a device, a pipe or a directory.
        OSError: It cannot be opened.
    """
    return os.fdopen(open_regular(path), "rb")


def list_files(directory: Path) -> list[Path]:
    """Return the regular files below a directory, sorted; no link is followed, at any depth.

    Args:
        directory: The directory, which may itself be a link.
    """
    return sorted(path for path, is_regular in _walk(directory) if is_regular)


def refuse_links(directory: Path) -> None:
    """Refuse a directory that contains anything but regular files and directories, at any depth.

    Args:
        directory: The directory, which may itself be a link.

    Raises:
        RunError: There is a link, a device, a pipe or a socket; names it.
    """
    for path, is_regular in _walk(directory):
        if not is_regular:
            raise _refusal(path)


def _walk(directory: Path) -> Iterator[tuple[Path, bool]]:
    """Yield everything below a directory except directories, and whether it is a regular file."""
    left = [directory]
    while left:
        current = left.pop()
        with os.scandir(current) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    left.append(current / entry.name)
                else:
                    yield current / entry.name, entry.is_file(follow_symlinks=False)


def _refusal(path: Path) -> RunError:
    return RunError(
        f"{path} is not a regular file. Links and devices are never followed. "
        "Put the file itself in its place, or remove it."
    )
