"""The scheduled sampling rate: how often a step is fed the model's own output in training."""

from __future__ import annotations

import math

from lengthwise.config.options import ModelOptions


def plan_sampling_rates(options: ModelOptions, *, epoch: int, num_batches: int) -> list[float]:
    """Return the sampling rate of each batch of an epoch (Bengio et al. 2015, section 2.4).

    Args:
        options: options of the model; without scheduled feedback all rates are 0.
        epoch: number of the epoch, from 0.
        num_batches: batches of every epoch.
    """
    if options.feedback != "scheduled":
        return [0.0] * num_batches
    if options.sampling_ramp_unit != "batch":
        return [compute_sampling_rate(options, epoch)] * num_batches
    return [compute_sampling_rate(options, epoch * num_batches + batch) for batch in range(num_batches)]


def compute_sampling_rate(options: ModelOptions, progress: int) -> float:
    """Return the probability of an own output after `progress` epochs or batches.

    `linear` grows evenly from 0 to the final rate at `sampling_ramp`; `inverse_sigmoid` follows
    1 - k / (k + exp(progress / k)) with k such that 99 % of the way is made at `sampling_ramp`, times the final rate.
    """
    final = options.sampling_rate or 0.0
    if options.sampling_schedule == "constant" or options.sampling_ramp is None:
        return final
    if options.sampling_schedule == "linear":
        return final * min(1.0, progress / options.sampling_ramp)
    k = _solve_sigmoid(options.sampling_ramp)
    return final * (1.0 - k / (k + math.exp(min(progress / k, 700.0))))


def _solve_sigmoid(ramp: int) -> float:
    """Bisect k with k / (k + exp(ramp / k)) = 0.01; the left side grows with k."""
    low, high = 1e-3, float(ramp) + 1.0
    for _ in range(80):
        middle = (low + high) / 2
        told_true = middle / (middle + math.exp(min(ramp / middle, 700.0)))
        low, high = (middle, high) if told_true < 0.01 else (low, middle)
    return low
