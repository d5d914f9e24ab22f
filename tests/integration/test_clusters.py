"""Sweeps on a Ray cluster of two nodes, and by submitit; skipped where the extras are not installed."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from helpers import forked

APP = Path(__file__).parents[1] / "helpers" / "sweep_app.py"
RAISES, EXITS, DIES, WAITS = 101, 102, 103, 106

pytestmark = [pytest.mark.slow, pytest.mark.fault]


def start(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [str(APP), "-m", *arguments, "tracking=directory", f"output_dir={directory / 'out'}"]
    paths = [str(APP.parent), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    pipe = subprocess.PIPE
    return forked.Process(command, cwd=directory, env=environment, stdout=pipe, stderr=pipe, text=True)


def read_status(directory: Path) -> dict[int, str]:
    found: list[dict[str, Any]] = [json.loads(path.read_text()) for path in directory.glob("out/*/*/manifest.json")]
    return {manifest["seed"]: manifest["status"] for manifest in found if manifest["kind"] == "run"}


def test_a_node_that_is_lost_costs_the_sweep_no_other_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(APP.parent), os.environ.get("PYTHONPATH", "")]))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        node = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        # Two jobs hang until they are resumed, one on each node: the loss of a node ends one, the time limit the other.
        seeds = f"seed=1,{RAISES},{WAITS},{DIES},2,3,4,{EXITS}"
        limits = ("hydra.launcher.retries=2", "hydra.launcher.timeout_minutes=0.4")
        where = ("hydra/launcher=ray", f"hydra.launcher.address='{cluster.address}'")
        process = start(tmp_path, *where, *limits, seeds)
        deadline = time.monotonic() + 100
        while read_status(tmp_path).get(WAITS) != "RUNNING" and time.monotonic() < deadline:
            time.sleep(0.2)
        cluster.remove_node(node, allow_graceful=False)
        output, _ = process.communicate(timeout=200)
    finally:
        cluster.shutdown()
    assert process.returncode == 1
    assert "5 of 8 jobs finished, 3 did not" in output
    status = read_status(tmp_path)
    assert {seed: status[seed] for seed in (1, 2, 3, 4)} == dict.fromkeys((1, 2, 3, 4), "FINISHED")
    assert [status[seed] for seed in (RAISES, EXITS, DIES)] == ["FAILED", "FAILED", "KILLED"]


def test_jobs_by_submitit_cost_themselves_alone_and_go_on(tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="the extra `slurm` is not installed")
    where = ("hydra/launcher=slurm", "hydra.launcher.cluster=local", f"hydra.launcher.folder={tmp_path / 'jobs'}")
    limits = ("hydra.launcher.num_workers=2", "hydra.launcher.timeout_minutes=0.15", "hydra.launcher.retries=0")
    command = (*where, *limits, f"seed=1,{RAISES},{EXITS},{DIES},{WAITS},2")
    for finished, status in ((2, "KILLED"), (3, "FINISHED")):
        process = start(tmp_path, *command)
        output, errors = process.communicate(timeout=200)
        assert process.returncode == 1
        assert f"{finished} of 6 jobs finished" in output
        assert "Traceback" not in errors
        expected = {1: "FINISHED", RAISES: "FAILED", EXITS: "FAILED", DIES: "KILLED", WAITS: status, 2: "FINISHED"}
        assert read_status(tmp_path) == expected
    left = list((tmp_path / "jobs").iterdir())
    assert left
    assert not [path for path in left if path.name.endswith("_submitted.pkl")], "options may hold credentials"


@pytest.mark.parametrize("launcher", ["ray", "slurm"])
def test_a_cluster_that_is_not_there_is_said_to_be_missing(launcher: str, tmp_path: Path) -> None:
    where = ("hydra/launcher=ray", "hydra.launcher.address=auto") if launcher == "ray" else ("hydra/launcher=slurm",)
    process = start(tmp_path, *where, "seed=1,2")
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 2
    assert errors.startswith(("hydra.launcher.", "hydra/launcher="))
    assert errors.count("\n") == 1
