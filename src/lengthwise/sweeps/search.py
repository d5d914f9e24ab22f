"""A search with Optuna: which values to try next, told by those tried; kept in a file, so that it can go on later."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hydra.core.override_parser.types import Override

from lengthwise.config.options import OptunaSweeperOptions
from lengthwise.errors import ConfigError, LengthwiseError
from lengthwise.sweeps.jobs import Job, Outcome
from lengthwise.tracking.runs.journal import JOURNAL_NAME, read_journal

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

Direction = Literal["minimize", "maximize"]

_PARENT = "parent"
_MOST_REFUSED = 20


class Trials:
    """The trials of one search.

    Args:
        study: Optuna's.
        space: what is searched, by the option's name.
        fixed: the overrides that all trials share.
        options: of the sweeper.
    """

    def __init__(
        self,
        study: Study,
        space: Mapping[str, BaseDistribution],
        fixed: Sequence[str],
        options: OptunaSweeperOptions,
    ) -> None:
        self.study, self._space, self._fixed, self._options = study, space, fixed, options
        self._open: dict[str, list[Trial]] = {}
        self._watched: dict[str, int] = {}
        falls = options.metric.rpartition("/")[2]
        smaller = "loss" in falls or "error" in falls
        self._sign = 1.0 if smaller == (study.direction.name == "MINIMIZE") else -1.0

    @property
    def varied(self) -> list[str]:
        """The options that are searched."""
        return list(self._space)

    @property
    def num_left(self) -> int:
        """Trials that are still to be run, those included that an earlier command began."""
        num_ended = sum(bool(trial.state.is_finished()) for trial in self._trials)
        return max(0, self._options.num_trials - num_ended)

    @property
    def _trials(self) -> list[FrozenTrial]:
        return list(self.study.get_trials(deepcopy=False))

    def draw(self) -> Iterator[tuple[Trial, tuple[str, ...]]]:
        """Yield trials with their overrides: first those that an earlier command began, then new ones."""
        import optuna

        for frozen in self.study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
            yield self._describe(optuna.trial.Trial(self.study, frozen._trial_id))
        while len(self._trials) < self._options.num_trials:
            yield self._describe(self.study.ask(dict(self._space)))

    def _describe(self, trial: Trial) -> tuple[Trial, tuple[str, ...]]:
        return trial, (*self._fixed, *(f"{key}={trial.params[key]}" for key in self._space))

    def begin(self, trial: Trial, job: Job) -> None:
        """Note which job a trial is.

        Args:
            trial: Optuna's.
            job: planned from its overrides.
        """
        self._open.setdefault(job.identity, []).append(trial)

    def refuse(self, trial: Trial) -> None:
        """Count a trial as failed whose values do not go together.

        Args:
            trial: Optuna's.
        """
        import optuna

        self.study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def watch(self, job: Job, directory: Path) -> str | None:
        """Report what a running job has logged; return why it should be stopped, None where it should not.

        Args:
            job: the job.
            directory: of its run.
        """
        if job.identity not in self._open:
            return None
        trial = self._open[job.identity][0]
        entries, self._watched[job.identity] = read_journal(
            directory / JOURNAL_NAME, start=self._watched.get(job.identity, 0)
        )
        known = set(self._trials[trial.number].intermediate_values)
        for entry in entries:
            if entry.key == self._options.metric and entry.step not in known:
                known.add(entry.step)
                trial.report(self._sign * entry.value, entry.step)
                if trial.should_prune():
                    return f"{entry.key}={entry.value:.4g} after epoch {entry.step} is behind the other trials"
        return None

    def settle(self, outcome: Outcome) -> None:
        """Tell Optuna what came of a job.

        Args:
            outcome: of the job.
        """
        import optuna

        states = optuna.trial.TrialState
        for trial in self._open.pop(outcome.job.identity, ()):
            if outcome.ending.status == "PRUNED":
                self.study.tell(trial, state=states.PRUNED)
            elif outcome.failed or outcome.ending.value is None:
                self.study.tell(trial, state=states.FAIL)
            else:
                self.study.tell(trial, outcome.ending.value)

    def find_parent(self) -> str | None:
        """Return the name of the search's parent run; None before it has one."""
        name: str | None = self.study.user_attrs.get(_PARENT)
        return name

    def set_parent(self, name: str) -> None:
        """Keep the name of the search's parent run."""
        self.study.set_user_attr(_PARENT, name)

    def describe_best(self) -> dict[str, Any] | None:
        """Return value, number and options of the best trial; None where none has finished."""
        import optuna

        if not self.study.get_trials(states=(optuna.trial.TrialState.COMPLETE,)):
            return None
        best = self.study.best_trial
        return {"value": best.value, "trial": best.number, "options": best.params, "fixed": list(self._fixed)}


