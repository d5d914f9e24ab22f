"""Runs of a study made up from their options and scores."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from helpers.runs import make_manifest
from lengthwise.config.options import CONFIG_VERSION
from lengthwise.evaluation.tables import Table
from lengthwise.studies.axes import Value
from lengthwise.studies.build import build_study
from lengthwise.studies.condition import LearningCurve, StudyRun
from lengthwise.studies.judging import MIN_SEEDS
from lengthwise.studies.report.answer import write_answer
from lengthwise.studies.report.contents import Report
from lengthwise.studies.report.fate import Fate
from lengthwise.studies.report.findings import LEGEND, LEGEND_FEW_SEEDS
from lengthwise.studies.report.sections import build_lead, build_sections
from lengthwise.studies.report.tables import tabulate_answer
from lengthwise.tracking.runs.manifest import Failure
from lengthwise.tracking.runs.run_record import DatasetRecord, PrimaryMetric
from lengthwise.tracking.runs.status import Status

BASE: Mapping[str, Value] = {
    "config_version": CONFIG_VERSION,
    "latent_dim": 8,
    "seed": 0,
    "study": "try",
    "model.name": "repeat",
    "model.conditioning": "repeat",
    "model.feedback": "none",
    "model.length": "fixed",
    "model.sampling_rate": None,
    "dataset.name": "copy",
    "decoding.length": "model",
    "tracking.name": "directory",
}

CUBE: Mapping[str, Sequence[Value]] = {
    "model.conditioning": ("repeat", "initial_state"),
    "model.feedback": ("none", "teacher"),
    "model.length": ("fixed", "stop"),
}
NOISE = np.random.default_rng(0).normal(0, 0.01, size=(2, 2, 2, 10))

LENGTHS = Table(
    columns=("target_length", "beyond_trained", "examples", "exact_match"),
    rows=(("1", False, 10, 0.9), ("2-3", False, 30, 0.5), ("4", True, 10, 0.1)),
)
SAMPLES = Table(
    columns=("example", "source", "target", "prediction", "right", "edits", "outcome"),
    rows=tuple((place, f"s{place}", "<b>", "a|b", place > 21, 1, "wrong content") for place in range(30)),
)


def make_run(
    params: Mapping[str, Value], seed: int | None, score: float | None, *, status: Status = "FINISHED", **changes: Any
) -> StudyRun:
    """Return a run with its options beside `BASE` and data of its seed; without a score it has no summary.

    Args:
        params: options that differ from `BASE`.
        seed: of the run.
        score: its exact match on the test split.
        status: of the run.
        changes: other fields of the run, or of its manifest.
    """
    summary = {} if score is None else {"test/exact_match": score, "test/exposure_gap": 0.01}
    if score is not None:
        summary |= {"test/baseline_majority_exact_match": 0.1, "model/parameters": 1000.0, "time/fit_seconds": 5.0}
    run: dict[str, Any] = {
        "curves": {"val/loss": LearningCurve([1, 2], [1.0, 0.5])},
        "by_length": {"test": LENGTHS},
        "samples": {"test": SAMPLES},
        "reconstructions": None,
    }
    manifest: dict[str, Any] = {
        "name": f"run-{'-'.join(map(str, params.values()))}-{seed}",
        "status": status,
        "seed": seed,
        "params": {**BASE, **params, "seed": seed},
        "dataset": DatasetRecord(
            name="copy", sha256=f"{seed or 0:02x}" * 32, split_sizes={"train": 10_000, "test": 1000}
        ),
        "primary_metric": PrimaryMetric(name="test/exact_match", greater_is_better=True),
        "summary": summary,
        "failure": None if status == "FINISHED" else Failure(reason="ValueError: <no> good", traceback=None),
    }
    for name, value in changes.items():
        (run if name in run else manifest)[name] = value
    return StudyRun(manifest=make_manifest(**manifest), **run)


def make_grid(
    axes: Mapping[str, Sequence[Value]], score: Callable[..., float], *, seeds: Sequence[int] = (0, 1, 2)
) -> list[StudyRun]:
    """Return a run for each combination of levels and each seed; `score` is given the levels, then the seed."""
    return [
        make_run(dict(zip(axes, levels, strict=True)), seed, score(*levels, seed))
        for levels in itertools.product(*axes.values())
        for seed in seeds
    ]


def score_cube(conditioning: str, feedback: str, length: str, seed: int) -> float:
    """Return a score that rises by .25 with teacher forcing and by .1 with a learnt stop, with a little noise."""
    levels = (conditioning, feedback, length)
    indices = [known.index(level) for known, level in zip(CUBE.values(), levels, strict=True)]
    noise = NOISE[(*indices, seed)]
    return float(0.4 + 0.25 * (feedback == "teacher") + 0.1 * (length == "stop") + noise)


def build_report(runs: Sequence[StudyRun], directory: Path) -> Report:
    """Return the report on runs; its figures go to an existing directory."""
    study = build_study(["try"], runs)
    answer = write_answer(study)
    return Report(
        title=study.title,
        question="Which <axis>?",
        fate=Fate(
            verdict="Not refuted", prediction="Predicted before the runs: <all> alike.", rules=("Not met: <x>.",)
        ),
        answer=answer,
        summary=tabulate_answer(study) if answer.standing == "compared" else Table(columns=(), rows=()),
        legend=LEGEND if study.num_seeds >= MIN_SEEDS else LEGEND_FEW_SEEDS,
        lead=build_lead(study, answer.standing, directory),
        details={"Data": "copy & more"},
        sections=build_sections(study, answer.standing, directory),
        commands=("python train.py -m seed=0,1",),
        made="Written by hand.",
    )
