"""Hydra's part of the command line: which overrides are taken at all, and its errors in our words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import hydra
from hydra import compose, initialize_config_dir
from hydra.errors import MissingConfigException, OverrideParseException, SearchPathException
from packaging.version import Version

from lengthwise.config.documentation import describe_options, suggest
from lengthwise.config.options import RunOptions
from lengthwise.config.overrides import check_overrides, list_groups, shorten
from lengthwise.config.parse import parse_config, replace_decoding
from lengthwise.config.paths import conf_dir
from lengthwise.config.values import format_value, refuse_unknown
from lengthwise.errors import ConfigError

HYDRA_VERSION = {"version_base": "1.3"} if Version(hydra.__version__) < Version("1.4") else {}
"""What Hydra before 1.4 wants to be told, and later ones do not."""


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
        own = [f"decoding.{key}={format_value(value)}" for key, value in stored.items()]
        overrides = [f"decoding={name}", *own, *overrides]
    try:
        check_overrides(overrides)
        with initialize_config_dir(str(conf_dir()), **HYDRA_VERSION):
            return replace_decoding(options, compose("config", overrides=list(overrides)))
    except Exception as error:
        raise explain_error(error, overrides) from error


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
        return ConfigError(shorten(name), "needs a value", received=shorten(line), remedy=remedy)
    return ConfigError(shorten(name), "has a value that cannot be read", received=shorten(line), remedy=remedy)


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
        name.lstrip("+"), "has several values, which makes a sweep", received=shorten(value), remedy=remedy
    )


def _explain_hydra_sweep(match: re.Match[str]) -> ConfigError:
    name, _, value = match.group(1).partition("=")
    return ConfigError(name, "can have one value only", received=shorten(value), remedy="Choose one of them")


def _explain_searchpath(_match: re.Match[str]) -> ConfigError:
    remedy = "Name directories with groups such as model/: hydra.searchpath=[file:///DIR]"
    return ConfigError("hydra.searchpath", "must be a list of directories that are there", received=None, remedy=remedy)


def _explain_present(match: re.Match[str]) -> ConfigError:
    name = match.group(1).lstrip("+").partition("=")[0]
    return ConfigError(name, "is there already", received=None, remedy=f"Drop the +: {name}=VALUE")


def _explain_merge(match: re.Match[str]) -> ConfigError:
    name, _, value = match.group(1).partition("=")
    remedy = f"`lengthwise options {name.lstrip('+').partition('.')[0]}` lists what can be set"
    return ConfigError(name.lstrip("+"), "cannot be set so", received=shorten(value), remedy=remedy)


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
    detail = shorten(" ".join(text.split()).rstrip("."))
    remedy = "`python train.py --help` shows how options are written"
    return ConfigError(shorten(option), "cannot be used", received=detail, remedy=remedy)


def _mentions(text: str, line: str) -> bool:
    key, _, value = line.lstrip("~+").partition("=")
    return any(len(part) > 2 and part in text for part in (key, value))


def _quoted(text: str) -> str | None:
    match = re.search(r"'(.*)'", text)
    return None if match is None else match.group(0)
