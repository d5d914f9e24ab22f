"""The command `lengthwise`; each command imports what it needs only when it is used."""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Sequence
from typing import NoReturn

from lengthwise.app.commands import COMMANDS, Command
from lengthwise.app.exit_status import EXIT_INTERRUPTED, EXIT_REFUSED, report_error
from lengthwise.app.request import Request
from lengthwise.config.documentation import describe_options, suggest
from lengthwise.errors import ConfigError, LengthwiseError
from lengthwise.lean_import import skip_unused

_TRAIN = "train"
_TRAIN_MEANING = "Train a model, or a sweep of them: `lengthwise train --help`."
_WIDTH = 100


def main() -> None:
    """Run the command line of this process; ends it with a status other than 0 where something went wrong."""
    skip_unused()
    if sys.argv[1:2] == [_TRAIN]:
        try:
            from lengthwise.app import hydra_app
        except KeyboardInterrupt:  # importing takes a moment
            sys.exit(EXIT_INTERRUPTED)
        sys.argv[:] = [f"{sys.argv[0]} {_TRAIN}", *sys.argv[2:]]
        hydra_app.main()
        return
    status = run_command(sys.argv[1:])
    if status:
        sys.exit(status)


def run_command(arguments: Sequence[str]) -> int:
    """Run one command other than `train`.

    Args:
        arguments: The command line without the program.

    Returns:
        The exit status: 0, or another after a message on standard error.
    """
    try:
        if not arguments or arguments[0] in ("-h", "--help"):
            print(describe_commands())
            return 0 if arguments else EXIT_REFUSED
        command, request = read_command(arguments)
        return command.run(request)
    except (Exception, KeyboardInterrupt) as error:
        return report_error(error)


def describe_commands() -> str:
    """Write what `lengthwise --help` prints: every command with its words and its meaning."""
    rows = {f"{_TRAIN} ...": _TRAIN_MEANING}
    rows |= {f"{name} {command.usage}".rstrip(): command.meaning for name, command in COMMANDS.items()}
    column = max(map(len, rows)) + 4
    lines = [
        textwrap.fill(meaning, _WIDTH, initial_indent=f"  {row}".ljust(column), subsequent_indent=" " * column)
        for row, meaning in rows.items()
    ]
    note = (
        "Commands also take OPTION=VALUE as train does, where it has an effect: output_dir=DIR or tracking.uri=URI say "
        "where runs are; models takes latent_dim=256, dataset=scan or feedback=own. `lengthwise COMMAND --help` lists "
        "what a command takes."
    )
    title = "Controlled experiments on how sequence-to-sequence models make length."
    return "\n".join([title, "", "Usage: lengthwise COMMAND ...", "", *lines, "", textwrap.fill(note, _WIDTH)])


class _Parser(argparse.ArgumentParser):
    """Refuses in one message, as everything else here does."""

    def error(self, message: str) -> NoReturn:
        raise LengthwiseError(f"{message[:1].upper()}{message[1:]}. `{self.prog} --help` shows how it is used.")


def _make_parsers() -> dict[str, argparse.ArgumentParser]:
    """Make the parser of each command from the table."""
    subparsers = _Parser(prog="lengthwise").add_subparsers(parser_class=_Parser)
    for name, command in COMMANDS.items():
        parser = subparsers.add_parser(
            name,
            usage=_write_usage(name, command),
            description=_describe_words(command),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
        for flag, settings in command.flags.items():
            parser.add_argument(flag, **settings)
    return dict(subparsers.choices)


def _write_usage(name: str, command: Command) -> str:
    parts = (
        f"lengthwise {name}",
        command.usage,
        "[FLAG ...]" if command.flags else "",
        "[OPTION=VALUE ...]" if command.options else "",
    )
    return " ".join(filter(None, parts))


def _describe_words(command: Command) -> str:
    rows = {word.name: f"{word.demand}." for word in command.words}
    if command.options:
        rows["OPTION=VALUE"] = f"Set an option as for train: {_list_names(command.options)}."
    column = max(map(len, rows), default=0) + 4
    return "\n".join([command.meaning, "", *(f"  {name}".ljust(column) + meaning for name, meaning in rows.items())])


def read_command(arguments: Sequence[str]) -> tuple[Command, Request]:
    """Read a command line.

    Args:
        arguments: The command line without the program.

    Returns:
        The command, and what it was given.

    Raises:
        LengthwiseError: There is no such command, or it does not take what it was given.
    """
    name, *rest = arguments
    if name not in COMMANDS:
        hint = suggest(name, (_TRAIN, *COMMANDS))
        raise LengthwiseError(f"There is no command {name!r}. {hint}`lengthwise --help` lists them.")
    command = COMMANDS[name]
    flags = _make_parsers()[name].parse_intermixed_args(rest)
    given = flags.words
    overrides = [word for word in given if command.options and _is_option(word, command)]
    words = [word for word in given if word not in overrides]
    _check_words(name, command, words)
    if overrides:
        _check_options(name, command, overrides)
    return command, Request(words=tuple(words), overrides=tuple(overrides), flags=flags)


def _is_option(word: str, command: Command) -> bool:
    """Tell an option from a word; texts, names and directories may hold a `=` themselves."""
    if command.repeats or len(command.words) > 1:
        return re.match(rf"({'|'.join(command.options)})[.=]", word) is not None
    return "=" in word


def _check_words(name: str, command: Command, words: Sequence[str]) -> None:
    if len(words) < command.num_required:
        missing = command.words[len(words)]
        raise LengthwiseError(f"{missing.demand}. Usage: `lengthwise {name} {command.usage}`.")
    if len(words) > len(command.words) and not command.repeats:
        names = [word.name for word in command.words]
        given = " ".join(words)
        if not names:
            raise LengthwiseError(f"`lengthwise {name}` takes none of {given!r}. Leave the rest out.")
        taken = f"one {names[0]}" if len(names) == 1 else " and ".join(names)
        raise LengthwiseError(f"`lengthwise {name}` takes {taken}; got {given!r}. Leave the rest out.")


def _check_options(name: str, command: Command, overrides: Sequence[str]) -> None:
    """Refuse options that are given twice, or that exist but have no effect on the command."""
    from lengthwise.config.hydra_errors import explain_error
    from lengthwise.config.overrides import check_given_once, check_overrides

    try:
        check_overrides(overrides)
        check_given_once(overrides)
    except Exception as error:
        raise explain_error(error, overrides) from error
    if "decoding" in command.options:
        return  # who loads a trained run says which options a run takes
    sections = {option.name.partition(".")[0] for option in describe_options()}
    for override in overrides:
        option = override.lstrip("+").partition("=")[0]
        section = re.split(r"[./@]", option)[0]
        if section in sections and section not in command.options and option != "hydra.searchpath":
            remedy = f"Leave it out; {_list_names(command.options)} can be given"
            raise ConfigError(option, f"has no effect on `lengthwise {name}`", received=None, remedy=remedy)


def _list_names(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
