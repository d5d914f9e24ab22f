"""Collects the runs of studies, or of a sweep, from their directories."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lengthwise.errors import LengthwiseError, RunError
from lengthwise.evaluation.tables import Table
from lengthwise.studies.build import build_study
from lengthwise.studies.condition import LearningCurve, StudyRun
from lengthwise.studies.study import Study
from lengthwise.tracking.runs.arrays import read_array
from lengthwise.tracking.runs.find import StoredRun, list_runs
from lengthwise.tracking.runs.journal import read_journal
from lengthwise.tracking.runs.layout import JOURNAL_NAME, LOOKS_NAME, TUNING_NAME
from lengthwise.tracking.runs.manifest import Manifest, read_manifest
from lengthwise.tracking.runs.run_files import RunFiles

DOUBLED = "_doubled"
"""End of the name of a study that makes the runs of another with twice the updates."""

_KEPT_SPLITS = ("val", "test", "longer")


class TunedCondition(NamedTuple):
    """What the values that were tried reached in one condition.

    Args:
        name: The options of the condition, as they were given.
        chosen: The value that was chosen, such as `training.learning_rate=0.006`.
        scores: Value -> mean of the primary metric on validation; NaN where a run failed.
    """

    name: str
    chosen: str
    scores: dict[str, float]


class Looks(NamedTuple):
    """When a sweep is looked at, whose seeds stop where the answer is clear.

    Args:
        num_seeds: Seeds at each look, the last with all of them.
        stopped: Seeds after which it stopped; None where it did not.
    """

    num_seeds: tuple[int, ...]
    stopped: int | None


class Collection(NamedTuple):
    """A study with the sweeps that made it.

    Args:
        study: The study.
        sweeps: Its sweeps.
        tuning: What the newest that tuned its conditions has tuned.
        looks: When the newest that stops where the answer is clear is looked at; None where none does.
        doubled: The same study with twice the updates; None where it was not run.
    """

    study: Study
    sweeps: tuple[Manifest, ...]
    tuning: tuple[TunedCondition, ...] = ()
    looks: Looks | None = None
    doubled: Study | None = None


def collect_studies(output_dir: Path, names: Sequence[str], *, leave_out_failed: bool = False) -> Collection:
    """Read the runs of one or more studies.

    Args:
        output_dir: The directory of all run directories.
        names: Names of the studies; the runs of several are taken together.
        leave_out_failed: Whether runs that failed by their own doing are left out, as in `build_study`.

    Raises:
        LengthwiseError: There is no such study, or its runs cannot be compared.
    """
    found: list[StoredRun] = []
    distinct = list(dict.fromkeys(names))
    for name in distinct:
        own = list_runs(output_dir, name)
        if not own:
            studies = ", ".join(sorted({run.manifest.record.study for run in list_runs(output_dir)})) or "none"
            raise LengthwiseError(f"There are no runs of a study {name!r} in {output_dir}. Studies there: {studies}.")
        found += own
    collection = _build(distinct, found, leave_out_failed=leave_out_failed)
    return _add_doubled(collection, output_dir, leave_out_failed=leave_out_failed)


def collect_sweep(directory: Path) -> Collection:
    """Read the runs of one sweep, those it reused from earlier sweeps included.

    Args:
        directory: Directory of the sweep, whose `sweep.csv` names the runs.

    Raises:
        LengthwiseError: It has no runs, or they cannot be compared.
    """
    sweep = read_manifest(directory)
    rows = csv.DictReader(io.StringIO(RunFiles(directory).read_text("sweep.csv"), newline=""))
    names = [row["run"] for row in rows if row.get("run")]
    known = {run.directory.name: run for run in list_runs(directory.parent.parent, directory.parent.name)}
    found = [known[name] for name in dict.fromkeys(names) if name in known]
    collection = _build([sweep.record.study], [StoredRun(directory, sweep), *found])
    return _add_doubled(collection, directory.parent.parent)


def _add_doubled(collection: Collection, output_dir: Path, *, leave_out_failed: bool = False) -> Collection:
    """Add the study that made the same runs with twice the updates, where there is one."""
    names = [f"{name}{DOUBLED}" for name in collection.study.names]
    found = list_runs(output_dir, names[0]) if len(names) == 1 else []
    if not any(run.manifest.record.kind == "run" for run in found):
        return collection
    return collection._replace(doubled=_build(names, found, leave_out_failed=leave_out_failed).study)


def _build(names: list[str], found: Sequence[StoredRun], *, leave_out_failed: bool = False) -> Collection:
    runs = [read_run(run) for run in found if run.manifest.record.kind == "run"]
    sweeps = tuple(manifest for _, manifest in found if manifest.record.kind == "sweep")
    tuned = [_read_tuning(directory) for directory, manifest in found if manifest.record.kind == "sweep"]
    tuning = next((own for own in reversed(tuned) if own), ())
    options = {word.partition("=")[0] for each in tuning for text in each.scores for word in text.split()}
    planned = _find_planned(sweeps)
    looks = next(
        (own for each in reversed(found) if each.manifest.record.kind == "sweep" and (own := _read_looks(each))), None
    )
    if looks is not None and looks.stopped is not None:
        planned.pop("seed", None)  # those beyond are not missing: they were not needed
    study = build_study(names, runs, planned=planned, tuned=options, leave_out_failed=leave_out_failed)
    if looks is not None:
        study = replace(study, num_looks=len(looks.num_seeds))
    return Collection(study, sweeps, tuning, looks)


def _read_looks(sweep: StoredRun) -> Looks | None:
    """Read when a sweep is looked at; None where its seeds do not stop before the last."""
    files = RunFiles(sweep.directory)
    if files.find(LOOKS_NAME) is None:
        return None
    try:
        content = json.loads(files.read_text(LOOKS_NAME))
        stopped = content["stopped"]
        return Looks(tuple(int(each) for each in content["looks"]), None if stopped is None else int(stopped))
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{sweep.directory / LOOKS_NAME} cannot be read ({error}). Move it away.") from error


def _read_tuning(directory: Path) -> tuple[TunedCondition, ...]:
    """Read what a sweep has tuned; nothing where it has tuned nothing."""
    files = RunFiles(directory)
    if files.find(TUNING_NAME) is None:
        return ()
    try:
        return tuple(
            TunedCondition(
                name=" ".join(row["condition"]),
                chosen=" ".join(row["chosen"]),
                scores={" ".join(each["candidate"]): _average(each["values"]) for each in row["trials"]},
            )
            for row in json.loads(files.read_text(TUNING_NAME))["conditions"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{directory / TUNING_NAME} cannot be read ({error}). Move it away.") from error


def _average(values: Sequence[float | None]) -> float:
    known = [float(value) for value in values if value is not None]
    return fmean(known) if values and len(known) == len(values) else math.nan


def read_run(run: StoredRun) -> StudyRun:
    """Read what a report needs of a run.

    Raises:
        RunError: One of its files cannot be read.
    """
    directory, manifest = run
    entries, _ = read_journal(directory / JOURNAL_NAME)
    points: dict[str, dict[int, float]] = {}
    for entry in entries:
        if entry.key.startswith("val/") and entry.key not in manifest.summary:
            points.setdefault(entry.key, {})[entry.step] = entry.value
    return StudyRun(
        manifest=manifest,
        curves={key: LearningCurve(*zip(*sorted(own.items()), strict=True)) for key, own in points.items()},
        by_length=_read_tables(directory, "by_length"),
        samples=_read_tables(directory, "samples"),
        reconstructions=RunFiles(directory).find("figures", "reconstructions.png"),
        examples=_read_examples(directory, manifest),
    )


def _read_tables(directory: Path, kind: str) -> dict[str, Table]:
    tables = {}
    for path in sorted((directory / "samples").glob(f"*_{kind}.json")):
        try:
            content = json.loads(RunFiles(directory).read_text(f"samples/{path.name}"))
            rows = (tuple(math.nan if entry is None else entry for entry in row) for row in content["data"])
            tables[path.name.removesuffix(f"_{kind}.json")] = Table(columns=tuple(content["columns"]), rows=tuple(rows))
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path} cannot be read ({error}). Move the run's directory away.") from error
    return tables


def _read_examples(directory: Path, manifest: Manifest) -> dict[str, NDArray[np.float32]]:
    """Read what each example adds to the primary metric; what does not add up to the run's score is passed over."""
    primary, found = manifest.record.primary_metric, {}
    for split in _KEPT_SPLITS if primary is not None else ():
        name = f"samples/{split}_correct.npy"
        parts = read_array(RunFiles(directory), name, dtypes=("uint8", "float32"), num_dimensions=1)
        score = manifest.summary.get(f"{split}/{primary.name.partition('/')[2]}" if primary else "", math.nan)
        if parts is not None and math.isclose(float(parts.mean(dtype=np.float64)), score, rel_tol=1e-4, abs_tol=1e-6):
            found[split] = parts.astype(np.float32)
    return found


def _find_planned(sweeps: Iterable[Manifest]) -> dict[str, list[str]]:
    """Return the options that sweeps were to vary, each with its values: there they are written as `32, 64`."""
    planned: dict[str, list[str]] = {}
    for sweep in sweeps:
        for option, value in sweep.record.params.items():
            if isinstance(value, str) and ", " in value:
                planned.setdefault(option, []).extend(value.split(", "))
    return {option: list(dict.fromkeys(values)) for option, values in planned.items()}
