"""One line on the standard error output about symbols of the decoded texts that the model does not know."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lengthwise.errors import count_noun, printable

_MAX_SHOWN = 10
"""Different symbols, and texts, that the line names."""


_MAX_LETTERS = 20


class UnknownSymbols:
    """Collects the unknown symbols of one text after the other, in bounded memory."""

    def __init__(self) -> None:
        self._num_texts = self._num_unknown = self._num_affected = 0
        self._symbols: dict[str, None] = {}  # in the order of their appearance
        self._places: list[int] = []

    def add(self, symbols: Sequence[str]) -> None:
        """Add the unknown symbols of the next text."""
        self._num_texts += 1
        if not symbols:
            return
        self._num_unknown += len(symbols)
        self._num_affected += 1
        if len(self._places) < _MAX_SHOWN:
            self._places.append(self._num_texts)
        for symbol in symbols:
            if len(self._symbols) <= _MAX_SHOWN:
                self._symbols[symbol] = None

    def print_warning(self) -> None:
        """Print the line, if there was an unknown symbol."""
        if not self._num_unknown:
            return
        # Quoted, since a space may be one of them, and cut, since a word may be of any length.
        shown = [f"'{printable(symbol[:_MAX_LETTERS])}'" for symbol in self._symbols]
        symbols = ", ".join(shown[:_MAX_SHOWN]) + (", ..." if len(shown) > _MAX_SHOWN else "")
        places = ", ".join(map(str, self._places)) + (", ..." if self._num_affected > _MAX_SHOWN else "")
        print(
            f"{count_noun(self._num_unknown, 'symbol')} that the model does not know ({symbols}), in "
            f"{count_noun(self._num_affected, 'text')} ({places}): read as <unknown>, so do not rely on the answer.",
            file=sys.stderr,
        )
