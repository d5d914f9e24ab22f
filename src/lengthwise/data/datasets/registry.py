"""The one table of datasets, from the option `dataset.name` to its loader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lengthwise.config.options import DatasetOptions
from lengthwise.data.assembly import Timesteps
from lengthwise.data.dataset import Dataset
from lengthwise.data.datasets.addition import load_addition
from lengthwise.data.datasets.digits import load_digits
from lengthwise.data.datasets.g2p import load_g2p
from lengthwise.data.datasets.pairs import load_pairs
from lengthwise.data.datasets.scan import load_scan
from lengthwise.data.datasets.series import load_series
from lengthwise.data.datasets.symbol_tasks import load_symbol_task

# Any, because each loader takes the options of its own dataset alone.
DATASETS: Mapping[str, Callable[[Any, Timesteps], Dataset]] = {
    "digits": load_digits,
    "g2p": load_g2p,
    "scan": load_scan,
    "copy": load_symbol_task,
    "reverse": load_symbol_task,
    "addition": load_addition,
    "pairs": load_pairs,
    "series": load_series,
}


def load_dataset(options: DatasetOptions, timesteps: Timesteps) -> Dataset:
    """Load the dataset that the options name.

    Args:
        options: the section `dataset` of the configuration.
        timesteps: most steps of a target, without the stop; `auto`: the longest of the data. For `series` the rows of
            a window.

    Returns:
        the dataset: splits `train`, `val`, `test` and for the generated tasks `longer`; what was left out is in its
        `skipped`.

    Raises:
        ConfigError: where options do not fit the data.
        DataError: where the user's file cannot be used; the text names file and line.
    """
    return DATASETS[options.name](options, timesteps)
