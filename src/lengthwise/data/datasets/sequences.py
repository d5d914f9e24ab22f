"""Load the user's own real-valued sequences of any length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.options import SequencesOptions
from lengthwise.config.rules.data import refuse_no_path
from lengthwise.data.assembly import Timesteps, assemble_features, autoencoder_split, check_not_empty
from lengthwise.data.dataset import Dataset, Origin, Skipped, Split
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.data.learnability import check_columns
from lengthwise.data.numbers.sequence_file import SPLITS, NumberSequences, match_targets, read_sequences
from lengthwise.data.scaler import Scaler, fit_scaler
from lengthwise.data.sequences import Sequences
from lengthwise.data.splitting import draw_parts
from lengthwise.errors import DataError, count_noun


@load_dataset.register
def load_sequences(options: SequencesOptions, timesteps: Timesteps) -> Dataset:
    """Load sequences of numbers, one example each; with a second file of targets, or as an autoencoder.

    Sequences are split at random, or as the file says. The scalers of both sides are fitted on the training split.

    Args:
        options: Files, columns, scaling and shares.
        timesteps: Most steps of a target, longer ones are left out and counted; `auto`: the longest of any split.

    Returns:
        A dataset with the place of each example in the file as its origin.

    Raises:
        ConfigError: No path is given, a column does not exist, or `timesteps` leaves nothing of a split.
        DataError: A file cannot be read, the ids of the two differ, there are too few sequences, or no feature changes.
    """
    if options.path is None:
        raise refuse_no_path(options)
    sources = read_sequences(options.path, options, columns=options.columns, has_splits=True)
    targets = None
    if options.target_path is not None:
        targets = match_targets(sources, read_sequences(options.target_path, options, columns=None))
    lengths = np.array([len(steps) for steps in (targets or sources).steps])
    limit = int(lengths.max()) if timesteps == "auto" else timesteps
    places, skipped = {}, []
    for name, drawn in _choose_places(sources, options).items():
        places[name] = drawn[lengths[drawn] <= limit]
        check_not_empty(name, limit, shortest=int(lengths[drawn].min()), count=len(places[name]))
        reason = f"{name}: left out, target longer than timesteps={limit}"
        skipped.append(Skipped(reason=reason, count=len(drawn) - len(places[name])))
    scalers, warnings = zip(
        *(_fit(side, places["train"], options) for side in (sources, targets) if side is not None), strict=True
    )
    splits = {name: build_split(sources, targets, scalers, chosen) for name, chosen in places.items()}
    dataset = assemble_features(
        "sequences",
        splits,
        codecs=(scalers[0], scalers[-1]),
        timesteps=limit,
        skipped=skipped,
        warnings=list(dict.fromkeys(line for side in warnings for line in side)),
    )
    return replace(dataset, origin=describe_origin(targets or sources, places))


def _choose_places(sources: NumberSequences, options: SequencesOptions) -> dict[str, NDArray[np.int64]]:
    """Return the places of each split's sequences in the file: in the file's order where it says which, else drawn."""
    if sources.splits is not None:
        return {name: np.flatnonzero(np.array(sources.splits) == name) for name in SPLITS}
    parts = draw_parts(
        np.random.default_rng(options.seed),
        len(sources.ids),
        validation_fraction=options.validation_fraction,
        test_fraction=options.test_fraction,
    )
    if parts is None:
        problem = f"has {count_noun(len(sources.ids), 'sequence')}, too few for three splits"
        raise DataError(sources.path, None, problem, remedy="Add sequences, at least three, or choose smaller shares")
    return parts._asdict()


def _fit(
    sequences: NumberSequences, train: NDArray[np.int64], options: SequencesOptions
) -> tuple[Scaler, Sequence[str]]:
    """Fit a scaler on the training steps; return it with the warnings of columns that do not change."""
    rows = np.concatenate([sequences.steps[place] for place in train])
    warnings = check_columns(sequences.path, rows, sequences.names or None)
    return fit_scaler(rows, options.scaling, sequences.names), warnings


def build_split(
    sources: NumberSequences,
    targets: NumberSequences | None,
    scalers: Sequence[Scaler],
    places: NDArray[np.int64],
) -> Split:
    """Scale some sequences of a file into a split.

    Args:
        sources: Of the file.
        targets: In the order of the sources; None: an autoencoder.
        scalers: Of the sources and of the targets; the same or one for an autoencoder.
        places: `(examples,)` indices of the sequences.
    """
    source = Sequences.from_arrays([scalers[0].encode(sources.steps[place]) for place in places])
    if targets is None:
        return autoencoder_split(source)
    target = Sequences.from_arrays([scalers[1].encode(targets.steps[place]) for place in places])
    return Split(source=source, target=target)


def describe_origin(targets: NumberSequences, places: dict[str, NDArray[np.int64]]) -> Origin:
    """Say where the sequences of each split, indices `(examples,)` by name, are in the file."""
    rows, ids = np.array(targets.rows, np.int64), np.array(targets.ids)
    return Origin(
        rows={name: rows[chosen] for name, chosen in places.items()},
        ids={name: ids[chosen] for name, chosen in places.items()},
        dates=targets.dates,
    )
