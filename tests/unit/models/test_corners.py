"""Every corner against the same corner from plain Keras layers, in double precision."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers.corners import AXES, CONTROLS, cover_pairs, list_corners, name_corner
from helpers.plain_keras import build_plain
from helpers.small_data import SPECS, build_options, draw_split, take_all
from lengthwise.models.bundle import Models, build_models
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


class Reference(NamedTuple):
    """A corner, and what plain Keras layers with its weights make of a batch.

    Args:
        models: The corner as built.
        inputs: Of the batch.
        variables: The corner's own, each with that of the plain layers.
        factors: Factors of all values in the sum whose gradients are compared.
        values: Expected.
        gradients: Expected, of the plain layers' variables.
    """

    models: Models
    inputs: Any
    variables: list[tuple[Any, Any]]
    factors: dict[str, np.ndarray]
    values: dict[str, tf.Tensor]
    gradients: list[Any]


@cache
def build_reference(corner: tuple[tuple[str, Any], ...]) -> Reference:
    """Build a corner and run the plain layers, once for both formulations."""
    changes = dict(corner)
    kind = changes.pop("kind")
    wiring = resolve_wiring(build_options(**changes), 8, SPECS[kind])
    models = build_models(wiring)
    assert sum(int(np.prod(own.shape)) for own in models.network.trainable_variables) == count_parameters(wiring)
    inputs, plain = prepare_batch(take_all(draw_split(kind)), wiring).inputs, build_plain(models)
    rng = np.random.default_rng(0)
    with tf.GradientTape() as tape:
        values = plain.forward(inputs)
        factors = {name: rng.normal(size=value.shape) for name, value in values.items()}
        total = sum(tf.reduce_sum(values[name] * factors[name]) for name in values)
    gradients = tape.gradient(total, [other.value for _, other in plain.variables])
    return Reference(models, inputs, plain.variables, factors, values, gradients)


def check_against_plain(corner: dict[str, Any]) -> None:
    reference = build_reference(tuple(corner.items()))
    with tf.GradientTape() as tape:
        outputs = reference.models.network(reference.inputs, training=False)
        total = sum(tf.reduce_sum(outputs[name] * factors) for name, factors in reference.factors.items())
    assert outputs.keys() == reference.values.keys()
    for name, value in reference.values.items():
        np.testing.assert_allclose(outputs[name], value, rtol=1e-10, atol=1e-10)
    gradients = tape.gradient(total, [own.value for own, _ in reference.variables])
    for (own, _), gradient, wanted in zip(reference.variables, gradients, reference.gradients, strict=True):
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
