"""From the run directories of a study to its report: what is read, what is drawn, what is written."""

from __future__ import annotations

import csv
import json
import math
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from lengthwise.config.paths import conf_dir
from lengthwise.errors import LengthwiseError, RunError
from lengthwise.evaluation.tables import Table
from lengthwise.files import write_whole
from lengthwise.studies.report.page import Report, Section, write_html, write_markdown
from lengthwise.studies.report.sections import build_sections
from lengthwise.studies.report.tables import tabulate_answer, write_results
from lengthwise.studies.report.text import write_answer
from lengthwise.studies.study import Course, Study, StudyRun, Value, build_study, show_value
from lengthwise.tracking.runs.find import list_runs
from lengthwise.tracking.runs.journal import JOURNAL_NAME, read_journal
from lengthwise.tracking.runs.manifest import MANIFEST_NAME, Manifest, read_manifest

REPORT_DIRECTORY = "report"
"""Where a report lies: in the directory of its study, or of the sweep it was made for."""

HTML_NAME, TEXT_NAME, RESULTS_NAME = "report.html", "README.md", "results.csv"

_PLACES = ("output_dir=", "tracking=", "tracking.")
"""Overrides that say where runs are kept, and nothing of what they are."""


class Written(NamedTuple):
    """A report that was written.

    Args:
        directory: where its files are.
        html: the page.
        answer: what it says first, in paragraphs.
    """

    directory: Path
    html: Path
    answer: tuple[str, ...]


class _Source(NamedTuple):
    directory: Path
    manifest: Manifest


def report_studies(output_dir: Path, names: Sequence[str], *, destination: Path | None = None) -> Written:
    """Write the report on one or more studies.

    Args:
        output_dir: where run directories are.
        names: of the studies; of several the runs are taken together.
        destination: directory for the report; None: `report` in the study's directory.

    Returns:
        What was written.

    Raises:
        LengthwiseError: there is no such study, or its runs cannot be compared.
    """
    sources = []
    for name in dict.fromkeys(names):
        found = [_Source(run.directory, read_manifest(run.directory)) for run in list_runs(output_dir, name)]
        if not found:
            studies = ", ".join(sorted({run.study for run in list_runs(output_dir)})) or "none"
            raise LengthwiseError(f"There are no runs of a study {name!r} in {output_dir}. Studies there: {studies}.")
        sources += found
    place = output_dir / "+".join(dict.fromkeys(names)) / REPORT_DIRECTORY
    return _write(names, sources, destination or place)


def report_sweep(directory: Path) -> Written:
    """Write the report on the runs of one sweep, those it took over from earlier ones included, into its directory.

    Args:
        directory: of the sweep, whose `sweep.csv` names the runs.

    Raises:
        LengthwiseError: it has no runs, or they cannot be compared.
    """
    parent = _Source(directory, read_manifest(directory))
    with (directory / "sweep.csv").open(newline="", encoding="utf-8") as file:
        names = [row["run"] for row in csv.DictReader(file) if row.get("run")]
    sources = []
    for name in dict.fromkeys(names):
        if (directory.parent / name / MANIFEST_NAME).is_file():
            sources.append(_Source(directory.parent / name, read_manifest(directory.parent / name)))
    return _write([parent.manifest.study], [parent, *sources], directory / REPORT_DIRECTORY)


def _write(names: Sequence[str], sources: Sequence[_Source], destination: Path) -> Written:
    runs = [_read_run(source) for source in sources if source.manifest.kind == "run"]
    sweeps = [source.manifest for source in sources if source.manifest.kind == "sweep"]
    study = build_study(list(dict.fromkeys(names)), runs, planned=_find_planned(sweeps))
    answer = write_answer(study)
    try:
        (destination / "figures").mkdir(parents=True, exist_ok=True)
        sections = build_sections(study, destination / "figures")
        report = _assemble(study, [source.manifest for source in sources], sections)
        html = destination / HTML_NAME
        write_whole(html, write_html(report).encode())
        write_whole(destination / TEXT_NAME, write_markdown(report).encode())
        write_whole(destination / RESULTS_NAME, write_results(study).encode())
    except OSError as error:
        raise LengthwiseError(f"The report cannot be written: {error}. Give another with --output DIR.") from error
    return Written(directory=destination, html=html, answer=(*answer.paragraphs, *answer.cautions))


