"""Cautions of a report: confounded options, missing runs, too few seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lengthwise.studies.condition import Condition
from lengthwise.studies.judging import MIN_SEEDS
from lengthwise.studies.reliability import find_threshold, list_mixed
from lengthwise.studies.report.findings import Finding
from lengthwise.studies.report.numbers import format_count, format_score
from lengthwise.studies.report.standing import Standing
from lengthwise.studies.study import Study
from lengthwise.studies.units import find_unit

_MOST_NAMED = 4
_SEEDS_OF_FAILING = 10
"""Seeds with which verdicts keep their level even where half of the seeds fail, by simulation."""


def write_failed(study: Study) -> list[str]:
    """Say how many runs failed by their own doing and what they count with; nothing where none did."""
    failed = study.list_failed()
    if not failed or not any(len(condition.collect(study.metric)) for condition in study.conditions):
        return []
    total = sum(len(condition.runs) for condition in study.conditions)
    begin = f"{len(failed)} of {format_count(total, 'run')} failed in training"
    names = Counter(condition.name for condition, _ in failed)
    listed = "; ".join(f"{count} of {name}" for name, count in names.most_common(_MOST_NAMED))
    rest = "; and others" if len(names) > _MOST_NAMED else ""
    if study.leaves_out_failed:
        return [f"{begin} and are left out ({listed}{rest}): the scores are of the seeds that did not fail."]
    worst = format_score(failed[0][0].worst[study.metric], find_unit(study.metric_name))
    return [f"{begin} and count with the worst score, {worst} ({listed}{rest})."]


def write_missing(study: Study, standing: Standing) -> list[str]:
    """Say how many runs are missing and what the differences are of then; nothing where none is or none is compared."""
    missing = study.list_missing()
    if not missing or standing not in ("compared", "one seed"):
        return []
    counts = Counter(each.status.lower() for each in missing)
    listed = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    verb = "run is" if len(missing) == 1 else "runs are"
    return [
        f"{len(missing)} {verb} missing ({listed}), so differences are averaged over the conditions and seeds that are "
        "complete for each, and no longer over the whole grid; the tables count them."
    ]


def write_cautions(study: Study, standing: Standing, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Say what a reader must know before relying on a study, a sentence each.

    Args:
        study: The study.
        standing: Whether its conditions can be compared; cautions about comparisons are left out where they cannot.
        findings: Every main effect of its metric.
    """
    cautions = [] if standing in ("nothing learnt", "unfinished") else _write_confounded(study)
    if standing in ("compared", "one seed"):
        cautions += _write_shape(study)
    cautions += [*_write_unfinished(study), *_write_incomplete(study)]
    cautions += [
        f"Planned but never started: {option}={', '.join(values)}." for option, values in study.unstarted.items()
    ]
    if standing == "compared" and any(finding.effect.method == "linear model" for finding in findings):
        cautions.append("Some effects come from a linear model, since no condition has both levels; see below.")
    return tuple(cautions)


def _write_confounded(study: Study) -> list[str]:
    sentences = []
    for axis in study.axes:
        if axis.confounded:
            names = ", ".join(option.partition(".")[2] or option for option in axis.confounded)
            sentences.append(
                f"{axis.label} changes {names} together: this study cannot tell which of them makes the difference."
            )
    return sentences


def _write_shape(study: Study) -> list[str]:
    sentences = []
    if not study.is_grid:
        names = ", ".join(axis.label for axis in study.axes)
        sentences.append(f"The runs are no grid over {names}, so only conditions are compared, without effects.")
    if study.num_seeds == 2:
        sentences.append("Two seeds: intervals are very wide, 12.7 standard errors each way.")
    mixed = list_mixed(study)
    sentences += [_write_mixed(study, condition) for condition in mixed[:_MOST_NAMED]]
    if len(mixed) > 1 and MIN_SEEDS <= study.num_seeds < _SEEDS_OF_FAILING:
        sentences.append(
            f"In {len(mixed)} conditions some seeds work and others do not. If all failed in half of their seeds, a "
            f"page with {MIN_SEEDS} seeds would call something different by chance in 10 % of studies instead of 5, "
            f"with {_SEEDS_OF_FAILING} seeds in 3 % (simulated): add seeds before you rely on a verdict."
        )
    if study.num_seeds > 1 and not study.arrange_conditions(study.metric).noise.is_complete:
        sentences.append(
            "All seeds were scored on the same examples, and the runs have not kept what each example adds: the "
            "intervals leave out the noise of the examples, and are too narrow."
        )
    return sentences


def _write_mixed(study: Study, condition: Condition) -> str:
    """Say of a condition whose seeds work or do not how many do, and what each kind reaches."""
    unit, values, threshold = find_unit(study.metric_name), condition.collect(study.metric), find_threshold(study)
    works = (values >= threshold) == study.higher_is_better
    reached, failed = (format_score(float(own.mean()), unit) for own in (values[works], values[~works]))
    return (
        f"{condition.name}: {int(works.sum())} of {format_count(len(values), 'seed')} work, with {reached} on average, "
        f"and the others have {failed}. Its mean describes neither."
    )


def _write_unfinished(study: Study) -> list[str]:
    unfinished = study.list_unfinished()
    if not unfinished:
        return []
    counts = Counter(each.status.lower() for each in unfinished)
    listed = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    total = len(study.conditions) * len(study.seeds)
    missing = len(study.list_missing())
    counted = f"; {len(unfinished) - missing} of them count with the worst score" if missing < len(unfinished) else ""
    return [f"Of {total} runs in the grid {total - len(unfinished)} have a score: {listed}{counted}."]


def _write_incomplete(study: Study) -> list[str]:
    incomplete = [run for _, run in study.list_incomplete()]
    if not incomplete:
        return []
    parts = ", ".join(sorted({part for run in incomplete for part in run.manifest.missing}))
    runs = "1 run has" if len(incomplete) == 1 else f"{len(incomplete)} runs have"
    return [f"{runs} scores, but not all further results ({parts}): `lengthwise evaluate RUN` writes them."]
