"""Run compiled functions operation by operation: tracing a model takes seconds, running it once a fraction of one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from lengthwise.decoding import compiled


@contextlib.contextmanager
def step_by_step() -> Iterator[None]:
    """Run graphs operation by operation; the recurrences' loops stay compiled, since models share them."""
    run_in_parts = compiled.run_in_parts

    def run_whole(loop: Any, rows: Any, shared: Any, *, values_per_row: int) -> Any:
        tensors = tf.nest.map_structure(tf.convert_to_tensor, rows)
        return tf.nest.map_structure(tf.convert_to_tensor, loop(*tensors, shared))

    tf.config.run_functions_eagerly(True)
    compiled.run_in_parts = run_whole
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)
        compiled.run_in_parts = run_in_parts
