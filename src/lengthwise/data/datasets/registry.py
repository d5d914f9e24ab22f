"""Load the dataset that the options name, by the loader registered for their class."""

from __future__ import annotations

from functools import singledispatch

from lengthwise.config.options import DatasetOptions
from lengthwise.data.assembly import Timesteps
from lengthwise.data.dataset import Dataset


@singledispatch
def load_dataset(options: DatasetOptions, timesteps: Timesteps) -> Dataset:  # noqa: ARG001
    """Load the dataset that the options name.

    A module of this folder adds a dataset with a function of the same arguments, whose first is annotated with the
    dataset's options class, under `@load_dataset.register`.

    Args:
        options: The section `dataset` of the configuration.
        timesteps: Most steps of a target, the stop not counted; `auto`: the longest of the data. For `series` the rows
            of a window.

    Returns:
        The dataset, with the splits `train`, `val`, `test` and, for the generated tasks, `longer`. Its `skipped` counts
        what was left out.

    Raises:
        ConfigError: The options do not fit the data.
        DataError: The user's file cannot be used; the text names file and line.
    """
    raise TypeError(f"no module in data/datasets/ registers a loader for {type(options).__name__}")
