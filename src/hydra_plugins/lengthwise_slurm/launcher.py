"""The launcher `hydra/launcher=slurm` as Hydra sees it; `lengthwise.sweeps` does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hydra_plugins.lengthwise_local.launcher import SweepLauncher

if TYPE_CHECKING:
    from lengthwise.sweeps.executors.contract import Executor


class SlurmLauncher(SweepLauncher):
    """Runs the jobs of a sweep on Slurm; the arguments are those of `SlurmLauncherOptions`."""

    def make_executor(self) -> tuple[Executor, bool]:
        """Check the launcher's options; return the executor, and whether finished jobs are run again."""
        from lengthwise.config.options import SlurmLauncherOptions
        from lengthwise.config.parse import parse_plugin
        from lengthwise.config.paths import project_root
        from lengthwise.sweeps.executors.remote import RemoteExecutor
        from lengthwise.sweeps.executors.slurm import SlurmCluster

        options = parse_plugin(SlurmLauncherOptions, self._raw)
        executor = RemoteExecutor(
            SlurmCluster(options, project_root() / options.folder),
            num_workers=None if options.num_workers == "auto" else options.num_workers,
            cores=options.cores,
            timeout_minutes=options.timeout_minutes,
            retries=options.retries,
        )
        return executor, options.finished == "repeat"
