"""Assemble examples into a dataset: drop long targets, pad, specify sizes, hash the content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.codec import Codec
from lengthwise.data.dataset import Dataset, DataSpec, Skipped, Split
from lengthwise.data.learnability import check_lengths, check_symbols, check_targets
from lengthwise.data.sequences import Sequences
from lengthwise.data.vocabulary import UNKNOWN, Unit, Vocabulary, build_vocabulary
from lengthwise.errors import ConfigError, count_noun

Timesteps = int | Literal["auto"]
References = tuple[tuple[NDArray[np.int32], ...], ...]

HASHED_ROWS = 4096
"""Examples hashed at a time, so that overlapping windows, which are views of one series, are never all copied."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TextExamples:
    """Examples of one split as texts.

    Args:
        sources: Source text of each example.
        targets: Target text of each example.
        references: For each example every accepted target, its own first; None where each has only its own.
    """

    sources: Sequence[str]
    targets: Sequence[str]
    references: Sequence[Sequence[str]] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenExamples:
    """Examples of one split as ids; fields as in `TextExamples`, the references as arrays of ids."""

    source: Sequences
    target: Sequences
    references: References | None = None


def build_codecs(train: TextExamples, source_unit: Unit, target_unit: Unit) -> tuple[Vocabulary, Vocabulary]:
    """Build the vocabularies of sources and targets from the training split only.

    Training examples whose targets are too long for `timesteps` count too, so that ids are the same in all runs of a
    sweep over `timesteps`.
    """
    references = (text for texts in train.references or () for text in texts)
    return build_vocabulary(train.sources, source_unit), build_vocabulary([*train.targets, *references], target_unit)


def assemble_texts(
    name: str,
    splits: Mapping[str, TextExamples],
    *,
    codecs: tuple[Vocabulary, Vocabulary],
    timesteps: Timesteps,
    skipped: Sequence[Skipped] = (),
    warnings: Sequence[str] = (),
) -> Dataset:
    """Turn examples written as texts into a dataset.

    Args:
        name: The option `dataset.name`.
        splits: Examples by split.
        codecs: Vocabulary of the sources and of the targets.
        timesteps: As for `assemble_tokens`.
        skipped: Counts of what the loader left out or merged.
        warnings: Warnings of the loader.

    Returns:
        The dataset; symbols that a vocabulary lacks are `UNKNOWN`, counted for each split in `skipped`.

    Raises:
        ConfigError: As for `assemble_tokens`.
        DataError: As for `assemble_tokens`.
    """
    encoded = {split: _encode(examples, *codecs) for split, examples in splits.items()}
    return assemble_tokens(name, encoded, codecs=codecs, timesteps=timesteps, skipped=skipped, warnings=warnings)


def assemble_tokens(
    name: str,
    splits: Mapping[str, TokenExamples],
    *,
    codecs: tuple[Vocabulary, Vocabulary],
    timesteps: Timesteps,
    skipped: Sequence[Skipped] = (),
    warnings: Sequence[str] = (),
) -> Dataset:
    """Turn examples given as ids into a dataset.

    Args:
        name: The option `dataset.name`.
        splits: Examples by split.
        codecs: Vocabulary of the sources and of the targets.
        timesteps: Most steps of a target, longer ones are left out and counted; `auto`: the longest of any split.
        skipped: Counts of what the loader left out or merged.
        warnings: Warnings of the loader.

    Returns:
        The dataset; without the split `longer` where nothing is left of it.

    Raises:
        ConfigError: `timesteps` leaves no example in `train`, `val` or `test`.
        DataError: The data cannot be learnt, see `learnability`.
    """
    counts = list(skipped)
    longest = max(int(examples.target.lengths.max(initial=0)) for examples in splits.values())
    limit = longest if timesteps == "auto" else timesteps
    kept = {split: _drop_longer(examples, limit, split, counts) for split, examples in splits.items()}
    for split, examples in kept.items():
        if not len(examples.target) and split != "longer":
            shortest = int(splits[split].target.lengths.min(initial=longest))
            _refuse_empty(split, limit, shortest)
        counts.extend(_count_unknown(examples, split))
    found = _check_learnable(name, kept, codecs, is_limited=timesteps != "auto")
    padded = {split: _pad(examples) for split, examples in kept.items() if len(examples.target)}
    spec = DataSpec(
        kind="tokens",
        source_size=codecs[0].size,
        target_size=codecs[1].size,
        source_timesteps=max(split.source.shape[1] for split in padded.values()),
        timesteps=limit,
    )
    return _build_dataset(name, spec, padded, codecs, skipped=counts, warnings=[*warnings, *found])


def assemble_features(
    name: str,
    splits: Mapping[str, Split],
    *,
    codec: Codec,
    timesteps: int,
    skipped: Sequence[Skipped] = (),
    warnings: Sequence[str] = (),
) -> Dataset:
    """Turn scaled windows of one length into a dataset for autoencoders, whose targets are its sources.

    Args:
        name: The option `dataset.name`.
        splits: Examples by split, each `(examples, timesteps, features)` float32.
        codec: The scaler of sources and targets.
        timesteps: Steps of every example.
        skipped: Counts of what the loader left out.
        warnings: Warnings of the loader.
    """
    size = splits["train"].source.shape[2]
    spec = DataSpec(
        kind="features", source_size=size, target_size=size, source_timesteps=timesteps, timesteps=timesteps
    )
    return _build_dataset(name, spec, splits, (codec, codec), skipped=skipped, warnings=warnings)


