"""The commands `train`, `sweep`, `runs` and `diff` as functions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lengthwise.config.compose import compose_options
from lengthwise.config.options import RunOptions
from lengthwise.config.paths import find_output_dir
from lengthwise.errors import LengthwiseError
from lengthwise.python.run import Run, Runs
from lengthwise.python.study import Study
from lengthwise.studies.diff.comparison import Comparison, compare
from lengthwise.tracking.runs.find import StoredRun, list_runs
from lengthwise.tracking.runs.process import current_process


def train(*overrides: str) -> Run:
    """Train one model in this process, as `python train.py` does; see `lengthwise.train`."""
    from lengthwise.app.hydra_app import run_overrides

    task = run_overrides(overrides)
    if task.options is None or task.sweeps:
        raise LengthwiseError("This command is a sweep. Use lengthwise.sweep, or add hydra.mode=RUN.")
    return Run(_find_newest(find_output_dir(task.options)).directory)


def _find_newest(output_dir: Path) -> StoredRun:
    """Return the run that this process has closed last."""
    own = current_process()
    found = [
        run
        for run in list_runs(output_dir)
        if (run.manifest.process.host, run.manifest.process.pid) == (own.host, own.pid)
    ]
    return max(found, key=lambda run: run.manifest.ended or "")


def sweep(*overrides: str) -> Study:
    """Run a sweep from this process, as `python train.py -m` does; see `lengthwise.sweep`."""
    from lengthwise.app.hydra_app import run_overrides

    task = run_overrides(overrides, flags=("--multirun",))
    directory = task.sweeps[-1].directory
    return Study(directory.parent.name, directory.parent.parent)


def list_study_runs(study: str | None, overrides: Sequence[str]) -> Runs:
    """Return the runs of a study, or all, sweeps left out; see `lengthwise.runs`."""
    found = list_runs(_find_output_dir(overrides), study)
    return Runs([run for run in found if run.manifest.record.kind == "run"])


def diff(first: Run | Study | str, second: Run | Study | str, overrides: Sequence[str]) -> Comparison:
    """Compare two runs or two studies; see `lengthwise.diff`."""
    return compare(_find_output_dir(overrides), *(_name(side) for side in (first, second)))


def _name(side: Run | Study | str) -> str:
    if isinstance(side, Run):
        return str(side.directory)
    return side.name if isinstance(side, Study) else side


def _find_output_dir(overrides: Sequence[str]) -> Path:
    options: RunOptions = compose_options(overrides)
    return find_output_dir(options)
