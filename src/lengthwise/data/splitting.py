"""Random splits into training, validation and test."""

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
    """Return how many examples a share is: rounded, at least one."""
    return max(1, round(num_examples * fraction))


def draw_parts(
    rng: np.random.Generator, num_examples: int, *, validation_fraction: float, test_fraction: float
) -> Parts | None:
    """Split indices at random.

    The test comes first from the random order, so that it stays the same when only the validation share changes.

    Args:
        rng: where the order comes from.
        num_examples: indices to split.
        validation_fraction: share of all examples, above 0.
        test_fraction: the same.

    Returns:
        the indices of the parts; None where an example is not left for each of them.
    """
    num_test = count_share(num_examples, test_fraction)
    num_held_out = num_test + count_share(num_examples, validation_fraction)
    if num_held_out >= num_examples:
        return None
    order = rng.permutation(num_examples)
    return Parts(train=order[num_held_out:], val=order[num_test:num_held_out], test=order[:num_test])
