"""The command that shows one run on one screen."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lengthwise.app.request import Request
from lengthwise.config.paths import find_output_dir
from lengthwise.errors import printable

if TYPE_CHECKING:
    from rich.table import Table

    from lengthwise.tracking.runs.find import StoredRun
    from lengthwise.tracking.runs.manifest import Manifest


def show_run(request: Request) -> int:
    """Print what a run is, what it scored and how to use it."""
    from rich.console import Console
    from rich.text import Text

    from lengthwise.tracking.runs.find import find_run
    from lengthwise.tracking.runs.heartbeat import reap_listed

    output_dir = find_output_dir(request.compose())
    run = find_run(output_dir, request.words[0])
    if reap_listed([run]):
        run = find_run(output_dir, run.manifest.name)
    console = Console(highlight=False)
    for name, text in describe_run(run).items():
        console.print(Text.assemble((f"{name:<9}", "dim"), printable(text)), soft_wrap=True)
    if run.manifest.summary:
        console.print()
        console.print(_tabulate_scores(run.manifest))
    console.print()
    for line in list_uses(run.manifest):
        console.print(Text(f"  {line}"), soft_wrap=True)
    return 0


def describe_run(run: StoredRun) -> dict[str, str]:
    """Describe a run: its model, data, options, time and code, name -> text."""
    from lengthwise.studies.report.numbers import format_seconds

    manifest, record = run.manifest, run.manifest.record
    details = {
        "run": f"{record.study}/{manifest.name}",
        "status": f"{manifest.status}, started {manifest.started[:16].replace('T', ' ')}",
        "model": _describe_model(manifest),
        "data": "",
        "options": ", ".join(f"{name}={text}" for name, text in _list_changes(record.params).items()),
        "command": shlex.join(record.command),
        "code": "",
        "sweep": record.parent or "",
        "missing": ", ".join(manifest.missing),
        "failed": "" if manifest.failure is None else manifest.failure.reason,
        "files": str(run.directory),
    }
    if manifest.duration_seconds is not None:
        details["status"] += f", {format_seconds(manifest.duration_seconds)}"
    if record.dataset is not None:
        sizes = ", ".join(f"{size:,} {split}" for split, size in record.dataset.split_sizes.items())
        details["data"] = f"{record.dataset.name} ({sizes})"
    if manifest.git is not None and manifest.git.commit is not None:
        details["code"] = f"commit {manifest.git.commit[:10]}" + (" and git.diff" if manifest.git.dirty else "")
    return {name: text for name, text in details.items() if text}


def _describe_model(manifest: Manifest) -> str:
    from lengthwise.config.values import format_value

    params = manifest.record.params
    shown = [f"{name} {format_value(params.get(f'model.{name}'))}" for name in ("conditioning", "feedback", "length")]
    parameters = manifest.summary.get("model/parameters")
    size = "" if parameters is None else f", {parameters:,.0f} parameters"
    seed = "" if manifest.record.seed is None else f", seed {manifest.record.seed}"
    return f"{format_value(params.get('model.name'))}: {', '.join(shown)}{size}{seed}"


def _list_changes(params: Mapping[str, str | int | float | bool | None]) -> dict[str, str]:
    """Return the options that differ from the files that the run chose, as text; of unknown files from the defaults."""
    from lengthwise.config.compose import compose_options
    from lengthwise.config.parse import flatten_options
    from lengthwise.config.values import format_value
    from lengthwise.errors import ConfigError

    groups = ("model", "dataset", "training", "decoding")
    chosen = [f"{group}={params.get(f'{group}.name')}" for group in groups]
    if params.get("dataset.name") in ("pairs", "series"):
        chosen.append(f"dataset.path={shlex.quote(str(params.get('dataset.path')))}")
    try:
        usual = flatten_options(compose_options(chosen))
    except ConfigError:  # a file of the user's, or one that has gone
        usual = flatten_options(compose_options([]))
    left_out = ("tracking.", "output_dir", "study", "config_version", "seed", "base")
    return {
        name: format_value(value)
        for name, value in params.items()
        if not name.startswith(left_out) and usual.get(name, ...) != value
    }


def _tabulate_scores(manifest: Manifest) -> Table:
    """Return a table of the run's scores, a row for each metric and a column for each split, new files last."""
    from rich.table import Table

    own = ("train", "val", "test", "longer")
    scored = [key.removesuffix("/exposure_gap") for key in manifest.summary if key.endswith("/exposure_gap")]
    files = [split for split in scored if split not in own and "/" not in split]
    splits = [*(split for split in own if split in scored), *files]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("scores")
    for split in splits:
        table.add_column(split, justify="right")
    names = [key.partition("/")[2] for key in manifest.summary if splits and key.startswith(f"{splits[0]}/")]
    for name in names:
        values = [manifest.summary.get(f"{split}/{name}") for split in splits]
        is_aside = name.startswith(("baseline_", "teacher_forced_", "only_", "cut"))
        entries = ("" if value is None else f"{value:.4f}" for value in values)
        table.add_row(name.replace("_", " "), *entries, style="dim" if is_aside else None)
    return table


def list_uses(manifest: Manifest) -> list[str]:
    """List the commands that use a run."""
    name, record = manifest.id, manifest.record
    if record.kind == "sweep":
        return [f"lengthwise runs {record.study}", f"lengthwise report {record.study}", shlex.join(record.command)]
    if manifest.status == "RUNNING":
        return [f"lengthwise runs {record.study}"]
    if manifest.status != "FINISHED":
        return [f"python train.py resume={name}"]
    is_tokens = record.primary_metric is not None and record.primary_metric.name.endswith("exact_match")
    return [
        f'lengthwise decode {name} "an input"' if is_tokens else f"lengthwise decode {name} --file FILE",
        f"lengthwise evaluate {name}" + ("" if manifest.missing else " decoding.length=oracle"),
        f"lengthwise diff {name} best:{record.study}",
        f"python train.py base={name} seed=1",
        f'lengthwise.load("{name}")   # in Python',
    ]
