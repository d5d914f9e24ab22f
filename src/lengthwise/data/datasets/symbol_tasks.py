"""Generate sequences of random symbols: to be copied, to be reversed, or with several right answers."""

from __future__ import annotations

import math
import string
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.options import CAPITALS_EVERY, SymbolTaskOptions
from lengthwise.data.assembly import Timesteps, assemble_tokens
from lengthwise.data.dataset import Dataset, References, Split
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.data.sequences import Sequences, smallest_integer
from lengthwise.data.vocabulary import SPECIAL_SYMBOLS, Unit, Vocabulary
from lengthwise.errors import ConfigError, count_noun

MOST_SEQUENCES = 2**62
"""Largest count of sequences; larger counts are cut to it, because sequences are numbered in 64 bits."""


class Rows(NamedTuple):
    """Sequences as the rows of a matrix of ids, zeros on the right, and their lengths."""

    ids: NDArray[np.int32]
    lengths: NDArray[np.int32]


@load_dataset.register
def load_symbol_task(options: SymbolTaskOptions, timesteps: Timesteps) -> Dataset:
    """Generate sequences of random symbols: to be copied, to be reversed, or with several right answers.

    No sequence occurs twice in all the data, so that no test source was trained on. Lengths are distributed as evenly
    as that permits: short lengths with few possible sequences (8 of length 1 with 8 symbols) are used up, and the
    longer lengths share the rest equally. Training, validation and test are random parts of one such draw over
    `min_length` to `max_length`; `longer` is another draw over `max_length + 1` to `longer_length`.

    With `ambiguous` the target is the source with the symbols at the places k, k + 3, k + 6, ... in capitals; k is 0, 1
    or 2, drawn evenly for each example, and all three are references. Given the source, a symbol at any place is a
    capital with probability 1/3, so that a model without feedback, whose places are independent, does best with no
    capital at all, which is never right.

    Args:
        options: Task, symbols, lengths, numbers of examples and seed.
        timesteps: Most symbols of a target; longer ones are left out. `auto` covers `longer` too.

    Returns:
        The dataset; symbols are the characters a to z, or, for more than 26, the words `a` to `z`, `s26`, `s27`, ...;
        capitals are A to Z, `S26`, ...

    Raises:
        ConfigError: There are fewer sequences than examples.
    """
    draw_rng, order_rng, longer_rng, capitals_rng = np.random.default_rng(options.seed).spawn(4)
    num_examples = options.num_train + options.num_validation + options.num_test
    lengths = range(options.min_length, options.max_length + 1)
    longer_lengths = range(options.max_length + 1, options.longer_length + 1)
    drawn = draw_distinct(draw_rng, options.num_symbols, lengths, num_examples)
    longer = draw_distinct(longer_rng, options.num_symbols, longer_lengths, options.num_test)
    # There are more sequences of max_length + 1 than of all lengths below it, so `longer` is not the first to run out.
    if drawn is None or longer is None:
        raise _refuse_number(options)
    order = order_rng.permutation(num_examples)
    ends = np.cumsum([options.num_train, options.num_validation])
    splits = {
        name: Rows(drawn.ids[indices], drawn.lengths[indices])
        for name, indices in zip(("train", "val", "test"), np.split(order, ends), strict=True)
    }
    splits["longer"] = longer
    vocabulary = build_symbols(options.num_symbols)
    codecs = (vocabulary, add_capitals(vocabulary) if options.name == "ambiguous" else vocabulary)
    examples = {name: _make_examples(rows, options, capitals_rng) for name, rows in splits.items()}
    return assemble_tokens(options.name, examples, codecs=codecs, timesteps=timesteps)


def build_symbols(num_symbols: int) -> Vocabulary:
    """Name symbols: up to 26 as the characters a to z, more as the words `a` to `z`, `s26`, `s27`, ..."""
    unit: Unit = "characters" if num_symbols <= len(string.ascii_lowercase) else "words"
    symbols = [*string.ascii_lowercase, *(f"s{index}" for index in range(len(string.ascii_lowercase), num_symbols))]
    return Vocabulary(tuple(symbols[:num_symbols]), unit)


def add_capitals(vocabulary: Vocabulary) -> Vocabulary:
    """Return a vocabulary with the capital of each symbol after all symbols, in the same order.

    >>> add_capitals(build_symbols(2)).symbols
    ('a', 'b', 'A', 'B')
    """
    capitals = (symbol.upper() for symbol in vocabulary.symbols)
    return Vocabulary((*vocabulary.symbols, *capitals), vocabulary.unit)


def count_sequences(num_symbols: int, length: int) -> int:
    """Return the number of sequences of a length, or `MOST_SEQUENCES` where there are more."""
    return num_symbols**length if length * math.log2(num_symbols) < 62 else MOST_SEQUENCES


