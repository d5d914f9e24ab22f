"""A sweep: a parent run, its jobs side by side, and the account of every one of them."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from rich.console import Console

from lengthwise.config.paths import project_root
from lengthwise.errors import RunError
from lengthwise.pipeline.launch import EXPERIMENT, JOB_TAG, JobFunction, Launch
from lengthwise.sweeps.executors.local import Executor, PoolSize
from lengthwise.sweeps.executors.worker import SECONDS_TO_CLOSE, Assignment
from lengthwise.sweeps.history import Earlier, History, find_parent, find_score, lock_study
from lengthwise.sweeps.jobs import Ending, Job, Outcome
from lengthwise.sweeps.ledger import Ledger
from lengthwise.sweeps.parent_run import describe_parent, find_study
from lengthwise.sweeps.progress import SweepProgress
from lengthwise.sweeps.table import find_varied, make_row, make_screen_table, write_csv, write_markdown
from lengthwise.tracking.runs.heartbeat import reap
from lengthwise.tracking.runs.manifest import Manifest, read_manifest
from lengthwise.tracking.runs.provenance import read_git
from lengthwise.tracking.runs.run import Run, resume_run, start_run

Watch = Callable[[Job, Path], str | None]
"""Looks at a running job and its run directory; returns why it should be stopped, None where it should not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepOptions:
    """Where a sweep comes from.

    Args:
        command: the command as typed.
        function: what a job does.
        repeat: whether to do everything anew, whatever has been done.
        parent: name of the parent run to go on with; None: the newest sweep of the study that has one of the jobs,
            else a new one.
        varied: the options in which jobs differ; None: those in which the first do.
    """

    command: tuple[str, ...]
    function: JobFunction = EXPERIMENT
    repeat: bool = False
    parent: str | None = None
    varied: Sequence[str] | None = None