def autoencoder_split(values: NDArray[np.float32], labels: NDArray[np.generic] | None = None) -> Split:
    """Make a split from `(examples, timesteps, features)` values; its targets are its sources, the same array."""
    lengths = np.full(values.shape[0], values.shape[1], np.int32)
    return Split(source=values, source_length=lengths, target=values, target_length=lengths, labels=labels)


def hash_content(splits: Mapping[str, Split], codecs: tuple[Codec, Codec]) -> str:
    """Return the sha256, hexadecimal, of every array of every split and of the codecs."""
    digest = hashlib.sha256()
    for codec in codecs:
        digest.update(codec.to_json().encode())
    for name in sorted(splits):
        split = splits[name]
        arrays = [split.source, split.source_length, split.target, split.target_length]
        if split.labels is not None:
            arrays.append(split.labels)
        if split.references is not None:
            arrays.extend(_flatten_references(split.references))
        for array in arrays:
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            for start in range(0, len(array), HASHED_ROWS):
                digest.update(np.ascontiguousarray(array[start : start + HASHED_ROWS]).data)
    return digest.hexdigest()


def _build_dataset(
    name: str,
    spec: DataSpec,
    splits: Mapping[str, Split],
    codecs: tuple[Codec, Codec],
    *,
    skipped: Sequence[Skipped],
    warnings: Sequence[str],
) -> Dataset:
    return Dataset(
        name=name,
        spec=spec,
        splits=dict(splits),
        source_codec=codecs[0],
        target_codec=codecs[1],
        content_hash=hash_content(splits, codecs),
        skipped=tuple(each for each in skipped if each.count),
        warnings=tuple(warnings),
    )


def _check_learnable(
    name: str, splits: Mapping[str, TokenExamples], codecs: tuple[Vocabulary, Vocabulary], *, is_limited: bool
) -> list[str]:
    """Refuse examples that cannot be learnt; return warnings. The user's own limit of target steps is not judged."""
    sources = {split: examples.source for split, examples in splits.items()}
    targets = {split: examples.target for split, examples in splits.items()}
    check_targets(name, targets["train"], codecs[1])
    warnings = check_lengths(
        name, list(sources.values()), "source", codecs[0], remedy="Shorten it, or split it into several examples"
    )
    if not is_limited:
        remedy = "Set timesteps={typical} to leave such examples out, or shorten them"
        warnings += check_lengths(name, list(targets.values()), "target", codecs[1], remedy=remedy)
    return [*warnings, *check_symbols(name, sources, "source"), *check_symbols(name, targets, "target")]


def _encode(examples: TextExamples, sources: Vocabulary, targets: Vocabulary) -> TokenExamples:
    source = sources.encode_all(examples.sources)
    if examples.references is None:
        return TokenExamples(source=source, target=targets.encode_all(examples.targets))
    accepted = targets.encode_all(chain.from_iterable(examples.references))
    ends = list(accumulate(map(len, examples.references)))
    starts = [0, *ends[:-1]]
    arrays = accepted.arrays()
    return TokenExamples(
        source=source,
        target=accepted.take(np.array(starts, np.int64)),
        references=tuple(tuple(arrays[start:end]) for start, end in zip(starts, ends, strict=True)),
    )


def _drop_longer(examples: TokenExamples, limit: int, split: str, counts: list[Skipped]) -> TokenExamples:
    kept = np.flatnonzero(examples.target.lengths <= limit)
    num_dropped = len(examples.target) - len(kept)
    if not num_dropped:
        return examples
    counts.append(Skipped(reason=f"{split}: left out, target longer than timesteps={limit}", count=num_dropped))
    references = examples.references
    return TokenExamples(
        source=examples.source.take(kept),
        target=examples.target.take(kept),
        references=None if references is None else tuple(references[index] for index in kept),
    )


def _refuse_empty(split: str, limit: int, shortest: int) -> None:
    raise ConfigError(
        "timesteps",
        f"must leave examples in the split {split}, whose shortest target has {count_noun(shortest, 'step')}",
        received=str(limit),
        remedy=f"Set timesteps=auto or at least {shortest}",
    )


def _count_unknown(examples: TokenExamples, split: str) -> list[Skipped]:
    return [
        Skipped(
            reason=f"{split}: kept, {side} has symbols that are not in train, read as <unknown>",
            count=_count_sequences_with(sequences, UNKNOWN),
        )
        for side, sequences in (("source", examples.source), ("target", examples.target))
    ]


def _count_sequences_with(sequences: Sequences, symbol: int) -> int:
    row = np.repeat(np.arange(len(sequences)), sequences.lengths)
    return len(np.unique(row[sequences.values == symbol]))


def _pad(examples: TokenExamples) -> Split:
    return Split(
        source=examples.source.padded(),
        source_length=examples.source.lengths,
        target=examples.target.padded(),
        target_length=examples.target.lengths,
        references=examples.references,
    )


def _flatten_references(references: References) -> list[NDArray[np.int32]]:
    sizes = np.array([len(accepted) for accepted in references], np.int32)
    flat = [reference for accepted in references for reference in accepted]
    return [sizes, np.array([len(reference) for reference in flat], np.int32), np.concatenate(flat)]
