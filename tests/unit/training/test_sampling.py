"""The scheduled sampling rate."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest

from helpers.small_data import SPECS, build_options, draw_split
from lengthwise.data.batching import take_batch
from lengthwise.models.bundle import build_models
from lengthwise.models.targets import prepare_batch
from lengthwise.models.wiring import resolve_wiring
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


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "float64", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("unit", ["step", "sequence"])
@pytest.mark.parametrize("kind", ["tokens", "features"])
def test_the_coin_decides_what_a_step_is_fed_in_every_precision(precision: str, unit: str, kind: str) -> None:
    keras.config.set_dtype_policy(precision)
    try:
        options = scheduled(sampling_unit=unit, sampling_schedule="constant", length="fixed", head="dense")
        network = build_models(resolve_wiring(options, 8, SPECS[kind])).network
    finally:
        keras.config.set_dtype_policy("float32")
    inputs = prepare_batch(take_batch(draw_split(kind), np.arange(4)), network.wiring).inputs
    other = {**inputs, "previous": np.concatenate([inputs["previous"][:, :1], inputs["previous"][:, :0:-1]], axis=1)}

    def score(rate: float, given: Any) -> Any:
        network.decoder.sampling_probability.assign(rate)
        return network(given, training=True)["values"].numpy()

    # Outside of training all steps are projected together, which half precision rounds in another way.
    tolerance = 2e-2 if precision.startswith("mixed") else 1e-6
    np.testing.assert_allclose(score(0.0, inputs), network(inputs, training=False)["values"], atol=tolerance)
    assert not np.array_equal(score(0.0, inputs), score(0.0, other))
    np.testing.assert_array_equal(score(1.0, inputs), score(1.0, other))
