from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.runs import make_manifest
from lengthwise.errors import RunError
from lengthwise.tracking.runs.manifest import Failure, read_manifest, write_manifest
from lengthwise.tracking.runs.process import Process
from lengthwise.tracking.runs.provenance import GitState
from lengthwise.tracking.runs.run_record import DatasetRecord, PrimaryMetric

EARLIER = """{
 "name": "20261121-120000-repeat-digits-1f2e3d", "id": "1f2e3d", "study": "digits", "label": "repeat-digits",
 "kind": "run", "parent": "20261121-115959-sweep-aabbcc", "status": "KILLED",
 "started": "2026-11-21T12:00:00.000+00:00", "ended": "2026-11-21T12:00:30.500+00:00", "duration_seconds": 30.5,
 "command": ["python", "train.py", "model=repeat"], "seed": 5, "params": {"latent_dim": 64, "x": "nan", "y": null},
 "tags": {"lengthwise.overrides": "latent_dim=64"},
 "dataset": {"name": "digits", "sha256": "ab", "split_sizes": {"train": 7}},
 "primary_metric": {"name": "test/exact_match", "greater_is_better": true}, "config_sha256": "cd",
 "versions": {"python": "3.12.0"}, "git": {"commit": null, "branch": "main", "dirty": true},
 "owner": {"host": "here", "user": "me", "pid": 17, "start_ticks": 1234, "boot_id": "b", "pid_namespace": "pid:[1]"},
 "summary": {"test/loss": "inf"}, "failure": {"reason": "stopped by SIGTERM", "traceback": null}
}"""
"""A manifest as version 0.1.0 wrote it on 2026-11-21."""


def test_a_manifest_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(EARLIER)
    manifest = read_manifest(tmp_path)
    assert manifest.name == "20261121-120000-repeat-digits-1f2e3d"
    assert manifest.record.parent == "20261121-115959-sweep-aabbcc"
    assert manifest.record.command == ("python", "train.py", "model=repeat")
    assert manifest.record.params == {"latent_dim": 64, "x": "nan", "y": None}
    assert manifest.record.dataset == DatasetRecord(name="digits", sha256="ab", split_sizes={"train": 7})
    assert manifest.record.primary_metric == PrimaryMetric(name="test/exact_match", greater_is_better=True)
    assert manifest.git == GitState(commit=None, branch="main", dirty=True)
    seconds = 1234 / os.sysconf("SC_CLK_TCK")
    assert manifest.process == Process(
        host="here", user="me", pid=17, created=None, created_after_boot=seconds, boot_id="b", pid_namespace="pid:[1]"
    )
    assert manifest.summary == {"test/loss": math.inf}
    assert manifest.failure == Failure(reason="stopped by SIGTERM", traceback=None)
    assert manifest.missing == ()


def test_the_fields_of_the_record_stand_beside_the_others(tmp_path: Path) -> None:
    write_manifest(tmp_path, make_manifest(study="one", seed=3))
    content = json.loads((tmp_path / "manifest.json").read_text())
    assert (content["study"], content["seed"], content["name"]) == ("one", 3, "run")
    assert "record" not in content


def test_what_was_written_is_read(tmp_path: Path) -> None:
    manifest = make_manifest(
        label="a-label",
        command=("train.py", "study=\udcff", "x=\x1b[2J"),
        params={"rate": 0.5, "none": None, "yes": True, "text": "é"},
        tags={"a": "b"},
        dataset=DatasetRecord(name="digits", sha256="ab", split_sizes={"train": 7}),
        summary={"val/loss": -math.inf, "test/error": 0.25},
        failure=Failure(reason="ValueError: no", traceback="traceback.txt"),
        missing=("attention", "latents"),
    )
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
    write_manifest(tmp_path, replace(manifest, summary={"val/loss": math.nan}))
    assert math.isnan(read_manifest(tmp_path).summary["val/loss"])


def test_the_directory_of_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is no run directory: it holds no manifest\.json"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(RunError, match="cannot be read as the manifest of a run"):
        read_manifest(tmp_path)
