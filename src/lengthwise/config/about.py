"""What the files of presets and studies say about themselves, in their mapping `about`.

It is no option: the loader leaves it out of what is composed, so that no run stores it and it cannot be set.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

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


Level = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RefutedIf:
    """Numbers that refute a prediction, in a form that a report can check.

    The rule is about the scores of conditions, or with `change` about differences between them. Without a bound it is
    one that only a reader can check.

    Args:
        text: The rule in words.
        metric: `split/metric`; None: the score by which the study compares its conditions.
        beyond: Score only targets at least this many steps longer than the longest trained on; None: all.
        where: Option -> value of the conditions that the rule is about; the others do not count. Empty: all.
        change: Option -> its value before and after, whose difference counts; of several options the difference of
            their differences. Empty: the scores themselves count.
        above: A mean above it is a case, in the unit of the metric, shares from 0 to 1.
        below: A mean below it is a case.
        cases: The prediction is refuted by this many of them.
        surely: Whether the interval of a mean must lie beyond the bound, 95 % for all conditions of the rule together,
            and not only the mean.
    """

    text: str
    metric: str | None = None
    beyond: int | None = None
    where: Mapping[str, Level] = dataclasses.field(default_factory=dict)
    change: Mapping[str, tuple[Level, Level]] = dataclasses.field(default_factory=dict)
    above: float | None = None
    below: float | None = None
    cases: int = 1
    surely: bool = False

    @property
    def is_checkable(self) -> bool:
        """Whether it has a bound."""
        return self.above is not None or self.below is not None


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
        refuted_if: The numbers that refute the prediction; any of them does.
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
    refuted_if: tuple[RefutedIf, ...] = ()
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
    name = f"{path.parent.name}/{path.name}: {ABOUT}"
    remedy = f"as in the other files of conf/{path.parent.name}/"
    return _read(kind, values.pop(ABOUT, None), name=name, remedy=f"below `{ABOUT}:`, {remedy}")


_Described = TypeVar("_Described", PresetAbout, StudyAbout, RefutedIf)


def _read(kind: type[_Described], found: object, *, name: str, remedy: str) -> _Described:
    """Turn a mapping into a description, every value of the type of its field."""
    types = typing.get_type_hints(kind)
    nothing = dataclasses.MISSING
    required = [each.name for each in dataclasses.fields(kind) if each.default is each.default_factory is nothing]
    remedy = f"Write {', '.join(required)} {remedy}"
    if not isinstance(found, Mapping):
        raise ConfigError(name, "must be a mapping", received=show_value(found), remedy=remedy)
    for key in found:
        if key not in types:
            hint = suggest(str(key), types)
            raise ConfigError(f"{name}.{key}", "is unknown", received=None, remedy=f"{hint}{remedy}")
    read: dict[str, Any] = {key: _read_value(value, types[key], name=f"{name}.{key}") for key, value in found.items()}
    missing = [key for key in required if key not in found]
    if missing:
        raise ConfigError(name, f"lacks {', '.join(missing)}", received=None, remedy=remedy)
    return kind(**read)


_MAPPINGS = ("where", "change")
_PLAIN: Sequence[tuple[Collection[object], Collection[type], Collection[object], str]] = (
    ((int, int | None), (int,), (0,), "must be a whole number above 0"),
    ((float | None,), (int, float), (), "must be a number"),
    ((bool,), (bool,), (), "must be true or false"),
    ((str, str | None), (str,), ("",), "must be a text"),
)
"""Types of fields, the types of the values that they take, those refused, and the rule that a refusal states."""


def _read_value(value: object, expected: Any, *, name: str) -> object:
    """Return a value as its field has it."""
    if expected == tuple[RefutedIf, ...]:
        if not isinstance(value, list) or not value:
            raise _refuse(name, "must be a list of rules", value)
        remedy = "in each rule, as in conf/experiment/ambiguous.yaml"
        return tuple(_read(RefutedIf, each, name=f"{name}[{at}]", remedy=remedy) for at, each in enumerate(value))
    if name.rpartition(".")[2] in _MAPPINGS:
        return _read_levels(value, is_change=name.endswith("change"), name=name)
    for kinds, allowed, refused, rule in _PLAIN:
        if expected in kinds and (type(value) not in allowed or value in refused):
            raise _refuse(name, rule, value)
    return value


def _read_levels(value: object, *, is_change: bool, name: str) -> Mapping[str, object]:
    """Read options with a value each, or with the value before and the one after a change."""
    rule = "must be a mapping of options, each with its value" + (" before and after" if is_change else "")
    if not isinstance(value, Mapping) or not value:
        raise _refuse(name, rule, value)
    for own in value.values():
        is_pair = isinstance(own, list) and len(own) == 2
        if is_pair != is_change or isinstance(own, Mapping):
            raise _refuse(name, rule, value)
    return {str(key): tuple(cast("list[object]", own)) if is_change else own for key, own in value.items()}


def _refuse(name: str, rule: str, value: object) -> ConfigError:
    return ConfigError(name, rule, received=show_value(value), remedy="Correct the file")
