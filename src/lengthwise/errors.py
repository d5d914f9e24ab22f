"""Errors whose text is written for the user: shown as one message, without a traceback, with exit status 2."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return a text that is safe to show on a terminal: control and other invisible characters as escapes.

    Args:
        text: of a user, a file or another program.

    >>> printable("a\x1b[31mb\n")
    'a\\x1b[31mb\\n'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


class LengthwiseError(Exception):
    """A mistake in what was asked for, or data that cannot be used."""


class ConfigError(LengthwiseError):
    """An option that is unknown, of the wrong type, out of range, or without meaning beside another.

    Args:
        option: dotted name, such as `model.feedback`.
        rule: what holds for it, as the end of "`option` ...".
        received: the offending value as text; None where there is none.
        remedy: what to do, an imperative sentence without its full stop.
    """

    def __init__(self, option: str, rule: str, *, received: str | None, remedy: str) -> None:
        self.option = option
        got = "" if received is None else f"; got {received}"
        super().__init__(printable(f"{option} {rule}{got}. {remedy}."))


class DataError(LengthwiseError):
    """A file that cannot be read as the data it should hold.

    Args:
        path: the file as the user wrote it.
        line: line number from 1; None where the whole file is meant.
        problem: what is wrong.
        remedy: what to do, an imperative sentence without its full stop.
    """

    def __init__(self, path: str, line: int | None, problem: str, *, remedy: str) -> None:
        where = path if line is None else f"{path}, line {line}"
        super().__init__(printable(f"{where}: {problem}. {remedy}."))


class RunError(LengthwiseError):
    """A stored run that cannot be found or read; the text says which and what to do."""


class Terminated(SystemExit):
    """SIGTERM was received: ends the process with status 143 (128 + 15), and its run as KILLED."""

    def __init__(self) -> None:
        super().__init__(143)
