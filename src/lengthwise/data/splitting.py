"""Split examples at random into training, validation and test."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Parts(NamedTuple):
    """Indices of the training, validation and test examples, each in random order."""

    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]


def count_share(num_examples: int, fraction: float) -> int:
    """Return the number of examples in a share: rounded, at least one."""
    return max(1, round(num_examples * fraction))


def draw_parts(
    rng: np.random.Generator, num_examples: int, *, validation_fraction: float | None, test_fraction: float | None
) -> Parts | None:
    """Split indices at random.

    The test examples come first in the random order, so that the test stays the same when only the validation share
    changes.

    Args:
        rng: Generator of the random order.
        num_examples: Number of examples to split.
        validation_fraction: Share of all examples, above 0; None: the part has none.
        test_fraction: The same for the test.

    Returns:
        The indices of the three parts; None where there are too few examples for one in each.
    """
    num_test = 0 if test_fraction is None else count_share(num_examples, test_fraction)
    num_held_out = num_test + (0 if validation_fraction is None else count_share(num_examples, validation_fraction))
    if num_held_out >= num_examples:
        return None
    order = rng.permutation(num_examples)
    return Parts(train=order[num_held_out:], val=order[num_test:num_held_out], test=order[:num_test])
