"""The sweeper `hydra/sweeper=tuned` as Hydra sees it; `lengthwise.sweeps.tuning` does the work.

Hydra imports this at every start, so only Hydra's own modules are imported before there is something to run.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hydra.errors import OverrideParseException
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction

from hydra_plugins.lengthwise_local.launcher import open_launcher

if TYPE_CHECKING:
    from pathlib import Path

    from lengthwise.config.options import TunedSweeperOptions
    from lengthwise.config.parse import RawConfig
    from lengthwise.sweeps.jobs import Job, JobResult
    from lengthwise.sweeps.tuning import Overrides, TunedGrid

SEED = "seed"


class TunedSweeper(Sweeper):
    """Tunes each condition of a grid, then runs it with the seeds that are reported.

    Args:
        params: What a study's overlay sweeps over.
        raw: What Hydra read from the sweeper's file and the command line, not yet checked.
    """

    def __init__(self, params: Mapping[str, object] | None = None, **raw: object) -> None:
        self._params, self._raw = params or {}, raw

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: RawConfig) -> None:
        """Take what Hydra gives; wrong options are refused before anything else happens."""
        from lengthwise.config.options import TunedSweeperOptions
        from lengthwise.config.parse import parse_plugin
        from lengthwise.sweeps.tuning import Budget

        self._options = parse_plugin(TunedSweeperOptions, self._raw)
        self._launcher = open_launcher("tuned", hydra_context=hydra_context, task_function=task_function, config=config)
        self._budget = Budget(self._options.budget_minutes)

    def sweep(self, arguments: list[str]) -> None:
        """Tune and run, or resume what the same command began.

        Args:
            arguments: Overrides; those with several values span the grid.
        """
        from lengthwise.config.hydra_errors import explain_error

        given = [*(f"{key}={value}" for key, value in self._params.items()), *arguments]
        with self._launcher.task.own_work():
            try:
                grid = _read_grid(given, self._options)
            except OverrideParseException as error:
                raise explain_error(error, [*given, *self._options.tune.split()]) from error
            self._sweep(grid)

    def _sweep(self, grid: TunedGrid) -> None:
        from lengthwise.sweeps.tuning import choose_candidates, collect_trials, describe_tuning, list_edges

        study = self._check(grid)
        found = self._tune(grid, f"{study}_tuning")
        self._launcher.close_sweep()
        trials, higher_is_better = collect_trials(grid, found)
        chosen = choose_candidates(trials, higher_is_better=higher_is_better)
        for condition in list_edges(grid, chosen):
            print(f"{' '.join(condition)}: {' '.join(chosen[condition])} is the last value tried; others may be better")
        text = describe_tuning(grid, trials, chosen, higher_is_better=higher_is_better)
        rounds = [self._build(grid.list_reported(chosen, seed)) for seed in grid.seeds]
        num_rounds = self._report(rounds, text)
        if self._options.doubling:
            self._double(rounds[:num_rounds], text, study)

    def _check(self, grid: TunedGrid) -> str:
        """Refuse what any job would be refused for before the first job starts; return the name of the study."""
        chosen = dict.fromkeys(grid.conditions, grid.candidates[0])
        jobs = self._build(grid.list_reported(chosen, grid.seeds[0]))
        study = jobs[0].options.study
        for candidate in grid.candidates:
            self._build(grid.list_tuning(candidate, f"{study}_tuning"))
        return study

    def _build(self, overrides: Sequence[Overrides]) -> list[Job]:
        return [self._launcher.build_job(number, each) for number, each in enumerate(overrides)]

    def _tune(self, grid: TunedGrid, study: str) -> dict[Overrides, list[JobResult]]:
        """Run the tuning jobs: all together, or within a budget one candidate after the other."""
        from lengthwise.sweeps.tuning import TUNING_SHARE

        found: dict[Overrides, list[JobResult]] = {}
        if not self._budget.is_limited:
            jobs = [job for candidate in grid.candidates for job in self._build(grid.list_tuning(candidate, study))]
            results = iter(self._run(jobs))
            size = len(jobs) // len(grid.candidates)
            return {candidate: list(itertools.islice(results, size)) for candidate in grid.candidates}
        for candidate in grid.order_candidates():
            jobs = self._build(grid.list_tuning(candidate, study))
            if found and not self._budget.allows(len(jobs), share=TUNING_SHARE):
                print(f"{len(found)} of {len(grid.candidates)} values fit into half of hydra.sweeper.budget_minutes")
                break
            found[candidate] = self._run(jobs)
        return found

    def _report(self, rounds: Sequence[Sequence[Job]], tuning: str) -> int:
        """Run the jobs of the seeds that fit into the budget, until the answer is clear if it may stop there.

        Args:
            rounds: The jobs of each seed.
            tuning: What was tuned, as `describe_tuning` writes it.

        Returns:
            The number of seeds that were run.
        """
        from lengthwise.sweeps.looks import plan_looks, write_looks
        from lengthwise.sweeps.tuning import write_tuning

        directory = self._launcher.open_sweep(rounds[0]).directory
        write_tuning(directory, tuning)
        looks = plan_looks(len(rounds)) if self._options.stop_when_clear else (len(rounds),)
        if self._options.stop_when_clear:
            write_looks(directory, looks)
        done = 0
        for look in looks:
            done = self._run_rounds(rounds, first=done, end=look)
            if done < look:
                break
            if look < len(rounds) and _is_clear(directory):
                write_looks(directory, looks, stopped=look)
                print(f"After {look} of at most {len(rounds)} seeds one condition is left as the best: no more are run")
                break
        return done

    def _run_rounds(self, rounds: Sequence[Sequence[Job]], *, first: int, end: int) -> int:
        """Run rounds up to an end: all together, or within a budget one after the other; return where they ended."""
        if not self._budget.is_limited:
            self._run(list(itertools.chain.from_iterable(rounds[first:end])))
            return end
        for number in range(first, end):
            if number and not self._budget.allows(len(rounds[number])):
                print(
                    f"{number} of {len(rounds)} seeds fit into hydra.sweeper.budget_minutes; the same command with "
                    "more minutes runs the rest"
                )
                return number
            self._run(rounds[number])
        return end

    def _double(self, rounds: Sequence[Sequence[Job]], tuning: str, study: str) -> None:
        """Run the reported jobs with twice the epochs, as a study of their own."""
        from lengthwise.studies.collect import DOUBLED
        from lengthwise.sweeps.tuning import double_epochs

        self._launcher.close_sweep()
        doubled = [
            self._build(
                [double_epochs(job.overrides, job.options.training.epochs, f"{study}{DOUBLED}") for job in jobs]
            )
            for jobs in rounds
        ]
        self._report(doubled, tuning)
        print(f"To see what twice the updates change: lengthwise report {study}")

    def _run(self, jobs: Sequence[Job]) -> list[JobResult]:
        started = time.monotonic()
        results = self._launcher.open_sweep(jobs).run(jobs)
        self._budget.note(sum(result.num_attempts > 0 for result in results), time.monotonic() - started)
        return results


def _is_clear(directory: Path) -> bool:
    """Return whether all conditions of a sweep but one are ruled out as the best; not where they cannot be compared."""
    from lengthwise.errors import LengthwiseError
    from lengthwise.studies.collect import collect_sweep
    from lengthwise.studies.report.choice import list_possible_best

    try:
        study = collect_sweep(directory).study
    except LengthwiseError:  # none of its runs names a score: the report at the end says so
        return False
    return len(study.conditions) > 1 and len(list_possible_best(study)) == 1


def _read_grid(given: Sequence[str], options: TunedSweeperOptions) -> TunedGrid:
    """Split the overrides into what is fixed, the axes, the values that are tuned, and the seeds.

    Raises:
        ConfigError: Nothing is tuned, what is tuned is also an axis, or a seed is both tuned on and reported.
    """
    from lengthwise.config.overrides import check_overrides, check_swept, parse_overrides
    from lengthwise.errors import ConfigError
    from lengthwise.sweeps.looks import FIRST_LOOK
    from lengthwise.sweeps.tuning import TunedGrid

    values: dict[str, list[str]] = {}
    for override in parse_overrides(given):
        key = override.get_key_element()
        values.pop(key, None)  # the last one counts: the command line comes after the study's file
        is_sweep = override.is_sweep_override()
        texts = list(override.sweep_string_iterator()) if is_sweep else [override.get_value_element_as_str()]
        values[key] = [f"{key}={text}" for text in texts]
    tuned = options.tune.split()
    check_overrides(tuned)
    candidates: list[list[str]] = []
    for override in parse_overrides(tuned):
        key = override.get_key_element()
        check_swept(key, option="hydra.sweeper.tune")
        if key in values or key == SEED:
            remedy = "Leave it out of hydra.sweeper.tune, or of the options of the command"
            raise ConfigError("hydra.sweeper.tune", f"holds {key}, which is given too", received=None, remedy=remedy)
        if not override.is_discrete_sweep():
            remedy = "List them, as in training.learning_rate=0.002,0.006,0.02"
            raise ConfigError("hydra.sweeper.tune", f"needs several values of {key}", received=None, remedy=remedy)
        candidates.append([f"{key}={text}" for text in override.sweep_string_iterator()])
    seeds = values.pop(SEED, [f"{SEED}=0"])
    tuning = [f"{SEED}={options.tuning_seed + number}" for number in range(options.num_tuning_seeds)]
    shared = sorted({*seeds} & {*tuning})
    if shared:
        rule = f"must differ from the seeds that are reported, of which {shared[0]} is one"
        remedy = "Choose another, such as 1000"
        raise ConfigError("hydra.sweeper.tuning_seed", rule, received=str(options.tuning_seed), remedy=remedy)
    if options.stop_when_clear and len(seeds) <= FIRST_LOOK:
        remedy = "Give more, as in seed=0,1,2,3,4,5,6,7,8,9, or set it to false"
        rule = f"needs more than {FIRST_LOOK} seeds, of which fewer have no verdict"
        raise ConfigError("hydra.sweeper.stop_when_clear", rule, received=f"{len(seeds)}", remedy=remedy)
    return TunedGrid(
        fixed=tuple(own[0] for own in values.values() if len(own) == 1),
        conditions=tuple(itertools.product(*(own for own in values.values() if len(own) > 1))),
        candidates=tuple(itertools.product(*candidates)),
        seeds=tuple((seed,) for seed in seeds),
        tuning_seeds=tuple((seed,) for seed in tuning),
    )
