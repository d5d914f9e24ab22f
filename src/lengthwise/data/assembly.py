"""Assemble examples into a dataset: drop long targets, specify sizes, hash the content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.codec import Codec
from lengthwise.data.dataset import Dataset, DataSpec, Origin, References, Skipped, Split
from lengthwise.data.learnability import check_lengths, check_symbols, check_targets
from lengthwise.data.scaler import Scaler
from lengthwise.data.sequences import Sequences
from lengthwise.data.vocabulary import UNKNOWN, Unit, Vocabulary, build_vocabulary
from lengthwise.errors import ConfigError, DataError, count_noun

Timesteps = int | Literal["auto"]

HASHED_STEPS = 1 << 20
"""Steps padded and hashed at a time, or one sequence: few, so that a split is never padded as a whole."""


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
class NewSplit:
    """A split for a model that is trained already.

    Args:
        split: Its examples.
        skipped: Counts of what was left out or changed.
        warnings: What makes its scores doubtful.
        origin: Where the examples are in the file, under the split's name; None but for numbers.
    """

    split: Split
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()
    origin: Origin | None = None


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
    splits: Mapping[str, Split],
    *,
    codecs: tuple[Vocabulary, Vocabulary],
    timesteps: Timesteps,
    skipped: Sequence[Skipped] = (),
    warnings: Sequence[str] = (),
) -> Dataset:
    """Turn examples given as ids into a dataset.

    Args:
        name: The option `dataset.name`.
        splits: Examples by split, as ids.
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
    longest = max(examples.target.longest for examples in splits.values())
    limit = longest if timesteps == "auto" else timesteps
    kept = {split: _drop_longer(examples, limit, split, counts) for split, examples in splits.items()}
    for split, examples in kept.items():
        if split != "longer":
            shortest = int(splits[split].target.length.min(initial=longest))
            check_not_empty(split, limit, shortest=shortest, count=len(examples))
        counts.extend(_count_unknown(examples, split))
    found = _check_learnable(name, kept, codecs, is_limited=timesteps != "auto")
    filled = {split: examples for split, examples in kept.items() if len(examples)}
    spec = DataSpec(
        kind="tokens",
        source_size=codecs[0].size,
        target_size=codecs[1].size,
        source_timesteps=max(split.source.longest for split in filled.values()),
        timesteps=limit,
    )
    return _build_dataset(name, spec, filled, codecs, skipped=counts, warnings=[*warnings, *found])


def check_split(split: Split, name: str, timesteps: int) -> NewSplit:
    """Check a split of texts for a trained model, as `assemble_tokens` does for training.

    Args:
        split: The examples, as ids of the model's vocabularies.
        name: Of the split.
        timesteps: Most steps of a target that the model can make; longer ones are left out and counted.

    Raises:
        DataError: No target is short enough, or most symbols are unknown to the model.
    """
    kept, counts = keep_shorter(split, name, timesteps)
    counts += _count_unknown(kept, name)
    warnings = [
        warning
        for side, sequences in (("source", kept.source), ("target", kept.target))
        for warning in check_symbols(name, {name: sequences}, side)
    ]
    return NewSplit(split=kept, skipped=tuple(counts), warnings=tuple(warnings))


def keep_shorter(split: Split, name: str, timesteps: int) -> tuple[Split, list[Skipped]]:
    """Leave out examples with longer targets than a trained model can make; return the rest and how many they were.

    Args:
        split: The examples.
        name: Of the split.
        timesteps: Most steps of a target.

    Raises:
        DataError: None is left.
    """
    counts = list[Skipped]()
    kept = _drop_longer(split, timesteps, name, counts)
    if not len(kept):
        problem = f"has no target of at most {count_noun(timesteps, 'step')}, the most that the model makes"
        raise DataError(name, None, problem, remedy="Name other data, or train a run with more timesteps")
    return kept, counts


def assemble_features(
    name: str,
    splits: Mapping[str, Split],
    *,
    codecs: tuple[Scaler, Scaler],
    timesteps: int,
    skipped: Sequence[Skipped] = (),
    warnings: Sequence[str] = (),
) -> Dataset:
    """Turn examples of scaled numbers into a dataset.

    Args:
        name: The option `dataset.name`.
        splits: Examples by split.
        codecs: The scalers of the sources and of the targets.
        timesteps: Most steps of a target.
        skipped: Counts of what the loader left out.
        warnings: Warnings of the loader.
    """
    spec = DataSpec(
        kind="features",
        source_size=codecs[0].size,
        target_size=codecs[1].size,
        source_timesteps=max(split.source.longest for split in splits.values()),
        timesteps=timesteps,
    )
    return _build_dataset(name, spec, splits, codecs, skipped=skipped, warnings=warnings)


