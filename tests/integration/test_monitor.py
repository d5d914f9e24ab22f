"""A run may be watched by the score that it is reported with: its curve is kept, and decides what is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from lengthwise.config.compose import compose_options
from lengthwise.pipeline.command import Launch
from lengthwise.pipeline.experiment import run_experiment
from lengthwise.tracking.runs.find import list_runs
from lengthwise.tracking.runs.journal import read_journal
from lengthwise.tracking.runs.layout import JOURNAL_NAME

pytestmark = pytest.mark.slow


def test_the_curve_of_a_score_ends_where_the_run_is_scored(tmp_path: Path) -> None:
    overrides = ["dataset=copy", "model=stateful", "latent_dim=16", "tracking=directory", f"output_dir={tmp_path}"]
    overrides += ["dataset.num_symbols=3", "dataset.min_length=3", "dataset.max_length=6", "dataset.longer_length=7"]
    overrides += ["dataset.num_train=500", "dataset.num_validation=100", "dataset.num_test=20", "training.epochs=5"]
    overrides += ["training.monitor=token_accuracy", "training.monitor_every=2", "training.keep=last"]
    run_experiment(compose_options(overrides), Launch(command=("test",), overrides=tuple(overrides)))
    (run,) = list_runs(tmp_path)
    entries, _ = read_journal(run.directory / JOURNAL_NAME)
    curve = {entry.step: entry.value for entry in entries if entry.key == "val/free_running_token_accuracy"}
    assert list(curve) == [2, 4, 5], "every second epoch and the last"
    assert curve[5] == run.manifest.summary["val/token_accuracy"]
    assert run.manifest.summary["best/epoch"] == max(curve, key=curve.__getitem__)
    assert not run.manifest.missing
