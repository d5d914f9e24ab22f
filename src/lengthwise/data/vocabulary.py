"""Map the symbols of texts to ids and back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.sequences import Sequences, smallest_integer

Unit: TypeAlias = str
"""What a symbol is: `characters`, `words`, `TAGGED`, or else a separator, between two of which a symbol stands."""

TAGGED = "tagged characters"
"""Unit of texts such as `walk[V][PST]`: a symbol is a tag in brackets, or a character."""

_TAGGED_SYMBOL = re.compile(r"\[[^\[\]]*\]|.", re.DOTALL)
_SEPARATOR = re.compile(r"[\W_]{1,8}")

PADDING, START, STOP, UNKNOWN = 0, 1, 2, 3
SPECIAL_SYMBOLS = ("<padding>", "<start>", "<stop>", "<unknown>")
"""Ids 0 to 3 of every vocabulary, in this order."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The symbols of the sources or of the targets, and how text is cut into them.

    Args:
        symbols: The symbols, whose ids begin at 4; all different, none empty.
        unit: `characters`, `words` between white space, `TAGGED`, or a separator.

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

    @property
    def unit_text(self) -> str:
        """What a symbol is, in words."""
        if self.unit == TAGGED:
            return "characters and tags in brackets"
        return self.unit if self.unit in ("characters", "words") else f"symbols between {self.unit!r}"

    @property
    def id_type(self) -> np.dtype[Any]:
        """Type in which many ids are kept: the smallest that holds them all."""
        return smallest_integer(self.size)

    def split(self, text: str) -> Sequence[str]:
        """Cut text into symbols."""
        return split_text(text, self.unit)

    def encode(self, text: str) -> NDArray[np.int32]:
        """Return the ids `(symbols,)` of a text; symbols that it lacks become `UNKNOWN`."""
        return np.array([self._ids.get(symbol, UNKNOWN) for symbol in self.split(text)], dtype=np.int32)

    def encode_all(self, texts: Iterable[str]) -> Sequences:
        """Return the ids of many texts, in the type `id_type`; symbols that it lacks become `UNKNOWN`."""
        # `map` instead of loops, a table instead of the dictionary: most of the time to load a dataset is spent here.
        if self.unit == "characters":
            texts = list(texts)
            codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
            lengths = np.fromiter(map(len, texts), np.int32, len(texts))
            return Sequences.join(self._table()[np.minimum(codes, self._highest_code() + 1)], lengths)
        symbols = split_all(texts, self.unit)
        lengths = np.fromiter(map(len, symbols), np.int32, len(symbols))
        ids = map(self._ids.get, chain.from_iterable(symbols), repeat(UNKNOWN))
        return Sequences.join(np.fromiter(ids, self.id_type, int(lengths.sum())), lengths)

    def find_unknown(self, text: str) -> list[str]:
        """Return the symbols of a text that the vocabulary lacks, one by one, in the order of the text."""
        return [symbol for symbol in self.split(text) if symbol not in self._ids]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids without padding; special symbols are written as `<name>`."""
        all_symbols = SPECIAL_SYMBOLS + self.symbols
        return join_symbols((all_symbols[index] for index in ids), self.unit)

    def _highest_code(self) -> int:
        return max((ord(symbol) for symbol in self.symbols if len(symbol) == 1), default=0)

    def _table(self) -> NDArray[Any]:
        """Return a table from code point to id, up to the highest known code point and one more, which is unknown."""
        table = np.full(self._highest_code() + 2, UNKNOWN, self.id_type)
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
        if not isinstance(unit, str) or not _is_unit(unit) or not isinstance(symbols, list):
            raise ValueError("a stored vocabulary needs a unit ('characters', 'words') and a list of symbols")
        if not all(isinstance(symbol, str) for symbol in symbols):
            raise ValueError("a stored vocabulary's symbols must be texts")
        return cls(tuple(symbols), unit)


def _is_unit(text: str) -> bool:
    return text in ("characters", "words", TAGGED) or _SEPARATOR.fullmatch(text) is not None


def split_text(text: str, unit: Unit) -> Sequence[str]:
    """Cut text into symbols.

    >>> split_text("n|ae|t", "|"), split_text("go[V][PST]", TAGGED)
    (['n', 'ae', 't'], ['g', 'o', '[V]', '[PST]'])
    """
    if unit == "characters":
        return text
    if unit == "words":
        return text.split()
    if unit == TAGGED:
        return _TAGGED_SYMBOL.findall(text)
    return text.split(unit) if text else []


def join_symbols(symbols: Iterable[str], unit: Unit) -> str:
    """Write symbols as the text that `split_text` cuts into them."""
    return {"characters": "", TAGGED: "", "words": " "}.get(unit, unit).join(symbols)


def split_all(texts: Iterable[str], unit: Unit) -> list[Sequence[str]]:
    """Cut texts into symbols."""
    if unit == "words":  # the most common unit of the slow ones: without a Python function for each text
        return list(map(str.split, texts))
    return [split_text(text, unit) for text in texts]


def find_special(words: Iterable[str]) -> str | None:
    """Return the first word that is the name of a special symbol, and would be mistaken for it; None where none is."""
    return next((word for word in words if word in SPECIAL_SYMBOLS), None)


def build_vocabulary(texts: Iterable[str], unit: Unit) -> Vocabulary:
    """Collect the different symbols of texts, in the order of their code points.

    >>> build_vocabulary(["run twice", "run"], "words").symbols
    ('run', 'twice')
    """
    symbols = chain.from_iterable(texts if unit == "characters" else split_all(texts, unit))
    return Vocabulary(tuple(sorted(set(symbols))), unit)
