from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lengthwise.data.scaler import Scaler, fit_scaler

ROWS = np.array([[1.0, 10.0, 5.0], [3.0, 30.0, 5.0], [2.0, 50.0, 5.0]])


def test_minmax_brings_rows_to_zero_and_one():
    scaled = fit_scaler(ROWS, "minmax").encode(ROWS)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, [[0, 0, 0], [1, 0.5, 0], [0.5, 1, 0]])


def test_standard_brings_rows_to_mean_zero_and_deviation_one():
    scaler = fit_scaler(ROWS, "standard")
    assert scaler.shift == (2.0, 30.0, 5.0)
    np.testing.assert_allclose(scaler.scale, [np.sqrt(2 / 3), np.sqrt(800 / 3), 1.0])


@pytest.mark.parametrize("scaling", ["minmax", "standard"])
@pytest.mark.parametrize("constant", [0.0, 0.1, -1e9, 1e-300])
def test_a_constant_feature_becomes_zero_and_does_not_blow_up(scaling, constant):
    scaler = fit_scaler(np.full((7, 1), constant), scaling)
    assert scaler.scale == (1.0,)
    np.testing.assert_allclose(scaler.encode(np.array([[constant]])), 0, atol=1e-6)


def test_a_small_but_real_spread_is_kept():
    seconds = 1.6e9 + np.arange(5.0)[:, None]
    np.testing.assert_allclose(fit_scaler(seconds, "minmax").encode(seconds)[:, 0], [0, 0.25, 0.5, 0.75, 1])


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20), st.sampled_from(["minmax", "standard"]))
def test_decoding_undoes_encoding(values, scaling):
    rows = np.array(values)[:, None]
    scaler = fit_scaler(rows, scaling)
    spread = scaler.scale[0]
    np.testing.assert_allclose(scaler.decode(scaler.encode(rows)), rows, atol=1e-5 * max(spread, 1e-3), rtol=1e-6)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(1e-300, 1e300))
def test_a_scaler_survives_json_to_the_last_bit(shift, scale):
    assert Scaler.from_json(Scaler((shift,), (scale,)).to_json()) == Scaler((shift,), (scale,))


@pytest.mark.parametrize(
    "text",
    [
        "3",
        '{"kind": "vocabulary"}',
        '{"kind": "scaler", "shift": [0]}',
        '{"kind": "scaler", "shift": [0], "scale": [0]}',
        '{"kind": "scaler", "shift": [0], "scale": [1, 2]}',
        '{"kind": "scaler", "shift": [NaN], "scale": [1]}',
        '{"kind": "scaler", "shift": 1, "scale": 1}',
    ],
)
def test_a_bad_stored_scaler_is_refused(text):
    with pytest.raises(ValueError, match="scaler"):
        Scaler.from_json(text)
