"""Lengthwise: controlled experiments on how sequence-to-sequence models make length."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lengthwise.python.run import Run, Runs
    from lengthwise.python.study import Study
    from lengthwise.serving.predictor import Predictor
    from lengthwise.studies.diff.comparison import Comparison

__version__ = "0.1.0"


def load(run: str | Path, *overrides: str) -> Predictor:
    """Load the trained model of a run, to decode with it.

    Args:
        run: An id or the beginning of one, a name, a directory, `latest`, `best:STUDY`, or `models:/NAME@ALIAS` of
            MLflow's registry.
        overrides: As on the command line: where runs are (`output_dir=DIR`, `tracking.uri=URI`), and how to decode
            instead of the run's own decoding (`decoding=beam`, `decoding.width=8`).

    Returns:
        A predictor: `load("latest").decode(["some text"])`.

    Raises:
        RunError: There is no such run, or it holds no whole model.
        ConfigError: An override is refused.
    """
    # TensorFlow takes seconds to import, and only a loaded model needs it.
    from lengthwise.serving.loading import load_run

    return load_run(run, overrides)


def train(*overrides: str) -> Run:
    """Train one model in this process, as `python train.py` does.

    Args:
        overrides: As on the command line: `train("model=repeat", "latent_dim=64")`.

    Returns:
        The finished run.

    Raises:
        ConfigError: An override is refused, before anything else happens.
        LengthwiseError: The data cannot be used, or not all results could be written.
    """
    from lengthwise.python import commands

    return commands.train(*overrides)


def sweep(*overrides: str) -> Study:
    """Run a sweep, as `python train.py -m` does: jobs side by side in processes of their own.

    The same call again runs what is missing. Jobs that failed are among the study's runs, with their status.

    Args:
        overrides: As on the command line: `sweep("model=repeat,stateful", "seed=0,1,2", "study=first")`.

    Returns:
        The study that the runs belong to.

    Raises:
        ConfigError: An override is refused, before the first job starts.
    """
    from lengthwise.python import commands

    return commands.sweep(*overrides)


def runs(study: str | None = None, *overrides: str) -> Runs:
    """Return the runs of a study, newest first.

    Args:
        study: Its name; None: the runs of all studies.
        overrides: Where runs are: `output_dir=DIR`.

    Returns:
        A sequence of runs: `runs("first").to_frame()` is a table of their options and metrics.
    """
    from lengthwise.python import commands

    return commands.list_study_runs(study, overrides)


def diff(first: Run | Study | str, second: Run | Study | str, *overrides: str) -> Comparison:
    """Compare two runs over the same examples, or two studies over their seeds, as `lengthwise diff` does.

    Args:
        first: A run, a study, or what names one on the command line.
        second: What is compared with it.
        overrides: Where runs are: `output_dir=DIR`.

    Returns:
        The comparison: `print(diff(a, b))` shows it, a notebook shows the whole page.

    Raises:
        LengthwiseError: There is no such run, or the two cannot be compared.
    """
    from lengthwise.python import commands

    return commands.diff(first, second, overrides)
