"""Tables of a report: its conditions, effects, published results and unfinished runs, and every run as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Sequence

from lengthwise.config.values import format_value
from lengthwise.data.dataset import Kind
from lengthwise.evaluation.assessment import EXPOSURE_METRICS, PRIMARY_METRICS
from lengthwise.evaluation.tables import Entry, Table
from lengthwise.studies.baselines import find_baseline
from lengthwise.studies.condition import Condition, StudyRun
from lengthwise.studies.lengths import has_several_lengths
from lengthwise.studies.published import Comparison
from lengthwise.studies.reliability import count_reaching, find_threshold, spreads_widely
from lengthwise.studies.report.findings import MARKS, VERDICTS, Finding, choose_findings, list_findings
from lengthwise.studies.report.numbers import (
    UNKNOWN,
    format_count,
    format_estimate,
    format_known,
    format_number,
    format_score,
    format_seconds,
)
from lengthwise.studies.study import Study
from lengthwise.studies.units import Unit, find_unit

_OUTCOMES = ("stopped_early", "stopped_late", "wrong_content")
_SIZES = {
    "model/decoder_dim": "decoder units",
    "model/handed_over": "numbers handed over",
    "model/parameters": "parameters",
    "training/updates": "updates",
    "training/presentations": "examples presented",
    "training/update_steps": "updates x timesteps",
}
"""Entry of a run's summary -> heading of its column."""

MOST_DIFFERENCES = 48
"""Rows of the table of differences below the answer; all others are in the tables of effects."""

_SHOWN_WORST, _SHOWN_RANDOM = 4, 4
_NUM_WORST = 20
"""The first samples of a run, this many, are its worst; the others are drawn at random."""

Column = tuple[str, list[str]]
"""A heading with an entry for each condition."""


def tabulate_conditions(study: Study) -> Table:
    """Tabulate all conditions, the best first: score, seeds, further scores, size, time, baseline."""
    ranked = study.rank()
    unit = find_unit(study.metric_name)
    columns: list[Column] = [
        (axis.label, [format_value(axis.levels[condition.levels[index]]) for condition in ranked])
        for index, axis in enumerate(study.axes)
    ]
    scores = [_format_interval(condition, study.metric, unit) for condition in ranked]
    columns.append((f"{unit.label}, {study.split} ({unit.score})", scores))
    columns += _list_seeds(study, ranked, unit)
    for metric in study.other_metrics:
        values = [_format_interval(condition, metric, unit) for condition in ranked]
        columns.append((f"{metric.partition('/')[0]} ({unit.score})", values))
    columns += [*_list_outcomes(study, ranked), *_list_exposure(study, ranked), *_list_baselines(study, ranked, unit)]
    columns += _list_costs(ranked)
    return Table(
        columns=tuple(heading for heading, _ in columns),
        rows=tuple(zip(*(entries for _, entries in columns), strict=True)),
    )


def _format_interval(condition: Condition, metric: str, unit: Unit) -> str:
    estimate = condition.estimate(metric)
    return format_estimate(estimate, unit._replace(score="")) if estimate.num_values else UNKNOWN


def _count_seeds(study: Study, ranked: Sequence[Condition]) -> list[str]:
    counts: dict[str, Counter[str]] = {}
    for each in study.list_unfinished():
        counts.setdefault(each.condition.name, Counter())[each.status.lower()] += 1
    texts = []
    for condition in ranked:
        listed = ", ".join(f"{count} {status}" for status, count in counts.get(condition.name, Counter()).items())
        text = f"{len(condition.collect(study.metric))} of {len(study.seeds)}"
        texts.append(f"{text} ({listed})" if listed else text)
    return texts


def _list_seeds(study: Study, ranked: Sequence[Condition], unit: Unit) -> list[Column]:
    """List what the means hide: the median, each seed where they are far apart, and how many seeds work at all."""
    columns: list[Column] = [("seeds", _count_seeds(study, ranked))]
    if study.num_seeds < 2:
        return columns
    columns.append((f"median ({unit.score})", [format_known(each.find_median(study.metric), unit) for each in ranked]))
    if any(spreads_widely(study, condition) for condition in ranked):
        columns.append((f"each seed ({unit.score})", [_list_each(study, condition, unit) for condition in ranked]))
    threshold = find_threshold(study)
    if not math.isnan(threshold):
        texts = [_format_reliability(study, condition, threshold) for condition in ranked]
        columns.append((f"seeds that reach {format_score(threshold, unit)}", texts))
    return columns


