"""What Hydra calls with each composed configuration, and the sweeps that this opens."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from lengthwise.app.sweep_report import preload_report, write_sweep_report
from lengthwise.config.options import RunOptions
from lengthwise.config.parse import RawConfig, parse_config
from lengthwise.credentials import hide_credentials
from lengthwise.errors import ConfigError
from lengthwise.pipeline.command import EXPERIMENT, JobFunction, Launch
from lengthwise.tracking.session import names_tracking

if TYPE_CHECKING:
    from lengthwise.sweeps.sweep import Sweep


class PastHydra(BaseException):
    """Carries an error of Lengthwise through Hydra, which prints lines of its own around any exception that it catches.

    Args:
        error: What was raised.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Task:
    """What Hydra calls with each composed configuration.

    Hydra calls Lengthwise in the middle of its own work, and raises errors of its own about what the user wrote.
    `own_work` marks errors of Lengthwise, which are not among them.

    Args:
        command: The command as typed.
        function: What is done with the options of each run.
    """

    def __init__(self, command: tuple[str, ...], *, function: JobFunction) -> None:
        self.command = command
        self.function = function
        self.options: RunOptions | None = None  # of the run that was begun last
        self.sweeps: list[Sweep] = []
        self.is_dry = False  # whether jobs are only listed
        self.contexts = contextlib.ExitStack()

    def __call__(self, raw: RawConfig) -> float | None:
        """Run one configuration.

        Args:
            raw: The composed configuration without Hydra's own part.

        Returns:
            What a search would minimise; None where there is nothing.
        """
        with self.own_work():
            launch = self._describe_launch()
            self.options = parse_config(raw, overrides=launch.overrides)
            check_resume(self.options, launch)
            return self.function.run(self.options, launch)

    def _describe_launch(self) -> Launch:
        running = HydraConfig.get()
        number = running.job.num if running.mode == RunMode.MULTIRUN else None
        overrides = tuple(hide_credentials(override) for override in running.overrides.task)
        return Launch(command=self.command, overrides=overrides, job_number=number)

    @staticmethod
    @contextlib.contextmanager
    def own_work() -> Iterator[None]:
        """Carry the errors that are raised in this context past Hydra.

        Raises:
            PastHydra: An error was raised.
        """
        try:
            yield
        except Exception as error:
            raise PastHydra(error) from error

    def open_sweep(self, sweep: Sweep) -> None:
        """Open a sweep, which is closed when the command ends, however it ends.

        Args:
            sweep: The sweep, before its first job.
        """
        self.sweeps.append(self.contexts.enter_context(sweep))
        if self.function is EXPERIMENT:
            preload_report()
            self.contexts.push(lambda kind, *_: write_sweep_report(sweep.directory) if kind is None else None)

    def close_sweeps(self) -> None:
        """Close the sweeps that are open, before the command opens another."""
        self.contexts.close()


def check_resume(options: RunOptions, launch: Launch) -> None:
    """Refuse whatever would have no effect beside `resume`: the run keeps its own configuration.

    Args:
        options: Of the command.
        launch: With its overrides.

    Raises:
        ConfigError: Another option is given, or the command is a sweep.
    """
    taken = ("resume", "output_dir", "training.epochs")
    others = [line for line in launch.overrides if line.partition("=")[0] not in taken]
    others = [line for line in others if not names_tracking([line])]
    if options.resume is not None and (others or launch.job_number is not None):
        rule = "continues with the run's own configuration: only output_dir, tracking and training.epochs can be set"
        remedy = "Drop the rest. To resume a sweep, give its own command again"
        raise ConfigError("resume", rule, received=" ".join(others) or "a sweep", remedy=remedy)
