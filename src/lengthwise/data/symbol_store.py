"""Collect texts as ids, many at a time, before all their symbols are known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.sequences import Sequences, smallest_integer
from lengthwise.data.vocabulary import SPECIAL_SYMBOLS, UNKNOWN, Unit, Vocabulary, split_all

NUM_CODES = 0x110000
"""Number of Unicode's code points."""


class SymbolStore:
    """Texts as arrays of provisional ids: code points of characters, or numbers in the order of other symbols.

    Args:
        unit: What a symbol is.
    """

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self._numbers: defaultdict[str, int] = defaultdict()
        self._numbers.default_factory = self._numbers.__len__  # a new symbol gets the next number
        self._ids: list[NDArray[Any]] = []
        self._lengths: list[NDArray[np.int32]] = []

    def add(self, texts: Sequence[str]) -> None:
        """Add texts, each of at least one symbol."""
        if self.unit == "characters":
            lengths = np.fromiter(map(len, texts), np.int32, len(texts))
            ids = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
        else:
            symbols = split_all(texts, self.unit)
            lengths = np.fromiter(map(len, symbols), np.int32, len(symbols))
            ids = np.fromiter(
                map(self._numbers.__getitem__, chain.from_iterable(symbols)), np.int64, int(lengths.sum())
            )
        self._ids.append(ids.astype(smallest_integer(int(ids.max(initial=0)) + 1)))
        self._lengths.append(lengths)

    def finish(self) -> tuple[Sequences, Vocabulary]:
        """Return the texts as ids of the vocabulary of all their symbols; the store is then empty."""
        is_used = np.zeros(NUM_CODES if self.unit == "characters" else len(self._numbers), bool)
        for ids in self._ids:
            is_used[ids] = True
        names = map(chr, np.flatnonzero(is_used)) if self.unit == "characters" else list(self._numbers)
        by_name = sorted(zip(names, np.flatnonzero(is_used).tolist(), strict=True))
        vocabulary = Vocabulary(tuple(name for name, _ in by_name), self.unit)
        table = np.zeros(len(is_used), vocabulary.id_type)
        table[[number for _, number in by_name]] = np.arange(len(by_name)) + len(SPECIAL_SYMBOLS)
        length = np.concatenate(self._lengths) if self._lengths else np.zeros(0, np.int32)
        values = np.empty(int(length.sum(dtype=np.int64)), vocabulary.id_type)
        done = 0
        for number, ids in enumerate(self._ids):
            values[done : done + len(ids)] = table[ids]
            done += len(ids)
            self._ids[number] = ids[:0]  # its memory is free before the next is read
        self._ids, self._lengths = [], []
        return Sequences.join(values, length), vocabulary


def translate(sequences: Sequences, codec: Vocabulary, wanted: Vocabulary) -> Sequences:
    """Return sequences of ids of one vocabulary as ids of another; symbols that it lacks become `UNKNOWN`."""
    if codec == wanted:
        return sequences
    ids = {symbol: index for index, symbol in enumerate(wanted.symbols, len(SPECIAL_SYMBOLS))}
    special = list(range(len(SPECIAL_SYMBOLS)))
    table = np.array(special + [ids.get(symbol, UNKNOWN) for symbol in codec.symbols], wanted.id_type)
    return Sequences(table[sequences.values], sequences.start, sequences.length)


def keep_used(codec: Vocabulary, sequences: Sequences) -> Vocabulary:
    """Return the vocabulary of the symbols that occur in sequences of its ids."""
    is_used = sequences.count_symbols(codec.size)[len(SPECIAL_SYMBOLS) :] > 0
    return Vocabulary(tuple(symbol for symbol, used in zip(codec.symbols, is_used, strict=True) if used), codec.unit)