def draw_jobs(trials: Trials, plan: Callable[[int, tuple[str, ...]], Job]) -> Iterator[Job]:
    """Plan a job for each trial; trials whose values do not go together count as failed.

    Args:
        trials: of the search.
        plan: makes a job of a number and overrides; raises LengthwiseError where the gate refuses them.

    Raises:
        LengthwiseError: the last of too many refusals in a row.
    """
    refused = 0
    for trial, overrides in trials.draw():
        try:
            job = plan(trial.number, overrides)
        except LengthwiseError:
            trials.refuse(trial)
            refused += 1
            if refused >= _MOST_REFUSED:
                raise
            continue
        refused = 0
        trials.begin(trial, job)
        yield job


def open_study(directory: Path, options: OptunaSweeperOptions, *, signature: str, direction: Direction) -> Study:
    """Open a search, or the one that earlier commands of equal space have begun.

    Args:
        directory: of the study; the search is kept in it as `search-HASH.jsonl`.
        options: of the sweeper.
        signature: text that two searches have in common exactly if one goes on with the other.
        direction: of the result.

    Raises:
        ConfigError: Optuna is not installed.
    """
    optuna = import_optuna()
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("optuna").propagate = False
    digest = hashlib.sha256(f"{signature} {direction}".encode()).hexdigest()[:8]
    directory.mkdir(parents=True, exist_ok=True)
    study: Study = optuna.create_study(
        storage=optuna.storages.JournalStorage(JournalFileBackend(str(directory / f"search-{digest}.jsonl"))),
        pruner=_make_pruner(options),
        study_name=digest,
        direction=direction,
        load_if_exists=True,
    )
    # A search that goes on must not choose once more what it chose first.
    study.sampler = _make_sampler(options, options.sampler_seed + len(study.get_trials(deepcopy=False)))
    return study


def import_optuna() -> Any:
    """Return the module.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        remedy = "Install it: pip install 'lengthwise[optuna]'"
        raise ConfigError("hydra/sweeper=optuna", "needs Optuna", received=None, remedy=remedy) from error
    return optuna


def _make_sampler(options: OptunaSweeperOptions, seed: int) -> BaseSampler:
    from optuna import samplers

    if options.sampler == "random":
        return samplers.RandomSampler(seed=seed)
    # The liar keeps workers that choose at the same time from choosing the same.
    return samplers.TPESampler(seed=seed, constant_liar=True)


def _make_pruner(options: OptunaSweeperOptions) -> BasePruner:
    from optuna import pruners

    if options.pruner == "median":
        return pruners.MedianPruner(n_warmup_steps=options.warmup_epochs)
    if options.pruner == "hyperband":
        return pruners.HyperbandPruner(min_resource=max(1, options.warmup_epochs))
    return pruners.NopPruner()


def read_space(overrides: Sequence[Override]) -> tuple[dict[str, BaseDistribution], list[str]]:
    """Split overrides into what is searched and what is fixed.

    Args:
        overrides: as Hydra has parsed them: `a,b` or `choice(a,b)`, `range(1,9,2)` without its end, `interval(0,1)`;
            `tag(log, interval(1e-4,1e-2))` on a logarithmic scale, `int(interval(8,128))` for whole numbers.

    Returns:
        Distributions by the option's name, and the other overrides as text.
    """
    space: dict[str, BaseDistribution] = {}
    fixed: dict[str, str] = {}
    for override in overrides:
        key = override.get_key_element()
        space.pop(key, None)
        fixed.pop(key, None)  # the last one counts: the command's before the study's
        if override.is_sweep_override():
            space[key] = _read_distribution(override)
        else:
            fixed[key] = f"{key}={override.get_value_element_as_str()}"
    return space, list(fixed.values())


def _read_distribution(override: Override) -> BaseDistribution:
    from optuna import distributions

    if override.is_discrete_sweep() and not _is_even(override):
        return distributions.CategoricalDistribution(list(override.sweep_string_iterator()))
    sweep: Any = override.value()
    if override.is_interval_sweep():
        is_log, low, high = "log" in sweep.tags, sweep.start, sweep.end
        if "int" in sweep.tags or (isinstance(low, int) and isinstance(high, int)):
            return distributions.IntDistribution(int(low), int(high), log=is_log)
        return distributions.FloatDistribution(float(low), float(high), log=is_log)
    values = list(range(sweep.start, sweep.stop, sweep.step))
    return distributions.IntDistribution(values[0], values[-1], step=sweep.step)


def _is_even(override: Override) -> bool:
    """Tell whether an override is a rising range of whole numbers, which a sampler can treat as numbers."""
    sweep: Any = override.value()
    if not override.is_range_sweep():
        return False
    numbers = (sweep.start, sweep.stop, sweep.step)
    return all(isinstance(number, int) for number in numbers) and sweep.step > 0 and sweep.start < sweep.stop


def sign_search(space: Mapping[str, BaseDistribution], fixed: Sequence[str]) -> str:
    """Return the text that searches of the same space and fixed options share.

    Args:
        space: of `read_space`.
        fixed: of `read_space`.
    """
    from optuna.distributions import distribution_to_json

    searched = {key: distribution_to_json(each) for key, each in space.items()}
    return json.dumps([searched, sorted(fixed)], sort_keys=True)
