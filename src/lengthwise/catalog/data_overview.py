"""What a loader sees of the data: counts, lengths, symbols, repetitions, examples, and what was skipped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.codec import Codec
from lengthwise.data.dataset import Dataset, Skipped, Split
from lengthwise.data.sequences import Sequences
from lengthwise.data.vocabulary import UNKNOWN, Vocabulary
from lengthwise.errors import count_noun, printable

NUM_EXAMPLES = 3
"""Examples that are shown of each split, the first ones."""

KEPT_PERCENT = (95, 99, 100)
"""Shares of the targets for which the number of steps is given that keeps them."""

_MOST_BINS = 10
_BAR_WIDTH = 20  # 80 columns hold two bars with counts of millions
_LONGEST_TEXT = 60
_SHOWN_STEPS, _SHOWN_FEATURES = 3, 4


@dataclass(frozen=True, kw_only=True, slots=True)
class LengthBin:
    """The number of sources and of targets that have from `low` to `high` steps."""

    low: int
    high: int
    num_sources: int
    num_targets: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SideOverview:
    """The sources, or the targets, of a split.

    Args:
        median: Steps.
        percentile_95: Steps that 95 % of them do not exceed.
        longest: Steps.
        unknown_share: Share of the symbols that training does not have; None for features.
    """

    median: int
    percentile_95: int
    longest: int
    unknown_share: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitOverview:
    """One split.

    Args:
        num_examples: Examples.
        num_repeated: Examples that equal an earlier one in source and target.
        num_sources: Different sources.
        source: The sources.
        target: The targets.
        examples: Source and target of the first ones, as a person writes them.
    """

    num_examples: int
    num_repeated: int
    num_sources: int
    source: SideOverview
    target: SideOverview
    examples: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class DataOverview:
    """What a loader sees of the data.

    Args:
        name: The option `dataset.name`.
        kind: `tokens` or `features`.
        source_size: Different symbols of the sources in training, or features of a source step.
        target_size: The same for the targets.
        source_unit: What a symbol of a source is; `numbers` for features.
        target_unit: The same for the targets.
        timesteps: Most steps of a target.
        splits: By name.
        bins: Lengths over all splits.
        timesteps_keeping: The steps that keep a share of all targets that can be read, by percent; those that
            `timesteps` leaves out count too.
        shared_sources: For two splits, such as `train and test`, the different sources that both have.
        skipped: What was left out or changed.
        warnings: What makes the data hard to learn from.
    """

    name: str
    kind: str
    source_size: int
    target_size: int
    source_unit: str
    target_unit: str
    timesteps: int
    splits: Mapping[str, SplitOverview]
    bins: tuple[LengthBin, ...]
    timesteps_keeping: Mapping[int, int]
    shared_sources: Mapping[str, int]
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...]


def survey_data(dataset: Dataset, whole: Dataset | None = None) -> DataOverview:
    """Count and measure what a dataset holds.

    Args:
        dataset: The data as a run would read them.
        whole: The same with targets of any length; None where none is left out.
    """
    rows = {name: _hash_rows(split) for name, split in dataset.splits.items()}
    sources = {name: {source for source, _ in found} for name, found in rows.items()}
    shared = {f"{first} and {second}": len(sources[first] & sources[second]) for first, second in combinations(rows, 2)}
    target_lengths = np.concatenate([split.target.length for split in dataset.splits.values()])
    every_length = np.concatenate([split.target.length for split in (whole or dataset).splits.values()])
    source_lengths = np.concatenate([split.source.length for split in dataset.splits.values()])
    return DataOverview(
        name=dataset.name,
        kind=dataset.spec.kind,
        source_size=_count_symbols(dataset.source_codec),
        target_size=_count_symbols(dataset.target_codec),
        source_unit=_name_unit(dataset.source_codec),
        target_unit=_name_unit(dataset.target_codec),
        timesteps=dataset.spec.timesteps,
        splits={name: _survey_split(dataset, split, rows[name]) for name, split in dataset.splits.items()},
        bins=tuple(_count_lengths(source_lengths, target_lengths)),
        timesteps_keeping={percent: _find_percentile(every_length, percent) for percent in KEPT_PERCENT},
        shared_sources=shared,
        skipped=dataset.skipped,
        warnings=dataset.warnings,
    )


def _hash_rows(split: Split) -> list[tuple[int, int]]:
    """Return the hash of each example's source and target without padding."""
    return [(hash(split.source[row].tobytes()), hash(split.target[row].tobytes())) for row in range(len(split))]


def _survey_split(dataset: Dataset, split: Split, rows: Sequence[tuple[int, int]]) -> SplitOverview:
    is_tokens = dataset.spec.kind == "tokens"
    return SplitOverview(
        num_examples=len(split),
        num_repeated=len(rows) - len(set(rows)),
        num_sources=len({source for source, _ in rows}),
        source=_survey_side(split.source, is_tokens=is_tokens),
        target=_survey_side(split.target, is_tokens=is_tokens),
        examples=tuple(
            (
                _write(split.source[row], dataset.source_codec),
                _write(split.target[row], dataset.target_codec),
            )
            for row in range(min(NUM_EXAMPLES, len(split)))
        ),
    )


def _survey_side(sequences: Sequences, *, is_tokens: bool) -> SideOverview:
    lengths, values = sequences.length, sequences.flatten()
    return SideOverview(
        median=_find_percentile(lengths, 50),
        percentile_95=_find_percentile(lengths, 95),
        longest=sequences.longest,
        unknown_share=float((values == UNKNOWN).mean()) if is_tokens else None,
    )