def share_lengths(spaces: list[int], num_examples: int) -> list[int] | None:
    """Distribute examples over lengths as evenly as the number of sequences of each length permits.

    Args:
        spaces: Number of different sequences of each length.
        num_examples: Number of examples to distribute.

    Returns:
        The number of examples of each length, at most its space; None where there are fewer sequences than examples.

    >>> share_lengths([2, 4, 8, 16], 18)
    [2, 4, 6, 6]
    """
    shares = [0] * len(spaces)
    left = num_examples
    by_space = sorted(range(len(spaces)), key=lambda index: spaces[index])
    for rank, index in enumerate(by_space):
        shares[index] = min(spaces[index], left // (len(spaces) - rank))
        left -= shares[index]
    return None if left else shares


def draw_distinct(rng: np.random.Generator, num_symbols: int, lengths: range, num_examples: int) -> Rows | None:
    """Draw different sequences of ids in random order, their lengths as evenly distributed as possible.

    Args:
        rng: Generator of the draws.
        num_symbols: Number of different symbols; their ids begin after the special ones.
        lengths: Permitted lengths, in steps.
        num_examples: Number of sequences to draw.

    Returns:
        The sequences; None where there are fewer than `num_examples`.
    """
    shares = share_lengths([count_sequences(num_symbols, length) for length in lengths], num_examples)
    if shares is None:
        return None
    ids = np.zeros((num_examples, lengths[-1]), np.int32)
    start = 0
    for length, share in zip(lengths, shares, strict=True):
        ids[start : start + share, :length] = _draw_of_length(rng, num_symbols, length, share) + len(SPECIAL_SYMBOLS)
        start += share
    order = rng.permutation(num_examples)
    return Rows(ids[order], np.repeat(np.array(lengths, np.int32), shares)[order])


def _draw_of_length(rng: np.random.Generator, num_symbols: int, length: int, count: int) -> NDArray[np.int64]:
    # The first symbols, as many as fit into 64 bits, are the digits of different numbers; the rest are drawn freely.
    num_numbered = min(length, int(math.log(MOST_SEQUENCES, num_symbols)))
    numbers = rng.choice(num_symbols**num_numbered, count, replace=False)
    powers = np.array([num_symbols**place for place in range(num_numbered)], np.int64)
    free = rng.integers(num_symbols, size=(count, length - num_numbered))
    return np.concatenate([numbers[:, None] // powers % num_symbols, free], axis=1)


def _make_examples(rows: Rows, options: SymbolTaskOptions, capitals_rng: np.random.Generator) -> Split:
    if options.name == "ambiguous":
        return _capitalise(rows, options.num_symbols, capitals_rng)
    id_type = smallest_integer(len(SPECIAL_SYMBOLS) + options.num_symbols)
    source = Sequences.from_padded(rows.ids.astype(id_type), rows.lengths)
    if options.name == "copy":
        return Split(source=source, target=source)
    backwards = Sequences(source.values[::-1], len(source.values) - source.start - source.length, source.length)
    return Split(source=source, target=backwards)


def _capitalise(rows: Rows, num_symbols: int, rng: np.random.Generator) -> Split:
    """Draw for each row the place of its first capital; the other places make its further references."""
    ids = rows.ids.astype(smallest_integer(len(SPECIAL_SYMBOLS) + 2 * num_symbols))
    place = np.arange(ids.shape[1]) % CAPITALS_EVERY
    first = rng.integers(CAPITALS_EVERY, size=len(ids))
    # (rows, answers, steps): the answer drawn, then the others in the order of their first capitals.
    starts = (first[:, None] + np.arange(CAPITALS_EVERY)) % CAPITALS_EVERY
    answers = ids[:, None] + (place == starts[:, :, None]) * ids.dtype.type(num_symbols)
    num_others = CAPITALS_EVERY - 1
    others = answers[:, 1:].reshape(-1, ids.shape[1])
    return Split(
        source=Sequences.from_padded(ids, rows.lengths),
        target=Sequences.from_padded(answers[:, 0], rows.lengths),
        references=References(
            example=np.repeat(np.arange(len(ids)), num_others),
            target=Sequences.from_padded(others, np.repeat(rows.lengths, num_others)),
        ),
    )


def _refuse_number(options: SymbolTaskOptions) -> ConfigError:
    return ConfigError(
        "dataset.num_train",
        "must with dataset.num_validation and dataset.num_test be at most the number of sequences of "
        f"{count_noun(options.num_symbols, 'symbol')} with {options.min_length} to "
        f"{count_noun(options.max_length, 'step')}, each used once",
        received=f"{options.num_train} + {options.num_validation} + {options.num_test}",
        remedy="Ask for fewer examples, more symbols or longer sequences",
    )
