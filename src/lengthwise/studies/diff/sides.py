"""The two sides of a comparison, as a user names them: a run, a study, a sweep, or some runs of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lengthwise.config.values import format_value
from lengthwise.errors import LengthwiseError, RunError
from lengthwise.tracking.runs.find import StoredRun, find_run, list_runs
from lengthwise.tracking.runs.run_record import Value

_REMEDY = "Name a run, a study, or some of a study's runs as in STUDY:model=repeat,latent_dim=64"


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One side of a comparison.

    Args:
        name: As the user named it; of a run its own name.
        runs: At least one, the newest first.
    """

    name: str
    runs: tuple[StoredRun, ...]


def find_side(output_dir: Path, reference: str) -> Side:
    """Find the runs of one side.

    Args:
        output_dir: Where run directories are.
        reference: A run as in `find_run`; a study; a sweep, which stands for its runs; or `STUDY:OPTION=VALUE`, with
            more of them after commas, for the runs of a study in which these options have these values.

    Raises:
        LengthwiseError: There is no such run.
    """
    study, _, chosen = reference.partition(":")
    if study != "best" and chosen:
        return _choose_runs(output_dir, study, chosen)
    is_name = reference and "/" not in reference and "*" not in reference
    runs = [run for run in list_runs(output_dir, reference) if run.manifest.record.kind == "run"] if is_name else []
    if runs:
        return Side(name=reference, runs=tuple(runs))
    run = find_run(output_dir, reference, latest_among=("FINISHED",))
    if run.manifest.record.kind == "run":
        return Side(name=run.manifest.name, runs=(run,))
    parent = run.manifest.name
    jobs = [each for each in list_runs(output_dir, run.directory.parent.name) if each.manifest.record.parent == parent]
    if not jobs:
        raise RunError(f"The sweep {parent} has no runs. Name another, or a run.")
    return Side(name=parent, runs=tuple(jobs))


def _choose_runs(output_dir: Path, study: str, chosen: str) -> Side:
    wanted = {}
    for part in chosen.split(","):
        option, equals, value = part.partition("=")
        if not equals:
            raise LengthwiseError(f"{study}:{chosen} is not STUDY:OPTION=VALUE; got {part!r}. {_REMEDY}.")
        wanted[option] = value
    if "/" in study or "*" in study:
        raise LengthwiseError(f"{study!r} is not the name of a study. {_REMEDY}.")
    runs = [run for run in list_runs(output_dir, study) if run.manifest.record.kind == "run"]
    if not runs:
        raise LengthwiseError(f"There are no runs of a study {study!r} in {output_dir}. {_REMEDY}.")
    known = set().union(*(_name_options(run.manifest.record.params) for run in runs))
    for option in wanted:
        if option not in known:
            raise LengthwiseError(f"The runs of {study} have no option {option!r}. `lengthwise options` lists all.")
    found = [run for run in runs if wanted.items() <= _name_options(run.manifest.record.params).items()]
    if not found:
        raise LengthwiseError(f"No run of {study} has {chosen}. `lengthwise runs {study}` lists its runs.")
    return Side(name=f"{study}:{chosen}", runs=tuple(found))


def _name_options(params: Mapping[str, Value]) -> dict[str, str]:
    """Return every option as text, presets also by the name of their section, as in `model=repeat`."""
    texts = {name: format_value(value) for name, value in params.items()}
    return texts | {name.removesuffix(".name"): text for name, text in texts.items() if name.endswith(".name")}
