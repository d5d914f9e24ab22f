"""The Hydra application: one command line becomes one run, one sweep, or one message."""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import traceback
import uuid
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from lengthwise.config.compose import HYDRA_VERSION, check_overrides, explain_error
from lengthwise.config.documentation import suggest
from lengthwise.config.options import RunOptions
from lengthwise.config.parse import RawConfig, parse_config
from lengthwise.config.paths import conf_dir
from lengthwise.errors import ConfigError, LengthwiseError, Terminated
from lengthwise.pipeline.launch import EXPERIMENT, JobFunction, Launch

if TYPE_CHECKING:
    from lengthwise.sweeps.sweep import Sweep

FAILED, REFUSED, INTERRUPTED = 1, 2, 130
"""Exit statuses: an error, a mistake in what was asked for, Ctrl-C. SIGTERM ends with that of `Terminated`."""

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_PACKAGE = str(Path(__file__).parents[1])
_FLAGS = ("help", "hydra_help", "resolve", "run", "multirun", "shell_completion")
_VALUED_FLAGS = ("cfg", "package", "config_path", "config_name", "config_dir", "info")


class Task:
    """What Hydra calls with each composed configuration.

    Args:
        command: the command as typed.
        function: what is done with the options.
    """

    def __init__(self, command: tuple[str, ...], *, function: JobFunction) -> None:
        self.command = command
        self.function = function
        self.sweeps: list[Sweep] = []
        self.ending = contextlib.ExitStack()

    def __call__(self, raw: RawConfig) -> float | None:
        """Run one configuration; a mistake of the user's ends the process with its message alone.

        Args:
            raw: the composed configuration without Hydra's own part.

        Returns:
            What a search would minimise; None where there is nothing.
        """
        try:
            options, launch = parse_config(raw), self._describe_launch()
            check_resume(options, launch)
            return self.function.run(options, launch)
        except LengthwiseError as error:
            # Past Hydra, which would print lines of its own around any other exception.
            raise SystemExit(report(str(error), REFUSED)) from error

    def _describe_launch(self) -> Launch:
        running = HydraConfig.get()
        number = running.job.num if running.mode == RunMode.MULTIRUN else None
        return Launch(command=self.command, overrides=tuple(running.overrides.task), job_number=number)

    def open_sweep(self, sweep: Sweep) -> None:
        """Take care of a sweep: it is closed when the command ends, however it ends.

        Args:
            sweep: the sweep, before its first job.
        """
        self.sweeps.append(self.ending.enter_context(sweep))
        if self.function is EXPERIMENT:
            # While the workers get ready, and not when they have ended and the user waits.
            threading.Thread(target=importlib.import_module, args=("lengthwise.studies.collect",), daemon=True).start()
            self.ending.push(lambda kind, *_: report_sweep(sweep) if kind is None else None)


def report_sweep(sweep: Sweep) -> None:
    """Write the report of a sweep into its directory, while its run is open; what goes wrong costs the report alone.

    Args:
        sweep: whose jobs have ended.
    """
    from lengthwise.studies.collect import report_sweep as write_report

    try:
        print(f"report  {write_report(sweep.directory).html}")
    except LengthwiseError as error:
        print(f"No report: {error}", file=sys.stderr)
    except Exception:
        traceback.print_exc()


def check_resume(options: RunOptions, launch: Launch) -> None:
    """Refuse whatever would have no effect beside `resume`: the run goes on with its own configuration.

    Args:
        options: of the command.
        launch: with its overrides.

    Raises:
        ConfigError: another option is given, or the command is a sweep.
    """
    others = [line for line in launch.overrides if line.partition("=")[0] not in ("resume", "output_dir")]
    if options.resume is not None and (others or launch.job_number is not None):
        rule = "goes on with the run's own configuration, so nothing else can be set"
        remedy = "Drop the rest. To go on with a sweep, give its own command again"
        raise ConfigError("resume", rule, received=" ".join(others) or "a sweep", remedy=remedy)


