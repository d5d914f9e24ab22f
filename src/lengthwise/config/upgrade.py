"""Upgrade stored configurations of older layouts, one version at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lengthwise.config.options import CONFIG_VERSION
from lengthwise.errors import ConfigError

Values = dict[str, Any]


def upgrade_to_2(values: Values) -> Values:
    """Give the options that came in version 2 the values by which a run of version 1 stays what it was."""
    values = {"base": None, "weights": None} | values
    dataset = values.get("dataset")
    if isinstance(dataset, dict) and dataset.get("name") == "pairs":
        unit = dataset.get("unit")
        own = {name: value for name, value in dataset.items() if name != "unit"}
        values = values | {"dataset": PAIRS_OF_2 | {"source_unit": unit, "target_unit": unit} | own}
    for section, added in ADDED_IN_2.items():
        stored = values.get(section)
        if isinstance(stored, dict):
            values = values | {section: added | stored}
    if isinstance(dataset, dict) and dataset.get("name") == "series":
        values = values | {"dataset": SERIES_OF_2 | dataset}
    return values


ADDED_IN_2: dict[str, Values] = {
    "model": {"dropout_places": "all"},
    "training": {
        "compile": "loops",
        "label_smoothing": 0.0,
        "draws": "permutation",
        "keep": "best",
        "monitor": "loss",
        "monitor_every": None,
        "monitor_examples": None,
    },
}
"""Section -> options that every run has since version 2."""

PAIRS_OF_2: Values = {
    "validation_path": None,
    "test_path": None,
    "longer_path": None,
    "source_column": 1,
    "target_column": 2,
    "tags_column": None,
    "tags_separator": None,
}

SERIES_OF_2: Values = {"columns": None, "label_column": None, "alarm_share": 0.001}

UPGRADES: dict[int, Callable[[Values], Values]] = {1: upgrade_to_2}
"""Version -> the function that upgrades its layout to the next version."""


def upgrade_config(values: Values) -> Values:
    """Upgrade a stored configuration to the current layout.

    Args:
        values: Plain values with `config_version`.

    Returns:
        The same run in the current layout.

    Raises:
        ConfigError: The version is missing, unknown or newer than this package.
    """
    version = values.get("config_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ConfigError(
            "config_version",
            f"must be a whole number from 1 to {CONFIG_VERSION}",
            received=repr(version),
            remedy="Restore the stored configuration, or run the command again",
        )
    if version > CONFIG_VERSION:
        raise ConfigError(
            "config_version",
            f"is newer than this package reads (up to {CONFIG_VERSION})",
            received=str(version),
            remedy="Install the version of lengthwise that wrote it, or a later one",
        )
    for step in range(version, CONFIG_VERSION):
        values = UPGRADES[step](values) | {"config_version": step + 1}
    return values
