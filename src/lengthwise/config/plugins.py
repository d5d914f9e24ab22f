"""Find datasets and metrics of other installed packages, by their entry points."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from lengthwise.errors import LengthwiseError

DATASETS = "lengthwise.datasets"
"""Entry points whose object is the options class of a dataset; its loader is registered where the class is defined."""

METRICS = "lengthwise.metrics"
"""Entry points whose object is an `evaluation.metrics.Metric`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plugin:
    """What an installed package adds.

    Args:
        name: Of the entry point, by which the user knows it.
        package: Name and version of the package.
        value: What the entry point names.
    """

    name: str
    package: str
    value: Any


@cache
def find_plugins(group: str) -> tuple[Plugin, ...]:
    """Load what installed packages add to a group, in the order of names.

    Args:
        group: `DATASETS` or `METRICS`.

    Raises:
        LengthwiseError: A package cannot be imported, or two have an entry point of the same name.
    """
    found: dict[str, Plugin] = {}
    for point in sorted(entry_points(group=group), key=lambda each: each.name):
        plugin = _load(point)
        if point.name in found:
            problem = f"{found[point.name].package} adds another {point.name}"
            raise refuse_plugin(plugin, problem, remedy="Uninstall one of the two")
        found[point.name] = plugin
    return tuple(found.values())


def refuse_plugin(plugin: Plugin, problem: str, *, remedy: str) -> LengthwiseError:
    """Build the refusal of what a package adds.

    Args:
        plugin: What is refused.
        problem: What is wrong.
        remedy: What to do, an imperative sentence without its full stop.
    """
    return LengthwiseError(f"{plugin.name} of the package {plugin.package} cannot be used: {problem}. {remedy}.")


def _load(point: EntryPoint) -> Plugin:
    package = "unknown" if point.dist is None else f"{point.dist.name} {point.dist.version}"
    try:
        return Plugin(name=point.name, package=package, value=point.load())
    except Exception as error:  # whatever the package does at its import
        plugin = Plugin(name=point.name, package=package, value=None)
        problem = f"{point.value} cannot be imported ({type(error).__name__}: {error})"
        raise refuse_plugin(plugin, problem, remedy="Repair the package or uninstall it") from error


@cache
def find_dataset_options(own: tuple[type, ...]) -> tuple[type, ...]:
    """Return the options classes of the datasets that packages add.

    Args:
        own: Lengthwise's own classes, whose names are taken.

    Raises:
        LengthwiseError: A package cannot be imported, or adds something else than a dataset.
    """
    taken = {name for section in own for name in _read_names(section)}
    for plugin in find_plugins(DATASETS):
        remedy = "Correct the package: docs/your-own-dataset.md has an example"
        section = plugin.value
        if not (isinstance(section, type) and dataclasses.is_dataclass(section)):
            raise refuse_plugin(plugin, "its entry point names no dataclass", remedy=remedy)
        if _read_names(section) != (plugin.name,):
            raise refuse_plugin(plugin, f'its option `name` is not Literal["{plugin.name}"]', remedy=remedy)
        if plugin.name in taken:
            raise refuse_plugin(plugin, "Lengthwise has a dataset of this name", remedy="Choose another name")
        if getattr(section, "KIND", None) not in ("tokens", "features"):
            raise refuse_plugin(plugin, "its class has no KIND, `tokens` or `features`", remedy=remedy)
        if any(field.default is not dataclasses.MISSING for field in dataclasses.fields(section)):
            raise refuse_plugin(plugin, "an option has a default, which belongs into its YAML file", remedy=remedy)
        file = find_conf(section) / "dataset" / f"{plugin.name}.yaml"
        if not file.is_file():
            raise refuse_plugin(plugin, f"it has no {file}", remedy=remedy)
    return tuple(plugin.value for plugin in find_plugins(DATASETS))


def list_conf_dirs() -> list[tuple[str, Path]]:
    """Return the packages that add datasets, each with the directory of its YAML files."""
    return [(plugin.package, find_conf(plugin.value)) for plugin in find_plugins(DATASETS)]


def describe_plugins() -> list[str]:
    """Write what installed packages add, for the help of a command; no lines where they add nothing."""
    rows = [
        (f"dataset={each.name}", f"{(inspect.getdoc(each.value) or '').splitlines()[0]} ({each.package})")
        for each in find_plugins(DATASETS)
    ]
    rows += [(f"metric {each.name}", f"{each.value.label} ({each.package})") for each in find_plugins(METRICS)]
    if not rows:
        return []
    column = max(len(name) for name, _ in rows) + 4
    return ["", "  From other packages", *(f"    {name:<{column}}{meaning}" for name, meaning in rows)]


def find_conf(section: type) -> Path:
    """Return the directory `conf` beside the module that defines an options class."""
    return Path(inspect.getfile(section)).parent / "conf"


def _read_names(section: type) -> tuple[str, ...]:
    hints = typing.get_type_hints(section)
    return tuple(map(str, typing.get_args(hints.get("name"))))
