"""Read a user's text file, or say in one message why it cannot be read."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from pathlib import Path
from typing import NoReturn

from lengthwise.errors import DataError

CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters of Unicode except tab and line ends. They are not shown as text, and a terminal obeys them."""


def read_bytes(path: str) -> bytes:
    """Return a file's content, decompressed where its name ends in `.gz`.

    Raises:
        DataError: The file is missing, a directory, empty, not readable, or compressed in another way than it says.
    """
    file = Path(path).expanduser()
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise DataError(path, None, "no such file", remedy="Check dataset.path") from None
    except IsADirectoryError:
        raise DataError(path, None, "is a directory", remedy="Name a file in dataset.path") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(path, None, f"cannot be read: {reason}", remedy="Check the file and its permissions") from None
    if file.suffix.lower() == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            remedy = "Compress it again with gzip, or take .gz from its name"
            raise DataError(path, None, f"is not a whole gzip file ({error})", remedy=remedy) from None
    if not content.strip():
        raise DataError(path, None, "is empty", remedy="Name a file with data in dataset.path")
    return content


def read_lines(path: str) -> list[str]:
    """Return the lines of a UTF-8 file without line ends (LF or CRLF; CR where there is no LF) and byte order mark.

    No other character ends a line, so that line numbers agree with those of an editor. Empty lines at the end are left
    out.

    Raises:
        DataError: The file is missing, a directory, empty, not readable, not UTF-8, or holds control characters.
    """
    content = read_bytes(path).removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        problem = "is not UTF-8" + (": the file is UTF-16" if is_utf_16 else "")
        raise DataError(path, line, problem, remedy="Store the file as UTF-8") from None
    text = text.replace("\r\n", "\n")
    text = (text if "\n" in text else text.replace("\r", "\n")).rstrip("\n")
    if not text.strip():
        raise DataError(path, None, "is empty", remedy="Name a file with data in dataset.path")
    lines = text.split("\n")
    if CONTROL_CHARACTER.search(text):
        _refuse_control_character(path, lines)
    return lines


def _refuse_control_character(path: str, lines: list[str]) -> NoReturn:
    matches = [CONTROL_CHARACTER.search(line) for line in lines]
    number, found = next((number, found) for number, found in enumerate(matches, start=1) if found is not None)
    num_further = sum(each is not None for each in matches) - 1
    further = f"; lines below that have one too: {num_further:,}" if num_further else ""
    problem = f"has the control character U+{ord(found.group()):04X} at character {found.start() + 1}{further}"
    raise DataError(path, number, problem, remedy="Remove it")
