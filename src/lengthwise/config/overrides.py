"""Checks of the command line's overrides: none may name code, remove an option, or set Hydra itself."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from omegaconf import DictConfig

from lengthwise.config.paths import conf_dir
from lengthwise.config.values import show_value
from lengthwise.credentials import hide_credentials
from lengthwise.errors import ConfigError, printable

HYDRA_OPTIONS = ("hydra.mode", "hydra.searchpath", "hydra.launcher", "hydra.sweeper", "hydra/launcher", "hydra/sweeper")
"""Hydra's own options that may be set; all others would take no effect here, or make Hydra write files."""

PLACES = ("output_dir", "tracking", "resume", "hydra.launcher.address", "hydra.launcher.folder")
"""The options that say where runs and jobs are written, sent and found, which is for the user to say: no file of
another's may, nor a run."""

_CHOICE = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*(?<!\.yaml)(?<!\.yml)")
_LONGEST_DETAIL = 200


def list_groups() -> tuple[str, ...]:
    """Return the groups that a choice can be made from, such as `model`."""
    found = sorted(path.name for path in conf_dir().iterdir() if path.is_dir() and path.name != "hydra")
    return tuple(dict.fromkeys((*found, "experiment")))


def names_place(key: str) -> bool:
    """Tell whether an override says where runs and jobs are written, sent and found.

    >>> [names_place(key) for key in ("tracking.uri", "+output_dir=x", "hydra.launcher", "hydra/launcher=ray", "seed")]
    [True, True, True, False, False]

    Args:
        key: Its option, section or group; what follows it is not read.
    """
    key = re.split("[@=]", key.lstrip("+~"))[0]
    name = key.replace("/", ".")
    holds_some = "/" not in key and any(place.startswith(f"{name}.") for place in PLACES)
    return holds_some or any(f"{name}.".startswith(f"{place}.") for place in PLACES)


def parse_overrides(overrides: Sequence[str]) -> list[Override]:
    """Read overrides as Hydra does; what has been read before is not read again, since jobs of a sweep share most.

    Args:
        overrides: As on the command line, such as `model=repeat`.

    Raises:
        hydra.errors.OverrideParseException: An override cannot be read.
    """
    return [_parse_override(override) for override in overrides]


@functools.lru_cache(maxsize=4096)
def _parse_override(override: str) -> Override:
    return OverridesParser.create().parse_overrides([override])[0]


def check_overrides(overrides: Sequence[str]) -> None:
    """Refuse overrides that Hydra would accept but that must not or cannot take effect here.

    Args:
        overrides: As on the command line, such as `model=repeat`.

    Raises:
        ConfigError: An override removes an option, names code to run, leaves the configuration's directory, or sets a
            part of Hydra that this program fixes.
        hydra.errors.OverrideParseException: An override cannot be read.
    """
    groups = list_groups()
    for override in parse_overrides(overrides):
        _check_key(override)
        if override.key_or_group in groups or "/" in override.key_or_group:
            _check_place(override)
            _check_choice(override)


def _check_key(override: Override) -> None:
    key, line = override.key_or_group, override.input_line or ""
    if not key:
        raise ConfigError("an option", "must have a name", received=shorten(line), remedy="Write OPTION=VALUE")
    if override.value() == {}:
        remedy = f"Name what to set, as in {key}.OPTION=VALUE"
        raise ConfigError(key, "sets nothing", received=shorten(line), remedy=remedy)
    if override.is_delete():
        remedy = f"Give it another value: {key}=..."
        raise ConfigError(key, "cannot be removed: every option must have a value", received=repr(line), remedy=remedy)
    if any(part.startswith("_") for part in re.split(r"[./@]", key)) or _names_code(override.value()):
        rule = "cannot be set: no option names code to run"
        raise ConfigError(key, rule, received=shorten(line), remedy="Choose a variant by its name, as in model=repeat")
    in_hydra = re.match(r"hydra([./]|$)", key) is not None
    if in_hydra and not any(key == name or key.startswith((f"{name}.", f"{name}/")) for name in HYDRA_OPTIONS):
        remedy = "Runs are written below output_dir and study; set those, or drop it"
        raise ConfigError(key, "is fixed: Hydra itself writes nothing here", received=shorten(line), remedy=remedy)


def check_given_once(overrides: Sequence[str]) -> None:
    """Refuse a command line that sets an option twice: only the last value would take effect.

    Args:
        overrides: As on the command line.

    Raises:
        ConfigError: An option is set twice.
        hydra.errors.OverrideParseException: An override cannot be read.
    """
    given: dict[str, str] = {}
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        line = override.input_line or ""
        for name in _list_options(override.key_or_group, override.value()):
            if name in given:
                received = shorten(f"{given[name]} {line}")
                raise ConfigError(name, "is given twice", received=received, remedy="Leave one of them out")
            given[name] = line


