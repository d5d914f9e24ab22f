"""Keep the models of finished runs, so that the next run of the same wiring in the process finds its functions traced.

Tracing and compiling take seconds; a short job of a sweep would spend most of its time on them.
"""

from __future__ import annotations

from collections import OrderedDict

import keras

from lengthwise.models.bundle import Models, build_models
from lengthwise.models.wiring import Wiring

MOST_KEPT = 4
"""Wirings whose models are kept, the most recent: each holds its weights and graphs in memory."""

_kept: OrderedDict[tuple[Wiring, str], Models] = OrderedDict()


def take_models(wiring: Wiring) -> Models:
    """Return models with new initial weights, which follow from Keras' global seed as those of `build_models`.

    They are those of a finished run of the same wiring and precision where `keep_models` was given some. Nobody else
    has them until they are kept again.
    """
    new = build_models(wiring)
    kept = _kept.pop(_name(wiring), None)
    if kept is None:
        return new
    for variable, initial in zip(kept.network.variables, new.network.variables, strict=True):
        variable.assign(initial)
    return kept


def keep_models(models: Models) -> None:
    """Leave models that a finished run no longer needs to a later one, which will change their weights."""
    _kept[_name(models.wiring)] = models
    while len(_kept) > MOST_KEPT:
        _kept.popitem(last=False)


def _name(wiring: Wiring) -> tuple[Wiring, str]:
    return wiring, keras.config.dtype_policy().name
