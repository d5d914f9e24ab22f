"""Upgrade stored configurations of older layouts, one version at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lengthwise.config.options import CONFIG_VERSION
from lengthwise.errors import ConfigError

Values = dict[str, Any]

UPGRADES: dict[int, Callable[[Values], Values]] = {}
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