def _list_each(study: Study, condition: Condition, unit: Unit) -> str:
    if not spreads_widely(study, condition):
        return UNKNOWN
    return ", ".join(format_number(value, unit) for value in sorted(condition.collect(study.metric), reverse=True))


def _format_reliability(study: Study, condition: Condition, threshold: float) -> str:
    if not len(condition.collect(study.metric)):
        return UNKNOWN
    found = count_reaching(study, condition, threshold)
    if not found.num_reaching:
        return f"0 of {found.num_seeds} (up to {100 * found.most_reaching:.0f} % may)"
    text = f"{found.num_reaching} of {found.num_seeds} (up to {100 * found.most_failing:.0f} % may not"
    if math.isnan(found.worst_mean):
        return f"{text})"
    return f"{text}: mean {format_number(found.worst_mean, find_unit(study.metric_name))})"


def _find_kind(study: Study) -> Kind:
    return "tokens" if study.metric_name == PRIMARY_METRICS["tokens"] else "features"


def _list_outcomes(study: Study, ranked: Sequence[Condition]) -> list[Column]:
    names = [f"{study.split}/{name}" for name in _OUTCOMES]
    known = {name for run in study.runs for name in run.manifest.summary}
    if not known.issuperset(names):
        return []
    share = find_unit("exact_match")
    if _find_kind(study) == "features":
        return _list_stops(study, ranked, share) if has_several_lengths(study) else []
    shares = [" / ".join(format_known(condition.average(name), share) for name in names) for condition in ranked]
    return [("stopped early / late / wrong content (%)", shares)]


def _list_stops(study: Study, ranked: Sequence[Condition], share: Unit) -> list[Column]:
    """List where sequences of numbers end: the length error, and the shares that end early and late."""
    steps = find_unit("length_error")
    errors = [format_known(condition.average(f"{study.split}/length_error"), steps) for condition in ranked]
    names = [f"{study.split}/{name}" for name in ("stopped_early", "stopped_late")]
    shares = [" / ".join(format_known(condition.average(name), share) for name in names) for condition in ranked]
    return [("length error (steps)", errors), ("stopped early / late (%)", shares)]


def _list_exposure(study: Study, ranked: Sequence[Condition]) -> list[Column]:
    unit = find_unit(EXPOSURE_METRICS[_find_kind(study)])
    gaps = [format_known(condition.average(f"{study.split}/exposure_gap"), unit) for condition in ranked]
    return [(f"exposure gap ({unit.difference})", gaps)]


def _list_baselines(study: Study, ranked: Sequence[Condition], unit: Unit) -> list[Column]:
    """List the best baseline of each condition, where they are not all the same."""
    found = [find_baseline(study, study.metric, condition) for condition in ranked]
    texts = [UNKNOWN if each is None else format_known(each.score, unit) for each in found]
    return [(f"baseline ({unit.score})", texts)] if len(set(texts) - {UNKNOWN}) > 1 else []


def _list_costs(ranked: Sequence[Condition]) -> list[Column]:
    seconds = [condition.average("time/fit_seconds") for condition in ranked]
    columns = []
    for metric, heading in _SIZES.items():
        sizes = [condition.average(metric) for condition in ranked]
        if metric == "model/parameters" or any(math.isfinite(size) for size in sizes):
            columns.append((heading, [f"{size:,.0f}" if math.isfinite(size) else UNKNOWN for size in sizes]))
    return [*columns, ("training time", [format_seconds(each) if math.isfinite(each) else UNKNOWN for each in seconds])]


