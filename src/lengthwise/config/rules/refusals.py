"""Refusals that many rules share: an option that needs a value, and one that has no effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lengthwise.config.options import RunOptions
from lengthwise.config.values import show_value
from lengthwise.errors import ConfigError

Refusals = Iterator[ConfigError]
Rule = Callable[[RunOptions], Refusals]


def require(section: str, options: object, names: tuple[str, ...], *, because: str) -> Refusals:
    """Refuse options that have no value.

    Args:
        section: Name of the section.
        options: Its options.
        names: The options that need a value.
        because: What they are needed with.
    """
    for name in names:
        if getattr(options, name) is None:
            remedy = f"Give {section}.{name} a value: `lengthwise options {name}` says which"
            yield ConfigError(f"{section}.{name}", f"is needed with {because}", received="null", remedy=remedy)


def forbid(section: str, options: object, names: tuple[str, ...], *, without: str) -> Refusals:
    """Refuse options that have a value.

    Args:
        section: Name of the section.
        options: Its options.
        names: The options that have no effect.
        without: What would give them one.
    """
    for name in names:
        value = getattr(options, name)
        if value is not None:
            rule, remedy = f"has no effect without {without}", f"Set {without}, or {section}.{name}=null"
            yield ConfigError(f"{section}.{name}", rule, received=show_value(value), remedy=remedy)
