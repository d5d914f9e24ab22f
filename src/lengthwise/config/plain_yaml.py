"""Reading YAML within bounds, since a file of a few lines can stand for gigabytes through its aliases."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from lengthwise.errors import ConfigError

MOST_CHARACTERS = 65_536
MOST_VALUES = 5_000
MOST_LEVELS = 20
MOST_REFERENCES = 20
"""Bounds of one file. A preset has some 2,000 characters, 50 values, 2 levels and no references. At these bounds a file
is read in half a second, and references to references cannot multiply a value more than 3^7 times, some 2,000."""

_TOO_LONG = f"must not be longer than {MOST_CHARACTERS:,} characters"
_REFERENCE = re.compile(r"(?<!\\)\$\{")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, where PyYAML was built with it, is 20 times as fast
_STARTS = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_ENDS = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a file of plain values.

    Args:
        path: The file.

    Returns:
        Its values by key.

    Raises:
        ConfigError: It cannot be read, is no mapping, holds a key twice, or is refused by `check_yaml`.
    """
    check_yaml_file(path)
    name = f"{path.parent.name}/{path.name}"
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeysLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        received = " ".join(str(error).split())
        raise ConfigError(name, "must be plain YAML", received=received, remedy="Correct the file") from error
    if not isinstance(values, dict):
        raise ConfigError(name, "must be a mapping of options", received=None, remedy="Correct the file")
    return {str(key): value for key, value in values.items()}


class _UniqueKeysLoader(_LOADER):  # type: ignore[misc, valid-type]
    """A safe loader that refuses a key given twice, of which YAML's reader takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [(key.tag, key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for (_, text), times in Counter(keys).items():
            if times > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{text} is given twice", node.start_mark)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def check_yaml_file(path: Path) -> None:
    """Refuse a file as `check_yaml` does, without reading one that is too long.

    Args:
        path: The file; one that cannot be read is left to whoever reads it.

    Raises:
        ConfigError: As for `check_yaml`.
    """
    with contextlib.suppress(OSError):
        if path.stat().st_size > 4 * MOST_CHARACTERS:  # a character has four bytes at most
            raise _refuse(str(path), _TOO_LONG, f"{path.stat().st_size:,} bytes")
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            received = f"{error.object[error.start : error.start + 1]!r} at byte {error.start + 1}"
            raise _refuse(str(path), "must be text in UTF-8", received) from error
        check_yaml(text, name=str(path))


def check_yaml(text: str, *, name: str) -> None:
    """Refuse YAML that would take too long to read, in time proportional to its length.

    Args:
        text: The YAML; what is no YAML at all is left to whoever reads it.
        name: Of the file, for the refusal.

    Raises:
        ConfigError: The text is too long, nested too deeply, or holds too many references or values, those of each
            alias counted again.
    """
    if len(text) > MOST_CHARACTERS:
        raise _refuse(name, _TOO_LONG, f"{len(text):,}")
    check_references(text, name=name)
    try:
        _count_values(text, name)
    except yaml.YAMLError:
        return


def check_references(value: object, *, name: str) -> None:
    """Refuse values with too many references to other values, which may themselves hold references.

    Args:
        value: A text, or plain values that hold texts.
        name: Of the file or option, for the refusal.

    Raises:
        ConfigError: There are too many.
    """
    if sum(len(_REFERENCE.findall(text)) for text in _list_texts(value)) > MOST_REFERENCES:
        raise _refuse(name, f"must not hold more than {MOST_REFERENCES} references such as ${{latent_dim}}", None)


def _list_texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in (*value, *value.values()):
            yield from _list_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _list_texts(inner)


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
    return ConfigError(name, rule, received=received, remedy="Write out what the configuration needs, and only that")
