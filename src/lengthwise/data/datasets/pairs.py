"""Load the user's own pairs of texts, from one file or from a file for each split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lengthwise.config.options import PairsOptions
from lengthwise.config.rules.data import refuse_no_path
from lengthwise.data.assembly import Timesteps, assemble_tokens
from lengthwise.data.dataset import Dataset, Skipped, Split
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.data.pair_groups import MOST_REFERENCES, PairGroups, group_pairs
from lengthwise.data.sequences import Indices, Sequences
from lengthwise.data.splitting import draw_parts
from lengthwise.data.symbol_store import SymbolStore, keep_used
from lengthwise.data.text_table import Row, find_column, read_rows
from lengthwise.data.vocabulary import TAGGED, Unit, Vocabulary, find_special, join_symbols, split_text
from lengthwise.errors import DataError, count_noun, printable

COLUMN_NAMES = (
    *("source", "target", "src", "tgt", "trg", "input", "output", "in", "out", "x", "y", "text", "label", "from", "to"),
    *("query", "answer", "question", "response", "sentence", "translation", "original", "correct", "before", "after"),
    *("word", "pronunciation", "spelling", "phones", "graphemes", "phonemes"),
)
"""A first line whose two columns are both among these looks like a header."""

ROWS_AT_A_TIME = 1 << 16
"""Lines turned into arrays at a time, after which their texts are forgotten."""


class PairFile(NamedTuple):
    """The content of a file of pairs.

    Args:
        pairs: The different pairs by source, in the order of the file.
        header_line: Number of the line that names the columns; None where none is read as such.
        num_blank: Number of blank lines, which are skipped.
        num_repeated: Number of lines that repeat an earlier pair.
        num_unread: Number of lines after the first `max_examples` pairs.
        num_wide: Number of lines with further columns, which are not read.
        header: Source and target of the first line where they look like names of columns and are used as a pair.
    """

    pairs: PairGroups
    header_line: int | None
    num_blank: int
    num_repeated: int
    num_unread: int
    num_wide: int
    header: tuple[str, str] | None


class Places(NamedTuple):
    """The positions of the columns that are read, from 0; the last of them, and their number."""

    source: int
    target: int
    tags: int | None
    last: int
    num_read: int


@load_dataset.register
def load_pairs(options: PairsOptions, timesteps: Timesteps) -> Dataset:
    """Load UTF-8 files with a source and a target on each line, and further columns that are not read.

    Validation and test have files of their own, or take a share of the sources of `path`: then all pairs of a source
    are in one split, so that no test source was trained on. A pair that occurs several times in a file counts once. A
    source with several targets gives one training example for each of them; in the other splits it gives one example,
    whose target is the first in the file. All targets of a source in its file are references of its examples: a
    prediction is right if it equals any of them. (In training, an example of a source with more than 100 targets has
    only its own.) Blank lines are skipped. The vocabularies are those of the training split. The dataset's `skipped`
    counts everything that was skipped or merged, and the sources that a file shares with training.

    Args:
        options: Files, columns, units, shares and seed of the split.
        timesteps: Most symbols of a target; longer ones are left out.

    Raises:
        ConfigError: No path is given, or `timesteps` leaves a split empty.
        DataError: A file cannot be read, a line lacks a column or has a blank side, or there are too few sources.
    """
    path = options.path
    if path is None:
        raise refuse_no_path(options)
    own_paths = {"val": options.validation_path, "test": options.test_path, "longer": options.longer_path}
    files = {"train": read_pairs(path, options, max_examples=options.max_examples)}
    files |= {name: read_pairs(own, options) for name, own in own_paths.items() if own is not None}
    chosen = _split_sources(path, files["train"].pairs, options)
    codecs = _keep_trained(files["train"].pairs, chosen["train"])
    files = {name: file._replace(pairs=file.pairs.translate(codecs)) for name, file in files.items()}
    pairs = files["train"].pairs
    splits = {
        name: pairs.choose_every(sources) if name == "train" else pairs.choose_first(sources)
        for name, sources in chosen.items()
    }
    splits |= {name: _choose_all(file.pairs) for name, file in files.items() if name != "train"}
    splits = {name: splits[name] for name in ("train", "val", "test", "longer") if name in splits}
    warnings = [_describe_header(*file.header) for file in files.values() if file.header is not None]
    skipped = [*_count_skipped(files, splits, chosen["train"]), *_count_shared(files, chosen["train"])]
    return assemble_tokens("pairs", splits, codecs=codecs, timesteps=timesteps, skipped=skipped, warnings=warnings)


def find_source_unit(options: PairsOptions) -> Unit:
    """Return what a symbol of a source is, its tags included."""
    is_tagged = options.tags_column is not None and options.source_unit == "characters"
    return TAGGED if is_tagged else options.source_unit


def read_examples(
    path: str, options: PairsOptions, name: str, codecs: tuple[Vocabulary, Vocabulary]
) -> tuple[Split, list[Skipped], list[str]]:
    """Read a file as a split for validation or test is read: one example a source, all its targets as references.

    Args:
        path: The file.
        options: Columns and units.
        name: Of the split.
        codecs: Vocabularies of the sources and of the targets; symbols that they lack become `UNKNOWN`.

    Returns:
        The examples, counts of what was skipped or merged, and warnings.

    Raises:
        DataError: As for `read_pairs`.
    """
    file = read_pairs(path, options)
    examples = _choose_all(file.pairs.translate(codecs))
    warnings = [] if file.header is None else [_describe_header(*file.header)]
    return examples, [*_count_lines(file, f"{name}: "), _count_references(name, examples)], warnings


def read_pairs(path: str, options: PairsOptions, *, max_examples: int | None = None) -> PairFile:
    """Read sources and their targets.

    Args:
        path: A file as `text_table.read_rows` reads it.
        options: Columns and units.
        max_examples: Most pairs to read, from the top of the file; None: all.

    Raises:
        DataError: The file cannot be read; a line lacks a column; a source or target is blank, or has a symbol that
            cannot be distinguished from others.
    """
    stores = SymbolStore(find_source_unit(options)), SymbolStore(options.target_unit)
    texts: list[tuple[str, str]] = []
    num_pairs = num_unread = num_blank = num_wide = 0
    header: tuple[str, str] | None = None
    places, names_line = _find_unnamed(options), None
    for row in read_rows(path):
        if num_pairs == max_examples:
            num_unread += 1
        elif not row.cells:
            num_blank += 1
        elif places is None:
            places, names_line = _find_places(path, options, row), row.number
        else:
            source, target = _read_row(path, row, places, options)
            num_wide += len(row.cells) > places.num_read
            if not num_pairs and names_line is None and looks_like_header(source, target):
                header = (source, target)
            num_pairs += 1
            texts.append((source, target))
            if len(texts) == ROWS_AT_A_TIME:
                _store(stores, texts)
    if not num_pairs:
        raise DataError(path, names_line, "holds a header and no pairs", remedy="Add lines of pairs")
    _store(stores, texts)
    (source_ids, source_codec), (target_ids, target_codec) = (store.finish() for store in stores)
    pairs = group_pairs(source_ids, target_ids, (source_codec, target_codec))
    return PairFile(
        pairs=pairs,
        header_line=names_line,
        num_blank=num_blank,
        num_repeated=num_pairs - len(pairs.source),
        num_unread=num_unread,
        num_wide=num_wide,
        header=header,
    )


def _store(stores: tuple[SymbolStore, SymbolStore], texts: list[tuple[str, str]]) -> None:
    """Add pairs of texts to the stores of their sides, and forget them."""
    if texts:
        for store, side in zip(stores, zip(*texts, strict=True), strict=True):
            store.add(side)
        texts.clear()


def looks_like_header(source: str, target: str) -> bool:
    """Tell whether the two columns of a line look like the names of columns, such as `source` and `target`."""
    return all(text.strip().casefold() in COLUMN_NAMES for text in (source, target))


def _describe_header(source: str, target: str) -> str:
    shown = printable(f"{source} -> {target}")
    remedy = "If it is a header, remove it, or name the columns: dataset.source_column=NAME."
    return f"the first line ({shown}) looks like a header, and is used as a pair. {remedy}"


def _find_unnamed(options: PairsOptions) -> Places | None:
    """Return the positions of the columns where all are given by number; None where a header is needed."""
    columns = (options.source_column, options.target_column, options.tags_column)
    if any(isinstance(column, str) for column in columns):
        return None
    return _find_places("", options, None)


def _find_places(path: str, options: PairsOptions, header: Row | None) -> Places:
    source = find_column(path, options.source_column, header)
    target = find_column(path, options.target_column, header)
    tags = None if options.tags_column is None else find_column(path, options.tags_column, header)
    places = {source, target} if tags is None else {source, target, tags}
    return Places(source, target, tags, last=max(places), num_read=len(places))


def _read_row(path: str, row: Row, places: Places, options: PairsOptions) -> tuple[str, str]:
    number, cells = row
    if len(cells) <= places.last:
        raise _refuse_short(path, row, places.last)
    source, target = _read_source(path, row, (places.source, places.tags), options), cells[places.target]
    if not target.strip():
        raise DataError(path, number, "has a blank target", remedy="Fill it in or remove the line")
    if options.target_unit != "characters":
        _check_symbols(path, number, "target", split_text(target, options.target_unit), unit=options.target_unit)
    return source, target


def _read_source(path: str, row: Row, places: tuple[int, int | None], options: PairsOptions) -> str:
    """Return the source of a line, its tags behind it where there is a column of tags."""
    source, tags = row.cells[places[0]], places[1]
    if not source.strip():
        raise DataError(path, row.number, "has a blank source", remedy="Fill it in or remove the line")
    if options.source_unit != "characters":
        _check_symbols(path, row.number, "source", split_text(source, options.source_unit), unit=options.source_unit)
    return source if tags is None else _add_tags(path, row.number, source, row.cells[tags], options=options)


def read_source_texts(path: str, options: PairsOptions) -> Iterator[str]:
    """Yield the sources of a file without reading targets, which may be missing; no blank lines, no header.

    Args:
        path: A file as `text_table.read_rows` reads it.
        options: Columns of the sources and of their tags, and the unit.

    Raises:
        DataError: As for `read_pairs`.
    """
    columns = (options.source_column, options.tags_column)
    places: tuple[int, int | None] | None = None
    for row in read_rows(path):
        if not row.cells:
            continue
        if places is None:
            is_named = any(isinstance(column, str) for column in columns)
            header = row if is_named else None
            tags = None if options.tags_column is None else find_column(path, options.tags_column, header)
            places = (find_column(path, options.source_column, header), tags)
            if is_named:
                continue
        last = max(place for place in places if place is not None)
        if len(row.cells) <= last:
            problem = f"has {count_noun(len(row.cells), 'column')}, and column {last + 1} is to be read"
            remedy = "Complete the line, or choose dataset.source_column and dataset.tags_column"
            raise DataError(path, row.number, problem, remedy=remedy)
        yield _read_source(path, row, places, options)


def _refuse_short(path: str, row: Row, last: int) -> DataError:
    num_columns = len(row.cells)
    if num_columns == 1 and last == 1:
        return DataError(path, row.number, "has no tab", remedy="Write source, a tab, target on each line")
    problem = f"has {count_noun(num_columns, 'column')}, and column {last + 1} is to be read"
    remedy = "Complete the line, or choose dataset.source_column and dataset.target_column"
    return DataError(path, row.number, problem, remedy=remedy)


def _check_symbols(path: str, number: int, side: str, symbols: Sequence[str], *, unit: Unit) -> None:
    if (reserved := find_special(symbols)) is not None:
        noun = "word" if unit == "words" else "symbol"
        problem = f"the {side} has the {noun} {reserved}, the name of a special symbol"
        raise DataError(path, number, problem, remedy="Write it in another way, such as <unk>")
    if unit != "words" and "" in symbols:
        problem = f"the {side} has nothing between two separators {unit!r}, or at an end"
        raise DataError(path, number, problem, remedy="Take out what is too much")


def _add_tags(path: str, number: int, source: str, tags: str, *, options: PairsOptions) -> str:
    """Return a source with its tags behind it, each a symbol such as `[V]`."""
    unit = find_source_unit(options)
    symbols = [f"[{tag.strip()}]" for tag in tags.split(options.tags_separator or ";")]
    text = join_symbols([source, *symbols], unit)
    if not tags.strip() or "[]" in symbols:
        raise DataError(path, number, "has a blank tag", remedy="Fill it in or remove the line")
    if list(split_text(text, unit)) != [*split_text(source, options.source_unit), *symbols]:
        problem = f"{text!r} cannot be cut into symbols: brackets mark tags, in which no symbol may end"
        raise DataError(path, number, problem, remedy="Write brackets, and spaces within tags, in another way")
    return text


def _split_sources(path: str, pairs: PairGroups, options: PairsOptions) -> dict[str, Indices]:
    """Return the sources of the training split, and of those that have no file of their own."""
    val_share = options.validation_fraction if options.validation_path is None else None
    test_share = options.test_fraction if options.test_path is None else None
    if val_share is None and test_share is None:
        return {"train": np.arange(len(pairs))}
    rng = np.random.default_rng(options.seed)
    parts = draw_parts(rng, len(pairs), validation_fraction=val_share, test_fraction=test_share)
    if parts is None:
        raise DataError(
            path,
            None,
            f"has {count_noun(len(pairs), 'different source')}, too few to split into training, validation and test",
            remedy="Add pairs, or choose smaller dataset.validation_fraction and dataset.test_fraction",
        )
    return {name: indices for name, indices in parts._asdict().items() if len(indices)}


def _keep_trained(pairs: PairGroups, sources: Indices) -> tuple[Vocabulary, Vocabulary]:
    """Return the vocabularies of the pairs of the training sources."""
    trained = pairs.find_pairs(sources)
    source_codec, target_codec = pairs.codecs
    return keep_used(source_codec, pairs.source.take(trained)), keep_used(target_codec, pairs.target.take(trained))


def _choose_all(pairs: PairGroups) -> Split:
    return pairs.choose_first(np.arange(len(pairs)))


def _count_skipped(files: Mapping[str, PairFile], splits: Mapping[str, Split], trained: Indices) -> list[Skipped]:
    counted = []
    for name, file in files.items():
        counted += _count_lines(file, f"{name}: " if len(files) > 1 else "")
    num_targets = files["train"].pairs.num_targets[trained]
    num_capped = int(num_targets[num_targets > MOST_REFERENCES].sum())
    reason = f"train: kept, source has more than {MOST_REFERENCES} targets, scored by its own only"
    counted.append(Skipped(reason=reason, count=num_capped))
    return counted + [_count_references(name, examples) for name, examples in splits.items() if name != "train"]


def _count_lines(file: PairFile, where: str) -> list[Skipped]:
    counts = {
        f"line {file.header_line}, read as the names of the columns": int(file.header_line is not None),
        "blank lines": file.num_blank,
        "lines with further columns, which are not read": file.num_wide,
        "lines after the first dataset.max_examples pairs": file.num_unread,
        "lines that repeat an earlier pair, merged with it": file.num_repeated,
    }
    return [Skipped(reason=where + reason, count=count) for reason, count in counts.items() if count]


def _count_references(name: str, examples: Split) -> Skipped:
    num_further = 0 if examples.references is None else len(examples.references.example)
    return Skipped(reason=f"{name}: further targets of a source, kept as references", count=num_further)


def _count_shared(files: Mapping[str, PairFile], trained: Indices) -> list[Skipped]:
    """Count the sources of a file of its own that training has too."""
    known = files["train"].pairs.sources.take(trained)
    return [
        Skipped(reason=f"{name}: kept, source is in train too", count=_count_known(file.pairs.sources, known))
        for name, file in files.items()
        if name != "train"
    ]


def _count_known(sequences: Sequences, known: Sequences) -> int:
    """Count the sequences that equal one of the known ones."""
    first = known.concatenate(sequences).find_first_equal()
    return int((first[len(known) :] < len(known)).sum())
