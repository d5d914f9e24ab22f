"""Find data that cannot be learnt: refuse the hopeless before training, warn of the doubtful, each with its remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.sequences import Sequences
from lengthwise.data.vocabulary import UNKNOWN, Vocabulary
from lengthwise.errors import DataError, printable

OUTLIER_RATIO = 10
"""A sequence this many times as long as typical ones is an outlier, of which a warning is given."""

HOPELESS_RATIO = 100
"""A sequence this many times as long as typical ones is refused: all others would be padded to its length."""

FEWEST_OUTLIER_STEPS, FEWEST_HOPELESS_STEPS = 100, 1_000
"""Shorter sequences are never outliers, or never refused, whatever the ratio: padding to them costs little."""

TYPICAL_PERCENTILE = 95
"""Typical lengths are those up to this percentile of all splits."""

UNKNOWN_WARNED, UNKNOWN_REFUSED = 0.1, 0.5
"""Shares of unknown symbols in a split above which a warning is given, and above which the data are refused."""

FEWEST_UNKNOWN = 20
"""Fewer unknown symbols in a split are never refused: of so small a split a share says little."""

SHOWN_SYMBOLS = 20


def check_lengths(name: str, sequences: Sequence[Sequences], side: str, codec: Vocabulary, *, remedy: str) -> list[str]:
    """Check that no sequence is an outlier by far, to whose length all others would be padded.

    Args:
        name: The option `dataset.name`.
        sequences: The sources, or the targets, of every split.
        side: `source` or `target`.
        codec: Vocabulary of that side, to show where an outlier begins.
        remedy: What to do, with `{typical}` for the longest length that is no outlier, in steps.

    Returns:
        Warnings, each a sentence or two.

    Raises:
        DataError: A sequence is more than 100 times as long as 95 % of them, and longer than 1,000 steps.
    """
    lengths = np.concatenate([part.length for part in sequences])
    typical = int(np.percentile(lengths, TYPICAL_PERCENTILE, method="lower"))
    longest = int(lengths.max())
    if longest <= max(FEWEST_OUTLIER_STEPS, OUTLIER_RATIO * typical):
        return []
    is_outlier = lengths > OUTLIER_RATIO * typical
    rest = int(lengths[~is_outlier].max())
    example = next(part for part in sequences if part.longest == longest)
    start = example[int(example.length.argmax())][:SHOWN_SYMBOLS].tolist()
    num_outliers = int(is_outlier.sum())
    problem = (
        f"{num_outliers:,} of {len(lengths):,} {side}s {'is' if num_outliers == 1 else 'are'} far longer than the "
        f"others: the longest has "
        f"{longest:,} steps (it begins with {printable(codec.decode(start))!r}), while {TYPICAL_PERCENTILE} % have at "
        f"most {typical:,}"
    )
    written = remedy.format(typical=rest)
    if longest > max(FEWEST_HOPELESS_STEPS, HOPELESS_RATIO * typical):
        raise DataError(f"dataset={name}", None, problem, remedy=written)
    return [f"{problem}. {written}."]


def check_symbols(name: str, splits: Mapping[str, Sequences], side: str) -> list[str]:
    """Check that the symbols of validation and test occur in training.

    Args:
        name: The option `dataset.name`.
        splits: The sources, or the targets, by split, as ids.
        side: `source` or `target`.

    Returns:
        Warnings, each a sentence or two.

    Raises:
        DataError: More than half of a split's symbols do not occur in training, and they are not a few.
    """
    warnings = []
    for split, sequences in splits.items():
        num_symbols = int(sequences.length.sum(dtype=np.int64))
        num_unknown = sum(int((part.flatten() == UNKNOWN).sum()) for part in sequences.split())
        share = num_unknown / max(1, num_symbols)
        if share <= UNKNOWN_WARNED:
            continue
        problem = (
            f"{share:.0%} of the {side} symbols of {split} ({num_unknown:,} of {num_symbols:,}) do not occur "
            "in training"
        )
        if share > UNKNOWN_REFUSED and num_unknown >= FEWEST_UNKNOWN:
            remedy = f"Check what a symbol is (dataset.{side}_unit=characters has far fewer), or add training examples"
            raise DataError(f"dataset={name}", None, f"{problem}, so they cannot be learnt", remedy=remedy)
        warnings.append(f"{problem}; an example with one cannot be decoded right. More training examples help.")
    return warnings


def check_targets(name: str, targets: Sequences, codec: Vocabulary) -> None:
    """Check that the training targets differ.

    Args:
        name: The option `dataset.name`.
        targets: The training targets.
        codec: Vocabulary of the targets.

    Raises:
        DataError: There are several targets, all equal.
    """
    if len(targets) < 2 or (targets.length != targets.length[0]).any():
        return
    first = targets[0]
    if (targets.flatten().reshape(len(targets), -1) == first).all():
        shown = printable(codec.decode(first[:SHOWN_SYMBOLS].tolist()))
        problem = f"all {len(targets):,} training targets are equal ({shown!r}), so there is nothing to learn"
        raise DataError(f"dataset={name}", None, problem, remedy="Check which column is the target")


def check_columns(path: str, rows: NDArray[np.float64], header: Sequence[str] | None) -> list[str]:
    """Check that the columns of a table of numbers change over the training windows.

    Args:
        path: The file as the user wrote it.
        rows: `(rows, columns)` of the training windows.
        header: Names of the columns; None: they are numbered from 1.

    Returns:
        A warning that names the constant columns.

    Raises:
        DataError: Every column is constant.
    """
    is_constant = (rows == rows[0]).all(axis=0)
    if is_constant.all():
        problem = "no column changes over the training rows, so there is nothing to learn"
        raise DataError(path, None, problem, remedy="Check the file, or use more rows")
    names = header or [str(number) for number in range(1, rows.shape[1] + 1)]
    constant = [printable(name) for name, found in zip(names, is_constant, strict=True) if found]
    if not constant:
        return []
    what = f"column {constant[0]} is" if len(constant) == 1 else f"columns {', '.join(constant)} are"
    return [f"{what} constant over the training rows, which makes the errors look small. Remove what does not change."]
