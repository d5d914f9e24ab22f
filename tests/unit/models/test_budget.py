"""The parameter budget, and the arithmetic of the counts against built models."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import keras
import numpy as np
import pytest

from helpers.corners import AXES, CONTROLS, cover_pairs, list_corners
from helpers.small_data import SPECS, build_options
from lengthwise.errors import ConfigError
from lengthwise.models.bundle import SequenceModel
from lengthwise.models.wiring import Wiring, count_parameters, list_parameters, resolve_wiring

FREE = {name: values for name, values in CONTROLS.items() if name != "decoder_dim"}
"""Controls beside a budget, which chooses the widths itself."""

PLACES = (
    (r"source/|previous/", "symbol embeddings"),
    (r"encoder/", "encoder"),
    (r"bridge/", "bridge"),
    (r"attention/", "attention"),
    (r"stop_head/", "stop head"),
    (r"/head/", "head"),
    (r"decoder/", "decoder"),
)


def resolve(corner: dict[str, Any], latent_dim: int = 8, **changes: Any) -> Wiring:
    options = {key: value for key, value in corner.items() if key != "kind"}
    return resolve_wiring(build_options(**options | changes), latent_dim, SPECS[corner["kind"]])


@pytest.mark.parametrize("budget", [40_000, 2_000_000])
def test_every_corner_reaches_the_budget_within_two_percent(budget: int) -> None:
    for corner in list_corners(AXES):
        assert abs(count_parameters(resolve(corner, parameter_budget=budget)) - budget) <= 0.02 * budget, corner


def test_every_pair_of_controls_reaches_the_budget() -> None:
    # So many that two units, which is the least that a bidirectional encoder grows by, are few of all.
    for corner in cover_pairs(AXES | FREE):
        wiring = resolve(corner, parameter_budget=2_000_000)
        assert abs(count_parameters(wiring) - 2_000_000) <= 40_000, corner
        assert wiring.latent_dim % 2 == 0 or not wiring.bidirectional


@pytest.mark.parametrize(("bidirectional", "budget"), [(False, 21_000), (False, 70_000), (True, 170_000)])
def test_no_other_width_comes_nearer(bidirectional: bool, budget: int) -> None:
    for kind in SPECS:
        corner = {"kind": kind, "bidirectional": bidirectional, "conditioning": "both"}
        found = resolve(corner, parameter_budget=budget)
        widths = range(2, 400, 2) if bidirectional else range(1, 200)
        counts = {width: count_parameters(resolve(corner, width)) for width in widths}
        assert found.latent_dim == min(widths, key=lambda width: abs(counts[width] - budget))


def test_a_budget_takes_the_place_of_the_width() -> None:
    corner = {"kind": "tokens", "head": "dense"}
    assert resolve(corner, 4, parameter_budget=9_000) == resolve(corner, 400, parameter_budget=9_000)


def test_a_budget_that_no_width_meets_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError) as refusal:
        resolve({"kind": "tokens"}, parameter_budget=230)
    text = str(refusal.value)
    nearest = count_parameters(resolve({"kind": "tokens"}, 2))
    assert "model.parameter_budget must be met within 2 % by a whole number of units" in text
    assert f"got 230, where 2 units make {nearest} parameters" in text
    assert text.endswith(f"Take a budget near {nearest}.")
    assert resolve({"kind": "tokens"}, parameter_budget=nearest).latent_dim == 2


def test_a_budget_below_the_smallest_and_above_the_widest_model_is_refused() -> None:
    for budget in (1, 10_000_000_000_000):
        with pytest.raises(ConfigError, match="parameter_budget"):
            resolve({"kind": "tokens"}, parameter_budget=budget)


def count_by_place(wiring: Wiring) -> dict[str, int]:
    model = SequenceModel(wiring, name="sequence_model")
    with keras.StatelessScope(initialize_variables=False):  # drawing initial values takes longer than all else
        model.build()
    counts: Counter[str] = Counter()
    for variable in model.trainable_variables:
        part = next(part for pattern, part in PLACES if re.search(pattern, variable.path))
        counts[part] += int(np.prod(variable.shape))
    return dict(counts)


ALL_PAIRS = cover_pairs(AXES | CONTROLS)


@pytest.mark.parametrize("corner", ALL_PAIRS[::6], ids=lambda corner: "-".join(map(str, corner.values())))
def test_parts_have_the_parameters_that_they_are_built_with(corner: dict[str, Any]) -> None:
    wiring = resolve(corner)
    assert dict(list_parameters(wiring)) == count_by_place(wiring)


@pytest.mark.slow
def test_all_corners_have_the_parameters_that_they_are_built_with() -> None:
    for number, corner in enumerate([*list_corners(AXES), *ALL_PAIRS]):
        wiring = resolve(corner)
        assert dict(list_parameters(wiring)) == count_by_place(wiring), corner
        if number % 40 == 0:
            keras.backend.clear_session()
    keras.backend.clear_session()