def _find_percentile(lengths: NDArray[np.int32], percent: int) -> int:
    """Return the smallest length that so many percent of the lengths do not exceed."""
    return int(np.percentile(lengths, percent, method="inverted_cdf"))


def _count_lengths(sources: NDArray[np.int32], targets: NDArray[np.int32]) -> list[LengthBin]:
    """Count lengths in bins of one width, from the shortest to the longest of both sides."""
    both = np.concatenate([sources, targets])
    low, high = int(both.min()), int(both.max())
    width = math.ceil((high - low + 1) / _MOST_BINS)
    starts = range(low, high + 1, width)
    counts = [np.bincount((lengths - low) // width, minlength=len(starts)).tolist() for lengths in (sources, targets)]
    return [
        LengthBin(low=start, high=min(start + width - 1, high), num_sources=num_sources, num_targets=num_targets)
        for start, num_sources, num_targets in zip(starts, *counts, strict=True)
    ]


def _count_symbols(codec: Codec) -> int:
    return len(codec.symbols) if isinstance(codec, Vocabulary) else codec.size


def _name_unit(codec: Codec) -> str:
    return codec.unit_text if isinstance(codec, Vocabulary) else "numbers"


def _write(values: NDArray[np.generic], codec: Codec) -> str:
    """Write a source or target as a person does; of numbers only the first ones, in the data's unit."""
    if isinstance(codec, Vocabulary):
        return codec.decode(values.tolist())
    shown = codec.decode(values[:_SHOWN_STEPS])[:, :_SHOWN_FEATURES]
    steps = [
        "(" + ", ".join(f"{number:.4g}" for number in step) + _dots(codec.size, _SHOWN_FEATURES) + ")" for step in shown
    ]
    return " ".join(steps) + _dots(len(values), _SHOWN_STEPS)


def _dots(count: int, shown: int) -> str:
    return " ..." if count > shown else ""


def format_overview(overview: DataOverview) -> list[str]:
    """Write an overview for a terminal.

    Args:
        overview: What a loader sees.

    Returns:
        Lines of ASCII and of the data's own characters, control characters as escapes.
    """
    lines = [f"{overview.name}: {_describe_sizes(overview)}", "", *_tabulate_splits(overview), ""]
    lines += [*_draw_lengths(overview.bins), "", _describe_timesteps(overview)]
    shared = [f"{count:,} in {names}" for names, count in overview.shared_sources.items() if count]
    lines.append(f"sources shared between splits: {', '.join(shared) or 'none'}")
    lines += [f"{each.reason}: {each.count:,}" for each in overview.skipped]
    lines += [f"warning: {warning}" for warning in overview.warnings]
    for name, split in overview.splits.items():
        lines += ["", f"{name}, the first of {count_noun(split.num_examples, 'example')}"]
        lines += [f"  {_cut(source)} -> {_cut(target)}" for source, target in split.examples]
    return [printable(line) for line in lines]


def _describe_sizes(overview: DataOverview) -> str:
    if overview.kind == "features":
        source, target = (count_noun(size, "feature") for size in (overview.source_size, overview.target_size))
        return f"{source} a step to {target} a step"
    return (
        f"{overview.source_size:,} different {overview.source_unit} to {overview.target_size:,} different "
        f"{overview.target_unit} (in train)"
    )


def _tabulate_splits(overview: DataOverview) -> list[str]:
    header = ["split", "examples", "repeated", "sources", "source steps", "unknown", "target steps", "unknown"]
    rows = [header]
    for name, split in overview.splits.items():
        rows.append([name, *(f"{count:,}" for count in (split.num_examples, split.num_repeated, split.num_sources))])
        for side in (split.source, split.target):
            share = "-" if side.unknown_share is None else f"{side.unknown_share:.1%}"
            rows[-1] += [f"{side.median:,} / {side.percentile_95:,} / {side.longest:,}", share]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    return [*lines, "(steps: median / 95 % have at most / longest; sources: different ones)"]


def _draw_lengths(bins: Sequence[LengthBin]) -> list[str]:
    """Draw the lengths of sources and targets as bars, both on one scale."""
    most = max(max(each.num_sources, each.num_targets) for each in bins)
    names = [f"{each.low:,}" if each.low == each.high else f"{each.low:,} to {each.high:,}" for each in bins]
    column = max(len("steps"), *map(len, names))
    lines = [f"{'steps':>{column}}  {'sources':<{_BAR_WIDTH + 10}}targets"]
    for name, each in zip(names, bins, strict=True):
        counts = (each.num_sources, each.num_targets)
        bars = [f"{'#' * math.ceil(count / most * _BAR_WIDTH)} {count:,}".lstrip() for count in counts]
        lines.append(f"{name:>{column}}  {bars[0]:<{_BAR_WIDTH + 10}}{bars[1]}".rstrip())
    return lines


def _describe_timesteps(overview: DataOverview) -> str:
    if len(set(overview.timesteps_keeping.values())) == 1 == len(overview.bins):
        return f"every target has {count_noun(overview.timesteps, 'step')}"
    kept = [f"{percent} % with timesteps={steps}" for percent, steps in overview.timesteps_keeping.items()]
    return f"targets that are kept: {', '.join(kept)}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "..."
