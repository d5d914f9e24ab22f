"""What the files of presets and studies say about themselves, in their mapping `about`.

It is no option: the loader leaves it out of what is composed, so that no run stores it and it cannot be set.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lengthwise.config.documentation import suggest
from lengthwise.config.paths import conf_dir
from lengthwise.config.plain_yaml import read_yaml
from lengthwise.config.values import show_value
from lengthwise.errors import ConfigError

ABOUT = "about"
"""The key under which a file describes itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PresetAbout:
    """What a preset of conf/model/ has of its source.

    Args:
        title: Authors, year and name of the model, in a few words.
        source: Where it is described.
        taken: What of the source the preset has.
        not_taken: What of the source it lacks.
        widths: The source's widths, as options.
        checked: What the wiring was compared with.
        not_checked: What it could not be compared with.
    """

    title: str
    source: str
    taken: str
    not_taken: str
    widths: str
    checked: str | None = None
    not_checked: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyAbout:
    """What a study of conf/experiment/ asks, and what to expect of it.

    Args:
        question: What it asks.
        command: The whole command, FILE for a file of the user's.
        runs: How many runs there are, of what.
        minutes: About how long it takes on two cores.
        recipe: How the models are trained, in the words of a test that compares it with the composed options.
        expected: The result that was published or is to be expected.
        prediction: What was predicted before any run, unchanged since.
        refuted_if: The numbers that refute the prediction.
        checked: What was read at its source, and where.
        differences: What departs from the source.
    """

    question: str
    command: str
    runs: str
    minutes: int
    recipe: str
    expected: str
    prediction: str | None = None
    refuted_if: str | None = None
    checked: str | None = None
    differences: str | None = None


About = TypeVar("About", PresetAbout, StudyAbout)


def read_study_about(study: str) -> StudyAbout | None:
    """Read what the overlay of a study says about itself.

    Args:
        study: Its name, the stem of a file of conf/experiment/.

    Returns:
        None where there is no overlay of that name.

    Raises:
        ConfigError: The overlay cannot be read, or its mapping `about` is not whole.
    """
    path = conf_dir() / "experiment" / f"{study}.yaml"
    return take_about(StudyAbout, read_yaml(path), path=path) if path.is_file() else None


def take_about(kind: type[About], values: dict[str, Any], *, path: Path) -> About:
    """Take what a file says about itself out of its values.

    Args:
        kind: What kind of file it is.
        values: Of the file; `about` is removed.
        path: The file, for errors.

    Raises:
        ConfigError: `about` is missing or not whole, holds a key that is unknown, or a value of the wrong type.
    """
    found = values.pop(ABOUT, None)
    name = f"{path.parent.name}/{path.name}: {ABOUT}"
    types = typing.get_type_hints(kind)
    required = [field.name for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING]
    remedy = f"Write {', '.join(required)} below `{ABOUT}:`, as in the other files of conf/{path.parent.name}/"
    if not isinstance(found, Mapping):
        raise ConfigError(name, "must be a mapping", received=show_value(found), remedy=remedy)
    for key, value in found.items():
        if key not in types:
            hint = suggest(str(key), types)
            raise ConfigError(f"{name}.{key}", "is unknown", received=None, remedy=f"{hint}{remedy}")
        expected = int if types[key] is int else str
        if type(value) is not expected or not value:
            rule = "must be a whole number above 0" if expected is int else "must be a text"
            raise ConfigError(f"{name}.{key}", rule, received=show_value(value), remedy="Correct the file")
    missing = [key for key in required if key not in found]
    if missing:
        raise ConfigError(name, f"lacks {', '.join(missing)}", received=None, remedy=remedy)
    return kind(**found)
