"""Losses against NumPy written out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.small_data import SPECS, build_options
from lengthwise.models.wiring import resolve_wiring
from lengthwise.training.losses import build_losses


def test_cross_entropy_is_the_mean_over_real_steps() -> None:
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(3, 4, 9)).astype(np.float32), rng.integers(0, 9, (3, 4))
    weights = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 0]], np.float32)
    loss = build_losses(resolve_wiring(build_options(length="stop"), 8, SPECS["tokens"]))["values"]
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    chosen = np.take_along_axis(log_probabilities, targets[..., None], -1)[..., 0]
    assert float(loss(targets, logits, weights)) == pytest.approx(-(chosen * weights).sum() / 7, rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.1, 0.9])
def test_smoothed_targets_are_spread_evenly_over_all_symbols(smoothing: float) -> None:
    rng = np.random.default_rng(2)
    logits, targets = rng.normal(size=(3, 4, 9)).astype(np.float32), rng.integers(0, 9, (3, 4))
    weights = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 0]], np.float32)
    wiring = resolve_wiring(build_options(length="stop"), 8, SPECS["tokens"])
    loss = build_losses(wiring, label_smoothing=smoothing)["values"]
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    smoothed = np.eye(9)[targets] * (1 - smoothing) + smoothing / 9
    wanted = -((smoothed * log_probabilities).sum(-1) * weights).sum() / 7
    assert float(loss(targets, logits, weights)) == pytest.approx(wanted, rel=1e-6)


def test_squared_error_and_stop_are_means_over_real_steps() -> None:
    rng = np.random.default_rng(1)
    values, targets = rng.normal(size=(2, 2, 3, 3)).astype(np.float32)
    stops = rng.normal(size=(2, 3, 1)).astype(np.float32)
    ends = np.array([[[0], [0], [1]], [[1], [0], [0]]], np.float32)
    weights = np.array([[1, 1, 1], [1, 0, 0]], np.float32)
    losses = build_losses(resolve_wiring(build_options(length="stop"), 8, SPECS["features"]))
    squared = ((values - targets) ** 2).mean(-1)
    assert float(losses["values"](targets, values, weights)) == pytest.approx((squared * weights).sum() / 4, rel=1e-6)
    entropy = np.log1p(np.exp(stops)) - ends * stops
    expected = (entropy[..., 0] * weights).sum() / 4
    assert float(losses["stop"](ends, stops, weights)) == pytest.approx(expected, rel=1e-5)


def test_features_without_a_learnt_stop_have_one_loss() -> None:
    for length in ("fixed", "oracle"):
        losses = build_losses(resolve_wiring(build_options(length=length), 8, SPECS["features"]))
        assert list(losses) == ["values"]
