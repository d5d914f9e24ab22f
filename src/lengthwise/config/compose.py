"""Hydra's part of the command line: which overrides are taken at all, and its errors in our words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import hydra
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import MissingConfigException, OverrideParseException, SearchPathException
from packaging.version import Version

from lengthwise.config.documentation import describe_options, suggest
from lengthwise.config.options import RunOptions
from lengthwise.config.parse import parse_config, replace_decoding
from lengthwise.config.paths import conf_dir
from lengthwise.config.values import refuse_unknown, show_value
from lengthwise.errors import ConfigError

HYDRA_OPTIONS = ("hydra.mode", "hydra.searchpath", "hydra.launcher", "hydra.sweeper", "hydra/launcher", "hydra/sweeper")
"""Hydra's own options that may be set; all others would take no effect here, or make Hydra write files."""

HYDRA_VERSION = {"version_base": "1.3"} if Version(hydra.__version__) < Version("1.4") else {}
"""What Hydra before 1.4 wants to be told, and later ones do not."""

_CHOICE = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*")
_LONGEST_DETAIL = 200


def list_groups() -> tuple[str, ...]:
    """Return the groups that a choice can be made from, such as `model`."""
    found = sorted(path.name for path in conf_dir().iterdir() if path.is_dir() and path.name != "hydra")
    return tuple(dict.fromkeys((*found, "experiment")))


def check_overrides(overrides: Sequence[str]) -> None:
    """Refuse overrides that Hydra would accept but that must not or cannot take effect here.

    Args:
        overrides: as on the command line, such as `model=repeat`.

    Raises:
        ConfigError: an override removes an option, names code to run, leaves the configuration's directory, or sets a
            part of Hydra that this program has fixed.
        hydra.errors.OverrideParseException: an override cannot be read.
    """
    groups = list_groups()
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        _check_key(override)
        if override.key_or_group in groups or "/" in override.key_or_group:
            _check_place(override)
            _check_choice(override)


def _check_key(override: Override) -> None:
    key, line = override.key_or_group, override.input_line or ""
    if override.is_delete():
        remedy = f"Give it another value: {key}=..."
        raise ConfigError(key, "cannot be removed: every option must have a value", received=repr(line), remedy=remedy)
    if any(part.startswith("_") for part in re.split(r"[./@]", key)) or _names_code(override.value()):
        rule = "cannot be set: no option names code to run"
        raise ConfigError(key, rule, received=_shorten(line), remedy="Choose a variant by its name, as in model=repeat")
    in_hydra = re.match(r"hydra([./]|$)", key) is not None
    if in_hydra and not any(key == name or key.startswith((f"{name}.", f"{name}/")) for name in HYDRA_OPTIONS):
        remedy = "Runs are written below output_dir and study; set those, or drop it"
        raise ConfigError(key, "is fixed: Hydra itself writes nothing here", received=_shorten(line), remedy=remedy)


def _names_code(value: object) -> bool:
    if isinstance(value, dict):
        return any(str(key).startswith("_") or _names_code(inner) for key, inner in value.items())
    return isinstance(value, list) and any(_names_code(inner) for inner in value)


def _check_place(override: Override) -> None:
    group = override.key_or_group
    if override.package is not None and not group.startswith("hydra/"):
        rule = f"cannot be placed elsewhere: the options of {group} are read from there alone"
        line = _shorten(override.input_line or "")
        raise ConfigError(f"{group}@{override.package}", rule, received=line, remedy=f"Write {group}=NAME")


def _check_choice(override: Override) -> None:
    if override.is_sweep_override() or isinstance(override.value(), dict):
        return
    value = override.value()
    choices = value if isinstance(value, list) else [value]
    for choice in choices or [None]:
        if not isinstance(choice, str) or len(choice) > 200 or _CHOICE.fullmatch(choice) is None:
            if choice is None and override.key_or_group == "experiment":
                continue
            raise ConfigError(
                override.key_or_group,
                f"must be the name of a file in conf/{override.key_or_group}/",
                received=show_value(choice),
                remedy=f"Choose one of {', '.join(_list_choices(override.key_or_group)) or 'those there are'}",
            )


