"""Symbols and their ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

PADDING, START, STOP, UNKNOWN = 0, 1, 2, 3
SPECIAL_SYMBOLS = ("<padding>", "<start>", "<stop>", "<unknown>")
"""Ids 0 to 3 of every vocabulary, in this order."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Symbols of one side of the data and the text they are written as.

    Args:
        symbols: the symbols from id 4 on; none empty, none twice.
        unit: `characters`, or `words`, which are separated by spaces.

    >>> letters = Vocabulary(("a", "b"), "characters")
    >>> letters.encode("abx").tolist()
    [4, 5, 3]
    >>> letters.decode([4, 5, 3])
    'ab<unknown>'
    """

    symbols: tuple[str, ...]
    unit: Literal["characters", "words"]
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
        return text if self.unit == "characters" else text.split()

    def encode(self, text: str) -> NDArray[np.int32]:
        """Return the ids `(symbols,)` of a text; symbols never seen become `UNKNOWN`."""
        return np.array([self._ids.get(symbol, UNKNOWN) for symbol in self.split(text)], dtype=np.int32)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids without padding; special symbols show as `<name>`."""
        all_symbols = SPECIAL_SYMBOLS + self.symbols
        return ("" if self.unit == "characters" else " ").join(all_symbols[index] for index in ids)
