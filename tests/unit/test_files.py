from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from lengthwise.files import dump_json, write_whole


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, "null"),
        (-math.inf, "null"),
        (0.1, "0.1"),
        (True, "true"),
        ({"a": (1, [math.inf, "x"])}, '{"a": [1, [null, "x"]]}'),
        (Path("a/b"), '"a/b"'),
        ("naïve 長さ 😀", '"naïve 長さ 😀"'),
        ("\x1b[2J\x9b\x7f", r'"\u001b[2J\u009b\u007f"'),
        ("\u202e\u200b\U000e0001", r'"\u202e\u200b\udb40\udc01"'),
        ("\udc80", r'"\udc80"'),
    ],
)
def test_values_as_json(value: object, text: str) -> None:
    assert dump_json(value) == text


def test_any_text_is_read_back() -> None:
    text = "".join(map(chr, [*range(0x300), 0x2028, 0x2029, 0xDFFF, 0xD800, 0xFFFF, 0x1F600]))
    written = dump_json({"text": text}, indent=1)
    assert json.loads(written.encode())["text"] == text
    assert not [letter for letter in written if letter != "\n" and (ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0)]


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    for content in (b"old and longer", b"new"):
        write_whole(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="none/file"):
        write_whole(tmp_path / "none" / "file", b"")
