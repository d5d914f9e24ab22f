"""Bounds on YAML that is about to be read: a file of a few lines can stand for gigabytes through its aliases."""

from __future__ import annotations

import yaml

from lengthwise.errors import ConfigError

MOST_BYTES = 64 * 1024
MOST_VALUES = 5_000
MOST_LEVELS = 20
"""A preset has 2 KB, 50 values and 2 levels. At these bounds a file is read in half a second."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, where PyYAML was built with it, is 20 times as fast
_STARTS = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_ENDS = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


def check_yaml(text: str, *, name: str) -> None:
    """Refuse YAML that would take too long to read, in time proportional to its length.

    Args:
        text: the YAML; what is no YAML at all is left to whoever reads it.
        name: of the file, for the refusal.

    Raises:
        ConfigError: the text is too long, nested too deeply, or holds too many values, those of each alias counted
            again.
    """
    if len(text) > MOST_BYTES:
        raise _refuse(name, f"must not be longer than {MOST_BYTES // 1024} KB", f"{len(text) // 1024} KB")
    try:
        _count_values(text, name)
    except yaml.YAMLError:
        return


def _count_values(text: str, name: str) -> None:
    """Count the values of a text event by event; an alias counts as much as what it stands for."""
    sizes: dict[str, int] = {}  # values by anchor
    open_nodes: list[tuple[str | None, int]] = [(None, 0)]  # anchor and values so far, innermost last
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, _STARTS):
            open_nodes.append((event.anchor, 1))
            if len(open_nodes) > MOST_LEVELS + 1:
                raise _refuse(name, f"must not be nested more than {MOST_LEVELS} levels deep", None)
            continue
        anchor: str | None = None
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise _refuse(name, "must not hold an alias of itself or of nothing", f"*{event.anchor}")
            size = sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size = event.anchor, 1
        elif isinstance(event, _ENDS):
            anchor, size = open_nodes.pop()
        else:
            continue
        if anchor is not None:
            sizes[anchor] = size
        outer, total = open_nodes[-1]
        open_nodes[-1] = (outer, total + size)
        if total + size > MOST_VALUES:
            raise _refuse(name, f"must not hold more than {MOST_VALUES:,} values, aliases counted each time", None)


def _refuse(name: str, rule: str, received: str | None) -> ConfigError:
    return ConfigError(name, rule, received=received, remedy="Write what a configuration needs, without aliases")
