"""What is said of a model that is no better than its best baseline, and the sizes that a run records."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from lengthwise.config.compose import compose_options
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.models.wiring import resolve_wiring
from lengthwise.pipeline.results import RunResult, compare_with_baseline


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


@pytest.mark.parametrize(
    ("changes", "updates", "presented"),
    [
        ((), 3 * 7, 3 * 100),
        (("training.batches_per_epoch=5",), 3 * 5, 3 * 5 * 16),
        (("training.batches_per_epoch=9",), 3 * 7, 3 * 100),
    ],
)
def test_the_sizes_of_a_run_are_counted(changes, updates, presented):
    """100 examples in batches of 16 are 7 updates an epoch; h and c of 8 units reach each of 2 decoder layers."""
    options = compose_options(
        [
            *("dataset=copy", "dataset.num_train=100", "model=stateful", "model.encoder_layers=2"),
            *("model.decoder_layers=2", "latent_dim=8", "training.batch_size=16", *changes),
        ]
    )
    dataset = load_dataset(options.dataset, options.timesteps)
    wiring = resolve_wiring(options.model, options.latent_dim, dataset.spec)
    result = RunResult(
        options=options,
        dataset=dataset,
        inference=SimpleNamespace(models=SimpleNamespace(wiring=wiring)),
        training=SimpleNamespace(epochs=3),
        predictions={},
        assessments={},
        evaluation_seconds=0.0,
    )
    sizes = result.sizes
    assert (sizes["training/updates"], sizes["training/presentations"]) == (updates, presented)
    assert sizes["training/update_steps"] == updates * dataset.spec.timesteps
    assert (sizes["model/decoder_dim"], sizes["model/handed_over"]) == (8, 2 * 2 * 8)
