"""Made-up runs of a study."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lengthwise.evaluation.tables import Table
from lengthwise.studies.study import Course, StudyRun, Value

BASE: Mapping[str, Value] = {
    "config_version": 1,
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

LENGTHS = Table(
    columns=("target_length", "beyond_trained", "examples", "exact_match"),
    rows=(("1", False, 10, 0.9), ("2-3", False, 30, 0.5), ("4", True, 10, 0.1)),
)
SAMPLES = Table(
    columns=("example", "source", "target", "prediction", "right", "edits", "outcome"),
    rows=tuple((place, f"s{place}", "<b>", "a|b", place > 21, 1, "wrong content") for place in range(30)),
)


def make_run(
    params: Mapping[str, Value], seed: int | None, score: float | None, *, status: str = "FINISHED", **changes: Any
) -> StudyRun:
    """Return a run with its options beside `BASE`; without a score it has no summary."""
    summary = {} if score is None else {"test/exact_match": score, "test/exposure_gap": 0.01}
    if score is not None:
        summary |= {"test/baseline_majority_exact_match": 0.1, "model/parameters": 1000.0, "time/fit_seconds": 5.0}
    values: dict[str, Any] = {
        "name": f"run-{'-'.join(map(str, params.values()))}-{seed}",
        "study": "try",
        "status": status,
        "reason": None if status == "FINISHED" else "ValueError: <no> good",
        "started": "2026-01-01T00:00:00.000+00:00",
        "seconds": 9.0,
        "seed": seed,
        "params": {**BASE, **params, "seed": seed},
        "summary": summary,
        "metric": "test/exact_match",
        "higher_is_better": True,
        "data": ("copy", "ab" * 32),
        "split_sizes": {"train": 10, "test": 5},
        "courses": {"val/loss": Course([1, 2], [1.0, 0.5])},
        "by_length": {"test": LENGTHS},
        "samples": {"test": SAMPLES},
        "reconstructions": None,
    }
    return StudyRun(**{**values, **changes})


def make_grid(
    axes: Mapping[str, Sequence[Value]], score: Callable[..., float], *, seeds: Sequence[int] = (0, 1, 2)
) -> list[StudyRun]:
    """Return a run for each combination of levels and each seed; `score` is told the levels, then the seed."""
    return [
        make_run(dict(zip(axes, levels, strict=True)), seed, score(*levels, seed))
        for levels in itertools.product(*axes.values())
        for seed in seeds
    ]
