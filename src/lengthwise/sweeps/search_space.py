"""The space of a search: which options it varies, read from the overrides of the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import Override

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def read_space(overrides: Sequence[Override]) -> tuple[dict[str, BaseDistribution], list[str]]:
    """Split overrides into the options that are searched and those that are fixed.

    Args:
        overrides: As Hydra has parsed them: `a,b` or `choice(a,b)`; `range(1,9,2)`, whose end is excluded;
            `interval(0,1)`; `tag(log, interval(1e-4,1e-2))` on a logarithmic scale; `int(interval(8,128))` for whole
            numbers.

    Returns:
        Distributions by the option's name, and the other overrides as text.
    """
    space: dict[str, BaseDistribution] = {}
    fixed: dict[str, str] = {}
    for override in overrides:
        key = override.get_key_element()
        space.pop(key, None)
        fixed.pop(key, None)  # the last one counts: the command line comes after the study's file
        if override.is_sweep_override():
            space[key] = _read_distribution(override)
        else:
            fixed[key] = f"{key}={override.get_value_element_as_str()}"
    return space, list(fixed.values())


def _read_distribution(override: Override) -> BaseDistribution:
    from optuna import distributions

    if override.is_discrete_sweep() and not _is_rising_range(override):
        return distributions.CategoricalDistribution(list(override.sweep_string_iterator()))
    sweep: Any = override.value()
    if override.is_interval_sweep():
        is_log, low, high = "log" in sweep.tags, sweep.start, sweep.end
        if "int" in sweep.tags or (isinstance(low, int) and isinstance(high, int)):
            return distributions.IntDistribution(int(low), int(high), log=is_log)
        return distributions.FloatDistribution(float(low), float(high), log=is_log)
    values = list(range(sweep.start, sweep.stop, sweep.step))
    return distributions.IntDistribution(values[0], values[-1], step=sweep.step)


def _is_rising_range(override: Override) -> bool:
    """Return whether an override is a rising range of whole numbers, which a sampler can treat as numbers."""
    sweep: Any = override.value()
    if not override.is_range_sweep():
        return False
    numbers = (sweep.start, sweep.stop, sweep.step)
    return all(isinstance(number, int) for number in numbers) and sweep.step > 0 and sweep.start < sweep.stop


def take_example(space: Mapping[str, BaseDistribution]) -> tuple[str, ...]:
    """Return overrides that choose any one point of the space.

    Args:
        space: From `read_space`.
    """
    values: dict[str, Any] = {
        key: each.choices[0] if hasattr(each, "choices") else each.low for key, each in space.items()
    }
    return tuple(f"{key}={value}" for key, value in values.items())


def write_signature(space: Mapping[str, BaseDistribution], fixed: Sequence[str]) -> str:
    """Return a text that two searches share exactly if they have the same space and the same fixed options.

    Args:
        space: From `read_space`.
        fixed: From `read_space`.
    """
    from optuna.distributions import distribution_to_json

    searched = {key: distribution_to_json(each) for key, each in space.items()}
    return json.dumps([searched, sorted(fixed)], sort_keys=True)