def compose_options(overrides: Sequence[str]) -> RunOptions:
    """Compose options outside the Hydra application, for commands that need to know where runs are.

    Args:
        overrides: as on the command line, such as `output_dir=DIR`.

    Raises:
        ConfigError: an override is refused.
    """
    try:
        check_overrides(overrides)
        with initialize_config_dir(str(conf_dir()), **HYDRA_VERSION):
            return parse_config(compose("config", overrides=list(overrides)))
    except Exception as error:
        raise explain_error(error, overrides) from error


def change_decoding(options: RunOptions, overrides: Sequence[str]) -> RunOptions:
    """Return the options of a run with another decoding; all else stays as the run has stored it.

    Args:
        options: of the run.
        overrides: as on the command line, such as `decoding=beam` or `decoding.length=oracle`. A strategy that is
            chosen brings the values of its file in conf/decoding/; without one the run's own are changed.

    Raises:
        ConfigError: an override is refused, or is not one of the decoding.
    """
    for override in overrides:
        if re.match(r"\+*decoding[.=]", override) is None:
            rule = "cannot be changed here: the run's weights, data and options are what they are"
            remedy = "Change the decoding alone: decoding=NAME or decoding.OPTION=VALUE"
            raise ConfigError(override.partition("=")[0], rule, received=None, remedy=remedy)
    stored = asdict(options.decoding)
    if not any(override.startswith("decoding=") for override in overrides):
        name = stored.pop("name")
        own = [f"decoding.{key}={'null' if value is None else value}" for key, value in stored.items()]
        overrides = [f"decoding={name}", *own, *overrides]
    try:
        check_overrides(overrides)
        with initialize_config_dir(str(conf_dir()), **HYDRA_VERSION):
            return replace_decoding(options, compose("config", overrides=list(overrides)))
    except Exception as error:
        raise explain_error(error, overrides) from error


def _list_choices(group: str) -> list[str]:
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


def explain_error(error: Exception, overrides: Sequence[str]) -> ConfigError:
    """Put an error of Hydra's composition in our words.

    Args:
        error: what Hydra, OmegaConf or the YAML reader raised before any job began.
        overrides: the overrides of the command, to find which of them is meant.

    Returns:
        One refusal that names the option, the rule, what was received and what to do.
    """
    if isinstance(error, ConfigError):
        return error
    if isinstance(error, OverrideParseException):
        return _explain_grammar(error)
    if isinstance(error, MissingConfigException):
        return _explain_choice(error)
    if isinstance(error, SearchPathException):
        remedy = "Name a directory with groups such as model/"
        return ConfigError("--config-dir", "must be a directory", received=_quoted(str(error)), remedy=remedy)
    text = re.sub(r"^In '[^']*': ", "", str(error))
    for pattern, write in _MESSAGES:
        match = re.search(pattern, text, re.DOTALL)
        if match is not None:
            return write(match)
    return _explain_other(error, overrides)


def _explain_grammar(error: OverrideParseException) -> ConfigError:
    line = error.override
    key = re.match(r"[~+]*([^=\s]*)", line)
    name = (key.group(1) if key is not None else "") or "the command line"
    remedy = "Write OPTION=VALUE; quote a text with spaces or special characters twice: \"OPTION='...'\""
    if "=" not in line:
        return ConfigError(_shorten(name), "needs a value", received=_shorten(line), remedy=remedy)
    return ConfigError(_shorten(name), "has a value that cannot be read", received=_shorten(line), remedy=remedy)


def _explain_choice(error: MissingConfigException) -> ConfigError:
    path = error.missing_cfg_file or ""
    group, _, name = path.rpartition("/")
    if not group or error.options is None:
        remedy = "Leave out --config-name and --config-path, or name a directory and a file in it"
        rule = "names no primary configuration that can be found"
        return ConfigError("--config-name", rule, received=repr(path) if path else None, remedy=remedy)
    choices = list(error.options)
    remedy = f"{suggest(name, choices)}A file of your own is found with --config-dir DIR, as DIR/{group}/NAME.yaml"
    rule = f"must be one of {', '.join(choices)}" if choices else "has no choices"
    return ConfigError(group, rule, received=repr(name), remedy=remedy)