def _read_run(source: _Source) -> StudyRun:
    directory, manifest = source
    primary = manifest.primary_metric
    figure = directory / "figures" / "reconstructions.png"
    entries, _ = read_journal(directory / JOURNAL_NAME)
    points: dict[str, list[tuple[int, float]]] = {}
    for entry in entries:
        if entry.key.startswith("val/") and entry.key not in manifest.summary:
            points.setdefault(entry.key, []).append((entry.step, entry.value))
    return StudyRun(
        name=manifest.name,
        study=manifest.study,
        status=manifest.status,
        reason=None if manifest.failure is None else manifest.failure.reason,
        started=manifest.started,
        seconds=manifest.duration_seconds,
        seed=manifest.seed,
        params=manifest.params,
        summary=manifest.summary,
        metric=None if primary is None else primary.name,
        higher_is_better=primary is not None and primary.greater_is_better,
        data=None if manifest.dataset is None else (manifest.dataset.name, manifest.dataset.sha256),
        split_sizes={} if manifest.dataset is None else manifest.dataset.split_sizes,
        courses={key: Course(*zip(*sorted(dict(values).items()), strict=True)) for key, values in points.items()},
        by_length=_read_tables(directory, "by_length"),
        samples=_read_tables(directory, "samples"),
        reconstructions=figure if figure.is_file() else None,
    )


def _read_tables(directory: Path, kind: str) -> dict[str, Table]:
    tables = {}
    for path in sorted((directory / "samples").glob(f"*_{kind}.json")):
        try:
            content = json.loads(path.read_bytes())
            rows = (tuple(math.nan if entry is None else entry for entry in row) for row in content["data"])
            tables[path.name.removesuffix(f"_{kind}.json")] = Table(columns=tuple(content["columns"]), rows=tuple(rows))
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path} cannot be read ({error}). Move the run's directory away.") from error
    return tables


def _find_planned(sweeps: Iterable[Manifest]) -> dict[str, list[str]]:
    """Return the options that sweeps were to vary, each with its values: there they stand as `32, 64`."""
    planned: dict[str, list[str]] = {}
    for sweep in sweeps:
        for option, value in sweep.params.items():
            if isinstance(value, str) and ", " in value:
                planned.setdefault(option, []).extend(value.split(", "))
    return {option: list(dict.fromkeys(values)) for option, values in planned.items()}


def _assemble(study: Study, manifests: Sequence[Manifest], sections: tuple[Section, ...]) -> Report:
    header = read_header(study.names[0]) if len(study.names) == 1 else {}
    version = next(iter(manifests)).versions.get("lengthwise", "")
    return Report(
        title=study.title,
        question=_capitalise(header.get("Question")),
        answer=write_answer(study),
        summary=tabulate_answer(study),
        facts=_list_facts(study, manifests, header),
        sections=sections,
        commands=_list_commands(study, manifests),
        made=f"Written by lengthwise {version} on {datetime.now(UTC):%Y-%m-%d}.",
    )


def _capitalise(text: str | None) -> str | None:
    return text and text[:1].upper() + text[1:]


def read_header(study: str) -> dict[str, str]:
    """Read the comment at the head of a study's overlay, `conf/experiment/STUDY.yaml`.

    Args:
        study: its name.

    Returns:
        `Question`, the text before the first line that begins with a word and a colon, and the text after each such
        word; empty where there is no overlay.
    """
    path = conf_dir() / "experiment" / f"{study}.yaml"
    if not path.is_file():
        return {}
    header: dict[str, str] = {}
    name = "Question"
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        text = line.lstrip("#").strip()
        if text.startswith("@package"):
            continue
        word, colon, rest = text.partition(": ")
        if colon and word[:1].isupper() and word.replace(" ", "").isalpha() and word.count(" ") < 5:
            name, text = word, rest
        header[name] = f"{header.get(name, '')} {text}".strip()
    return header


