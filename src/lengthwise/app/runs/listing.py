"""The command `lengthwise runs`: one line a run, with the options that vary and the score."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lengthwise.app.request import Request
from lengthwise.config.paths import find_output_dir
from lengthwise.errors import printable
from lengthwise.files import dump_json

if TYPE_CHECKING:
    from lengthwise.tracking.runs.find import StoredRun
    from lengthwise.tracking.runs.manifest import Manifest
    from lengthwise.tracking.runs.run_record import PrimaryMetric

_WIDTH = 100
_GAP = "  "
_MOST_VALUE = 16
_LEAST_SCORE = 24
"""Width that is kept for the score, or the reason why there is none."""


def list_runs(request: Request) -> int:
    """Print the runs, newest first."""
    from lengthwise.config.options import RunOptions
    from lengthwise.config.reflection import read_fields
    from lengthwise.config.values import check_value
    from lengthwise.tracking.runs.find import list_runs as find_runs
    from lengthwise.tracking.runs.heartbeat import reap_listed

    study = request.first
    if study is not None:
        (field,) = (field for field in read_fields(RunOptions) if field.name == "study")
        check_value(field, study, name="study")
    output_dir = find_output_dir(request.compose())
    runs = find_runs(output_dir, study)
    if reap_listed(runs):  # so that no run shows as RUNNING whose process is dead
        runs = find_runs(output_dir, study)
    if request.flags.json:
        print(dump_json([_summarise(run) for run in runs], indent=1))
    elif not runs:
        print(f"No runs in {output_dir / study if study else output_dir}.")
    else:
        width = shutil.get_terminal_size((_WIDTH, 24)).columns
        print("\n".join(format_runs([run.manifest for run in runs], width=width)))
    return 0


def format_runs(runs: Sequence[Manifest], *, width: int) -> list[str]:
    """Write one line a run: when it started, its id, its status, the options that vary, its score.

    Args:
        runs: At least one. Where they are of one study its axes are columns, otherwise study and label.
        width: Of a line, in characters. Options that do not fit are left out, and named in the last line.
    """
    columns: dict[str, list[str]] = {
        "started": [run.started[:16].replace("T", " ") for run in runs],
        "id": [run.id for run in runs],
        "status": [run.status for run in runs],
    }
    is_one_study = len({run.record.study for run in runs}) == 1
    options = _list_axes(runs) if is_one_study else _list_names(runs)
    metrics = [run.record.primary_metric for run in runs if run.record.primary_metric is not None]
    shared = metrics[0] if is_one_study and len(set(metrics)) == 1 else None
    columns, omitted = _fit(columns, options, width=width)
    scores = [_describe_score(run, shared) for run in runs]
    widths = [max(map(len, (name, *column))) for name, column in columns.items()]
    left = max(width - sum(widths) - len(_GAP) * len(widths), _LEAST_SCORE)
    header = (*map(printable, columns), "score" if shared is None else printable(shared.name))
    table = [*columns.values(), scores]
    rows = [header, *([column[place] for column in table] for place in range(len(runs)))]
    lines = [_GAP.join([*map(str.ljust, row[:-1], widths), _cut(row[-1], left)]).rstrip() for row in rows]
    if omitted:
        lines += ["", f"These options vary too: {', '.join(omitted)}. `lengthwise runs --json` has all."]
    return lines


def _list_axes(runs: Sequence[Manifest]) -> dict[str, list[str]]:
    """Return the options in which the runs of a study differ by themselves, and the seed, as columns."""
    from lengthwise.studies.axes import find_axes

    trained = [run.record.params for run in runs if run.record.kind == "run"]
    axes = find_axes(trained[::-1], {})
    names = [axis.label for axis in axes]
    unique = [axis.label if names.count(axis.label) == 1 else axis.option for axis in axes]
    found = {
        name: [_write_value(run.record.params, axis.option) if run.record.kind == "run" else "" for run in runs]
        for name, axis in zip(unique, axes, strict=True)
    }
    if not found or any(run.record.kind == "sweep" for run in runs):
        found = {"run": [run.record.label for run in runs], **found}
    return found | {"seed": ["" if run.record.seed is None else str(run.record.seed) for run in runs]}


def _list_names(runs: Sequence[Manifest]) -> dict[str, list[str]]:
    return {
        "study": [run.record.study for run in runs],
        "run": [run.record.label for run in runs],
        "seed": ["" if run.record.seed is None else str(run.record.seed) for run in runs],
    }


def _write_value(params: Mapping[str, object], option: str) -> str:
    value = params.get(option)
    return "-" if value is None else _cut(f"{value:.6g}" if isinstance(value, float) else str(value), _MOST_VALUE)


def _fit(
    columns: dict[str, list[str]], options: dict[str, list[str]], *, width: int
) -> tuple[dict[str, list[str]], list[str]]:
    """Add columns as long as they fit, cut to a width of their own; returns all, and the names of those left out."""
    used = sum(max(map(len, (name, *column))) + len(_GAP) for name, column in columns.items())
    found, omitted = dict(columns), []
    for name, column in options.items():
        entries = [_cut(printable(entry), 2 * _MOST_VALUE) for entry in column]
        needed = max(map(len, (name, *entries))) + len(_GAP)
        if used + needed + _LEAST_SCORE > width:
            omitted.append(name)
            continue
        used += needed
        found[name] = entries
    return found, omitted


def _describe_score(run: Manifest, shared: PrimaryMetric | None) -> str:
    """Write the score of a run, or why it has none."""
    if run.failure is not None and run.status != "FINISHED":
        return printable(" ".join(run.failure.reason.split()))
    metric = run.record.primary_metric
    shown = dict(list(run.summary.items())[:1]) if metric is None else {}  # of a sweep, how many jobs it has had
    if metric is not None and metric.name in run.summary:
        shown = {metric.name: run.summary[metric.name]}
    text = " ".join(f"{'' if shared else f'{key} '}{_write_number(value)}" for key, value in shown.items())
    missing = f" (not written: {', '.join(run.missing)})" if run.missing else ""
    return printable(text + missing)


def _write_number(value: float) -> str:
    return "NaN" if math.isnan(value) else f"{value:.4g}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}\N{HORIZONTAL ELLIPSIS}"


def _summarise(run: StoredRun) -> dict[str, object]:
    """Return what `--json` prints of a run."""
    manifest, record = run.manifest, run.manifest.record
    return {
        "name": manifest.name,
        "id": manifest.id,
        "study": record.study,
        "label": record.label,
        "kind": record.kind,
        "parent": record.parent,
        "status": manifest.status,
        "started": manifest.started,
        "duration_seconds": manifest.duration_seconds,
        "seed": record.seed,
        "dataset": None if record.dataset is None else record.dataset.name,
        "params": record.params,
        "summary": manifest.summary,
        "failure": None if manifest.failure is None else manifest.failure.reason,
        "missing": manifest.missing,
        "directory": run.directory,
    }
