"""Writing files that are whole or not there, and values as JSON."""

from __future__ import annotations

import json
import math
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Control characters beyond those that JSON escapes by itself, and halves of characters, which have no UTF-8.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def dump_json(value: Any, *, indent: int | None = None) -> str:
    """Return a value as JSON that every parser takes: NaN and infinities as null, paths as text, tuples as lists.

    Control characters are escaped, so that the text may go to a terminal; letters of all languages stay as they are.

    >>> dump_json({"loss": float("nan"), "splits": ("train", "test")})
    '{"loss": null, "splits": ["train", "test"]}'

    Args:
        value: numbers, texts, None, paths, and mappings and sequences of those.
        indent: spaces by which each level is indented; None: all in one line.
    """
    text = json.dumps(as_json(value), ensure_ascii=False, allow_nan=False, indent=indent)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def as_json(value: Any) -> Any:
    """Return a value as `dump_json` writes it, in dicts, lists, texts, numbers, booleans and None.

    Args:
        value: as `dump_json` takes it.
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
