"""Hydra's errors as a ConfigError each: which option is meant, what holds for it, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from hydra.errors import MissingConfigException, OverrideParseException

from lengthwise.config.documentation import describe_options, suggest
from lengthwise.config.overrides import list_groups, shorten
from lengthwise.config.values import refuse_unknown
from lengthwise.errors import ConfigError


def explain_error(error: Exception, overrides: Sequence[str]) -> ConfigError:
    """Turn an error of Hydra's composition into a ConfigError.

    Args:
        error: What Hydra, OmegaConf or the YAML reader raised before any job began.
        overrides: The overrides of the command, to find which of them is meant.

    Returns:
        One error that names the option, the rule, what was received and what to do.
    """
    if isinstance(error, ConfigError):
        return error
    if isinstance(error, OverrideParseException):
        return _explain_grammar(error)
    if isinstance(error, MissingConfigException):
        return _explain_choice(error)
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
    if error.options is None:
        remedy = "Write the file, or take its name out of the defaults that name it"
        return ConfigError(f"{path}.yaml", "cannot be found", received=None, remedy=remedy)
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
    return ConfigError("hydra.searchpath", "must be a list of existing directories", received=None, remedy=remedy)


def _explain_present(match: re.Match[str]) -> ConfigError:
    name = match.group(1).lstrip("+").partition("=")[0]
    remedy = f"Drop the +: {name}=VALUE; in the defaults of a file write `override /{name}: NAME`"
    return ConfigError(name, "exists already", received=None, remedy=remedy)


def _explain_merge(match: re.Match[str]) -> ConfigError:
    name, _, value = match.group(1).partition("=")
    remedy = f"`lengthwise options {name.lstrip('+').partition('.')[0]}` lists what can be set"
    return ConfigError(name.lstrip("+"), "cannot be set this way", received=shorten(value), remedy=remedy)


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
"""Hydra's messages that name an option, and the function that rewrites each; tests run them on the installed Hydra."""


def _explain_other(error: Exception, overrides: Sequence[str]) -> ConfigError:
    """Explain an error by its text: the first override that the text mentions is taken for the cause."""
    text = str(error.__cause__ or error) or type(error).__name__
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        where = f"{Path(str(mark.name)).name}, line {mark.line + 1}"
        problem = getattr(error, "problem", None)
        return ConfigError(where, "is not plain YAML", received=problem and str(problem), remedy="Correct the file")
    named = [line for line in overrides if _mentions(text, line)]
    if "Unexpected type for root" in text:  # an option below one that is null
        named = [line for line in overrides if line.partition("=")[0].count(".") > 1]
    if len(overrides) == 1:
        named = list(overrides)
    option = named[0].lstrip("~+").partition("=")[0] if named else "the configuration"
    detail = shorten(" ".join(text.split()).rstrip("."))
    remedy = "`python train.py --help` shows how options are written"
    return ConfigError(shorten(option), "cannot be used", received=detail, remedy=remedy)


def _mentions(text: str, line: str) -> bool:
    key, _, value = line.lstrip("~+").partition("=")
    return any(len(part) > 2 and part in text for part in (key, value))
