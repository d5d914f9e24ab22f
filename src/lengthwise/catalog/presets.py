"""The presets of conf/model/: what each is, read without composing a whole configuration.

A preset's file begins with a comment: its source in one line, then notes, each begun by a word of `NOTES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lengthwise.config.options import ModelOptions
from lengthwise.config.paths import conf_dir
from lengthwise.config.values import read_section

NOTES = ("Taken", "Not taken", "Widths", "Checked", "Not checked")
"""What a preset's header tells: what of the source it has, what not, the source's widths, and what was compared."""

_FIRST = ("repeat", "stateful")
_SELF = "_self_"


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """A file of conf/model/.

    Args:
        name: its stem, and the option `model.name`.
        source: where the model comes from, one line.
        notes: `(word, text)`, the words among `NOTES`, in the file's order.
        options: the model's options, as `model=NAME` alone composes them.
    """

    name: str
    source: str
    notes: tuple[tuple[str, str], ...]
    options: ModelOptions


def list_presets() -> list[Preset]:
    """Read all presets: the two models of the question first, then the others by name.

    Raises:
        ConfigError: a preset's options are refused.
    """
    names = [path.stem for path in (conf_dir() / "model").glob("*.yaml")]
    return [read_preset(name) for name in sorted(names, key=lambda name: (name not in _FIRST, name))]


def read_preset(name: str) -> Preset:
    """Read one preset.

    Args:
        name: stem of a file of conf/model/.

    Raises:
        ConfigError: the preset's options are refused.
    """
    path = conf_dir() / "model" / f"{name}.yaml"
    source, notes = read_header(path.read_text(encoding="utf-8"))
    values = _merge(path)
    return Preset(name=name, source=source, notes=notes, options=read_section(ModelOptions, values, prefix="model"))


def read_header(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the source and the notes of a preset's leading comment.

    Args:
        text: of the file.
    """
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    notes: list[tuple[str, str]] = []
    for line in lines[1:]:
        word, colon, rest = line.partition(": ")
        if colon and word in NOTES:
            notes.append((word, rest))
        elif notes:
            word, begun = notes.pop()
            notes.append((word, f"{begun} {line}"))
    return (lines[0] if lines else ""), tuple(notes)


def _merge(path: Path) -> dict[str, Any]:
    """Return the values of a file over those of the files that its `defaults` name, which is all that presets use."""
    values: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    merged: dict[str, Any] = {}
    for base in values.pop("defaults", [_SELF]):
        merged |= values if base == _SELF else _merge(path.with_name(f"{base}.yaml"))
    return merged