def tabulate_answer(study: Study) -> Table:
    """Tabulate the differences that describe a study, on every held-out split side by side, marked where judged.

    A change whose effect depends on the other axes has a row for each of their combinations, every other one row.
    """
    unit = find_unit(study.metric_name)
    metrics = (study.metric, *study.other_metrics)
    by_split = [choose_findings(study, list_findings(study, metric)) for metric in metrics]
    difference = f", {unit.difference}" if unit.difference else ""
    has_others = len(study.axes) > 1
    scores = (f"{unit.label}, {metric.partition('/')[0]}{difference}" for metric in metrics)
    columns = ("change", *(("at",) if has_others else ()), *scores)
    rows = []
    for findings in zip(*by_split, strict=True):
        for number in range(len(findings[0].describing)):
            own = [each.simple[number] if findings[0].depends_on_others else each for each in findings]
            marked = (_mark(each) + _format_difference(each, unit) for each in own)
            at = (own[0].context or "the average of all",) if has_others else ()
            rows.append((own[0].label, *at, *marked))
    return Table(columns=columns, rows=tuple(rows[:MOST_DIFFERENCES]))


def _mark(finding: Finding) -> str:
    return f"{MARKS[finding.verdict]} " if finding.is_judged else ""


def tabulate_effects(study: Study, findings: Sequence[Finding]) -> Table:
    """Tabulate effects: change, where, difference, interval; corrected p and verdict where they are judged."""
    unit = find_unit(study.metric_name)
    named = f"difference ({unit.difference})" if unit.difference else "difference"
    columns: list[Column] = [("change", [finding.label for finding in findings])]
    if any(finding.context for finding in findings):
        columns.append(("at", [finding.context for finding in findings]))
    columns.append((named, [_format_difference(finding, unit) for finding in findings]))
    if any(finding.is_judged for finding in findings):
        columns.append(("corrected p", [_format_p(finding.corrected_p) for finding in findings]))
        texts = [VERDICTS[each.verdict] if each.is_judged else "not judged" for each in findings]
        columns.append(("verdict", texts))
        if any(math.isfinite(each.undone_by) for each in findings):
            columns.append(("undone if this share of seeds fails", [_format_undoing(each) for each in findings]))
    if study.num_seeds > 1:
        effects = [finding.effect for finding in findings]
        columns.append(("seeds", [f"{each.seeds_used} of {each.seeds_total}" for each in effects]))
    columns.append(("conditions", [_count_contexts(finding) for finding in findings]))
    return Table(
        columns=tuple(heading for heading, _ in columns),
        rows=tuple(zip(*(entries for _, entries in columns), strict=True)),
    )


def _format_difference(finding: Finding, unit: Unit) -> str:
    if not finding.is_known:
        return UNKNOWN
    return format_estimate(finding.effect.estimate, unit._replace(difference=""), difference=True)


def _format_p(value: float) -> str:
    if not math.isfinite(value):
        return UNKNOWN
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _format_undoing(finding: Finding) -> str:
    return f"{100 * finding.undone_by:.1f} %" if math.isfinite(finding.undone_by) else UNKNOWN


def _count_contexts(finding: Finding) -> str:
    if finding.effect.method == "linear model":
        return "linear model"
    return f"{finding.effect.contexts_used} of {finding.effect.contexts_total}"


def tabulate_decodings(study: Study) -> Table:
    """Tabulate the scores of the same trained models under their own and other decodings; no rows without others."""
    decodings, unit = study.other_decodings, find_unit(study.metric_name)
    if not decodings:
        return Table(columns=(), rows=())
    columns: list[Column] = [("condition", [condition.name for condition in study.rank()])]
    for metric in (study.metric, *study.other_metrics):
        split = metric.partition("/")[0]
        named = {f"{split}, as run": metric} | {
            f"{split}, {label.replace('_', ' ')}": f"{split}/{label}/{study.metric_name}" for label in decodings
        }
        for heading, name in named.items():
            entries = [_format_interval(condition, name, unit) for condition in study.rank()]
            columns.append((f"{heading} ({unit.score})", entries))
    return Table(
        columns=tuple(heading for heading, _ in columns),
        rows=tuple(zip(*(entries for _, entries in columns), strict=True)),
    )


