from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from lengthwise.data.text_table import Row, find_column, read_rows
from lengthwise.errors import DataError


def write(directory: Path, name: str, content: str) -> str:
    file = directory / name
    file.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    return str(file)


@pytest.mark.parametrize(
    ("name", "content", "cells"),
    [
        ("a.txt", 'x\t"y\n', [["x", '"y']]),
        ("a.tsv", "x\ty\tz\n\nu\n", [["x", "y", "z"], [], ["u"]]),
        ("a.tsv.gz", "x\ty\n", [["x", "y"]]),
        ("a.csv", 'x,"y, ""z"""\r\n1,2\r\n', [["x", 'y, "z"'], ["1", "2"]]),
        ("a.CSV", "x;1,5\ny;2\n", [["x", "1,5"], ["y", "2"]]),
        ("a.csv", '"a, b";c\nd;"e,f"\n', [["a, b", "c"], ["d", "e,f"]]),
        ("a.csv", "a\tb\n", [["a", "b"]]),
        ("a.csv.gz", "a,b\n  \nc,d\n", [["a", "b"], [], ["c", "d"]]),
        ("a.txt", "IN: walk OUT: I_WALK\n\nIN: a OUT: b OUT: c \n", [["walk", "I_WALK"], [], ["a", "b OUT: c "]]),
        ("a.txt", "IN: walk OUT: I_WALK\tx\n", [["IN: walk OUT: I_WALK", "x"]]),
    ],
)
def test_the_name_and_the_first_line_decide_the_form(
    name: str, content: str, cells: list[list[str]], tmp_path: Path
) -> None:
    assert list(read_rows(write(tmp_path, name, content))) == [Row(n, row) for n, row in enumerate(cells, start=1)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", 'x,y\na,"b\nc"\n', r"line 2: cannot be read as CSV \(.*Close each quote on its line"),
        ("a.csv", 'x,y\na,"b"c\n', r"line 2: cannot be read as CSV"),
        ("a.csv", "x,y\na,b,c\n", r"line 2: has 3 columns, the first line 2\. Give every line 2 columns, and put"),
        ("a.txt", "IN: a OUT: b\nwalk\n", r"line 2: is not of the form IN: \.\.\. OUT: \.\.\."),
    ],
)
def test_a_wrong_line_is_named(name: str, content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        list(read_rows(write(tmp_path, name, content)))


def test_what_is_not_compressed_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.csv.gz"
    for content in (b"a,b\n", gzip.compress(b"a,b\n" * 1_000)[:-9]):
        file.write_bytes(content)
        with pytest.raises(DataError, match=r"is not a whole gzip file .* Compress it again"):
            read_rows(str(file))


def test_columns_are_found_by_number_or_name() -> None:
    header = Row(3, ["id", " question ", "answer", "id"])
    assert find_column("f", 4, None) == 3
    assert find_column("f", "question", header) == 1
    with pytest.raises(DataError, match=r"f, line 3: has no column of the name 'text' in its header \(id, question,"):
        find_column("f", "text", header)
    with pytest.raises(DataError, match=r"has 2 columns of the name 'id'"):
        find_column("f", "id", header)
