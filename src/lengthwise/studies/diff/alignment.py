"""The alignment of a decoded sequence with its target, marked in text."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

from lengthwise.data.vocabulary import Vocabulary
from lengthwise.studies.report.numbers import MINUS


def mark_alignment(target: Sequence[int], predicted: Sequence[int], vocabulary: Vocabulary) -> str:
    """Write a decoded sequence with its errors marked, by the fewest edits (Levenshtein 1966).

    >>> letters = Vocabulary(("a", "b", "c"), "characters")
    >>> mark_alignment([4, 5, 6], [4, 6, 6, 4], letters)
    'a[b>c]c[+a]'

    Args:
        target: Ids without padding.
        predicted: The same.
        vocabulary: Their symbols.

    Returns:
        The decoded text, in which `[a>b]` is a wrong symbol, `[+b]` one too many and `[-a]` one that is missing.
    """
    parts = []
    for edit in Levenshtein.opcodes(target, predicted):
        before = vocabulary.decode(target[edit.src_start : edit.src_end])
        after = vocabulary.decode(predicted[edit.dest_start : edit.dest_end])
        marks = {"equal": after, "replace": f"[{before}>{after}]", "insert": f"[+{after}]"}
        parts.append(marks.get(edit.tag, f"[{MINUS}{before}]"))
    return ("" if vocabulary.unit == "characters" else " ").join(parts)
