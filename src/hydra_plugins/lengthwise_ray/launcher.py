"""The launcher `hydra/launcher=ray` as Hydra sees it; `lengthwise.sweeps` does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hydra_plugins.lengthwise_local.launcher import SweepLauncher

if TYPE_CHECKING:
    from lengthwise.sweeps.executors.contract import Executor


class RayLauncher(SweepLauncher):
    """Runs the jobs of a sweep on a Ray cluster; the arguments are those of `RayLauncherOptions`."""

    def make_executor(self) -> tuple[Executor, bool]:
        """Check the launcher's options; return the executor, and whether finished jobs are run again."""
        from lengthwise.config.options import RayLauncherOptions
        from lengthwise.config.parse import parse_plugin
        from lengthwise.sweeps.executors.ray import RayCluster
        from lengthwise.sweeps.executors.remote import RemoteExecutor

        options = parse_plugin(RayLauncherOptions, self._raw)
        executor = RemoteExecutor(
            RayCluster(options.address, cores=options.cores),
            num_workers=None if options.num_workers == "auto" else options.num_workers,
            cores=options.cores,
            timeout_minutes=options.timeout_minutes,
            retries=options.retries,
        )
        return executor, options.finished == "repeat"
