"""The comparison of more than two trained models over the same examples: every pair, corrected for their number."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from lengthwise.errors import LengthwiseError
from lengthwise.evaluation.metrics import ExampleScores, find_metric
from lengthwise.studies.diff.pair import ABSENT, list_differences
from lengthwise.studies.diff.paired import Difference, compare_scores, subtract
from lengthwise.studies.diff.scored import score_run
from lengthwise.studies.intervals import LEVEL
from lengthwise.studies.report.findings import Verdict
from lengthwise.tracking.runs.find import StoredRun
from lengthwise.tracking.runs.run_record import Value

MOST_RUNS = 10
"""Most runs that are compared at once: they make 45 pairs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPair:
    """Two of several runs in the primary metric.

    Args:
        first, second: Places of the runs.
        difference: Of the second less the first, with the interval at the level at which the pair was decided.
        verdict: 1 where the second is better, -1 where it is worse, 0 where no difference is shown.
    """

    first: int
    second: int
    difference: Difference
    verdict: Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class SeveralRuns:
    """More than two runs compared.

    Args:
        runs: The runs, as they were named.
        options: Option -> its value in each run, of those in which they differ.
        metrics: `split/metric` -> the score of each run, None where it has none; the primary one first.
        pairs: Every pair.
        num_examples: Examples that all pairs were scored on; 0 where these are not the same.
        has_same_data: Whether all were trained and scored on the same data.
    """

    runs: tuple[StoredRun, ...]
    options: dict[str, tuple[Value, ...]]
    metrics: dict[str, tuple[float | None, ...]]
    pairs: tuple[RunPair, ...]
    num_examples: int
    has_same_data: bool

    @property
    def verdict(self) -> Verdict:
        """The verdict on the last run against the first."""
        last = len(self.runs) - 1
        return next(pair.verdict for pair in self.pairs if (pair.first, pair.second) == (0, last))


def compare_several(runs: Sequence[StoredRun]) -> SeveralRuns:
    """Compare every pair of runs over the same examples.

    Holm's method (1979), with intervals: of m pairs all are looked at with intervals at 1 - 0.05 / m; those without 0
    are decided, and the rest is looked at again as a smaller family, until none is decided. So of equal models any are
    called different on 5 of 100 pages at most, and no interval contradicts its verdict.

    Args:
        runs: At least three finished runs with the same primary metric.

    Raises:
        LengthwiseError: There are too many, one is named twice, or they are compared by different scores.
    """
    if len(runs) > MOST_RUNS:
        raise LengthwiseError(
            f"{len(runs)} runs are too many to compare every pair; at most {MOST_RUNS}. To compare methods, name two "
            "studies, or `lengthwise report STUDY`."
        )
    twice = next(
        (run for place, run in enumerate(runs) if run.directory in [other.directory for other in runs[:place]]), None
    )
    if twice is not None:
        raise LengthwiseError(f"{twice.manifest.name} is named twice. Name each run once.")
    primary = {run.manifest.record.primary_metric for run in runs}
    metric = next(iter(primary))
    if len(primary) > 1 or metric is None:
        names = " and ".join(sorted(str(each and each.name) for each in primary))
        raise LengthwiseError(
            f"The runs are compared by different scores: {names}. Name runs on the same kind of data."
        )
    hashes = {None if (data := run.manifest.record.dataset) is None else data.sha256 for run in runs}
    has_same_data = len(hashes) == 1 and None not in hashes
    split, _, name = metric.name.partition("/")
    scored = [score_run(run, None).get(split) if has_same_data else None for run in runs]
    examples = [None if own is None else own.examples[name] for own in scored]
    values = [run.manifest.summary.get(metric.name, float("nan")) for run in runs]
    return SeveralRuns(
        runs=tuple(runs),
        options=list_options(runs),
        metrics=_list_metrics(runs, metric.name),
        pairs=tuple(_decide(name, examples, values, higher_is_better=metric.greater_is_better)),
        num_examples=_count_shared(examples),
        has_same_data=has_same_data,
    )


def list_options(runs: Sequence[StoredRun]) -> dict[str, tuple[Value, ...]]:
    """Return the options in which any of the runs differ, with the value of each run."""
    first, *others = (run.manifest.record.params for run in runs)
    names = dict.fromkeys(each.option for other in others for each in list_differences(first, other))
    return {name: tuple(params.get(name, ABSENT) for params in (first, *others)) for name in names}


def _list_metrics(runs: Sequence[StoredRun], primary: str) -> dict[str, tuple[float | None, ...]]:
    summaries = [run.manifest.summary for run in runs]
    split, _, name = primary.partition("/")
    names = dict.fromkeys(key for summary in summaries for key in summary)
    own = [key for key in names if key.partition("/")[0] == split and find_metric(key.partition("/")[2]) is not None]
    others = [f"{other}/{name}" for other in ("test", "longer", "val") if other != split and f"{other}/{name}" in names]
    return {key: tuple(summary.get(key) for summary in summaries) for key in dict.fromkeys([primary, *own, *others])}


def _count_shared(examples: Sequence[ExampleScores | None]) -> int:
    counts = {0 if own is None else len(own.amount) for own in examples}
    return counts.pop() if len(counts) == 1 else 0


def _decide(
    name: str, examples: Sequence[ExampleScores | None], values: Sequence[float], *, higher_is_better: bool
) -> list[RunPair]:
    """Decide every pair by Holm's method."""
    decided: dict[tuple[int, int], RunPair] = {}
    left = list(itertools.combinations(range(len(values)), 2))
    if not _count_shared(examples):
        return [_judge(pair, subtract(name, values[pair[0]], values[pair[1]]), higher_is_better) for pair in left]
    while left:
        level = 1 - (1 - LEVEL) / len(left)
        found = {pair: _judge(pair, _compare(name, pair, examples, level), higher_is_better) for pair in left}
        decided |= found
        different = [pair for pair, own in found.items() if own.verdict]
        if not different:
            break
        left = [pair for pair in left if pair not in different]
    return [decided[pair] for pair in itertools.combinations(range(len(values)), 2)]


def _compare(name: str, pair: tuple[int, int], examples: Sequence[ExampleScores | None], level: float) -> Difference:
    first, second = (own for place in pair if (own := examples[place]) is not None)
    return compare_scores(name, first, second, is_share=name == "exact_match", level=level)


def _judge(pair: tuple[int, int], difference: Difference, higher_is_better: bool) -> RunPair:
    verdict: Verdict = 0
    if difference.is_significant:
        verdict = 1 if (difference.estimate.mean > 0) == higher_is_better else -1
    return RunPair(first=pair[0], second=pair[1], difference=difference, verdict=verdict)
