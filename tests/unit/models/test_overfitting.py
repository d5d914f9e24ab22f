"""Corners that hold every pair of axis values learn eight sequences by heart."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.corners import AXES, cover_pairs, name_corner
from helpers.overfitting import overfit


@pytest.mark.slow
@pytest.mark.parametrize("corner", cover_pairs({**AXES, "cell": ("lstm", "gru")}), ids=name_corner)
def test_a_corner_learns_eight_sequences_by_heart(corner: dict[str, Any]) -> None:
    assert overfit(corner).is_learnt
