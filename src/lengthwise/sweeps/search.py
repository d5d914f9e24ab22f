"""A search with Optuna: it chooses the next values by the results so far, and is stored so that it can be resumed."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock

from lengthwise.config.options import OptunaSweeperOptions
from lengthwise.errors import ConfigError, LengthwiseError
from lengthwise.sweeps.jobs import Job, JobResult
from lengthwise.tracking.runs.journal import read_journal
from lengthwise.tracking.runs.layout import JOURNAL_NAME

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

Direction = Literal["minimize", "maximize"]

_PARENT_ATTRIBUTE = "parent"
_MAX_REFUSED_IN_A_ROW = 20


class Trials:
    """The trials of one search; the sweep's `Observer`.

    Args:
        study: Optuna's.
        space: Distributions by the name of the option that is searched.
        fixed: The overrides that all trials share.
        options: Of the sweeper.
    """

    def __init__(
        self,
        study: Study,
        space: Mapping[str, BaseDistribution],
        fixed: Sequence[str],
        options: OptunaSweeperOptions,
    ) -> None:
        self.study, self._space, self._fixed, self._options = study, space, fixed, options
        self._running: dict[str, list[Trial]] = {}  # by identity of the job
        self._journal_ends: dict[str, int] = {}
        self._sign = _find_sign(options.metric, study)

    @property
    def varied(self) -> list[str]:
        """The options that are searched."""
        return list(self._space)

    @property
    def num_left(self) -> int:
        """Trials that are still to be run, including those that an earlier command began and did not end."""
        num_ended = sum(bool(trial.state.is_finished()) for trial in self._list())
        return max(0, self._options.num_trials - num_ended)

    def _list(self) -> list[FrozenTrial]:
        return list(self.study.get_trials(deepcopy=False))

    def draw_jobs(self, build_job: Callable[[int, tuple[str, ...]], Job]) -> Iterator[Job]:
        """Yield a job for each trial; trials whose values do not fit together count as failed.

        Args:
            build_job: Makes a job from a number and overrides; raises LengthwiseError if they are not valid.

        Raises:
            LengthwiseError: The last of too many refusals in a row.
        """
        num_refused = 0
        for trial in self._draw():
            overrides = (*self._fixed, *(f"{key}={trial.params[key]}" for key in self._space))
            try:
                job = build_job(trial.number, overrides)
            except LengthwiseError:
                self._fail(trial)
                num_refused += 1
                if num_refused >= _MAX_REFUSED_IN_A_ROW:
                    raise
                continue
            num_refused = 0
            self._running.setdefault(job.identity, []).append(trial)
            yield job

    def _draw(self) -> Iterator[Trial]:
        """Yield trials: first those that an earlier command began and did not end, then new ones."""
        import optuna

        for frozen in self.study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
            yield optuna.trial.Trial(self.study, frozen._trial_id)
        while len(self._list()) < self._options.num_trials:
            yield self.study.ask(dict(self._space))

    def _fail(self, trial: Trial) -> None:
        import optuna

        self.study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def find_stop_reason(self, job: Job, directory: Path) -> str | None:
        """Report to Optuna what a running job has logged; return why it should be stopped, None if it should not.

        Args:
            job: The job.
            directory: Of its run.
        """
        if job.identity not in self._running:
            return None
        trial = self._running[job.identity][0]
        start = self._journal_ends.get(job.identity, 0)
        entries, self._journal_ends[job.identity] = read_journal(directory / JOURNAL_NAME, start=start)
        reported = set(self._list()[trial.number].intermediate_values)
        for entry in entries:
            if entry.key == self._options.metric and entry.step not in reported:
                reported.add(entry.step)
                trial.report(self._sign * entry.value, entry.step)
                if trial.should_prune():
                    return f"{entry.key}={entry.value:.4g} after epoch {entry.step} is behind the other trials"
        return None

    def on_result(self, result: JobResult) -> None:
        """Report the result of a job to Optuna.

        Args:
            result: Of the job.
        """
        import optuna

        for trial in self._running.pop(result.job.identity, ()):
            if result.attempt.status == "PRUNED":
                self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            elif result.has_failed or result.attempt.value is None:
                self._fail(trial)
            else:
                self.study.tell(trial, result.attempt.value)

    def find_parent_run(self) -> str | None:
        """Return the name of the search's parent run; None before it has one."""
        name: str | None = self.study.user_attrs.get(_PARENT_ATTRIBUTE)
        return name

    def set_parent_run(self, name: str) -> None:
        """Store the name of the search's parent run."""
        self.study.set_user_attr(_PARENT_ATTRIBUTE, name)

    def describe_best(self) -> dict[str, Any] | None:
        """Return value, number and options of the best trial; None if none has finished."""
        import optuna

        if not self.study.get_trials(states=(optuna.trial.TrialState.COMPLETE,)):
            return None
        best = self.study.best_trial
        return {"value": best.value, "trial": best.number, "options": best.params, "fixed": list(self._fixed)}


def _find_sign(metric: str, study: Study) -> float:
    """Return what a metric is multiplied by, so that the pruner compares it in the direction of the study."""
    name = metric.rpartition("/")[2]
    is_minimized = "loss" in name or "error" in name
    return 1.0 if is_minimized == (study.direction.name == "MINIMIZE") else -1.0


class _SystemLock:
    """Optuna's lock of a journal as the system keeps one: a search that is killed leaves none.

    Optuna's own is a file, for which the next search would wait half a minute.

    Args:
        path: A file of its own.
    """

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path)

    def acquire(self) -> bool:
        """Wait for the lock; returns that it is held."""
        self._lock.acquire()
        return True

    def release(self) -> None:
        """Give the lock back."""
        self._lock.release()


def open_study(directory: Path, options: OptunaSweeperOptions, *, signature: str, direction: Direction) -> Study:
    """Open a search, or resume the one that earlier commands with the same signature have begun.

    Args:
        directory: Of the study; the search is stored in it as `search-HASH.jsonl`.
        options: Of the sweeper.
        signature: Text that two commands share exactly if one resumes the search of the other.
        direction: Of the result.

    Raises:
        ConfigError: Optuna is not installed.
    """
    optuna = import_optuna()
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("optuna").propagate = False
    digest = hashlib.sha256(f"{signature} {direction}".encode()).hexdigest()[:8]
    directory.mkdir(parents=True, exist_ok=True)
    journal = directory / f"search-{digest}.jsonl"
    backend = JournalFileBackend(str(journal), lock_obj=_SystemLock(journal.with_name(f".{journal.stem}.lock")))
    study: Study = optuna.create_study(
        storage=optuna.storages.JournalStorage(backend),
        pruner=_make_pruner(options),
        study_name=digest,
        direction=direction,
        load_if_exists=True,
    )
    # With the same seed a resumed search would choose again what it chose first.
    study.sampler = _make_sampler(options, options.sampler_seed + len(study.get_trials(deepcopy=False)))
    return study


def import_optuna() -> Any:
    """Return the module.

    Raises:
        ConfigError: It is not installed.
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
    # The constant liar keeps workers that choose at the same time from choosing the same values.
    return samplers.TPESampler(seed=seed, constant_liar=True)


def _make_pruner(options: OptunaSweeperOptions) -> BasePruner:
    from optuna import pruners

    if options.pruner == "median":
        return pruners.MedianPruner(n_warmup_steps=options.warmup_epochs)
    if options.pruner == "hyperband":
        return pruners.HyperbandPruner(min_resource=max(1, options.warmup_epochs))
    return pruners.NopPruner()
