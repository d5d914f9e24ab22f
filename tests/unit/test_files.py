from __future__ import annotations

import contextlib
import json
import math
import re
from pathlib import Path

import pytest

from lengthwise.errors import RunError
from lengthwise.files import dump_json, open_whole, write_whole


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


@pytest.mark.parametrize(("error", "left"), [(None, "new\n"), (KeyboardInterrupt, "new\n"), (ValueError, "old")])
def test_a_text_takes_its_place_at_the_end(tmp_path: Path, error: type[BaseException] | None, left: str) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with contextlib.suppress(KeyboardInterrupt, ValueError), open_whole(path) as file:
        file.write("new\n")
        assert path.read_text() == "old"
        if error is not None:
            raise error
    assert path.read_text() == left
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_text_is_written_through_no_link_and_into_a_device(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="is not a regular file"), open_whole(tmp_path / "link"):
        pass
    with open_whole(Path("/dev/null")) as file:
        file.write("lost")
    assert [each.name for each in tmp_path.iterdir()] == ["link"]


@pytest.mark.parametrize("path", [Path(), Path("/"), Path("..")])
def test_a_directory_is_not_replaced(path: Path) -> None:
    with pytest.raises(OSError, match=re.escape(str(path))):
        write_whole(path, b"x")
