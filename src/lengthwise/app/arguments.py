"""Reading the command line of `python train.py`: Hydra's flags, overrides, and how the command is written down."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hydra._internal.utils import get_args_parser

from lengthwise.config.documentation import suggest
from lengthwise.credentials import hide_credentials
from lengthwise.errors import ConfigError

_REMEDY = "`python train.py --hydra-help` lists the flags"


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Read a command line as Hydra does, flags and overrides in any order.

    Args:
        arguments: The command line without the program.

    Returns:
        Hydra's flags, and the overrides as `overrides`.

    Raises:
        ConfigError: A flag is unknown, lacks its value, would run code, or has no effect beside another.
    """
    parser = get_args_parser()
    parser.exit_on_error = False
    parser.allow_abbrev = False
    parser.add_argument("--dry-run", action="store_true", help="with -m: list the jobs, and run none")
    try:
        known, unknown = parser.parse_known_intermixed_args(list(arguments), _GivenOnce())
    except argparse.ArgumentError as error:
        flag = error.argument_name or "the command line"
        raise ConfigError(flag, error.message, received=None, remedy=_REMEDY) from error
    if unknown:
        flags = [flag for action in parser._actions for flag in action.option_strings]
        hint = suggest(unknown[0], flags)
        raise ConfigError(unknown[0], "is not a flag", received=None, remedy=f"{hint}{_REMEDY}")
    if known.experimental_rerun is not None:
        rule = "is not taken: it would run code from a pickle file"
        raise ConfigError("--experimental-rerun", rule, received=None, remedy="Give the options of the run again")
    _check_effects(known)
    return known


class _GivenOnce(argparse.Namespace):
    """Flags as they are read; a second value of one is refused, since only the last would take effect."""

    def __setattr__(self, name: str, value: object) -> None:
        if name != "overrides" and getattr(self, name, None):
            flag = f"--{name.replace('_', '-')}"
            raise ConfigError(flag, "is given twice", received=None, remedy="Leave one of them out")
        super().__setattr__(name, value)


def _check_effects(known: argparse.Namespace) -> None:
    """Refuse flags that exclude each other, or have an effect only with another that is missing."""
    for name, value in vars(known).items():
        if value == "":
            flag = f"--{name.replace('_', '-')}"
            raise ConfigError(flag, "needs a value", received="''", remedy="Give it one, or drop it")
    if known.dry_run and (known.help or known.hydra_help or known.cfg or known.info or known.run):
        raise ConfigError("--dry-run", "has an effect only on a sweep", received=None, remedy="Drop it, or add -m")
    tasks = ("help", "hydra_help", "cfg", "info", "shell_completion", "run", "multirun")
    given = [f"--{name.replace('_', '-')}" for name in tasks if getattr(known, name)]
    if len(given) > 1:
        remedy = f"Choose one of {' and '.join(given)}"
        raise ConfigError(given[1], f"cannot be used with {given[0]}", received=None, remedy=remedy)
    if known.package is not None and known.cfg is None:
        raise ConfigError("--package", "has no effect without --cfg", received=None, remedy="Add --cfg job")
    if known.resolve and known.cfg is None:
        raise ConfigError("--resolve", "has no effect without --cfg", received=None, remedy="Add --cfg job")


def describe_command(arguments: Sequence[str]) -> tuple[str, ...]:
    """Write the command of a process as a user would type it, without this machine's directories and credentials.

    Args:
        arguments: `sys.argv`.
    """
    program, *rest = arguments
    words = program.split(" ")
    name = " ".join([Path(words[0]).name, *words[1:]])
    return (*(["python"] if name.endswith(".py") else []), name, *map(hide_credentials, rest))
