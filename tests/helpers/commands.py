"""Run commands of Lengthwise in the process of the tests: each process of its own imports TensorFlow for seconds."""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from lengthwise.app import cli, hydra_app


def run(main: Callable[[], None], program: str, *words: str) -> int:
    """Run a command of this process, however it ends, and return its exit status."""
    before, sys.argv = sys.argv, [program, *words]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as in a process of its own
            main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.argv = before
    return 0


def train(*words: str) -> int:
    """Run `train.py` and return its exit status."""
    return run(hydra_app.main, "train.py", *words)


def use(*words: str) -> int:
    """Run `lengthwise` and return its exit status."""
    return run(cli.main, "lengthwise", *words)


def read_output(directory: Path, *words: str, stdin: str = "") -> str:
    """Run `lengthwise` in a directory, which must succeed, and return its standard output."""
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin.encode()))
    try:
        with contextlib.chdir(directory), contextlib.redirect_stdout(io.StringIO()) as output:
            status = use(*words)
    finally:
        sys.stdin = before
    assert status == 0, words
    return output.getvalue()