def main(function: JobFunction = EXPERIMENT) -> None:
    """Run the command line of this process; ends it with a status other than 0 where something went wrong.

    Args:
        function: what is done with the options of each run.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands its errors over, so that they can be put in our words
    with _keep_arguments(), _terminable(), warnings.catch_warnings():
        warnings.filterwarnings("error", message="provider=.* is not available", category=UserWarning)
        status = _run_command(function)
    if status:
        sys.exit(status)


def _run_command(function: JobFunction) -> int:
    task = Task(describe_command(sys.argv), function=function)
    overrides: list[str] = []
    try:
        with task.ending:
            arguments = read_arguments(sys.argv[1:])
            overrides = list(arguments.overrides)
            _run_hydra(task, arguments)
    except LengthwiseError as error:
        return report(str(error), REFUSED)
    except KeyboardInterrupt:
        return report("Interrupted.", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has gone, as in `--help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            remedy = (
                "Make room there, then go on: `python train.py resume=latest` for a run, a sweep's own command again"
            )
            return report(
                f"{error.filename or 'a file'}: {error.strerror}. What was finished is kept. {remedy}.", FAILED
            )
        if is_ours(error):
            traceback.print_exc()
            return FAILED
        return report(str(explain_error(error, overrides)), REFUSED)
    return FAILED if any(sweep.num_failed for sweep in task.sweeps) else 0


def _run_hydra(task: Task, arguments: argparse.Namespace) -> None:
    """Let Hydra parse, compose and call, on arguments that keep it from writing anything itself."""
    flags = [f"--{flag.replace('_', '-')}" for flag in _FLAGS if getattr(arguments, flag)]
    for flag in _VALUED_FLAGS:
        if getattr(arguments, flag) is not None:
            flags += [f"--{flag.replace('_', '-')}", getattr(arguments, flag)]
    with _scratch_directory() as scratch:
        fixed: list[str] = []
        if not arguments.shell_completion:
            check_overrides(arguments.overrides)
            fixed = _fix_hydra(scratch)
        sys.argv[1:] = [*flags, *arguments.overrides, *fixed]
        hydra.main(config_path=str(conf_dir()), config_name="config", **HYDRA_VERSION)(task)()


def _fix_hydra(scratch: Path) -> list[str]:
    """Return the overrides under which Hydra writes nothing that stays, whatever the primary configuration says."""
    quoted = str(scratch).replace("\\", "\\\\").replace("'", "\\'")
    return [
        "hydra.run.dir=.",
        f"hydra.sweep.dir='{quoted}'",
        "hydra.sweep.subdir=.",
        "hydra.output_subdir=null",
        "hydra.job.chdir=false",
        "hydra/job_logging=none",
        "hydra/hydra_logging=none",
    ]


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
    remedy = "`python train.py --hydra-help` lists the flags"
    try:
        known, unknown = parser.parse_known_intermixed_args(list(arguments))
    except argparse.ArgumentError as error:
        flag = error.argument_name or "the command line"
        raise ConfigError(flag, error.message, received=None, remedy=remedy) from error
    if unknown:
        flags = [flag for action in parser._actions for flag in action.option_strings]
        hint = suggest(unknown[0], flags)
        raise ConfigError(unknown[0], "is not a flag", received=None, remedy=f"{hint}{remedy}")
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


def report(message: str, status: int) -> int:
    """Print the one message that the user gets.

    Args:
        message: what is wrong and what to do.
        status: exit status to end with.

    Returns:
        `status`.
    """
    print(message, file=sys.stderr)
    return status


def is_ours(error: BaseException) -> bool:
    """Tell whether an error arose in this package, called by Hydra or before it, and not in Hydra's own work.

    Args:
        error: an error that has reached the top.
    """
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    in_hydra = [place for place, file in enumerate(files) if f"{os.sep}hydra{os.sep}" in file]
    called = files[in_hydra[0] :] if in_hydra else files[-1:]
    composing = any(file.endswith(f"{os.sep}composer.py") for file in called)  # calls Hydra for a sweep's jobs
    in_ours = any(file.startswith(_PACKAGE) for file in called)
    return in_ours and not composing and not files[-1].endswith(f"{os.sep}compose.py")


@contextlib.contextmanager
def _scratch_directory() -> Iterator[Path]:
    """Yield a directory that sweepers may make and fill; it goes with the command."""
    scratch = Path(tempfile.gettempdir()) / f"lengthwise-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def _keep_arguments() -> Iterator[None]:
    before = list(sys.argv)
    try:
        yield
    finally:
        sys.argv[:] = before


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Turn SIGTERM into an exit, so that whatever is open is closed on the way; a second one ends at once."""

    def leave(_signal: int, _frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise Terminated

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
