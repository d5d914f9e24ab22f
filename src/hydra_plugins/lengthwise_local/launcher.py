"""The launcher `hydra/launcher=local` as Hydra sees it; `lengthwise.sweeps` does the work.

Hydra imports this at every start, so only Hydra's own modules are imported before there is something to launch.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction

if TYPE_CHECKING:
    from lengthwise.config.parse import RawConfig
    from lengthwise.sweeps.executors.contract import Executor
    from lengthwise.sweeps.jobs import Job, JobResult
    from lengthwise.sweeps.sweep import Sweep


class FailedJob(JobReturn):
    """A job that did not finish; its status says so.

    Hydra's basic sweeper reads the value of every job; if one holds an exception, it raises it and drops all later
    batches. Here jobs are isolated from each other, so the value is None; the sweep's table gives the reason.
    """

    @property  # type: ignore[misc]  # Hydra's has a setter, which is not needed here
    def return_value(self) -> Any:
        """Return None: there is no value."""
        return None


class SweepLauncher(Launcher):
    """Runs jobs as one sweep with one parent run, wherever they run; skips what is done and resumes the rest.

    Args:
        raw: What Hydra read from the launcher's file and the command line, not yet checked.
    """

    def __init__(self, **raw: object) -> None:
        self._raw = raw
        self._sweep: Sweep | None = None

    @abstractmethod
    def make_executor(self) -> tuple[Executor, bool]:
        """Check the launcher's options; return the executor, and whether finished jobs are run again."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: RawConfig) -> None:
        """Take what Hydra gives; wrong options of the launcher are refused before anything else happens."""
        from importlib.metadata import version

        from lengthwise.app.task import Task
        from lengthwise.config.composer import JobComposer

        if not isinstance(task_function, Task):
            raise TypeError("this launcher runs only the jobs of lengthwise")
        with task_function.own_work():
            self._executor, self._repeat = self.make_executor()
        self.task, self._config, self._version = task_function, config, version("lengthwise")
        # The sweeper composes each job with this loader too, only to find mistakes.
        self._composer = hydra_context.config_loader = JobComposer(hydra_context.config_loader)  # type: ignore[assignment]

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run a batch of jobs; the first starts when the options of all have been checked.

        Args:
            job_overrides: Of each job.
            initial_job_idx: Number of the first.

        Returns:
            One result for each job.
        """
        with self.task.own_work():
            jobs = [self.build_job(initial_job_idx + offset, tuple(each)) for offset, each in enumerate(job_overrides)]
            if self.task.is_dry:
                from rich.console import Console

                from lengthwise.sweeps.dry_run import print_dry_run

                print_dry_run(jobs, self._executor, repeat=self._repeat, console=Console())
                return [JobReturn(status=JobStatus.COMPLETED) for _ in jobs]
            return [_as_return(result) for result in self.open_sweep(jobs).run(jobs)]

    def open_sweep(
        self, jobs: Sequence[Job], *, parent: str | None = None, varied: Sequence[str] | None = None
    ) -> Sweep:
        """Return the sweep of this command, opened for its first jobs.

        Args:
            jobs: At least one.
            parent: Name of the parent run to resume; None: the newest sweep of the study that has one of the jobs.
            varied: The options in which jobs differ; None: those in which `jobs` differ.
        """
        from lengthwise.sweeps.sweep import Sweep, SweepOptions

        if self._sweep is None:
            task = self.task
            options = SweepOptions(
                command=task.command, function=task.function, repeat=self._repeat, parent=parent, varied=varied
            )
            self._sweep = Sweep(jobs, self._executor, options)
            task.open_sweep(self._sweep)
        return self._sweep

    def close_sweep(self) -> None:
        """Close the sweep of this command, with its report; the next jobs open another."""
        self.task.close_sweeps()
        self._sweep = None

    def build_job(self, number: int, overrides: tuple[str, ...]) -> Job:
        """Compose a job and check its options.

        Args:
            number: Of the job.
            overrides: Of the job.
        """
        from lengthwise.app.task import check_resume
        from lengthwise.config.hydra_errors import explain_error
        from lengthwise.config.overrides import check_overrides
        from lengthwise.config.parse import parse_config
        from lengthwise.errors import LengthwiseError
        from lengthwise.pipeline.command import Launch
        from lengthwise.sweeps.jobs import build_job

        try:
            check_overrides(overrides)
            raw = self._composer.load_sweep_config(self._config, overrides)
            options = parse_config(raw, overrides=overrides)
            check_resume(options, Launch(command=self.task.command, overrides=overrides, job_number=number))
            return build_job(number, overrides, options, version=self._version)
        except Exception as error:
            refusal = explain_error(error, overrides)
            raise LengthwiseError(f"Job {number} ({' '.join(overrides)}): {refusal}") from error


def open_launcher(
    sweeper: str, *, hydra_context: HydraContext, task_function: TaskFunction, config: RawConfig
) -> SweepLauncher:
    """Return the launcher that Hydra chose, for a sweeper that needs one of these.

    Args:
        sweeper: Its name, as in `hydra/sweeper=NAME`.
        hydra_context: Of Hydra.
        task_function: What each job runs.
        config: The composed configuration.

    Raises:
        ConfigError: The launcher is none of Lengthwise.
    """
    from lengthwise.errors import ConfigError

    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=hydra_context, task_function=task_function, config=config
    )
    if not isinstance(launcher, SweepLauncher):
        remedy = "Choose hydra/launcher=local, ray or slurm"
        raise ConfigError(f"hydra/sweeper={sweeper}", "needs a launcher of Lengthwise", received=None, remedy=remedy)
    return launcher


class LocalLauncher(SweepLauncher):
    """Runs the jobs of a sweep in warm processes of this machine; the arguments are those of `LocalLauncherOptions`."""

    def make_executor(self) -> tuple[Executor, bool]:
        """Check the launcher's options; return the executor, and whether finished jobs are run again."""
        from lengthwise.config.options import LocalLauncherOptions
        from lengthwise.config.parse import parse_plugin
        from lengthwise.sweeps.executors.local import LocalExecutor

        options = parse_plugin(LocalLauncherOptions, self._raw)
        return LocalExecutor(options), options.finished == "repeat"


def _as_return(result: JobResult) -> JobReturn:
    returned: JobReturn = FailedJob() if result.has_failed else JobReturn()
    returned.overrides = list(result.job.overrides)
    returned.task_name = "train"
    returned.status = JobStatus.FAILED if result.has_failed else JobStatus.COMPLETED
    returned._return_value = RuntimeError(result.attempt.reason) if result.has_failed else result.attempt.value
    return returned
