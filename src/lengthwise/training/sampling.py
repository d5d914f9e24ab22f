"""The scheduled sampling rate: how often a step is fed the model's own output in training."""

from __future__ import annotations

import math

from scipy.special import lambertw

from lengthwise.config.options import ModelOptions


def plan_sampling_rates(options: ModelOptions, *, epoch: int, num_batches: int) -> list[float]:
    """Return the sampling rate of each batch of an epoch (Bengio et al. 2015, section 2.4).

    Args:
        options: Options of the model; without scheduled feedback all rates are 0.
        epoch: Number of the epoch, from 0.
        num_batches: Batches of every epoch.
    """
    if options.feedback != "scheduled":
        return [0.0] * num_batches
    if options.sampling_ramp_unit != "batch":
        return [compute_sampling_rate(options, epoch)] * num_batches
    return [compute_sampling_rate(options, epoch * num_batches + batch) for batch in range(num_batches)]


def compute_sampling_rate(options: ModelOptions, progress: int) -> float:
    """Return the probability that a step is fed the model's own output after `progress` epochs or batches.

    `linear` grows evenly from 0 to the final rate at `sampling_ramp`; `inverse_sigmoid` follows
    1 - k / (k + exp(progress / k)), times the final rate, with k such that 99 % of it is reached at `sampling_ramp`.
    """
    final = options.sampling_rate or 0.0
    if options.sampling_schedule == "constant" or options.sampling_ramp is None:
        return final
    if options.sampling_schedule == "linear":
        return final * min(1.0, progress / options.sampling_ramp)
    k = _solve_sigmoid(options.sampling_ramp)
    return final * (1.0 - k / (k + math.exp(min(progress / k, 700.0))))


def _solve_sigmoid(ramp: int) -> float:
    """Find k with k / (k + exp(ramp / k)) = 0.01.

    With u = ramp / k this is u * exp(u) = 99 * ramp, so that u is Lambert's W of 99 * ramp.
    """
    return ramp / float(lambertw(99 * ramp).real)
