"""The application `python train.py`: one command line becomes one run, one sweep, or one message."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import sys
import tempfile
import uuid
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra._internal.hydra import Hydra
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from lengthwise.app.arguments import describe_command, read_arguments
from lengthwise.app.exit_status import EXIT_FAILED, is_disk_error, is_file_error, report_error
from lengthwise.app.resumption import describe_resumption
from lengthwise.app.task import PastHydra, Task
from lengthwise.config.hydra_errors import explain_error
from lengthwise.config.loader import CheckedLoader, has_option, make_search_path
from lengthwise.config.overrides import (
    check_given_once,
    check_overrides,
    check_sweep,
    list_sweep_overrides,
    shorten,
)
from lengthwise.config.parse import Base
from lengthwise.config.paths import conf_dir
from lengthwise.config.plugins import describe_plugins
from lengthwise.credentials import hide_credentials
from lengthwise.errors import ConfigError, LengthwiseError
from lengthwise.lean_import import skip_unused
from lengthwise.pipeline.command import EXPERIMENT, JobFunction
from lengthwise.signals import terminate_by_exception

_GRID = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
"""The sweeper that goes through all combinations, which are known before any job has run."""


def main(function: JobFunction = EXPERIMENT) -> None:
    """Run the command line of this process; end it with a status other than 0 where something went wrong.

    Args:
        function: What is done with the options of each run.
    """
    skip_unused()
    with terminate_by_exception(), warnings.catch_warnings():
        warnings.filterwarnings("error", message="provider=.* is not available", category=UserWarning)
        status = _run_command(Task(describe_command(sys.argv), function=function))
    if status:
        sys.exit(status)


def run_overrides(overrides: Sequence[str], *, flags: Sequence[str] = ()) -> Task:
    """Run a command that is given from Python; its errors are raised.

    Args:
        overrides: As on the command line.
        flags: Flags before them.

    Returns:
        What was done.

    Raises:
        LengthwiseError: The command is refused, or a run has ended without all its results.
    """
    task = Task(describe_command(["lengthwise train", *flags, *overrides]), function=EXPERIMENT)
    with terminate_by_exception(), warnings.catch_warnings():
        warnings.filterwarnings("error", message="provider=.* is not available", category=UserWarning)
        with task.contexts:
            _call_hydra(task, read_arguments([*flags, *overrides]))
    return task


def _run_command(task: Task) -> int:
    try:
        with task.contexts:
            _call_hydra(task, read_arguments(sys.argv[1:]))
    except (Exception, KeyboardInterrupt) as error:
        return report_error(error, describe_rest=lambda: describe_resumption(task))
    return EXIT_FAILED if any(sweep.num_failed or sweep.num_incomplete for sweep in task.sweeps) else 0


def _call_hydra(task: Task, arguments: argparse.Namespace) -> None:
    """Let Hydra compose and call; its own errors, which are about what the user wrote, become refusals."""
    overrides = list(arguments.overrides)
    try:
        if not arguments.shell_completion:
            check_overrides(overrides)
            check_given_once(overrides)
        base = None if arguments.shell_completion else _apply_origin(arguments)
        with _scratch_directory() as scratch, _open_hydra(arguments, base) as hydra:
            _dispatch(hydra, task, arguments, fixed=_fix_hydra(scratch))
    except PastHydra as passed:
        own_error = passed.error
    except LengthwiseError:
        raise
    except Exception as error:
        if isinstance(error, BrokenPipeError) or is_disk_error(error) or is_file_error(error):
            raise
        raise explain_error(error, overrides) from error
    else:
        return
    raise own_error


def _apply_origin(arguments: argparse.Namespace) -> Base | None:
    """Return the stored configuration that the command starts from; of a sweep put its command before this one's."""
    if not any(line.startswith(("base=", "weights=")) for line in arguments.overrides):
        return None
    from lengthwise.pipeline.origin import find_origin, merge_overrides

    origin = find_origin(arguments.overrides)
    arguments.overrides = origin.overrides
    if origin.sweep:
        sweep = read_arguments(origin.sweep)
        check_overrides(sweep.overrides)
        arguments.multirun = arguments.multirun or sweep.multirun
        arguments.overrides = merge_overrides(sweep.overrides, origin.overrides)
    return origin.base


@contextlib.contextmanager
def _open_hydra(arguments: argparse.Namespace, base: Base | None) -> Iterator[Hydra]:
    """Yield Hydra's application object on the directories of the command line.

    `hydra.main` makes the same object, but reads the process' own arguments, prints and exits by itself.
    """
    for flag, directory in (("--config-path", arguments.config_path), ("--config-dir", arguments.config_dir)):
        if directory is not None and not Path(directory).is_dir():
            remedy = "Name a directory with groups such as model/"
            raise ConfigError(flag, "must be a directory", received=repr(directory), remedy=remedy)
    primary = Path(arguments.config_path or conf_dir())
    name = arguments.config_name or "config"
    if not Path(primary, name).with_suffix(".yaml").is_file():
        rule = f"must be the name of a file in {arguments.config_path or 'conf'}/"
        raise ConfigError("--config-name", rule, received=repr(name), remedy="Write the file, or name another")
    extra = None if arguments.config_dir is None else Path(arguments.config_dir)
    hydra = Hydra(task_name="train", config_loader=CheckedLoader(make_search_path(primary, extra=extra), base=base))
    GlobalHydra.instance().initialize(hydra)
    try:
        yield hydra
    finally:
        GlobalHydra.instance().clear()


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


