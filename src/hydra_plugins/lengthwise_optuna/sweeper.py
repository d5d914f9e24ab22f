"""The sweeper `hydra/sweeper=optuna` as Hydra sees it; `lengthwise.sweeps.search` does the work.

Hydra imports this at every start, so only Hydra's own modules are imported before there is something to search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction

from hydra_plugins.lengthwise_local.launcher import open_launcher

if TYPE_CHECKING:
    from lengthwise.config.options import OptunaSweeperOptions, RunOptions
    from lengthwise.config.parse import RawConfig
    from lengthwise.sweeps.search import Direction, Trials


class OptunaSweeper(Sweeper):
    """Searches for the best options with Optuna.

    Args:
        params: What a study's overlay sweeps over, here the space to search.
        raw: What Hydra read from the sweeper's file and the command line, not yet checked.
    """

    def __init__(self, params: Mapping[str, object] | None = None, **raw: object) -> None:
        self._params, self._raw = params or {}, raw

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: RawConfig) -> None:
        """Take what Hydra gives; wrong options are refused before anything else happens."""
        from lengthwise.config.options import OptunaSweeperOptions
        from lengthwise.config.parse import parse_plugin
        from lengthwise.sweeps.search import import_optuna

        self._options = parse_plugin(OptunaSweeperOptions, self._raw)
        import_optuna()
        self._launcher = open_launcher(
            "optuna", hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Search, or resume the search that the same command began.

        Args:
            arguments: Overrides; those with several values span the space.
        """
        given = [*(f"{key}={value}" for key, value in self._params.items()), *arguments]
        overrides = OverridesParser.create().parse_overrides(given)
        with self._launcher.task.own_work():
            self._sweep(overrides)

    def _sweep(self, overrides: Sequence[Override]) -> None:
        from lengthwise.errors import ConfigError
        from lengthwise.sweeps.parent_run import find_study
        from lengthwise.sweeps.search import Trials, open_study
        from lengthwise.sweeps.search_space import read_space, take_example, write_signature

        space, fixed = read_space(overrides)
        if not space:
            remedy = "Give an option several values, as in latent_dim=choice(32,64)"
            raise ConfigError("hydra/sweeper=optuna", "needs something to search", received=None, remedy=remedy)
        example = self._launcher.build_job(0, (*fixed, *take_example(space)))
        study = open_study(
            find_study(example),
            self._options,
            signature=write_signature(space, fixed),
            direction=_find_direction(self._options, example.options),
        )
        self._search(Trials(study, space, fixed, self._options))

    def _search(self, trials: Trials) -> None:
        import itertools
        import json

        from lengthwise.errors import count_noun

        num_left = trials.num_left
        jobs = trials.draw_jobs(self._launcher.build_job)
        first = next(jobs, None)
        if first is not None:
            sweep = self._launcher.open_sweep([first], parent=trials.find_parent_run(), varied=trials.varied)
            trials.set_parent_run(sweep.directory.name)
            chained = itertools.chain([first], jobs)
            sweep.search(chained, num_jobs=num_left, observer=trials)
            (sweep.directory / "best.json").write_text(json.dumps(trials.describe_best(), indent=1), encoding="utf-8")
        best = trials.describe_best()
        if best is not None:
            found = " ".join(f"{key}={value}" for key, value in best["options"].items())
            print(f"Best of {count_noun(len(trials.study.trials), 'trial')}: {best['value']:.6g} with {found}")


def _find_direction(options: OptunaSweeperOptions, example: RunOptions) -> Direction:
    from lengthwise.data.datasets.registry import load_dataset
    from lengthwise.evaluation.assessment import PRIMARY_METRICS
    from lengthwise.evaluation.metrics import describe_metric

    if options.direction != "auto":
        return options.direction
    kind = load_dataset(example.dataset, example.timesteps).spec.kind
    return "maximize" if describe_metric(PRIMARY_METRICS[kind]).higher_is_better else "minimize"