def autoencoder_split(source: Sequences, labels: NDArray[np.generic] | None = None) -> Split:
    """Make a split of sequences whose targets are its sources, the same object."""
    return Split(source=source, target=source, labels=labels)


def hash_content(splits: Mapping[str, Split], codecs: tuple[Codec, Codec]) -> str:
    """Return the sha256, hexadecimal, of the codecs and of every array of every split, sequences padded with zeros."""
    digest = hashlib.sha256()
    for codec in codecs:
        # Without the features' names, which change no number.
        digest.update((replace(codec, names=()) if isinstance(codec, Scaler) else codec).to_json().encode())
    for name in sorted(splits):
        split = splits[name]
        for sequences in (split.source, split.target):
            _hash_padded(digest, name, sequences)
            _hash_array(digest, name, sequences.length)
        if split.labels is not None:
            _hash_array(digest, name, split.labels)
        if split.references is not None:
            accepted = split.list_accepted()
            _hash_array(digest, name, np.bincount(accepted.example).astype(np.int32))
            _hash_array(digest, name, accepted.target.length)
            _hash_array(digest, name, accepted.target.flatten().astype(np.int32))
    return digest.hexdigest()


def _hash_array(digest: hashlib._Hash, name: str, array: NDArray[Any]) -> None:
    digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)


def _hash_padded(digest: hashlib._Hash, name: str, sequences: Sequences) -> None:
    """Hash the padded array of sequences, some rows at a time."""
    width = sequences.longest
    shape = (len(sequences), width, *sequences.values.shape[1:])
    digest.update(f"{name} {sequences.pad(slice(0)).dtype.str} {shape}".encode())
    num_rows = max(1, HASHED_STEPS // max(1, width))
    for start in range(0, len(sequences), num_rows):
        digest.update(sequences.pad(slice(start, start + num_rows), width=width).data)


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
    name: str, splits: Mapping[str, Split], codecs: tuple[Vocabulary, Vocabulary], *, is_limited: bool
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


def _encode(examples: TextExamples, sources: Vocabulary, targets: Vocabulary) -> Split:
    source, target = sources.encode_all(examples.sources), targets.encode_all(examples.targets)
    if examples.references is None:
        return Split(source=source, target=target)
    count = np.array([len(accepted) - 1 for accepted in examples.references], np.int64)
    further = targets.encode_all(chain.from_iterable(accepted[1:] for accepted in examples.references))
    return Split(
        source=source,
        target=target,
        references=References(example=np.repeat(np.arange(len(count)), count), target=further),
    )


def _drop_longer(examples: Split, limit: int, split: str, counts: list[Skipped]) -> Split:
    kept = np.flatnonzero(examples.target.length <= limit)
    num_dropped = len(examples) - len(kept)
    if not num_dropped:
        return examples
    counts.append(Skipped(reason=f"{split}: left out, target longer than timesteps={limit}", count=num_dropped))
    return examples.take(kept)


def check_not_empty(split: str, limit: int, *, shortest: int, count: int) -> None:
    """Check that the limit of target steps leaves examples in a split.

    Args:
        split: Name of the split.
        limit: Most steps of a target.
        shortest: Steps of the split's shortest target, before any was left out.
        count: Examples left.

    Raises:
        ConfigError: None is left.
    """
    if count:
        return
    raise ConfigError(
        "timesteps",
        f"must leave examples in the split {split}, whose shortest target has {count_noun(shortest, 'step')}",
        received=str(limit),
        remedy=f"Set timesteps=auto or at least {shortest}",
    )


def _count_unknown(examples: Split, split: str) -> list[Skipped]:
    return [
        Skipped(
            reason=f"{split}: kept, {side} has symbols that are not in train, read as <unknown>",
            count=int(sequences.contain(UNKNOWN).sum()),
        )
        for side, sequences in (("source", examples.source), ("target", examples.target))
    ]
