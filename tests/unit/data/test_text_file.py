from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lengthwise.data import text_file
from lengthwise.data.text_file import iterate_lines, read_lines
from lengthwise.errors import DataError

PIECES = st.lists(
    st.sampled_from([b"a", b"bc\t", b" ", b"\n", b"\r\n", b"\n\n", b"\r", b"\x01", b"\xff", "é".encode()])
)


@given(st.booleans(), PIECES, st.integers(1, 9))
def test_a_large_file_has_the_lines_and_the_message_of_a_small_one(has_mark, pieces, block_bytes):
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        file = Path(directory) / "text.txt"
        file.write_bytes(b"\xef\xbb\xbf" * has_mark + b"".join(pieces))
        patch.setattr(text_file, "BLOCK_BYTES", block_bytes)
        assert collect(iterate_lines, file) == collect(read_lines, file)


def collect(read, file):
    """The lines, or the message that refuses the file."""
    try:
        return list(read(str(file)))
    except DataError as error:
        return str(error)


def test_a_file_that_unpacks_to_far_more_than_it_holds_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "text.txt.gz"
    file.write_bytes(gzip.compress(b"a line of text\n" * 20_000))
    assert len(read_lines(str(file))) == 20_000
    monkeypatch.setattr(text_file, "MOST_FREE_BYTES", 1_000)
    with pytest.raises(DataError, match=r"unpacks to more than 100 times its .* bytes.*store it uncompressed"):
        read_lines(str(file))
