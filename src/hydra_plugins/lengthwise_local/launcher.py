"""The launcher `hydra/launcher=local` as Hydra sees it; the work is done in `lengthwise.sweeps`.

Imported by Hydra at every start: only Hydra's own modules are imported before there is something to launch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction

if TYPE_CHECKING:
    from lengthwise.config.parse import RawConfig
    from lengthwise.sweeps.plan import Job, Outcome
    from lengthwise.sweeps.sweep import Sweep


class FailedJob(JobReturn):
    """A job that did not finish; its status says so.

    Hydra's basic sweeper reads the value of every job, and raises, and drops all later batches, where one holds an
    exception. Here one job costs itself alone, so the value is None; the reason stands in the sweep's table.
    """

    @property  # type: ignore[misc]  # Hydra's has a setter, of no use here
    def return_value(self) -> Any:
        """None: there is no value."""
        return None


class LocalLauncher(Launcher):
    """Runs the jobs of a sweep in warm processes of this machine.

    Args:
        num_workers, max_jobs_per_worker, timeout_minutes, retries: as in `LocalLauncherOptions`; checked at the gate.
    """

    def __init__(
        self, num_workers: object, max_jobs_per_worker: object, timeout_minutes: object, retries: object
    ) -> None:
        self._raw = {
            "num_workers": num_workers,
            "max_jobs_per_worker": max_jobs_per_worker,
            "timeout_minutes": timeout_minutes,
            "retries": retries,
        }
        self._sweep: Sweep | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: RawConfig) -> None:
        """Take what Hydra gives, and refuse wrong options of the launcher before anything else happens."""
        from lengthwise.config.parse import parse_launcher

        self._options = parse_launcher(self._raw)
        self._context, self._task, self._config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run a batch of jobs; the first starts when all have passed the gate.

        Args:
            job_overrides: of each job.
            initial_job_idx: number of the first.

        Returns:
            One result for each job.
        """
        from lengthwise.sweeps.sweep import Sweep
        from lengthwise.train import Task

        if not isinstance(self._task, Task):
            raise TypeError("hydra/launcher=local runs the jobs of lengthwise alone")
        jobs = [self._plan(initial_job_idx + place, tuple(each)) for place, each in enumerate(job_overrides)]
        if self._sweep is None:
            self._sweep = Sweep(jobs, self._options, command=self._task.command, function=self._task.function)
            self._task.open_sweep(self._sweep)
        return [_as_return(outcome) for outcome in self._sweep.run(jobs)]

    def _plan(self, number: int, overrides: tuple[str, ...]) -> Job:
        from lengthwise.composition import check_overrides, explain_error
        from lengthwise.config.parse import parse_config
        from lengthwise.errors import LengthwiseError
        from lengthwise.sweeps.plan import plan_job

        try:
            check_overrides(overrides)
            raw = self._context.config_loader.load_sweep_config(self._config, list(overrides))
            return plan_job(number, overrides, parse_config(raw))
        except Exception as error:
            refusal = explain_error(error, overrides)
            raise LengthwiseError(f"Job {number} ({' '.join(overrides)}): {refusal}") from error


def _as_return(outcome: Outcome) -> JobReturn:
    result: JobReturn = FailedJob() if outcome.failed else JobReturn()
    result.overrides = list(outcome.job.overrides)
    result.task_name = "train"
    result.status = JobStatus.FAILED if outcome.failed else JobStatus.COMPLETED
    result._return_value = RuntimeError(outcome.ending.reason) if outcome.failed else outcome.ending.value
    return result
