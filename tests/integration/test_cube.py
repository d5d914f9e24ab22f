"""`experiment=cube`: every composition of its sweep starts, and all have the same size."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lengthwise.config.compose import compose_options
from lengthwise.config.paths import conf_dir
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.models.wiring import count_parameters, resolve_wiring

APP = Path(__file__).parents[1] / "helpers" / "step_by_step_app.py"


def read_axes() -> dict[str, list[str]]:
    """Return the values that the overlay sweeps over, seeds left out."""
    overlay = yaml.safe_load((conf_dir() / "experiment" / "cube.yaml").read_text(encoding="utf-8"))
    axes = {name: str(values).split(",") for name, values in overlay["hydra"]["sweeper"]["params"].items()}
    assert len(axes.pop("seed")) >= 3
    return axes


def list_corners() -> list[list[str]]:
    axes = read_axes()
    return [
        [f"{name}={value}" for name, value in zip(axes, values, strict=True)]
        for values in itertools.product(*axes.values())
    ]


def test_the_axes_are_those_of_the_question() -> None:
    assert set(read_axes()) == {"model.conditioning", "model.feedback", "model.length"}
    assert len(list_corners()) == 12


@pytest.mark.parametrize("dataset", ["copy", "digits"])
def test_every_corner_passes_the_gate_and_has_the_same_size(dataset: str) -> None:
    spec = load_dataset(compose_options([f"dataset={dataset}"]).dataset, "auto").spec
    for corner in list_corners():
        options = compose_options(["experiment=cube", f"dataset={dataset}", *corner])
        budget = options.model.parameter_budget
        assert budget is not None
        wiring = resolve_wiring(options.model, options.latent_dim, spec)
        assert abs(count_parameters(wiring) - budget) <= 0.02 * budget
        assert wiring.latent_dim == wiring.decoder_dim


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_whole_command_starts_a_run_for_every_composition(tmp_path: Path) -> None:
    small = ["training.epochs=1", "training.batches_per_epoch=1", "dataset.num_train=32", "dataset.num_validation=8"]
    small += ["dataset.num_test=8", "dataset.max_length=4", "dataset.longer_length=6"]
    command = [sys.executable, str(APP), "experiment=cube", 'hydra.sweeper.params.seed="0"', *small]
    command += ["tracking=directory", f"output_dir={tmp_path}"]
    command.append("hydra.sweeper.tune='training.learning_rate=0.01,0.02'")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    manifests: list[dict[str, Any]] = [json.loads(path.read_text()) for path in tmp_path.glob("cube/*/manifest.json")]
    runs = [manifest for manifest in manifests if manifest["kind"] == "run"]
    assert {manifest["status"] for manifest in manifests} == {"FINISHED"}
    chosen = {tuple(f"{axis}={run['params'][axis]}" for axis in read_axes()) for run in runs}
    assert chosen == {tuple(corner) for corner in list_corners()}
    assert len(list(tmp_path.glob("cube/*/figures/wiring.png"))) == 12
