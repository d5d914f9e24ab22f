"""Published results beside the conditions that repeat them."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.study_runs import make_grid
from lengthwise.studies.published import Published, compare_published
from lengthwise.studies.study import build_study


def test_a_published_result_is_shown_beside_its_condition_with_its_distance() -> None:
    runs = make_grid({"model.length": ("fixed", "stop")}, lambda length, seed: [0.5, 0.6, 0.7][seed])
    same = Published(options={"model.length": "stop"}, metric="test/exact_match", value=0.5, error=0.03, source="A")
    other = Published(
        options={"model.length": "stop"}, metric="test/exact_match", value=0.5, error=None, source="B", note="differs"
    )
    nowhere = Published(options={"model.length": "oracle"}, metric="test/exact_match", value=1, error=None, source="C")
    first, second = compare_published(build_study(["try"], runs), (same, other, nowhere))
    assert first.condition.name == "length=stop"
    assert first.standard_errors == pytest.approx((0.6 - 0.5) / np.hypot(0.1 / np.sqrt(3), 0.03))
    assert second.standard_errors is None