def tabulate_unfinished(study: Study) -> Table:
    """Tabulate the runs of the grid without a score of their own, what they count as, and why they have none."""
    unit = find_unit(study.metric_name)
    rows = tuple(
        (
            each.condition.name,
            UNKNOWN if each.seed is None else str(each.seed),
            each.status.lower(),
            "missing" if math.isnan(each.counts_as) else format_score(each.counts_as, unit),
            each.reason,
        )
        for each in study.list_unfinished()
    )
    return Table(columns=("condition", "seed", "status", "counts as", "reason"), rows=rows)


def tabulate_incomplete(study: Study) -> Table:
    """Tabulate the finished runs of which parts could not be written."""
    rows = tuple(
        (
            condition.name,
            UNKNOWN if run.manifest.record.seed is None else str(run.manifest.record.seed),
            run.manifest.name,
            ", ".join(run.manifest.missing),
        )
        for condition, run in study.list_incomplete()
    )
    return Table(columns=("condition", "seed", "run", "missing"), rows=rows)


def tabulate_published(comparisons: Sequence[Comparison]) -> Table:
    """Tabulate published results beside those of this study."""
    rows: list[tuple[Entry, ...]] = []
    for each in comparisons:
        unit = find_unit(each.published.metric.rpartition("/")[2])
        bare = unit._replace(score="")
        expected = each.prediction
        position = UNKNOWN
        if expected is not None:
            is_inside = expected.low <= each.published.value <= expected.high
            ends = f"[{format_number(expected.low, unit)}, {format_number(expected.high, unit)}]"
            position = f"{ends}: {'inside' if is_inside else 'outside'}"
        rows.append(
            (
                each.condition.name,
                f"{each.published.metric} ({unit.score})",
                format_estimate(each.estimate, bare),
                f"{format_number(each.published.value, unit)} ({format_count(each.published.num_seeds, 'seed')})",
                position,
                each.published.source,
                "; ".join(each.differences) or "nothing: the same data, measure and recipe",
            )
        )
    columns = (
        "condition",
        "metric",
        "this study",
        "published",
        "expected of as many seeds",
        "source",
        "what differs",
    )
    return Table(columns=columns, rows=tuple(rows))


def choose_samples(study: Study, condition: Condition) -> Table | None:
    """Choose decoded examples of a condition's first seed: some of the worst, then some drawn at random.

    Args:
        study: The study; its split is shown.
        condition: One of its conditions.

    Returns:
        The examples; None where the condition has none.
    """
    run = next((run for run in condition.finished if study.split in run.samples), None)
    if run is None:
        return None
    table = run.samples[study.split]
    kept = (*table.rows[:_SHOWN_WORST], *table.rows[_NUM_WORST : _NUM_WORST + _SHOWN_RANDOM])
    kinds = [f"worst {rank + 1}" for rank in range(min(_SHOWN_WORST, len(table.rows)))]
    rows = ((kinds[index] if index < len(kinds) else "at random", *row[1:]) for index, row in enumerate(kept))
    return Table(columns=("", *table.columns[1:]), rows=tuple(rows))


def write_results(study: Study) -> str:
    """Write every run as a row of CSV: its name and status, its levels, and every number of its summary."""
    options = [option for axis in study.axes for option in (axis.option, *axis.together)]
    metrics = list(dict.fromkeys(name for run in study.runs for name in run.manifest.summary))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["study", "run", "status", "seed", "seconds", *options, *metrics])
    for run in study.runs:
        levels = [_format_plain(run.manifest.record.params.get(name)) for name in options]
        values = [_format_plain(run.manifest.summary.get(name)) for name in metrics]
        writer.writerow([*_identify(run), *levels, *values])
    return text.getvalue()


def _identify(run: StudyRun) -> list[str]:
    manifest = run.manifest
    seconds = "" if manifest.duration_seconds is None else f"{manifest.duration_seconds:.1f}"
    seed = "" if manifest.record.seed is None else str(manifest.record.seed)
    return [manifest.record.study, manifest.name, manifest.status, seed, seconds]


def _format_plain(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.8g}" if isinstance(value, float) else str(value)
