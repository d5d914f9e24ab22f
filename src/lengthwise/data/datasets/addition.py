"""Generate sums of two numbers as text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.options import AdditionOptions
from lengthwise.data.assembly import TextExamples, Timesteps, assemble_texts
from lengthwise.data.dataset import Dataset
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.data.vocabulary import Vocabulary
from lengthwise.errors import ConfigError, count_noun


@load_dataset.register
def load_addition(options: AdditionOptions, timesteps: Timesteps) -> Dataset:
    """Generate sums such as `12+345` to `357`, as in the Keras example addition_rnn (Smerity and others, 2015).

    As in that example, the number of digits of an operand is uniform over 1 to `num_digits`, each digit is uniform over
    0 to 9, leading zeros are dropped, and no pair of operands occurs twice, in either order. Unlike it, queries and
    answers are not padded with spaces, and queries are not reversed (`model.reverse_source` does that). `longer` is
    drawn in the same way with up to `longer_digits` digits; at least one operand has more than `num_digits`.

    Args:
        options: Digits, numbers of examples and seed.
        timesteps: Most digits of a sum; longer ones are left out. `auto` covers `longer` too.

    Returns:
        The dataset, characters to characters.

    Raises:
        ConfigError: There are fewer pairs than examples.
    """
    _check_numbers(options)
    rng, longer_rng = np.random.default_rng(options.seed).spawn(2)
    num_examples = options.num_train + options.num_validation + options.num_test
    pairs = draw_pairs(rng, num_examples, options.num_digits, longer_than=0)
    ends = np.cumsum([options.num_train, options.num_validation])
    drawn = dict(zip(("train", "val", "test"), np.split(pairs, ends), strict=True))
    drawn["longer"] = draw_pairs(longer_rng, options.num_test, options.longer_digits, longer_than=options.num_digits)
    splits = {name: _write_sums(operands) for name, operands in drawn.items()}
    codecs = (Vocabulary(tuple("+0123456789"), "characters"), Vocabulary(tuple("0123456789"), "characters"))
    return assemble_texts("addition", splits, codecs=codecs, timesteps=timesteps)


def count_pairs(num_digits: int) -> int:
    """Return the number of unordered pairs of numbers with at most `num_digits` digits.

    >>> count_pairs(1)
    55
    """
    numbers: int = 10**num_digits
    return numbers * (numbers + 1) // 2


def draw_pairs(rng: np.random.Generator, count: int, num_digits: int, *, longer_than: int) -> NDArray[np.int64]:
    """Draw different pairs of operands; a pair and its reverse count as the same.

    Args:
        rng: Generator of the draws.
        count: Number of pairs, at most as many as there are.
        num_digits: Most digits of an operand, at most 18.
        longer_than: At least one operand has more digits than this.

    Returns:
        `(count, 2)` int64 operands in the order drawn.
    """
    kept = np.empty((0, 2), np.int64)
    while len(kept) < count:
        num_drawn = max(count, 2 * (count - len(kept)), 1024)
        drawn = 10 ** rng.integers(1, num_digits + 1, size=(num_drawn, 2), dtype=np.int64)
        drawn = rng.integers(drawn)
        drawn = drawn[drawn.max(axis=1) >= (10**longer_than if longer_than else 0)]
        joined = np.concatenate([kept, drawn])
        kept = joined[_find_first_seen(joined)[:count]]
    return kept


def _find_first_seen(operands: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, ascending, the indices of the pairs that equal no earlier pair in either order."""
    low, high = operands.min(axis=1), operands.max(axis=1)
    order = np.lexsort((high, low))
    differs = (np.diff(low[order]) != 0) | (np.diff(high[order]) != 0)
    return np.sort(order[np.concatenate([[True], differs])])


def _write_sums(operands: NDArray[np.int64]) -> TextExamples:
    pairs: list[tuple[int, int]] = operands.tolist()
    return TextExamples(
        sources=[f"{first}+{second}" for first, second in pairs],
        targets=[str(first + second) for first, second in pairs],
    )


def _check_numbers(options: AdditionOptions) -> None:
    num_pairs = count_pairs(options.num_digits)
    num_examples = options.num_train + options.num_validation + options.num_test
    if num_examples > num_pairs:
        raise ConfigError(
            "dataset.num_train",
            "must with dataset.num_validation and dataset.num_test be at most the number of different sums of "
            f"{count_noun(options.num_digits, 'digit')}, {num_pairs}",
            received=f"{options.num_train} + {options.num_validation} + {options.num_test}",
            remedy="Ask for fewer examples or more digits",
        )
    num_longer = count_pairs(options.longer_digits) - num_pairs
    if options.num_test > num_longer:
        raise ConfigError(
            "dataset.num_test",
            f"must be at most the number of longer sums, {num_longer}",
            received=str(options.num_test),
            remedy="Ask for fewer examples or raise dataset.longer_digits",
        )