def _dispatch(hydra: Hydra, task: Task, arguments: argparse.Namespace, *, fixed: list[str]) -> None:
    """Do what the flags say: complete, explain, show, or run."""
    name = arguments.config_name or "config"
    if arguments.shell_completion:
        _complete(hydra, name, arguments.overrides)
        return
    arguments.overrides = overrides = [*arguments.overrides, *fixed]
    if arguments.help or arguments.hydra_help or arguments.info is not None or arguments.cfg is not None:
        with _hide_printed_credentials():
            _explain(hydra, arguments)
        return
    composed = hydra.compose_config(name, overrides, RunMode.MULTIRUN, validate_sweep_overrides=False)
    if _is_sweep(composed.hydra.mode, arguments):
        check_sweep(arguments.overrides, composed, hydra.config_loader)
        task.is_dry = arguments.dry_run
        if task.is_dry:
            _check_dry_run(composed.hydra.sweeper._target_, composed.hydra.launcher._target_)
        hydra.multirun(name, task, [*overrides, "hydra.mode=MULTIRUN"])
    else:
        hydra.run(name, task, [*overrides, "hydra.mode=RUN"])


def _check_dry_run(sweeper: str, launcher: str) -> None:
    """Refuse to list the jobs of a search, and those that Hydra's own launcher would run."""
    if sweeper != _GRID:
        rule, remedy = "has no effect on a search, whose jobs follow from results", "Drop it"
        raise ConfigError("--dry-run", rule, received=None, remedy=remedy)
    if launcher.startswith("hydra."):
        rule, remedy = "needs a launcher of Lengthwise", "Choose hydra/launcher=local, ray or slurm"
        raise ConfigError("--dry-run", rule, received="'basic'", remedy=remedy)


def _explain(hydra: Hydra, arguments: argparse.Namespace) -> None:
    """Print help, or what was composed."""
    name = arguments.config_name or "config"
    if arguments.help:
        hydra.app_help(name, get_args_parser(), arguments)
        for line in describe_plugins():
            print(line)
    elif arguments.hydra_help:
        hydra.hydra_help(name, get_args_parser(), arguments)
    elif arguments.info is not None:
        hydra.compose_config(name, arguments.overrides, RunMode.RUN)  # refuses before anything is printed
        hydra.show_info(arguments.info, name, arguments.overrides)
    else:
        _show_configuration(hydra, arguments)


@contextlib.contextmanager
def _hide_printed_credentials() -> Iterator[None]:
    """Print what is printed in the context at its end, without the credentials of the command line in it."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            yield
    finally:
        shown = printed.getvalue().rstrip("\n")  # Hydra ends with empty lines, how many depends on its version
        if shown:
            print(hide_credentials(shown))


def _complete(hydra: Hydra, name: str, overrides: list[str]) -> None:
    """Install, remove or answer the completion of a shell."""
    try:
        hydra.shell_completion(name, overrides)
    except ValueError as error:
        rule = "needs install=SHELL, uninstall=SHELL or query=SHELL"
        remedy = "Shells are bash, fish and zsh"
        raise ConfigError("--shell-completion", rule, received=" ".join(overrides) or None, remedy=remedy) from error


def _show_configuration(hydra: Hydra, arguments: argparse.Namespace) -> None:
    """Print what was composed, or a part of it."""
    name, package = arguments.config_name or "config", arguments.package
    composed = hydra.compose_config(name, arguments.overrides, RunMode.RUN)
    if package not in (None, "_global_") and not has_option(composed, package):
        rule, remedy = "must be a part of the configuration", "Name a section or an option, such as model"
        raise ConfigError("--package", rule, received=repr(package), remedy=remedy)
    hydra.show_cfg(name, arguments.overrides, arguments.cfg, package, arguments.resolve)


def _is_sweep(mode: RunMode | None, arguments: argparse.Namespace) -> bool:
    """Tell a sweep from a single run.

    Args:
        mode: Of the configuration; the overlay of a study may make a sweep of the command.
        arguments: The command line.

    Raises:
        ConfigError: A flag or an override has no effect in that mode.
    """
    if arguments.multirun and mode == RunMode.RUN:
        raise ConfigError("hydra.mode", "cannot be RUN with --multirun", received=None, remedy="Drop one of them")
    if arguments.run and mode == RunMode.MULTIRUN:
        rule = "has no effect on a sweep, which the configuration asks for by hydra.mode=MULTIRUN"
        raise ConfigError("--run", rule, received=None, remedy="Drop it, or add hydra.mode=RUN")
    if arguments.multirun or mode == RunMode.MULTIRUN:
        return True
    if arguments.dry_run:
        remedy = "Add -m, or drop it; --cfg job shows the configuration of a single run"
        raise ConfigError("--dry-run", "has no effect on a single run", received=None, remedy=remedy)
    for line in list_sweep_overrides(arguments.overrides):
        name, _, value = line.lstrip("+").partition("=")
        remedy = "Add -m to run a sweep, or drop it"
        raise ConfigError(name, "has no effect on a single run", received=shorten(value), remedy=remedy)
    return False


@contextlib.contextmanager
def _scratch_directory() -> Iterator[Path]:
    """Yield a path at which sweepers may make a directory; it is removed when the command ends."""
    scratch = Path(tempfile.gettempdir()) / f"lengthwise-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
