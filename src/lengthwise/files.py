"""Files that are whole or not there."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file aside, sync it and rename it, so that a kill at any instant leaves the old or the new one.

    Args:
        path: the file; its directory must exist.
        content: all its bytes.

    Raises:
        OSError: it cannot be written; names `path`. Nothing is left under its name that was not there before.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with aside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        sync(path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        aside.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Bring what was written to a file, or a directory's entries, to the disk.

    Raises:
        OSError: it cannot be written.
    """
    if path.is_dir() and os.name != "posix":
        return  # directories cannot be opened there
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