def _explain_unknown(match: re.Match[str]) -> ConfigError:
    name = match.group(1)
    groups = list_groups()
    if name in groups:
        rule = f"must be the name of a file in conf/{name}/"
        return ConfigError(name, rule, received=None, remedy="Write the file, or leave it out")
    return refuse_unknown(
        name, among=[*groups, *(o.name for o in describe_options() if "." not in o.name)], received=None
    )


def _explain_sweep(match: re.Match[str]) -> ConfigError:
    name, _, value = match.group(1).partition("=")
    remedy = f"Add -m to run once for each, or quote it twice: \"{name}='...'\""
    return ConfigError(
        name.lstrip("+"), "has several values, which makes a sweep", received=_shorten(value), remedy=remedy
    )


def _explain_hydra_sweep(match: re.Match[str]) -> ConfigError:
    name, _, value = match.group(1).partition("=")
    return ConfigError(name, "can have one value only", received=_shorten(value), remedy="Choose one of them")


def _explain_searchpath(_match: re.Match[str]) -> ConfigError:
    remedy = "Name directories with groups such as model/: hydra.searchpath=[file:///DIR]"
    return ConfigError("hydra.searchpath", "must be a list of directories that are there", received=None, remedy=remedy)


def _explain_present(match: re.Match[str]) -> ConfigError:
    name = match.group(1).lstrip("+").partition("=")[0]
    return ConfigError(name, "is there already", received=None, remedy=f"Drop the +: {name}=VALUE")


def _explain_merge(match: re.Match[str]) -> ConfigError:
    name, _, value = match.group(1).partition("=")
    remedy = f"`lengthwise options {name.lstrip('+').partition('.')[0]}` lists what can be set"
    return ConfigError(name.lstrip("+"), "cannot be set so", received=_shorten(value), remedy=remedy)


_MESSAGES: tuple[tuple[str, Callable[[re.Match[str]], ConfigError]], ...] = (
    (r"Could not override '([^'\n]*)'", _explain_unknown),
    (r"Override (\S+?)(?:=\S*)? looks like a config group", _explain_unknown),
    (r"Ambiguous value for argument '(.*?)'\n", _explain_sweep),
    (r"Sweep parameters '(.*)' requires", _explain_sweep),
    (r"Sweeping over Hydra's configuration is not supported : '(.*)'", _explain_hydra_sweep),
    (r"hydra\.searchpath must be", _explain_searchpath),
    (r"provider=.* is not available", _explain_searchpath),
    (r"An item is already at '([^'\n]*)'", _explain_present),
    (r"force-add of config groups is not supported: '(.*)'", _explain_present),
    (r"Multiple values for ([^\s.]*)", _explain_present),
    (r"^(\S+) appears more than once", _explain_present),
    (r"Error merging override (.*)", _explain_merge),
)
"""Hydra's messages that name an option, and how each is put; tests hold them against the Hydra installed."""


def _explain_other(error: Exception, overrides: Sequence[str]) -> ConfigError:
    """Explain an error of which only its text is known: the first override it speaks of is taken for the cause."""
    text = str(error.__cause__ or error) or type(error).__name__
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        where = f"{Path(str(mark.name)).name}, line {mark.line + 1}"
        problem = getattr(error, "problem", None)
        return ConfigError(where, "is not plain YAML", received=problem and str(problem), remedy="Mend the file")
    named = [line for line in overrides if _mentions(text, line)] or list(overrides[-1:])
    option = named[0].lstrip("~+").partition("=")[0] if named else "the configuration"
    detail = _shorten(" ".join(text.split()).rstrip("."))
    remedy = "`python train.py --help` shows how options are written"
    return ConfigError(_shorten(option), "cannot be used", received=detail, remedy=remedy)


def _mentions(text: str, line: str) -> bool:
    key, _, value = line.lstrip("~+").partition("=")
    return any(len(part) > 2 and part in text for part in (key, value))


def _quoted(text: str) -> str | None:
    match = re.search(r"'(.*)'", text)
    return None if match is None else match.group(0)


def _shorten(text: str) -> str:
    shown = "".join(_visible(text))
    return shown if len(shown) <= _LONGEST_DETAIL else f"{shown[:_LONGEST_DETAIL]}..."


def _visible(text: str) -> Iterator[str]:
    """Yield the characters of a text, those that a terminal would act upon as escapes."""
    for character in text:
        yield character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
