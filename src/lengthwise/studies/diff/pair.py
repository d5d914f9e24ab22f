"""The comparison of two runs: what differs between them, and their scores over the same examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.dataset import Dataset
from lengthwise.evaluation.by_length import bin_lengths
from lengthwise.evaluation.metrics import ExampleScores, find_metric
from lengthwise.evaluation.outcomes import OUTCOMES, classify_outcomes
from lengthwise.studies.diff.paired import Difference, compare_scores, compare_shares, subtract
from lengthwise.studies.diff.scored import HELD_OUT, ScoredSplit, score_run
from lengthwise.studies.intervals import LEVEL
from lengthwise.studies.report.findings import Verdict
from lengthwise.tracking.runs.find import StoredRun
from lengthwise.tracking.runs.run_record import Value

_NO_DIFFERENCE = ("config_version", "study", "output_dir", "resume", "base")
"""Options that say where a run is or where it comes from, and change nothing in it."""

_MAX_LENGTHS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class OptionDifference:
    """An option that has another value in the second run; `ABSENT` where a run does not have it."""

    option: str
    first: Value
    second: Value


ABSENT = "(no such option)"


@dataclass(frozen=True, kw_only=True, slots=True)
class LengthDifference:
    """The primary metric of the examples of some target lengths.

    Args:
        lengths: Such as `7` or `8-9`, steps.
        difference: Of the two scores.
    """

    lengths: str
    difference: Difference


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitDifference:
    """Two runs on one held-out split.

    Args:
        split: Its name.
        num_examples: Examples that both have been scored on; 0 where these are not the same or were not kept.
        metrics: Every metric that both have, the primary one first.
        outcomes: The share of each outcome; empty where what was decoded is not known.
        transitions: `(outcome of the first, outcome of the second)`, examples; None where not known.
        by_length: The primary metric by target length; empty where it is not known, or of one length.
        gains: `(examples,)` by how much each is better decoded by the second, in the primary metric; None where not
            known.
        first, second: What the two have decoded; None where the examples are not the same.
    """

    split: str
    num_examples: int
    metrics: tuple[Difference, ...]
    outcomes: tuple[Difference, ...] = ()
    transitions: NDArray[np.int64] | None = None
    by_length: tuple[LengthDifference, ...] = ()
    gains: NDArray[np.float64] | None = None
    first: ScoredSplit | None = None
    second: ScoredSplit | None = None

    @property
    def primary(self) -> Difference:
        """The difference in the metric by which runs are compared."""
        return self.metrics[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class PairDifference:
    """Two runs compared.

    Args:
        first, second: The runs.
        options: Those in which they differ.
        has_same_data: Whether they were trained and scored on the same data.
        dataset: The data; None where they differ or are not there any more.
        splits: The held-out splits that both have scores of, that of the primary metric first.
        higher_is_better: Whether more of the primary metric is better.
        level: Of the intervals.
    """

    first: StoredRun
    second: StoredRun
    options: tuple[OptionDifference, ...]
    has_same_data: bool
    dataset: Dataset | None
    splits: tuple[SplitDifference, ...]
    higher_is_better: bool
    level: float

    @property
    def verdict(self) -> Verdict:
        """1 where the second run is better in the primary metric, -1 where it is worse, 0 where nothing is shown."""
        if not self.splits or not self.splits[0].primary.is_significant:
            return 0
        return 1 if (self.splits[0].primary.estimate.mean > 0) == self.higher_is_better else -1


def compare_runs(
    first: StoredRun, second: StoredRun, dataset: Dataset | None, *, level: float = LEVEL
) -> PairDifference:
    """Compare two finished runs that have the same primary metric.

    Args:
        first: A run.
        second: The run that is compared with it.
        dataset: The data of both; None where they differ or are not there any more.
        level: Of the intervals.

    Raises:
        RunError: A file of a run cannot be read.
    """
    primary = first.manifest.record.primary_metric
    metric = "" if primary is None else primary.name
    name, has_same_data = metric.partition("/")[2], _has_same_data(first, second)
    scored = [score_run(run, dataset) if has_same_data else {} for run in (first, second)]
    order = sorted(HELD_OUT, key=lambda split: split != metric.partition("/")[0])
    found = [_compare_split(split, name, (first, second), scored, dataset, level) for split in order]
    return PairDifference(
        first=first,
        second=second,
        options=list_differences(first.manifest.record.params, second.manifest.record.params),
        has_same_data=has_same_data,
        dataset=dataset,
        splits=tuple(each for each in found if each is not None),
        higher_is_better=primary is not None and primary.greater_is_better,
        level=level,
    )


def list_differences(first: Mapping[str, Value], second: Mapping[str, Value]) -> tuple[OptionDifference, ...]:
    """List the options in which two runs differ; those that say where runs are recorded are left out."""
    names = [name for name in dict.fromkeys([*first, *second]) if not name.startswith("tracking.")]
    found = []
    for name in names:
        before, after = first.get(name, ABSENT), second.get(name, ABSENT)
        if name not in _NO_DIFFERENCE and (before, type(before)) != (after, type(after)):
            found.append(OptionDifference(option=name, first=before, second=after))
    return tuple(found)


def _has_same_data(first: StoredRun, second: StoredRun) -> bool:
    before, after = first.manifest.record.dataset, second.manifest.record.dataset
    return before is not None and after is not None and before.sha256 == after.sha256


def _compare_split(
    split: str,
    primary: str,
    runs: tuple[StoredRun, StoredRun],
    scored: Sequence[Mapping[str, ScoredSplit]],
    dataset: Dataset | None,
    level: float,
) -> SplitDifference | None:
    summaries = [run.manifest.summary for run in runs]
    both = [own[split] for own in scored if split in own]
    if len(both) < 2 or len({len(each.examples[primary].amount) for each in both}) > 1:
        if all(f"{split}/{primary}" in summary for summary in summaries):
            values = [summary[f"{split}/{primary}"] for summary in summaries]
            return SplitDifference(split=split, num_examples=0, metrics=(subtract(primary, *values),))
        return None
    first, second = both
    names = sorted((name for name in first.examples if name in second.examples), key=lambda name: name != primary)
    metrics = [_compare(name, first.examples[name], second.examples[name], level) for name in names]
    metric, before, after = find_metric(primary), first.examples[primary], second.examples[primary]
    gains = after.values - before.values
    length = None if dataset is None else dataset.splits[split].target.length.astype(np.int64)
    outcomes, transitions = _compare_outcomes(first, second, level)
    return SplitDifference(
        split=split,
        num_examples=len(gains),
        metrics=tuple(metrics),
        outcomes=outcomes,
        transitions=transitions,
        by_length=() if length is None else _compare_lengths(primary, before, after, length, dataset, level),
        gains=gains if metric is None or metric.higher_is_better else -gains,
        first=first,
        second=second,
    )


def _compare(name: str, first: ExampleScores, second: ExampleScores, level: float) -> Difference:
    return compare_scores(name, first, second, is_share=name == "exact_match", level=level)


def _compare_lengths(
    name: str,
    first: ExampleScores,
    second: ExampleScores,
    length: NDArray[np.int64],
    dataset: Dataset | None,
    level: float,
) -> tuple[LengthDifference, ...]:
    trained = 0 if dataset is None else dataset.splits["train"].target.longest
    found = []
    for low, high in bin_lengths(length, trained, _MAX_LENGTHS):
        chosen = (length >= low) & (length <= high)
        before, after = (ExampleScores(each.amount[chosen], each.weight[chosen]) for each in (first, second))
        label = str(low) if low == high else f"{low}-{high}"
        found.append(LengthDifference(lengths=label, difference=_compare(name, before, after, level)))
    return tuple(found) if len(found) > 1 else ()


def _compare_outcomes(
    first: ScoredSplit, second: ScoredSplit, level: float
) -> tuple[tuple[Difference, ...], NDArray[np.int64] | None]:
    if first.scores is None or second.scores is None:
        return (), None
    before, after = (classify_outcomes(each).codes for each in (first.scores, second.scores))
    shares = []
    for code, name in enumerate(OUTCOMES):
        own = before == code, after == code
        estimate = compare_shares(*own, level=level)
        shares.append(Difference(name, float(own[0].mean()), float(own[1].mean()), estimate))
    transitions = np.zeros((len(OUTCOMES), len(OUTCOMES)), np.int64)
    np.add.at(transitions, (before, after), 1)
    return tuple(shares), transitions
