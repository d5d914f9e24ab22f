from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from lengthwise.config.compose import compose_options
from lengthwise.config.options import RunOptions

Change = Callable[..., RunOptions]

NEEDED = {
    "pairs": ("dataset.path=x.txt",),
    "sequences": ("dataset.path=x.csv", "dataset.id_column=id"),
    "forecast": ("dataset.path=x.csv", "timesteps=24"),
    "series": ("dataset.path=x.csv", "timesteps=24"),
}


@cache
def compose_dataset(name: str) -> RunOptions:
    return compose_options([f"dataset={name}", *NEEDED.get(name, ())])


@pytest.fixture
def change() -> Change:
    """Return the default options of a dataset, with some replaced by dotted name, past the gate."""

    def make(dataset: str, changes: dict[str, Any]) -> RunOptions:
        options = compose_dataset(dataset)
        for name, value in changes.items():
            section, _, leaf = name.rpartition(".")
            if section:
                options = dataclasses.replace(
                    options, **{section: dataclasses.replace(getattr(options, section), **{leaf: value})}
                )
            else:
                options = dataclasses.replace(options, **{leaf: value})
        return options

    return make


@pytest.fixture
def plain() -> dict[str, Any]:
    """The default configuration as plain values."""
    return dataclasses.asdict(compose_dataset("digits"))
