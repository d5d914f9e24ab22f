"""Texts that no dataset can be made of, each with the place and the mistake that its refusal must name."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

Content = bytes | Callable[[Path], None]
"""What is in the file, or what makes something else than a file at its path."""


@dataclass(frozen=True)
class BadFile:
    """A file of a user's.

    Args:
        dataset: The dataset that reads it, with its options.
        name: Of the file.
        content: In it, or what is done at its path.
        words: What the message must hold, beside the name of the file.
    """

    dataset: tuple[str, ...]
    name: str
    content: Content
    words: tuple[str, ...]


PAIRS = ("dataset=pairs",)
G2P = ("dataset=g2p",)
SERIES = ("dataset=series", "timesteps=4")
FORECAST = ("dataset=forecast", "timesteps=2", "dataset.history=3")
SEQUENCES = ("dataset=sequences", "dataset.id_column=id")

GOOD_PAIRS = "".join(f"go {n}\tva {n}\n" for n in range(20))
GOOD_CSV = GOOD_PAIRS.replace("\t", ",")
GOOD_WORDS = "".join(f"w{n} A B\n" for n in range(30))
GOOD_ROWS = "a,b\n" + "".join(f"{n},{n % 7}\n" for n in range(60))
GOOD_LONG = "id,a,b\n" + "".join(f"s{n // 3},{n},{n % 7}\n" for n in range(60))

TEXTS = (
    (PAIRS, "pairs.tsv", GOOD_PAIRS),
    (PAIRS, "pairs.csv", GOOD_CSV),
    (G2P, "words.dict", GOOD_WORDS),
    (SERIES, "rows.csv", GOOD_ROWS),
    (FORECAST, "rows.tsv", GOOD_ROWS.replace(",", "\t")),
    (SEQUENCES, "long.csv", GOOD_LONG),
)
"""Every reader of text with a file that it takes."""


def change_line(text: str, number: int, line: str | None) -> bytes:
    """Return a text with another line, or without it."""
    lines = text.split("\n")
    lines[number - 1 : number] = [] if line is None else [line]
    return "\n".join(lines).encode()


def list_bad_files() -> Iterator[BadFile]:
    """Yield all of them."""
    for dataset, name, good in TEXTS:
        yield from spoil_any_text(dataset, name, good)
    yield from spoil_pairs()


def spoil_any_text(dataset: tuple[str, ...], name: str, good: str) -> Iterator[BadFile]:
    """Yield what is wrong with a text of any kind."""
    second = good.split("\n")[1]
    yield BadFile(dataset, name, lambda _path: None, ("no such file",))
    yield BadFile(dataset, name, lambda path: path.symlink_to("nowhere"), ("no such file",))
    yield BadFile(dataset, name, Path.mkdir, ("is a directory",))
    yield BadFile(dataset, name, b"", ("is empty",))
    yield BadFile(dataset, name, b" \r\n\t\n", ("is empty",))
    yield BadFile(dataset, name, b"\xef\xbb\xbf\n", ("is empty",))
    yield BadFile(dataset, name, good.encode("utf-16"), ("line 1", "UTF-16"))
    yield BadFile(dataset, name, change_line(good, 2, second) + b"\xe9\n", ("is not UTF-8",))
    yield BadFile(dataset, name, change_line(good, 2, f"{second[:1]}\0{second[1:]}"), ("line 2", "U+0000"))
    yield BadFile(dataset, name, change_line(good, 2, f"{second}\x1b[31m"), ("line 2", "U+001B"))
    yield BadFile(dataset, f"{name}.gz", good.encode(), ("is not a whole gzip file",))
    yield BadFile(dataset, f"{name}.gz", gzip.compress(good.encode())[:-8], ("is not a whole gzip file",))


def spoil_pairs() -> Iterator[BadFile]:
    """Yield what is wrong with pairs and with dictionaries."""
    words = ("dataset.source_unit=words", "dataset.target_unit=words")
    for line, message in (
        ("go 2", "has no tab"),
        ("\tva 2", "has a blank source"),
        ("go 2\t", "has a blank target"),
        (" \t \tx", "has a blank source"),
    ):
        yield BadFile(PAIRS, "pairs.tsv", change_line(GOOD_PAIRS, 3, line), ("line 3", message))
    yield BadFile((*PAIRS, *words), "a.tsv", change_line(GOOD_PAIRS, 3, "go <stop>\tx"), ("line 3", "special symbol"))
    for line, message in (
        ("go 2", "has 1 column, the first line 2"),
        ("go, 2,va 2", "has 3 columns, the first line 2"),
        ('"go 2,va 2', "cannot be read as CSV"),
        ('"go" 2,va 2', "cannot be read as CSV"),
        ('"go\n2",va 2', "Close each quote on its line"),
        (",va 2", "has a blank source"),
    ):
        yield BadFile(PAIRS, "pairs.csv", change_line(GOOD_CSV, 3, line), ("line 3", message))
    for options, message in (
        (("dataset.source_column=9",), "line 1: has 2 columns, and column 9 is to be read"),
        (("dataset.source_column=text",), "line 1: has no column of the name 'text'"),
    ):
        yield BadFile((*PAIRS, *options), "pairs.tsv", GOOD_PAIRS.encode(), (message,))
    named = ("dataset.source_column=source", "dataset.target_column=target")
    yield BadFile((*PAIRS, *named), "a.csv", b"source,target\n", ("line 1", "holds a header and no pairs"))
    yield BadFile((*PAIRS, *named), "a.csv", b"source,source,target\na,b,c\n", ("line 1", "2 columns of the name"))
    yield BadFile((*PAIRS, "dataset.target_unit='|'"), "a.tsv", b"a\tb||c\n", ("line 1", "nothing between two"))
    yield BadFile((*PAIRS, "dataset.tags_column=3"), "a.tsv", b"a[b]\tb\tV\n", ("line 1", "brackets mark tags"))
    yield BadFile((*PAIRS, "dataset.tags_column=3"), "a.tsv", b"a\tb\tV;\n", ("line 1", "blank tag"))
    yield BadFile(PAIRS, "a.txt", b"IN: a OUT: b\nIN: a\n", ("line 2", "is not of the form IN: ... OUT: ..."))
    yield BadFile(PAIRS, "a.tsv", b"a\tb\nc\td\n", ("has 2 different sources", "too few"))
    yield BadFile(PAIRS, "a.tsv", b"a\tb\n" * 9, ("has 1 different source", "too few"))
    yield BadFile((*PAIRS, "dataset.max_examples=2"), "a.tsv", GOOD_PAIRS.encode(), ("has 2 different sources",))
    yield BadFile((*G2P, "timesteps=1"), "words.dict", GOOD_WORDS.encode(), ("timesteps must leave examples",))
    yield BadFile((*PAIRS, "timesteps=1"), "a.tsv", GOOD_PAIRS.encode(), ("timesteps must leave examples",))
    equal = "".join(f"{n}\tx\n" for n in range(20)).encode()
    yield BadFile(PAIRS, "a.tsv", equal, ("all 16 training targets are equal",))
    long = GOOD_PAIRS + "x\t" + "y" * 5_000 + "\n"
    yield BadFile(PAIRS, "a.tsv", long.encode(), ("far longer than the others",))
    for line, message in (("w2", "has no phones"), ("w2 A <start>", "special symbol")):
        yield BadFile(G2P, "words.dict", change_line(GOOD_WORDS, 3, line), ("line 3", message))
    yield BadFile(G2P, "words.dict", b"a A\nb B\n", ("too few to split",))
