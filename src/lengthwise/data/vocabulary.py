"""Map the symbols of texts to ids and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.sequences import Sequences

Unit = Literal["characters", "words"]

PADDING, START, STOP, UNKNOWN = 0, 1, 2, 3
SPECIAL_SYMBOLS = ("<padding>", "<start>", "<stop>", "<unknown>")
"""Ids 0 to 3 of every vocabulary, in this order."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The symbols of the sources or of the targets, and how text is cut into them.

    Args:
        symbols: The symbols, whose ids begin at 4; all different, none empty.
        unit: `characters`, or `words` between white space.

    >>> letters = Vocabulary(("a", "b"), "characters")
    >>> letters.encode("abx").tolist()
    [4, 5, 3]
    >>> letters.decode([4, 5, 3])
    'ab<unknown>'
    """

    symbols: tuple[str, ...]
    unit: Unit
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ids = {symbol: index for index, symbol in enumerate(self.symbols, start=len(SPECIAL_SYMBOLS))}
        if len(ids) != len(self.symbols) or "" in ids:
            raise ValueError("a vocabulary's symbols must differ and none may be empty")
        object.__setattr__(self, "_ids", ids)

    @property
    def size(self) -> int:
        """Number of ids, special ones included."""
        return len(SPECIAL_SYMBOLS) + len(self.symbols)

    def split(self, text: str) -> Sequence[str]:
        """Cut text into symbols: characters, or words between white space."""
        return split_text(text, self.unit)

    def encode(self, text: str) -> NDArray[np.int32]:
        """Return the ids `(symbols,)` of a text; symbols that it lacks become `UNKNOWN`."""
        return np.array([self._ids.get(symbol, UNKNOWN) for symbol in self.split(text)], dtype=np.int32)

    def encode_all(self, texts: Iterable[str]) -> Sequences:
        """Return the ids of many texts; symbols that it lacks become `UNKNOWN`."""
        # `map` instead of loops, a table instead of the dictionary: most of the time to load a dataset is spent here.
        if self.unit == "characters":
            texts = list(texts)
            codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
            lengths = np.fromiter(map(len, texts), np.int32, len(texts))
            return Sequences(self._table()[np.minimum(codes, self._highest_code() + 1)], lengths)
        words = list(map(str.split, texts))
        lengths = np.fromiter(map(len, words), np.int32, len(words))
        ids = map(self._ids.get, chain.from_iterable(words), repeat(UNKNOWN))
        return Sequences(np.fromiter(ids, np.int32, int(lengths.sum())), lengths)

    def find_unknown(self, text: str) -> list[str]:
        """Return the symbols of a text that the vocabulary lacks, one by one, in the order of the text."""
        return [symbol for symbol in self.split(text) if symbol not in self._ids]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids without padding; special symbols are written as `<name>`."""
        all_symbols = SPECIAL_SYMBOLS + self.symbols
        return ("" if self.unit == "characters" else " ").join(all_symbols[index] for index in ids)

    def _highest_code(self) -> int:
        return max((ord(symbol) for symbol in self.symbols if len(symbol) == 1), default=0)

    def _table(self) -> NDArray[np.int32]:
        """Return a table from code point to id, up to the highest known code point and one more, which is unknown."""
        table = np.full(self._highest_code() + 2, UNKNOWN, np.int32)
        for symbol, index in self._ids.items():
            if len(symbol) == 1:
                table[ord(symbol)] = index
        return table

    def to_json(self) -> str:
        """Return the vocabulary as a JSON object, which `from_json` reads."""
        content = {"kind": "vocabulary", "unit": self.unit, "symbols": self.symbols}
        return json.dumps(content, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Vocabulary:
        """Read what `to_json` wrote.

        Raises:
            ValueError: The text is something else.
        """
        content = json.loads(text)
        if not isinstance(content, dict) or content.get("kind") != "vocabulary":
            raise ValueError("not a stored vocabulary: a JSON object of kind 'vocabulary' is expected")
        unit, symbols = content.get("unit"), content.get("symbols")
        if unit not in ("characters", "words") or not isinstance(symbols, list):
            raise ValueError("a stored vocabulary needs a unit, 'characters' or 'words', and a list of symbols")
        if not all(isinstance(symbol, str) for symbol in symbols):
            raise ValueError("a stored vocabulary's symbols must be texts")
        return cls(tuple(symbols), unit)


def split_text(text: str, unit: Unit) -> Sequence[str]:
    """Cut text into symbols: characters, or words between white space."""
    return text if unit == "characters" else text.split()


def find_special(words: Iterable[str]) -> str | None:
    """Return the first word that is the name of a special symbol, and would be mistaken for it; None where none is."""
    return next((word for word in words if word in SPECIAL_SYMBOLS), None)


def build_vocabulary(texts: Iterable[str], unit: Unit) -> Vocabulary:
    """Collect the different symbols of texts, in the order of their code points.

    >>> build_vocabulary(["run twice", "run"], "words").symbols
    ('run', 'twice')
    """
    symbols = chain.from_iterable(texts if unit == "characters" else map(str.split, texts))
    return Vocabulary(tuple(sorted(set(symbols))), unit)