class Sweep:
    """The jobs of one command; a context in which the parent run is open.

    What earlier commands of the study have finished is not done again, and what was interrupted is gone on with.

    Args:
        jobs: the first jobs, at least one; their first says where the parent run is kept.
        executor: where jobs run.
        options: where the sweep comes from.
        console: where progress and the final table go.
    """

    def __init__(
        self, jobs: Sequence[Job], executor: Executor, options: SweepOptions, *, console: Console | None = None
    ) -> None:
        self._executor, self._options = executor, options
        self._console = console or _open_console()
        self._first_jobs = tuple(jobs)
        self._study = find_study(jobs[0])
        self._varied = find_varied(jobs) if options.varied is None else list(options.varied)
        self._history = None if options.repeat else History()
        self._jobs: dict[str, Job] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._resumed: dict[str, Path] = {}
        self._studies: set[Path] = set()
        self._runs: dict[Path, Manifest | None] = {}
        self._ending = contextlib.ExitStack()

    def __enter__(self) -> Sweep:
        with lock_study(self._study):
            reap(self._study.parent)
            found = self._find_parent()
            tracking = self._first_jobs[0].options.tracking
            if found is None:
                opened = start_run(describe_parent(self._first_jobs, self._options.command), tracking)
            else:
                opened = resume_run(found, tracking)
            self._parent: Run = self._ending.enter_context(opened)
            self._ledger = Ledger(self._parent.directory)
            self._ledger.enter(self._first_jobs)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._write_account()
        finally:
            self._ending.__exit__(kind, error, trace)
        self._print_account()

    def _find_parent(self) -> Path | None:
        if self._options.repeat:
            return None
        if self._options.parent is not None and (self._study / self._options.parent).is_dir():
            return self._study / self._options.parent
        return find_parent(self._study, self._first_jobs)

    @property
    def directory(self) -> Path:
        """Directory of the parent run."""
        return self._parent.directory

    @property
    def num_failed(self) -> int:
        """Jobs of this command so far that should have finished and did not."""
        return sum(identity not in self._outcomes or self._outcomes[identity].failed for identity in self._jobs)

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Run jobs side by side, each with its share of the cores, until each has ended.

        Args:
            jobs: any; equal ones are run once.

        Returns:
            What came of each, in the order of `jobs`.
        """
        entered = self._enter(jobs)
        different = {job.identity: job for job in entered}.values()
        waiting = [job for job in different if not self._settle_before(job)]
        self._announce(len(different), len(waiting))
        if waiting:
            self._execute(waiting, len(waiting))
        return [self._outcomes[job.identity] for job in entered]

    def search(self, jobs: Iterable[Job], *, num_jobs: int, watch: Watch, settle: Callable[[Outcome], None]) -> None:
        """Run jobs that are made up as others end.

        Args:
            jobs: drawn one at a time, whenever a worker is free.
            num_jobs: how many there will be at most.
            watch: asked about twice a second about each running job.
            settle: told of each job that has ended.
        """
        self._announce(num_jobs, num_jobs)
        self._execute(self._draw(jobs, settle), num_jobs, watch=watch, settle=settle)

    def _draw(self, jobs: Iterable[Job], settle: Callable[[Outcome], None]) -> Iterator[Job]:
        running = set()
        for drawn in jobs:
            (job,) = self._enter([drawn])
            if self._settle_before(job):
                settle(self._outcomes[job.identity])
            elif job.identity not in running:
                running.add(job.identity)
                yield job

    def _execute(
        self,
        jobs: Iterable[Job],
        num_jobs: int,
        *,
        watch: Watch | None = None,
        settle: Callable[[Outcome], None] | None = None,
    ) -> None:
        size = self._executor.choose_size(num_jobs)
        with SweepProgress(num_jobs, varied=self._varied, workers=size.workers, console=self._console) as progress:
            monitor = _Monitor(self, progress, watch=watch, settle=settle)
            assignments = (self._assign(job, size, monitor) for job in jobs)
            self._executor.run(assignments, workers=size.workers, monitor=monitor)
        self._write_account()

    def _enter(self, jobs: Sequence[Job]) -> list[Job]:
        """Number jobs as the ledger does, and note which runs there are already."""
        entered = self._ledger.enter(jobs)
        self._jobs |= {job.identity: job for job in entered}
        for study in {find_study(job) for job in jobs} - self._studies:
            self._studies.add(study)
            self._runs |= dict.fromkeys(study.iterdir() if study.is_dir() else ())
        return entered

    def _settle_before(self, job: Job) -> bool:
        """Settle a job that has been done before; note the run to go on with of one that was interrupted."""
        if job.identity in self._outcomes:
            return True
        earlier = None if self._history is None else self._history.find(job, find_study(job))
        if earlier is None:
            return False
        if earlier.status != "FINISHED":
            self._resumed[job.identity] = earlier.directory
            return False
        self._settle(_recall(job, earlier, self._ledger.find_value(job)))
        return True

    def _settle(self, outcome: Outcome) -> None:
        self._outcomes[outcome.job.identity] = outcome
        self._ledger.settle(outcome)

    def _announce(self, num_jobs: int, num_waiting: int) -> None:
        workers = self._executor.choose_size(num_waiting).workers
        same = [text for text in self._first_jobs[0].overrides if text.partition("=")[0] not in self._varied]
        words = f"{num_jobs} jobs, {f'{workers} at a time, ' if num_waiting else ''}study {self._study.name}"
        self._print("  ".join([words, *same]))
        done = num_jobs - num_waiting
        if done:
            self._print(f"{done} finished before; hydra.launcher.finished=repeat runs them again{self._compare_code()}")
        if self._resumed:
            self._print(f"{len(self._resumed)} interrupted before; they go on from their checkpoints")

    def _compare_code(self) -> str:
        """Say where finished runs were made by another commit, which the same version does not tell."""
        git, _ = read_git(project_root())
        made = {job.commit for job in self._recalled()} - {None}
        if git is None or not made or made == {git.commit}:
            return ""
        return f" (made by other commits than {(git.commit or 'none')[:7]}, the present one)"

    def _recalled(self) -> Iterator[Earlier]:
        for job in self._jobs.values():
            earlier = None if self._history is None else self._history.find(job, find_study(job))
            if earlier is not None and earlier.status == "FINISHED":
                yield earlier

    def _assign(self, job: Job, size: PoolSize, monitor: _Monitor) -> Assignment:
        resumed = self._resumed.get(job.identity)
        launch = Launch(
            command=self._options.command,
            overrides=job.overrides,
            parent=self._parent.name,
            job_number=job.number,
            cores=size.cores,
            resume=None if resumed is None else str(resumed),
        )
        monitor.jobs[job.number] = job
        log = self._parent.path("jobs", f"{job.number:03d}.log")
        return Assignment(
            number=job.number, function=self._options.function, options=job.options, launch=launch, log=log
        )

    def account(self, job: Job, ending: Ending, attempts: int) -> Outcome:
        """Return what came of a job, with what its run directory says; a run that died is closed.

        Args:
            job: the job.
            ending: how its last attempt ended.
            attempts: how often it was started.
        """
        directory = self.find_run(job)
        if ending.status == "KILLED":
            reap(find_study(job).parent)
        manifest = None if directory is None else read_manifest(directory)
        run = None if manifest is None else manifest.name
        score = None if manifest is None else find_score(manifest)
        outcome = Outcome(job=job, ending=ending, attempts=attempts, run=run, score=score)
        self._settle(outcome)
        return outcome

    def find_run(self, job: Job) -> Path | None:
        """Return the directory of the job's latest attempt under this command; None where it did not come so far.

        Args:
            job: the job.
        """
        if job.identity in self._resumed:
            return self._resumed[job.identity]
        found = []
        study = find_study(job)
        for directory in study.iterdir() if study.is_dir() else ():
            if self._runs.get(directory, _UNREAD) is _UNREAD:
                with contextlib.suppress(RunError):  # being made just now by another process
                    manifest = read_manifest(directory)
                    self._runs[directory] = manifest if manifest.parent == self._parent.name else None
            known = self._runs.get(directory)
            if known is not None and known.tags.get(JOB_TAG) == str(job.number):
                found.append(directory)
        return max(found) if found else None

    def renew(self, job: Job, assignment: Assignment) -> Assignment:
        """Return the assignment for one more attempt at a job: it goes on where the run that died has stopped.

        Args:
            job: the job.
            assignment: of the attempt before.
        """
        directory = self.find_run(job)
        if directory is None:
            return assignment
        if not self._await_close(directory):  # on a host that is lost, of which nobody can tell yet
            self._runs[directory] = None
            return assignment
        self._resumed[job.identity] = directory
        return replace(assignment, launch=replace(assignment.launch, resume=str(directory)))

    def _await_close(self, directory: Path) -> bool:
        """Close a run whose process has died, or wait until it has closed itself; returns whether it is closed."""
        deadline = time.monotonic() + SECONDS_TO_CLOSE
        while True:
            reap(self._study.parent)
            if read_manifest(directory).status != "RUNNING":
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)

    def _write_account(self) -> None:
        rows = self._ledger.rows
        self._parent.write_text("sweep.csv", write_csv(rows))
        self._parent.write_text("sweep.md", write_markdown(rows))
        count = Counter(row["status"] for row in rows)
        failed = len(rows) - count["FINISHED"] - count["PRUNED"]
        counts = {"jobs/total": len(rows), "jobs/finished": count["FINISHED"], "jobs/failed": failed}
        self._parent.set_summary(counts | ({"jobs/pruned": count["PRUNED"]} if count["PRUNED"] else {}))

    def _print_account(self) -> None:
        outcomes = self._outcomes
        rows = [make_row(job, outcomes.get(job.identity)) for job in self._jobs.values()]
        before = {str(outcome.job.number) for outcome in outcomes.values() if not outcome.attempts}
        self._console.print(make_screen_table(rows, varied=self._varied, before=before))
        failed, total = self.num_failed, len(self._jobs)
        pruned = sum(outcome.ending.status == "PRUNED" for outcome in outcomes.values())
        told = [f"{total - failed - pruned} of {total} jobs finished"]
        told += [f"{len(before)} of them before"] if before else []
        told += [f"{pruned} pruned"] if pruned else []
        told += [f"{failed} did not"] if failed else []
        logs = f"; their output: {self.directory / 'jobs'}" if failed else ""
        self._print(f"{', '.join(told)}. Sweep: {self.directory}{logs}")

    def _print(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)


class _Monitor:
    """Stands between the pool, which knows assignments, and the sweep, which knows jobs."""

    def __init__(
        self,
        sweep: Sweep,
        progress: SweepProgress,
        *,
        watch: Watch | None,
        settle: Callable[[Outcome], None] | None,
    ) -> None:
        self.jobs: dict[int, Job] = {}
        self._sweep, self._progress, self._watch, self._settle = sweep, progress, watch, settle

    def notice(self, assignment: Assignment, ending: Ending, attempts: int) -> None:
        outcome = self._sweep.account(self.jobs[assignment.number], ending, attempts)
        self._progress.show(outcome)
        if self._settle is not None:
            self._settle(outcome)

    def renew(self, assignment: Assignment) -> Assignment:
        return self._sweep.renew(self.jobs[assignment.number], assignment)

    def tick(self, running: Collection[int]) -> Mapping[int, str]:
        self._progress.tick()
        if self._watch is None:
            return {}
        found = {number: self._sweep.find_run(self.jobs[number]) for number in running}
        reasons = {number: self._watch(self.jobs[number], run) for number, run in found.items() if run is not None}
        return {number: reason for number, reason in reasons.items() if reason is not None}


_UNREAD = object()


def _open_console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=160)  # a file has no edge to wrap at


def _recall(job: Job, earlier: Earlier, value: float | None) -> Outcome:
    value = earlier.value if value is None else value
    ending = Ending(status="FINISHED", seconds=earlier.seconds, value=value)
    return Outcome(job=job, ending=ending, attempts=0, run=earlier.directory.name, score=earlier.score)
