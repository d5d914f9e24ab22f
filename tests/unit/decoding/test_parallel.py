from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf

from lengthwise.decoding.parallel import run_in_parts


@pytest.mark.parametrize(
    ("num_rows", "num_cores", "rows_of_part"),
    [
        (64, 2, 32),  # 64 x 256 values of a state are two parts of 8,192
        (255, 2, 37),  # seven whole parts of 8,192
        (256, 2, 128),
        (1024, 2, 128),
        (1024, 16, 64),
        (256, 64, 32),  # as many as without a limit
    ],
)
def test_large_batches_have_few_parts_but_one_for_each_core(
    num_rows: int, num_cores: int, rows_of_part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: num_cores)

    def count_rows(rows: tf.Tensor, _shared: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return rows, tf.fill(tf.shape(rows), tf.shape(rows)[0])

    rows, sizes = run_in_parts(count_rows, (tf.range(num_rows),), tf.constant(0), values_per_row=256)
    np.testing.assert_array_equal(rows, np.arange(num_rows))
    np.testing.assert_array_equal(sizes, np.full(num_rows, rows_of_part))