def _list_options(name: str, value: object) -> Iterator[str]:
    """Yield the options that an override sets; a section such as `model={cell: gru}` sets several."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _list_options(f"{name}.{key}", inner)
    else:
        yield name


def check_sweep(overrides: Sequence[str], composed: DictConfig, loader: ConfigLoader) -> None:
    """Refuse a sweep without jobs, or with values that Hydra's sweeper cannot go through.

    Args:
        overrides: As on the command line, already checked.
        composed: The configuration of the sweep.
        loader: Finds the files that a pattern such as `model=glob(*)` matches.

    Raises:
        ConfigError: An option has no values, or an interval of them where values are not searched.
        hydra.errors.OverrideParseException: An override of the study cannot be read.
    """
    sweeper = composed.hydra.sweeper
    params = sweeper.get("params") or {}
    for key in params:
        check_swept(str(key), option="hydra.sweeper.params")
    lines = [*(f"{key}={value}" for key, value in params.items()), *overrides]
    for override in OverridesParser.create(config_loader=loader).parse_overrides(lines):
        if override.is_sweep_override():
            _check_values(override, is_search="num_trials" in sweeper)
    size = sweeper.get("max_batch_size")
    if size is not None and size < 1:
        remedy = "Choose the number of jobs that are composed at once, or null for all"
        raise ConfigError("hydra.sweeper.max_batch_size", "must be at least 1", received=str(size), remedy=remedy)


def check_swept(key: str, *, option: str) -> None:
    """Refuse to sweep over where runs are kept by an option of the sweeper, which a file may have set.

    Args:
        key: Of what is swept.
        option: That names it.

    Raises:
        ConfigError: It is one of `PLACES`.
    """
    if names_place(key):
        rule = f"cannot hold {shorten(key)}: where runs and jobs go is for the command to say"
        raise ConfigError(option, rule, received=None, remedy=f"Give {shorten(key.lstrip('+'))} on the command line")


def _check_values(override: Override, *, is_search: bool) -> None:
    """Refuse an option to be swept that has no values."""
    name, received = override.key_or_group, shorten((override.input_line or "").partition("=")[2])
    value = override.value()
    if override.is_interval_sweep():
        if not is_search:
            remedy = "List values, as in choice(0.1,0.2), or search with hydra/sweeper=optuna"
            raise ConfigError(name, "has an interval, which can only be searched", received=received, remedy=remedy)
        if isinstance(value, IntervalSweep) and not (value.start or 0) < (value.end or 0):
            raise ConfigError(name, "must begin below its end", received=received, remedy="Exchange the two")
        return
    if isinstance(value, RangeSweep) and value.step == 0:
        raise ConfigError(name, "must have a step other than 0", received=received, remedy="Choose another step")
    if next(iter(override.sweep_string_iterator()), None) is None:
        raise ConfigError(name, "has no values to sweep over", received=received, remedy="Choose others")


def list_sweep_overrides(overrides: Sequence[str]) -> list[str]:
    """Return the overrides that have an effect only in a sweep: those of Hydra's launcher and sweeper.

    Args:
        overrides: As on the command line, already checked.
    """
    return [line for line in overrides if re.match(r"\+*hydra[./](launcher|sweeper)\b", line)]


def _names_code(value: object) -> bool:
    if isinstance(value, dict):
        return any(str(key).startswith("_") or _names_code(inner) for key, inner in value.items())
    return isinstance(value, list) and any(_names_code(inner) for inner in value)


def _check_place(override: Override) -> None:
    group = override.key_or_group
    if override.package is not None and not group.startswith("hydra/"):
        rule = f"cannot be placed elsewhere: the options of {group} are read only from there"
        line = shorten(override.input_line or "")
        raise ConfigError(f"{group}@{override.package}", rule, received=line, remedy=f"Write {group}=NAME")


def _check_choice(override: Override) -> None:
    if override.is_sweep_override() or isinstance(override.value(), dict):
        return
    value, is_study = override.value(), override.key_or_group == "experiment"
    choices = value if isinstance(value, list) and is_study else [value]
    for choice in choices or [None]:
        if not isinstance(choice, str) or len(choice) > 200 or _CHOICE.fullmatch(choice) is None:
            if choice is None and is_study:
                continue
            raise ConfigError(
                override.key_or_group,
                f"must be the name of a file in conf/{override.key_or_group}/",
                received=show_value(choice),
                remedy=f"Choose one of {', '.join(_list_choices(override.key_or_group)) or 'those there are'}",
            )


def _list_choices(group: str) -> list[str]:
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


def shorten(text: str) -> str:
    """Write a text so that it can stand in a message: not too long, without credentials, control characters as escapes.

    Args:
        text: Any, such as an override.
    """
    shown = printable(hide_credentials(text))
    return shown if len(shown) <= _LONGEST_DETAIL else f"{shown[:_LONGEST_DETAIL]}..."
