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
from lengthwise.studies.published import Distance
from lengthwise.studies.report.findings import MARKS, VERDICTS, Finding, choose_findings, list_findings
from lengthwise.studies.report.numbers import (
    MINUS,
    UNKNOWN,
    format_estimate,
    format_known,
    format_number,
    format_seconds,
)
from lengthwise.studies.study import Condition, Study, StudyRun
from lengthwise.studies.units import Unit, find_unit

_OUTCOMES = ("stopped_early", "stopped_late", "wrong_content")
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
    columns.append(("seeds", [_count_seeds(study, condition) for condition in ranked]))
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


def _count_seeds(study: Study, condition: Condition) -> str:
    counts = Counter(each.status.lower() for each in study.list_unfinished() if each.condition is condition)
    listed = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"{len(condition.collect(study.metric))} of {len(study.seeds)}" + (f" ({listed})" if listed else "")


def _find_kind(study: Study) -> Kind:
    return "tokens" if study.metric_name == PRIMARY_METRICS["tokens"] else "features"


def _list_outcomes(study: Study, ranked: Sequence[Condition]) -> list[Column]:
    names = [f"{study.split}/{name}" for name in _OUTCOMES]
    known = {name for run in study.runs for name in run.manifest.summary}
    if _find_kind(study) != "tokens" or not known.issuperset(names):
        return []
    share = find_unit("exact_match")
    shares = [" / ".join(format_known(condition.average(name), share) for name in names) for condition in ranked]
    return [("stopped early / late / wrong content (%)", shares)]


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
    sizes = [condition.average("model/parameters") for condition in ranked]
    seconds = [condition.average("time/fit_seconds") for condition in ranked]
    return [
        ("parameters", [f"{size:,.0f}" if math.isfinite(size) else UNKNOWN for size in sizes]),
        ("training time", [format_seconds(each) if math.isfinite(each) else UNKNOWN for each in seconds]),
    ]


def tabulate_answer(study: Study) -> Table:
    """Tabulate the main effects on every held-out split side by side, each marked; no rows of one condition."""
    unit = find_unit(study.metric_name)
    metrics = (study.metric, *study.other_metrics)
    by_split = [choose_findings(study, list_findings(study, metric)[0]) for metric in metrics]
    difference = f", {unit.difference}" if unit.difference else ""
    columns = ("change", *(f"{unit.label}, {metric.partition('/')[0]}{difference}" for metric in metrics))
    rows = []
    for findings in zip(*by_split, strict=True):
        marked = (f"{MARKS[each.verdict]} {_format_difference(each, unit)}" for each in findings)
        rows.append((findings[0].label, *marked))
    return Table(columns=columns, rows=tuple(rows))


def tabulate_effects(study: Study, findings: Sequence[Finding]) -> Table:
    """Tabulate effects: change, difference, interval, verdict; of one seed only the difference."""
    unit = find_unit(study.metric_name)
    named = f"difference ({unit.difference})" if unit.difference else "difference"
    if study.num_seeds == 1:
        rows = tuple(
            (finding.label, _format_difference(finding, unit), _count_contexts(finding)) for finding in findings
        )
        return Table(columns=("change", named, "conditions"), rows=rows)
    columns = ("change", named, "corrected p", "verdict", "seeds", "conditions")
    return Table(
        columns=columns,
        rows=tuple(
            (
                finding.label,
                _format_difference(finding, unit),
                _format_p(finding.effect.corrected_p),
                VERDICTS[finding.verdict],
                f"{finding.effect.seeds_used} of {finding.effect.seeds_total}",
                _count_contexts(finding),
            )
            for finding in findings
        ),
    )


def _format_difference(finding: Finding, unit: Unit) -> str:
    if not finding.is_known:
        return UNKNOWN
    return format_estimate(finding.effect.estimate, unit._replace(difference=""), difference=True)


def _format_p(value: float) -> str:
    if not math.isfinite(value):
        return UNKNOWN
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _count_contexts(finding: Finding) -> str:
    if finding.effect.method == "linear model":
        return "linear model"
    return f"{finding.effect.contexts_used} of {finding.effect.contexts_total}"


def tabulate_unfinished(study: Study) -> Table:
    """Tabulate the runs of the grid without a score, and why they have none."""
    rows = tuple(
        (each.condition.name, UNKNOWN if each.seed is None else str(each.seed), each.status.lower(), each.reason)
        for each in study.list_unfinished()
    )
    return Table(columns=("condition", "seed", "status", "reason"), rows=rows)


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


def tabulate_published(distances: Sequence[Distance]) -> Table:
    """Tabulate published results beside those of this study."""
    rows: list[tuple[Entry, ...]] = []
    for each in distances:
        unit = find_unit(each.published.metric.partition("/")[2])
        apart = each.standard_errors
        error = each.published.error
        spread = "" if error is None else f" \N{PLUS-MINUS SIGN} {format_number(error, unit)}"
        rows.append(
            (
                each.condition.name,
                f"{each.published.metric} ({unit.score})",
                format_estimate(each.estimate, unit._replace(score="")),
                f"{format_number(each.published.value, unit)}{spread}",
                UNKNOWN if apart is None else f"{apart:+.1f}".replace("-", MINUS),
                each.published.source,
                each.published.note or "same model, data and measure",
            )
        )
    columns = (
        "condition",
        "metric",
        "this study",
        "published",
        "distance (standard errors)",
        "source",
        "difference in setting",
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
