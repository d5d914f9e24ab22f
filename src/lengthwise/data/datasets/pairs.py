"""Load the user's own pairs of texts."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.options import PairsOptions
from lengthwise.config.rules import refuse_no_path
from lengthwise.data.assembly import TextExamples, Timesteps, assemble_texts, build_codecs
from lengthwise.data.dataset import Dataset, Skipped
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.data.splitting import draw_parts
from lengthwise.data.text_file import read_lines
from lengthwise.data.vocabulary import Unit, find_special
from lengthwise.errors import DataError, count_noun, printable

COLUMN_NAMES = (
    *("source", "target", "src", "tgt", "trg", "input", "output", "in", "out", "x", "y", "text", "label", "from", "to"),
    *("query", "answer", "question", "response", "sentence", "translation", "original", "correct", "before", "after"),
    *("word", "pronunciation", "spelling", "phones", "graphemes", "phonemes"),
)
"""A first line whose two columns are both among these looks like a header."""

MOST_REFERENCES = 100
"""Training examples of a source with more targets than this have only their own target as reference: listing all for
each example would take memory by the square of their number, as in a file of a few labels with many texts each."""


class PairFile(NamedTuple):
    """The content of a file of pairs.

    Args:
        targets: For each source, in the order of the file, its different targets.
        num_blank: Number of blank lines, which are skipped.
        num_repeated: Number of lines that repeat an earlier pair.
        num_unread: Number of lines after the first `max_examples` pairs.
        num_wide: Number of lines with more than two columns, of which only the first two are read.
        header: Source and target of the first line where they look like names of columns; else None.
    """

    targets: dict[str, list[str]]
    num_blank: int
    num_repeated: int
    num_unread: int
    num_wide: int
    header: tuple[str, str] | None


@load_dataset.register
def load_pairs(options: PairsOptions, timesteps: Timesteps) -> Dataset:
    """Load a UTF-8 file of lines `source<TAB>target`, further columns ignored.

    The split is by source: all pairs of a source are in one split, so that no test source was trained on. A pair that
    occurs several times counts once. A source with several targets gives one training example for each of them; in
    validation and test it gives one example, whose target is the first in the file. All targets of a source are
    references of its examples: a prediction is right if it equals any of them. (In training, an example of a source
    with more than 100 targets has only its own.) Blank lines are skipped. The vocabularies are those of the training
    split. The dataset's `skipped` counts everything that was skipped or merged.

    Args:
        options: File, unit, shares and seed of the split.
        timesteps: Most symbols of a target; longer ones are left out.

    Raises:
        ConfigError: No path is given, or `timesteps` leaves a split empty.
        DataError: The file cannot be read, a line has no tab or a blank side, or there are too few sources.
    """
    path = options.path
    if path is None:
        raise refuse_no_path(options)
    file = read_pairs(path, options.max_examples, options.unit)
    sources = list(file.targets)
    warnings = [] if file.header is None else [_describe_header(*file.header)]
    parts = draw_parts(
        np.random.default_rng(options.seed),
        len(sources),
        validation_fraction=options.validation_fraction,
        test_fraction=options.test_fraction,
    )
    if parts is None:
        raise DataError(
            path,
            None,
            f"has {count_noun(len(sources), 'different source')}, too few to split into training, validation and test",
            remedy="Add pairs, or choose smaller dataset.validation_fraction and dataset.test_fraction",
        )
    splits = {
        "train": _take_pairs(file.targets, sources, parts.train, every_target=True),
        "val": _take_pairs(file.targets, sources, parts.val, every_target=False),
        "test": _take_pairs(file.targets, sources, parts.test, every_target=False),
    }
    codecs = build_codecs(splits["train"], options.unit, options.unit)
    skipped = _count_skipped(file, splits)
    return assemble_texts("pairs", splits, codecs=codecs, timesteps=timesteps, skipped=skipped, warnings=warnings)


def read_pairs(path: str, max_examples: int | None, unit: Unit) -> PairFile:
    """Read sources and their targets.

    Args:
        path: A UTF-8 file of lines `source<TAB>target`.
        max_examples: Most pairs to read, from the top of the file; None: all.
        unit: What a symbol is.

    Raises:
        DataError: The file cannot be read; a line has no tab; a source or target is blank, or has the name of a
            special symbol as a word.
    """
    targets: dict[str, dict[str, None]] = {}
    counts: Counter[str] = Counter()
    header: tuple[str, str] | None = None
    for number, line in enumerate(read_lines(path), start=1):
        if counts["pairs"] == max_examples:
            counts["unread"] += 1
            continue
        if not line.strip():
            counts["blank"] += 1
            continue
        source, target = _split_line(path, number, line, unit)
        counts["wide"] += line.count("\t") > 1
        if not counts["pairs"] and looks_like_header(source, target):
            header = (source, target)
        counts["pairs"] += 1
        known = targets.setdefault(source, {})
        counts["repeated"] += target in known
        known[target] = None
    return PairFile(
        targets={source: list(known) for source, known in targets.items()},
        num_blank=counts["blank"],
        num_repeated=counts["repeated"],
        num_unread=counts["unread"],
        num_wide=counts["wide"],
        header=header,
    )


def looks_like_header(source: str, target: str) -> bool:
    """Tell whether the two columns of a line look like the names of columns, such as `source` and `target`."""
    return all(text.strip().casefold() in COLUMN_NAMES for text in (source, target))


def _describe_header(source: str, target: str) -> str:
    shown = printable(f"{source} -> {target}")
    return f"the first line ({shown}) looks like a header, and is used as a pair. If it is a header, remove it."


def _split_line(path: str, number: int, line: str, unit: Unit) -> tuple[str, str]:
    source, tab, rest = line.partition("\t")
    target = rest.partition("\t")[0]
    if not tab:
        raise DataError(path, number, "has no tab", remedy="Write source, a tab, target on each line")
    for side, text in (("source", source), ("target", target)):
        if not text.strip():
            raise DataError(path, number, f"has a blank {side}", remedy="Fill it in or remove the line")
        if unit == "words" and (reserved := find_special(text.split())) is not None:
            problem = f"the {side} has the word {reserved}, the name of a special symbol"
            raise DataError(path, number, problem, remedy="Write it in another way, such as <unk>")
    return source, target


def _take_pairs(
    targets: dict[str, list[str]], sources: list[str], indices: NDArray[np.int64], *, every_target: bool
) -> TextExamples:
    chosen = [sources[index] for index in indices]
    pairs = [(source, target) for source in chosen for target in targets[source][: None if every_target else 1]]
    several = any(len(targets[source]) > 1 for source in chosen)
    references = [
        [target]
        if every_target and len(targets[source]) > MOST_REFERENCES
        else [target, *(other for other in targets[source] if other != target)]
        for source, target in pairs
    ]
    return TextExamples(
        sources=[source for source, _ in pairs],
        targets=[target for _, target in pairs],
        references=references if several else None,
    )


def _count_skipped(file: PairFile, splits: dict[str, TextExamples]) -> list[Skipped]:
    num_capped = sum(len(file.targets[source]) > MOST_REFERENCES for source in splits["train"].sources)
    num_further = {name: sum(len(texts) - 1 for texts in splits[name].references or ()) for name in ("val", "test")}
    return [
        Skipped(reason="blank lines", count=file.num_blank),
        Skipped(reason="lines with further columns, of which only the first two are read", count=file.num_wide),
        Skipped(reason="lines after the first dataset.max_examples pairs", count=file.num_unread),
        Skipped(reason="lines that repeat an earlier pair, merged with it", count=file.num_repeated),
        Skipped(
            reason=f"train: kept, source has more than {MOST_REFERENCES} targets, scored by its own only",
            count=num_capped,
        ),
        *(
            Skipped(reason=f"{name}: further targets of a source, kept as references", count=count)
            for name, count in num_further.items()
        ),
    ]
