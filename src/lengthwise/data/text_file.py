"""Read a user's text file, or say in one message why it cannot be read."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import NoReturn

from lengthwise.errors import DataError

CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters of Unicode except tab and line ends. They are not shown as text, and a terminal obeys them."""


BLOCK_BYTES = 1 << 24
"""Bytes of a large file that are read at a time."""


MOST_TIMES = 100
MOST_FREE_BYTES = 1 << 26
"""How many times its own size a compressed file may unpack to, and the bytes that any may. A megabyte of zeros that was
compressed can stand for a gigabyte; text is some ten times as large as its compressed file."""


def read_bytes(path: str) -> bytes:
    """Return a file's content, decompressed where its name ends in `.gz`.

    Raises:
        DataError: The file is missing, a directory, empty, not readable, compressed in another way than it says, or
            stands for far more than it holds.
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
            most = count_most_bytes(len(content))
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
                unpacked = stream.read(most + 1)
            if len(unpacked) > most:
                raise refuse_size(path, len(content))
            content = unpacked
        except (OSError, EOFError, zlib.error) as error:
            remedy = "Compress it again with gzip, or take .gz from its name"
            raise DataError(path, None, f"is not a whole gzip file ({error})", remedy=remedy) from None
    if not content.strip():
        raise DataError(path, None, "is empty", remedy="Name a file with data in dataset.path")
    return content


def count_most_bytes(num_packed: int) -> int:
    """Return the most bytes that a compressed file of this many bytes may unpack to."""
    return max(MOST_FREE_BYTES, MOST_TIMES * num_packed)


def refuse_size(path: str, num_packed: int) -> DataError:
    """Build the refusal of a compressed file that unpacks to more than it may."""
    problem = f"unpacks to more than {MOST_TIMES} times its {num_packed:,} bytes"
    return DataError(path, None, problem, remedy="If it is what it should be, unpack it and store it uncompressed")


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


def iterate_lines(path: str) -> Iterator[str]:
    """Yield the lines of `read_lines`; of a large file only a part is held at a time.

    Raises:
        DataError: As for `read_lines`; before it, lines may have been yielded.
    """
    file = Path(path).expanduser()
    is_compressed = file.suffix.lower() == ".gz"
    if is_compressed or not file.is_file() or file.stat().st_size <= BLOCK_BYTES:
        yield from read_lines(path)
        return
    num_empty = 0  # lines that are left out if no other line follows
    for text in _read_texts(path, file):
        for line in text.split("\n"):
            if not line:
                num_empty += 1
                continue
            yield from repeat("", num_empty)
            num_empty = 0
            yield line


def _read_texts(path: str, file: Path) -> Iterator[str]:
    """Yield a file's text, some whole lines at a time; a file that `read_lines` refuses is refused by it."""
    is_blank, has_ends, rest = True, False, b""
    with file.open("rb") as opened:
        opened.seek(len(codecs.BOM_UTF8) * (opened.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8))
        while block := opened.read(BLOCK_BYTES):
            whole, end, rest = (rest + block).rpartition(b"\n")
            if end:
                has_ends = True
                text = _decode(path, whole + end).removesuffix("\n")
                is_blank &= not text.strip()
                yield text
    if not has_ends:  # or all lines end with CR
        yield "\n".join(read_lines(path))
        return
    if rest:
        text = _decode(path, rest)
        is_blank &= not text.strip()
        yield text
    if is_blank:
        read_lines(path)


def _decode(path: str, content: bytes) -> str:
    try:
        text = content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        text = "\0"
    if CONTROL_CHARACTER.search(text):
        read_lines(path)  # which names the line
    return text


def _refuse_control_character(path: str, lines: list[str]) -> NoReturn:
    matches = [CONTROL_CHARACTER.search(line) for line in lines]
    number, found = next((number, found) for number, found in enumerate(matches, start=1) if found is not None)
    num_further = sum(each is not None for each in matches) - 1
    further = f"; lines below that have one too: {num_further:,}" if num_further else ""
    problem = f"has the control character U+{ord(found.group()):04X} at character {found.start() + 1}{further}"
    raise DataError(path, number, problem, remedy="Remove it")
