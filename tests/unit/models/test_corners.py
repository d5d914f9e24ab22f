"""Every corner against the same corner from plain Keras layers, in double precision."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers.corners import AXES, CONTROLS, cover_pairs, list_corners, name_corner
from helpers.plain_keras import build_plain
from helpers.small_data import SPECS, build_options, draw_split, take_all
from lengthwise.models.bundle import build_models
from lengthwise.models.recurrence.formulation import formulate_for_xla
from lengthwise.models.targets import prepare_batch
from lengthwise.models.wiring import count_parameters, resolve_wiring

ALL_PAIRS = cover_pairs(AXES | CONTROLS)
QUICK = [corner for corner in ALL_PAIRS if corner["attention"] == "none" and corner["feedback"] in ("none", "teacher")][
    :3
]


@pytest.fixture(autouse=True)
def _double_precision() -> Any:
    keras.config.set_dtype_policy("float64")
    keras.utils.set_random_seed(1)
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(params=["loops", "xla"])
def _formulation(request: pytest.FixtureRequest) -> Iterator[None]:
    """Write the loops for TensorFlow and for XLA; compiled or not, the operations are the same."""
    with formulate_for_xla() if request.param == "xla" else contextlib.nullcontext():
        yield


def check_against_plain(corner: dict[str, Any]) -> None:
    changes = {key: value for key, value in corner.items() if key != "kind"}
    wiring = resolve_wiring(build_options(**changes), 8, SPECS[corner["kind"]])
    models = build_models(wiring)
    batch = prepare_batch(take_all(draw_split(corner["kind"])), wiring)
    plain = build_plain(models)
    assert sum(int(np.prod(own.shape)) for own in models.network.trainable_variables) == count_parameters(wiring)

    rng = np.random.default_rng(0)
    with tf.GradientTape(persistent=True) as tape:
        outputs = models.network(batch.inputs, training=False)
        expected = plain.forward(batch.inputs)
        weights = {name: rng.normal(size=value.shape) for name, value in expected.items()}
        loss = sum(tf.reduce_sum(outputs[name] * weights[name]) for name in expected)
        expected_loss = sum(tf.reduce_sum(expected[name] * weights[name]) for name in expected)
    assert outputs.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(outputs[name], value, rtol=1e-10, atol=1e-10)
    gradients = tape.gradient(loss, [own.value for own, _ in plain.variables])
    expected_gradients = tape.gradient(expected_loss, [other.value for _, other in plain.variables])
    for (own, _), gradient, wanted in zip(plain.variables, gradients, expected_gradients, strict=True):
        if wanted is None or not own.trainable:
            assert wanted is None or wanted.shape[0] == 0, own.path
            assert gradient is None or not np.any(gradient)
            continue
        np.testing.assert_allclose(
            tf.convert_to_tensor(gradient), tf.convert_to_tensor(wanted), rtol=1e-8, atol=1e-9, err_msg=own.path
        )


@pytest.mark.usefixtures("_formulation")
@pytest.mark.parametrize("corner", QUICK, ids=name_corner)
def test_some_corners_equal_plain_keras(corner: dict[str, Any]) -> None:
    check_against_plain(corner)


@pytest.mark.slow
@pytest.mark.usefixtures("_formulation")
@pytest.mark.parametrize("corner", [corner for corner in ALL_PAIRS if corner not in QUICK], ids=name_corner)
def test_every_pair_of_values_equals_plain_keras(corner: dict[str, Any]) -> None:
    check_against_plain(corner)


def test_the_chosen_corners_hold_every_pair() -> None:
    held = {
        frozenset([(a, x), (b, y)])
        for corner in ALL_PAIRS
        for a, x in corner.items()
        for b, y in corner.items()
        if a < b
    }
    possible = {
        frozenset([(a, corner[a]), (b, corner[b])])
        for corner in list_corners(AXES)
        for a in corner
        for b in corner
        if a < b
    }
    assert possible <= held


def test_controls_are_options() -> None:
    fields = set(build_options().__dataclass_fields__)
    assert (AXES | CONTROLS).keys() - {"kind"} <= fields
