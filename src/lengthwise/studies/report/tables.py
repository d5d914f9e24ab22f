"""The tables of a report, as text."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

from lengthwise.evaluation.assessment import EXPOSURE_METRICS, PRIMARY_METRICS
from lengthwise.evaluation.tables import Cell as Entry
from lengthwise.evaluation.tables import Table
from lengthwise.studies.effects import Effect
from lengthwise.studies.published import Distance
from lengthwise.studies.report.numbers import Unit, find_unit, write_estimate, write_number, write_seconds
from lengthwise.studies.report.text import VERDICTS, Finding, choose_findings, write_findings
from lengthwise.studies.study import Cell, Study, StudyRun, show_value

NONE = "\N{EN DASH}"
_OUTCOMES = ("stopped_early", "stopped_late", "wrong_content")
MARKS = {1: "\N{BLACK UP-POINTING TRIANGLE}", -1: "\N{BLACK DOWN-POINTING TRIANGLE}", 0: "\N{WHITE CIRCLE}"}
"""Before a difference: surely better, surely worse, not sure."""

_SHOWN_WORST, _SHOWN_RANDOM = 4, 4
_NUM_WORST = 20
"""So many samples of a run are its worst, the others drawn at random."""


def tabulate_cells(study: Study) -> Table:
    """Tabulate all cells, the best first: score, seeds, further scores, size, time, baseline."""
    unit = find_unit(study.metric_name)
    kind = "tokens" if study.metric_name == PRIMARY_METRICS["tokens"] else "features"
    exposure = find_unit(EXPOSURE_METRICS[kind])
    columns = [axis.label for axis in study.axes] + [f"{unit.label}, {study.split} ({unit.score})", "seeds"]
    others = study.other_metrics
    columns += [f"{metric.partition('/')[0]} ({unit.score})" for metric in others]
    shown = [name for name in _OUTCOMES if kind == "tokens" and _is_known(study, f"{study.split}/{name}")]
    columns += ["stopped early / late / wrong content (%)"] if len(shown) == len(_OUTCOMES) else []
    baselines = {_show(_find_cell_baseline(study, cell), unit) for cell in study.cells} - {NONE}
    columns += [f"exposure gap ({exposure.difference})", *([f"baseline ({unit.score})"] if len(baselines) > 1 else [])]
    columns += ["parameters", "fit time"]
    rows = []
    for cell in study.rank():
        row = [show_value(axis.levels[level]) for axis, level in zip(study.axes, cell.place, strict=True)]
        row += [write_interval(cell, study.metric, unit), _write_seeds(study, cell)]
        row += [write_interval(cell, metric, unit) for metric in others]
        if len(shown) == len(_OUTCOMES):
            shares = (_show(cell.average(f"{study.split}/{name}"), find_unit("exact_match")) for name in shown)
            row.append(" / ".join(shares))
        row.append(_show(cell.average(f"{study.split}/exposure_gap"), exposure))
        row += [_show(_find_cell_baseline(study, cell), unit)] if len(baselines) > 1 else []
        row += [_show_count(cell.average("model/parameters")), _show_seconds(cell.average("time/fit_seconds"))]
        rows.append(tuple(row))
    return Table(columns=tuple(columns), rows=tuple(rows))


def write_interval(cell: Cell, metric: str, unit: Unit) -> str:
    """Write the mean of a cell with its interval, without the unit."""
    estimate = cell.estimate(metric)
    return write_estimate(estimate, unit._replace(score="", difference="")) if estimate.num_values else NONE


def _is_known(study: Study, metric: str) -> bool:
    return any(metric in run.summary for run in study.runs)


def _show(value: float, unit: Unit) -> str:
    return write_number(value, unit) if math.isfinite(value) else NONE


def _show_count(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else NONE


def _show_seconds(value: float) -> str:
    return write_seconds(value) if math.isfinite(value) else NONE


def _find_cell_baseline(study: Study, cell: Cell) -> float:
    start = f"{study.split}/baseline_"
    names = {key for run in cell.finished for key in run.summary if key.startswith(start)}
    values = [cell.average(name) for name in names if name.endswith(f"_{study.metric_name}")]
    known = [value for value in values if study.is_yardstick(value)]
    return (max if study.higher_is_better else min)(known, default=float("nan"))


def _write_seeds(study: Study, cell: Cell) -> str:
    counts: dict[str, int] = {}
    for other, _, status, _ in study.list_unfinished():
        if other is cell:
            counts[status.lower()] = counts.get(status.lower(), 0) + 1
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"{len(cell.collect(study.metric))} of {len(study.seeds)}" + (f" ({told})" if told else "")


def tabulate_answer(study: Study) -> Table:
    """Tabulate the main effects on every held-out split side by side, each marked; no rows where there is one cell."""
    unit = find_unit(study.metric_name)
    by_split = [(m, choose_findings(study, write_findings(study, m)[0])) for m in (study.metric, *study.other_metrics)]
    named = f", {unit.difference}" if unit.difference else ""
    columns = ("step", *(f"{unit.label}, {metric.partition('/')[0]}{named}" for metric, _ in by_split))
    rows = []
    for own in zip(*(findings for _, findings in by_split), strict=True):
        marked = (f"{MARKS[each.verdict]} {_show_difference(each.effect, unit)}" for each in own)
        rows.append((own[0].label, *marked))
    return Table(columns=columns, rows=tuple(rows))


def tabulate_effects(study: Study, findings: Sequence[Finding]) -> Table:
    """Tabulate effects: the step, its difference and interval, and how sure it is."""
    unit = find_unit(study.metric_name)
    named = f"difference ({unit.difference})" if unit.difference else "difference"
    columns = ("step", named, "corrected p", "verdict", "seeds", "cells")
    rows = tuple(
        (
            finding.label,
            _show_difference(finding.effect, unit),
            _show_p(finding.effect.corrected_p),
            VERDICTS[finding.verdict],
            f"{finding.effect.seeds_used} of {finding.effect.seeds_total}",
            "linear model"
            if finding.effect.method == "linear model"
            else f"{finding.effect.contexts_used} of {finding.effect.contexts_total}",
        )
        for finding in findings
    )
    return Table(columns=columns, rows=rows)


def _show_difference(effect: Effect, unit: Unit) -> str:
    if not math.isfinite(effect.estimate.mean):
        return NONE
    return write_estimate(effect.estimate, unit._replace(difference=""), difference=True)


def _show_p(value: float) -> str:
    if not math.isfinite(value):
        return NONE
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def tabulate_unfinished(study: Study) -> Table:
    """Tabulate what of the grid did not finish, and why."""
    rows = tuple(
        (cell.name, NONE if seed is None else str(seed), status.lower(), reason)
        for cell, seed, status, reason in study.list_unfinished()
    )
    return Table(columns=("cell", "seed", "state", "reason"), rows=rows)


def tabulate_published(distances: Sequence[Distance]) -> Table:
    """Tabulate published results beside ours."""
    rows: list[tuple[Entry, ...]] = []
    for each in distances:
        unit = find_unit(each.published.metric.partition("/")[2])
        apart = each.standard_errors
        error = each.published.error
        spread = "" if error is None else f" \N{PLUS-MINUS SIGN} {write_number(error, unit)}"
        rows.append(
            (
                each.cell.name,
                f"{each.published.metric} ({unit.score})",
                write_estimate(each.ours, unit._replace(score="")),
                f"{write_number(each.published.value, unit)}{spread}",
                NONE if apart is None else f"{apart:+.1f}".replace("-", "\N{MINUS SIGN}"),
                each.published.source,
                each.published.note or "same model, data and measure",
            )
        )
    columns = ("cell", "metric", "ours", "published", "distance (standard errors)", "source", "compared with ours")
    return Table(columns=columns, rows=tuple(rows))


def choose_samples(study: Study, cell: Cell) -> Table | None:
    """Choose decoded examples of a cell's first seed: some of the worst, then some drawn at random; None: it has none.

    Args:
        study: the study; its split is shown.
        cell: one of its cells.
    """
    run = next((run for run in cell.finished if study.split in run.samples), None)
    if run is None:
        return None
    table = run.samples[study.split]
    kept = (*table.rows[:_SHOWN_WORST], *table.rows[_NUM_WORST : _NUM_WORST + _SHOWN_RANDOM])
    kinds = [f"worst {place + 1}" for place in range(min(_SHOWN_WORST, len(table.rows)))]
    rows = ((kinds[place] if place < len(kinds) else "at random", *row[1:]) for place, row in enumerate(kept))
    return Table(columns=("", *table.columns[1:]), rows=tuple(rows))


def write_results(study: Study) -> str:
    """Write every run as a row of CSV: what it is, its levels, and every number of its summary."""
    options = [option for axis in study.axes for option in (axis.option, *axis.together)]
    metrics = list(dict.fromkeys(name for run in study.runs for name in run.summary))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["study", "run", "status", "seed", "seconds", *options, *metrics])
    for run in study.runs:
        writer.writerow([*_list_facts(run), *(_plain(run.params.get(name)) for name in options)]
                        + [_plain(run.summary.get(name)) for name in metrics])  # fmt: skip
    return text.getvalue()


def _list_facts(run: StudyRun) -> list[str]:
    seconds = "" if run.seconds is None else f"{run.seconds:.1f}"
    return [run.study, run.name, run.status, "" if run.seed is None else str(run.seed), seconds]


def _plain(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.8g}" if isinstance(value, float) else str(value)
