"""What Hydra calls with each composed configuration, and the sweeps that this opens."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from lengthwise.app.exit_status import find_status, print_message
from lengthwise.app.sweep_report import preload_report, write_sweep_report
from lengthwise.config.options import RunOptions
from lengthwise.config.parse import RawConfig, parse_config
from lengthwise.errors import ConfigError, LengthwiseError
from lengthwise.pipeline.launch import EXPERIMENT, JobFunction, Launch
from lengthwise.tracking.session import names_tracking

if TYPE_CHECKING:
    from lengthwise.sweeps.sweep import Sweep


class Task:
    """What Hydra calls with each composed configuration.

    Hydra calls Lengthwise in the middle of its own work, and raises errors of its own about what the user wrote. An
    error that passes `own_work` is Lengthwise's; any other is Hydra's.

    Args:
        command: the command as typed.
        function: what is done with the options of each run.
    """

    def __init__(self, command: tuple[str, ...], *, function: JobFunction) -> None:
        self.command = command
        self.function = function
        self.sweeps: list[Sweep] = []
        self.contexts = contextlib.ExitStack()
        self._own_errors: list[Exception] = []

    def __call__(self, raw: RawConfig) -> float | None:
        """Run one configuration; a mistake of the user's ends the process with one message.

        Args:
            raw: the composed configuration without Hydra's own part.

        Returns:
            What a search would minimise; None where there is nothing.
        """
        try:
            with self.own_work():
                options, launch = parse_config(raw), self._describe_launch()
                check_resume(options, launch)
                return self.function.run(options, launch)
        except LengthwiseError as error:
            # Past Hydra, which would print lines of its own around any other exception.
            raise SystemExit(print_message(str(error), find_status(error))) from error

    def _describe_launch(self) -> Launch:
        running = HydraConfig.get()
        number = running.job.num if running.mode == RunMode.MULTIRUN else None
        return Launch(command=self.command, overrides=tuple(running.overrides.task), job_number=number)

    @contextlib.contextmanager
    def own_work(self) -> Iterator[None]:
        """Remember an error that is raised in this context as one of Lengthwise's."""
        try:
            yield
        except Exception as error:
            self._own_errors.append(error)
            raise

    def is_own(self, error: Exception) -> bool:
        """Tell whether an error was raised by Lengthwise, and not by Hydra about what the user wrote.

        Args:
            error: what has reached the top.
        """
        return any(error is own for own in self._own_errors)

    def open_sweep(self, sweep: Sweep) -> None:
        """Open a sweep, which is closed when the command ends, however it ends.

        Args:
            sweep: the sweep, before its first job.
        """
        self.sweeps.append(self.contexts.enter_context(sweep))
        if self.function is EXPERIMENT:
            preload_report()
            self.contexts.push(lambda kind, *_: write_sweep_report(sweep.directory) if kind is None else None)


def check_resume(options: RunOptions, launch: Launch) -> None:
    """Refuse whatever would have no effect beside `resume`: the run keeps its own configuration.

    Args:
        options: of the command.
        launch: with its overrides.

    Raises:
        ConfigError: another option is given, or the command is a sweep.
    """
    others = [line for line in launch.overrides if line.partition("=")[0] not in ("resume", "output_dir")]
    others = [line for line in others if not names_tracking([line])]
    if options.resume is not None and (others or launch.job_number is not None):
        rule = "continues with the run's own configuration, so only output_dir and tracking can be set"
        remedy = "Drop the rest. To resume a sweep, give its own command again"
        raise ConfigError("resume", rule, received=" ".join(others) or "a sweep", remedy=remedy)
