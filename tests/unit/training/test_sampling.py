"""The scheduled sampling rate."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from helpers.small_data import build_options
from lengthwise.training.sampling import compute_sampling_rate, plan_sampling_rates


def scheduled(**changes: Any) -> Any:
    defaults = {"sampling_rate": 0.5, "sampling_unit": "step", "sampling_schedule": "linear"}
    return build_options(feedback="scheduled", **{**defaults, **changes})


def test_a_constant_rate_is_there_from_the_start() -> None:
    assert compute_sampling_rate(scheduled(sampling_schedule="constant"), 0) == 0.5


def test_a_linear_rate_grows_evenly() -> None:
    options = scheduled(sampling_ramp=10, sampling_ramp_unit="epoch")
    assert [compute_sampling_rate(options, at) for at in (0, 5, 10, 99)] == pytest.approx([0, 0.25, 0.5, 0.5])


def test_an_inverse_sigmoid_arrives_at_the_ramp() -> None:
    options = scheduled(sampling_schedule="inverse_sigmoid", sampling_ramp=1000, sampling_ramp_unit="batch")
    rates = [compute_sampling_rate(options, at) for at in range(0, 3000, 50)]
    assert all(later >= earlier for earlier, later in itertools.pairwise(rates))
    assert rates[0] < 0.01
    assert compute_sampling_rate(options, 1000) == pytest.approx(0.5 * 0.99, abs=1e-6)
    assert compute_sampling_rate(options, 10**9) == pytest.approx(0.5)


def test_the_rate_moves_by_the_epoch_or_by_the_batch() -> None:
    by_epoch = scheduled(sampling_ramp=4, sampling_ramp_unit="epoch")
    assert plan_sampling_rates(by_epoch, epoch=2, num_batches=3) == pytest.approx([0.25] * 3)
    by_batch = scheduled(sampling_ramp=10, sampling_ramp_unit="batch")
    assert plan_sampling_rates(by_batch, epoch=2, num_batches=3) == pytest.approx([0.3, 0.35, 0.4])
    assert plan_sampling_rates(build_options(feedback="teacher"), epoch=2, num_batches=2) == [0.0, 0.0]