def _list_facts(study: Study, manifests: Sequence[Manifest], header: Mapping[str, str]) -> dict[str, str]:
    facts = {"Data": "; ".join(_describe_data(study))}
    constant = _find_constant(study)
    facts |= {"Preset": show_value(constant["model.name"])} if "model.name" in constant else {}
    facts["Budget"] = _describe_budget(constant)
    facts["Seeds"] = ", ".join("none" if seed is None else str(seed) for seed in study.seeds)
    facts["Runs"] = _describe_runs(study)
    facts["Time"] = _describe_time(study, manifests)
    facts["Code"] = _describe_code(manifests)
    newest = max(manifests, key=lambda manifest: manifest.started)
    facts |= {name: text for name, text in header.items() if name.startswith(("Expected", "Not "))}
    facts["Versions"] = ", ".join(f"{name} {version}" for name, version in newest.versions.items())
    return {name: text for name, text in facts.items() if text}


def _describe_data(study: Study) -> list[str]:
    found = {}
    for run in study.runs:
        if run.data is not None:
            sizes = ", ".join(f"{size:,} {split}" for split, size in run.split_sizes.items())
            found[run.data] = f"{run.data[0]} ({sizes}; sha256 {run.data[1][:12]})"
    names = Counter(name for name, _ in found)
    return [*found.values(), *(f"{name} differs between runs" for name, count in names.items() if count > 1)]


def _find_constant(study: Study) -> dict[str, Value]:
    options = study.runs[0].params
    return {name: value for name, value in options.items() if all(run.params.get(name) == value for run in study.runs)}


def _describe_budget(constant: Mapping[str, Value]) -> str:
    def told(option: str, words: str) -> str:
        value = constant.get(f"training.{option}")
        return "" if value is None else words.format(show_value(value))

    parts = (
        told("epochs", "at most {} epochs"),
        told("batches_per_epoch", "{} batches an epoch"),
        told("batch_size", "batches of {}"),
        told("optimizer", "{}"),
        told("learning_rate", "learning rate {}"),
        told("early_stopping_patience", "stopped after {} epochs without a better validation loss"),
    )
    return ", ".join(part for part in parts if part)


def _describe_runs(study: Study) -> str:
    counts = Counter(run.status.lower() for run in study.runs)
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    replaced = len(study.runs) - sum(len(cell.runs) for cell in study.cells)
    return told + (f"; {replaced} of them replaced by a later run of the same cell and seed" if replaced else "")


def _describe_time(study: Study, manifests: Sequence[Manifest]) -> str:
    runs = sum(run.seconds or 0 for run in study.runs) / 60
    sweeps = [each.duration_seconds for each in manifests if each.kind == "sweep" and each.duration_seconds is not None]
    wall = f", {sum(sweeps) / 60:.1f} min of sweeps" if sweeps else ""
    return f"{runs:.1f} min of runs{wall}"


def _describe_code(manifests: Sequence[Manifest]) -> str:
    found = []
    for manifest in manifests:
        if manifest.git is not None and manifest.git.commit is not None:
            found.append(manifest.git.commit[:10] + (" with uncommitted changes" if manifest.git.dirty else ""))
    return ", ".join(f"commit {state}" for state in dict.fromkeys(found))


def _list_commands(study: Study, manifests: Sequence[Manifest]) -> tuple[str, ...]:
    commands = []
    for manifest in sorted(manifests, key=lambda each: each.started):
        if manifest.parent is None:
            words = [word for word in manifest.command if not word.startswith(_PLACES)]
            commands.append(shlex.join(words))
    commits = {m.git.commit for m in manifests if m.git is not None and m.git.commit is not None}
    is_dirty = any(manifest.git is not None and manifest.git.dirty for manifest in manifests)
    changed = "   # and the changes in the runs' git.diff" if is_dirty else ""
    checkout = [f"git checkout {commits.pop()}{changed}"] if len(commits) == 1 else []
    return (*checkout, *dict.fromkeys(commands), f"lengthwise report {' '.join(study.names)}")
