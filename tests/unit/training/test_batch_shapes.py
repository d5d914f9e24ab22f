"""The shapes of compiled batches: every batch fits, and no other few shapes have less padding."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from helpers.small_data import SPECS, build_options, draw_split
from lengthwise.data.batching import plan_batches
from lengthwise.models.wiring import resolve_wiring
from lengthwise.training.batch_shapes import WORTHWHILE, _choose_bounds, choose_shapes, count_target_steps, plan_shapes


def count_steps(lengths: np.ndarray, bounds: tuple[int, ...]) -> int:
    return sum(min(bound for bound in bounds if length <= bound) for length in lengths)


@pytest.mark.parametrize("seed", range(5))
def test_bounds_have_the_least_padding(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 9, 60).astype(np.int32) ** (1 + seed % 2)
    bounds = _choose_bounds(lengths)
    largest = int(lengths.max())
    others = [int(length) for length in np.unique(lengths)[:-1]]

    def find_fewest(count: int) -> int:
        return min(count_steps(lengths, (*chosen, largest)) for chosen in combinations(others, count - 1))

    assert bounds[-1] == largest
    assert count_steps(lengths, bounds) == find_fewest(len(bounds))
    if len(bounds) > 1:
        assert count_steps(lengths, bounds) <= (1 - WORTHWHILE) * find_fewest(len(bounds) - 1)


def test_equal_lengths_have_one_shape() -> None:
    assert _choose_bounds(np.full(7, 4, np.int32)) == (4,)


@pytest.mark.parametrize("kind", ["tokens", "features"])
@pytest.mark.parametrize("length", ["fixed", "stop", "oracle"])
def test_every_batch_fits_its_shape_and_no_smaller_one(kind: str, length: str) -> None:
    wiring = resolve_wiring(build_options(length=length, head="dense"), 8, SPECS[kind])
    split = draw_split(kind, num_examples=200)
    steps = count_target_steps(split, wiring)
    shapes = plan_shapes(split, wiring)
    batches = plan_batches(split.source.length, split.target.length, batch_size=8, seed=0, epoch=0)
    for index, rows in zip(choose_shapes(shapes, batches, split, wiring), batches, strict=True):
        needed = split.source.length[rows].max(), steps[rows].max()
        assert needed[0] <= shapes[index].source_steps
        assert needed[1] <= shapes[index].target_steps
        for smaller in shapes[:index]:
            assert needed[0] > smaller.source_steps or needed[1] > smaller.target_steps
