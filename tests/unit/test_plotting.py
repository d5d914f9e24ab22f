"""Labels of ticks that would overlap."""

from __future__ import annotations

import pytest

from lengthwise.plotting import thin_labels


@pytest.mark.parametrize(
    ("positions", "labels", "shown"),
    [
        ([1, 8, 9, 10, 64], ["1", "8", "9", "10", "64"], ["1", "8", "", "", "64"]),
        ([0, 1, 2, 3], ["a", "b", "c", "d"], ["a", "b", "c", "d"]),
        ([0, 99, 100], ["a", "b", "c"], ["a", "", "c"]),
        ([0, 1], ["a" * 60, "b" * 60], ["a" * 60, "b" * 60]),
        ([5], ["a"], ["a"]),
    ],
)
def test_labels_that_would_overlap_are_left_out(positions: list[float], labels: list[str], shown: list[str]) -> None:
    assert thin_labels(positions, labels, width=6.0) == shown
