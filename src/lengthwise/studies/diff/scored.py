"""What a run has decoded of each held-out split, scored again example by example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lengthwise.data.dataset import Dataset
from lengthwise.decoding.predictions import Predictions
from lengthwise.errors import RunError
from lengthwise.evaluation.metrics import ExampleScores, Scores, score_predictions
from lengthwise.tracking.runs.arrays import read_array
from lengthwise.tracking.runs.find import StoredRun
from lengthwise.tracking.runs.run_files import RunFiles

HELD_OUT = ("test", "longer", "val")
"""The splits that are compared, in the order in which they are shown."""

_IDS = ("uint8", "uint16", "uint32")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredSplit:
    """A held-out split as one run has decoded it.

    Args:
        examples: Name of the metric -> the scores of every example.
        scores: All scores, with the comparison they come from; None where the run has kept only its primary metric.
        predictions: What was decoded; None where it was not kept.
    """

    examples: Mapping[str, ExampleScores]
    scores: Scores | None
    predictions: Predictions | None


def score_run(run: StoredRun, dataset: Dataset | None) -> dict[str, ScoredSplit]:
    """Score what a run has decoded.

    Args:
        run: The run.
        dataset: Its data; None where they are not there any more, so that only the primary metric is known.

    Returns:
        The held-out splits of which the run has kept the examples.

    Raises:
        RunError: A file of the run cannot be read.
    """
    found = {}
    for split in HELD_OUT:
        scored = None if dataset is None else _score_predictions(run.directory, split, dataset)
        scored = scored or _read_primary(run, split)
        if scored is not None:
            found[split] = scored
    return found


def _score_predictions(directory: Path, split: str, dataset: Dataset) -> ScoredSplit | None:
    is_tokens, files = dataset.spec.kind == "tokens", RunFiles(directory)
    name = f"samples/{split}_predictions.npy"
    values = read_array(files, name, dtypes=_IDS if is_tokens else ("float32",), num_dimensions=2 if is_tokens else 3)
    ends = read_array(files, f"samples/{split}_ends.npy", dtypes=("int32",), num_dimensions=2)
    if values is None or ends is None or split not in dataset.splits:
        return None
    if ends.shape[1] != 2 or not np.isin(ends[:, 1], (0, 1)).all():
        raise _refuse(directory / name, "its lengths are damaged")
    if is_tokens and int(values.max()) >= dataset.spec.target_size:
        raise _refuse(directory / name, "it holds symbols that the data do not have")
    predictions = Predictions(
        values=values.astype(np.int32) if is_tokens else values,
        length=ends[:, 0],
        stopped=ends[:, 1].astype(bool),
        log_probability=None,
    )
    try:
        scores = score_predictions(predictions, dataset.splits[split], dataset.spec.kind)
    except ValueError as error:
        raise _refuse(directory / name, str(error)) from error
    return ScoredSplit(examples=scores.examples, scores=scores, predictions=predictions)


def _refuse(path: Path, problem: str) -> RunError:
    return RunError(f"{path} does not fit the data ({problem}). Move the run's directory away.")


def _read_primary(run: StoredRun, split: str) -> ScoredSplit | None:
    primary = run.manifest.record.primary_metric
    parts = read_array(
        RunFiles(run.directory), f"samples/{split}_correct.npy", dtypes=("uint8", "float32"), num_dimensions=1
    )
    if primary is None or parts is None:
        return None
    scores = ExampleScores(parts.astype(np.float64), np.ones(len(parts)))
    return ScoredSplit(examples={primary.name.partition("/")[2]: scores}, scores=None, predictions=None)
