"""What is said of a model that is no better than its best baseline."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from lengthwise.pipeline.results import compare_with_baseline


def _assess(kind, score, **baselines):
    primary = {"tokens": "exact_match", "features": "mean_absolute_error"}[kind]
    return SimpleNamespace(
        split="val",
        scores=SimpleNamespace(kind=kind, summary={primary: score}),
        baselines={name: {primary: value} for name, value in baselines.items()},
    )


@pytest.mark.parametrize(
    ("kind", "score", "baselines", "named"),
    [
        ("tokens", 0.5, {"majority_target": 0.2, "majority_symbol": 0.4}, None),
        ("tokens", 0.4, {"majority_target": 0.2, "majority_symbol": 0.4}, "majority symbol"),
        ("tokens", 0.0, {"majority_target": 0.0, "majority_symbol": 0.0}, "majority target"),
        ("tokens", 0.3, {"majority_target": 0.2, "copy": 1.0}, None),
        ("tokens", 0.1, {"majority_target": 0.2, "copy": 1.0}, "majority target"),
        ("tokens", 0.1, {"majority_target": 0.2, "copy": 0.9}, "copy"),
        ("tokens", 1.0, {"copy": 1.0}, None),
        ("features", 0.1, {"mean": 0.2}, None),
        ("features", 0.2, {"mean": 0.2}, "mean"),
        ("features", float("nan"), {"mean": 0.2}, "mean"),
    ],
)
def test_a_model_no_better_than_its_best_baseline_is_named(kind, score, baselines, named):
    remark = compare_with_baseline(_assess(kind, score, **baselines))
    if named is None:
        assert remark is None
    else:
        assert remark.startswith(
            f"On val the model is no better than the best baseline ({named}), which learns nothing."
        )
        assert "training.epochs" in remark
