"""Reading the command line of `python train.py`: Hydra's flags, overrides, and how the command is written down."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hydra._internal.utils import get_args_parser

from lengthwise.config.documentation import suggest
from lengthwise.errors import ConfigError

_REMEDY = "`python train.py --hydra-help` lists the flags"


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Read a command line as Hydra does, flags and overrides in any order.

    Args:
        arguments: the command line without the program.

    Returns:
        Hydra's flags, and the overrides as `overrides`.

    Raises:
        ConfigError: a flag is unknown, lacks its value, or would run code.
    """
    parser = get_args_parser()
    parser.exit_on_error = False
    try:
        known, unknown = parser.parse_known_intermixed_args(list(arguments))
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
    return known


def describe_command(arguments: Sequence[str]) -> tuple[str, ...]:
    """Write the command of a process as a user would type it, without the directories of this machine.

    Args:
        arguments: `sys.argv`.
    """
    program, *rest = arguments
    words = program.split(" ")
    name = " ".join([Path(words[0]).name, *words[1:]])
    return (*(["python"] if name.endswith(".py") else []), name, *rest)
