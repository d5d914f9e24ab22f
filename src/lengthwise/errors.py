"""Errors for the user: shown as one message, without a traceback, with exit status 2."""

from __future__ import annotations

from lengthwise.credentials import hide_credentials


def printable(text: str) -> str:
    r"""Return a text that is safe to show on a terminal: control and other invisible characters as escapes.

    Args:
        text: Of a user, a file or another program.

    >>> printable("a\x1b[31mb\n")
    'a\\x1b[31mb\\n'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def count_noun(count: int, noun: str) -> str:
    """Return a count with its noun, which takes an s for any count but 1.

    Args:
        count: How many.
        noun: In the singular.

    >>> count_noun(1, "epoch"), count_noun(2000, "epoch")
    ('1 epoch', '2,000 epochs')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


class LengthwiseError(Exception):
    """A request that cannot be met, or data that cannot be used; credentials in its message are hidden."""

    def __init__(self, message: str) -> None:
        super().__init__(hide_credentials(message))


class ConfigError(LengthwiseError):
    """An option that is unknown, of the wrong type, out of range, or without effect beside another.

    Args:
        option: Dotted name, such as `model.feedback`.
        rule: What holds for it, as the end of "`option` ...".
        received: The offending value as text; None if there is none.
        remedy: What to do, an imperative sentence without its full stop.
    """

    def __init__(self, option: str, rule: str, *, received: str | None, remedy: str) -> None:
        self.option = option
        got = "" if received is None else f"; got {received}"
        super().__init__(printable(f"{option} {rule}{got}. {remedy}."))


class DataError(LengthwiseError):
    """A file that cannot be read as the data it should hold.

    Args:
        path: The file as the user wrote it.
        line: Line number, from 1; None: the whole file.
        problem: What is wrong.
        remedy: What to do, an imperative sentence without its full stop.
    """

    def __init__(self, path: str, line: int | None, problem: str, *, remedy: str) -> None:
        where = path if line is None else f"{path}, line {line}"
        super().__init__(printable(f"{where}: {problem}. {remedy}."))


class RunError(LengthwiseError):
    """A stored run that cannot be found or read; the message names the run and the remedy."""


class IncompleteRunError(LengthwiseError):
    """A run that has finished with its scores, while other results could not be written; ends with exit status 1."""


class Terminated(SystemExit):
    """SIGTERM was received: ends the process with status 143 (128 + 15), and its run as KILLED."""

    def __init__(self) -> None:
        super().__init__(143)
