"""Answers and pages of random studies: few or many conditions and seeds, failed, missing and odd scores."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from helpers.study_runs import build_report, make_run
from lengthwise.studies.build import build_study
from lengthwise.studies.condition import StudyRun
from lengthwise.studies.report.answer import write_answer
from lengthwise.studies.report.page import render_page
from lengthwise.studies.report.standing import Standing
from lengthwise.studies.report.tables import tabulate_answer, tabulate_conditions, tabulate_unfinished, write_results
from lengthwise.tracking.runs.run_record import PrimaryMetric

OPTIONS = {
    "model.feedback": ("none", "teacher", "own"),
    "model.length": ("fixed", "stop"),
    "latent_dim": (2, 3, 4, 512),
    "training.learning_rate": (0.0001, 0.00011, 0.02),
    "model.name": ("repeat", "srivastava2015_unconditioned"),
}
METRICS = ("exact_match", "mean_absolute_error")
ODD = (0.0, 1.0, math.nan, math.inf, 1e-6)
NUM_STUDIES, NUM_PAGES = 300, 8


def draw_study(rng: np.random.Generator) -> list[StudyRun]:
    """Draw the runs of a grid: some missing, some failed, scores equal, at the floor, at the top, or not finite."""
    axes = [name for name in OPTIONS if rng.random() < 0.4][:3]
    levels = [OPTIONS[name][: int(rng.integers(1, len(OPTIONS[name]) + 1))] for name in axes]
    metric, kind = str(rng.choice(METRICS)), str(rng.choice(["spread", "equal", "odd", "floor"]))
    constant = float(rng.choice((0.0, 1.0, 0.3)))
    runs = []
    for combination in itertools.product(*levels):
        for seed in range(int(rng.integers(1, 4))):
            score = {"spread": rng.random(), "equal": constant, "odd": rng.choice(ODD), "floor": 0.05 * rng.random()}
            status = "FAILED" if rng.random() < 0.1 else "FINISHED"
            summary = {f"test/{metric}": float(score[kind]), "model/parameters": 10.0}
            if rng.random() < 0.8:
                summary[f"test/baseline_mean_{metric}"] = 0.1
            runs.append(
                make_run(
                    dict(zip(axes, combination, strict=True)),
                    seed,
                    None,
                    status=status,  # type: ignore[arg-type]
                    summary=summary if status == "FINISHED" else {},
                    primary_metric=PrimaryMetric(name=f"test/{metric}", greater_is_better=metric == "exact_match"),
                )
            )
    kept = [run for run in runs if rng.random() < 0.95]
    return kept or runs


def judge_by_hand(runs: list[StudyRun]) -> Standing:
    """Judge from the manifests what `find_standing` judges from the grid."""
    metric = runs[0].manifest.record.primary_metric
    assert metric is not None
    share = metric.greater_is_better
    groups: dict[str, list[float]] = {}
    measured = [run.manifest.summary.get(metric.name, math.nan) for run in runs]
    finite = [score for score in measured if math.isfinite(score)]
    has_baseline = any("baseline" in key for run in runs for key in run.manifest.summary)
    worst = 0.0 if share else 0.1 if has_baseline else max(finite, default=math.nan)
    for run, score in zip(runs, measured, strict=True):
        counted = score if math.isfinite(score) else worst  # all that failed here did so by themselves
        groups.setdefault(str({**run.manifest.record.params, "seed": 0}), []).append(counted)
    means, learnt = [], False
    for scores in groups.values() if finite else ():
        means.append(sum(scores) / len(scores))
        baseline = 0.1 if has_baseline else (0.0 if share else math.inf)
        learnt |= means[-1] > baseline + 1e-12 if share else means[-1] < baseline - 1e-12
    if not means:
        return "unfinished"
    if not learnt:
        return "nothing learnt"
    if len(means) > 1 and max(means) - min(means) < 1e-9:
        return "all tie"
    return "one seed" if max(map(len, groups.values())) == 1 else "compared"


def test_the_first_sentence_of_a_random_study_is_true() -> None:
    rng = np.random.default_rng(0)
    seen: set[str] = set()
    for _ in range(NUM_STUDIES):
        runs = draw_study(rng)
        study = build_study(["try"], runs)
        answer = write_answer(study)
        assert answer.standing == judge_by_hand(runs)
        seen.add(answer.standing)
        text = " ".join([*answer.paragraphs, *answer.cautions])
        words = set(text.replace(",", " ").replace(".", " ").split())
        assert not words & {"nan", "inf"}, text
        begins = answer.paragraphs[0].startswith("Nothing was learnt: ")
        assert begins == (answer.standing == "nothing learnt")
        if answer.standing in ("nothing learnt", "all tie", "unfinished"):
            assert not words & {"best", "significant", "better", "worse"}, text
        for table in (tabulate_conditions(study), tabulate_answer(study), tabulate_unfinished(study)):
            assert "nan" not in table.to_markdown()
        assert write_results(study).count("\n") == len(runs) + 1
    assert seen == {"unfinished", "nothing learnt", "all tie", "one seed", "compared"}


@pytest.mark.slow
def test_random_studies_have_a_page(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for number in range(NUM_PAGES):
        directory = tmp_path / str(number)
        directory.mkdir()
        assert "</html>" in render_page(build_report(draw_study(rng), directory))
