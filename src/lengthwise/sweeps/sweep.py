"""A sweep: a parent run, its jobs side by side, and the result of every one of them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol

from rich.console import Console

from lengthwise.errors import printable
from lengthwise.pipeline.command import EXPERIMENT, WARNINGS_TAG, JobFunction, Launch
from lengthwise.sweeps.executors.contract import SECONDS_TO_CLOSE, Assignment, Executor, PoolSize
from lengthwise.sweeps.finished_jobs import History, find_parent_run, lock_study, read_score, read_validation_value
from lengthwise.sweeps.job_runs import JobRuns, await_closed
from lengthwise.sweeps.jobs import AttemptStatus, Job, JobResult
from lengthwise.sweeps.ledger import Ledger
from lengthwise.sweeps.messages import INTERRUPTED, describe_end, describe_recalled, describe_start
from lengthwise.sweeps.parent_run import build_parent_record, find_study, write_parent_config
from lengthwise.sweeps.progress import SweepProgress
from lengthwise.sweeps.table import find_varied, make_row, make_screen_table, write_csv, write_markdown
from lengthwise.tracking.runs.heartbeat import reap
from lengthwise.tracking.runs.manifest import Manifest, read_manifest
from lengthwise.tracking.runs.run import Run
from lengthwise.tracking.session import resume_run, start_run


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepOptions:
    """Where a sweep comes from.

    Args:
        command: The command as typed.
        function: What a job does.
        repeat: Whether to run every job again, even if it has finished before.
        parent: Name of the parent run to resume; None: the newest sweep of the study that has one of the jobs,
            otherwise a new one.
        varied: The options in which jobs differ; None: those in which the first jobs differ.
    """

    command: tuple[str, ...]
    function: JobFunction = EXPERIMENT
    repeat: bool = False
    parent: str | None = None
    varied: Sequence[str] | None = None


class Observer(Protocol):
    """Follows the jobs of a search."""

    def find_stop_reason(self, job: Job, directory: Path) -> str | None:
        """Return why a running job should be stopped; None if it should not. Called about twice a second."""

    def on_result(self, result: JobResult) -> None:
        """Take the result of a job."""


class Sweep:
    """The jobs of one command; a context in which the parent run is open.

    Jobs that earlier commands of the study have finished are not run again; interrupted ones are resumed. The executor
    reports to the sweep, which is its `Monitor`.

    Args:
        jobs: The first jobs, at least one; the first of them says where the parent run is stored.
        executor: Runs the jobs.
        options: Where the sweep comes from.
        console: Receives progress and the final table.
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
        self._results: dict[str, JobResult] = {}
        self._started: dict[str, Job] = {}
        self._recalled: list[Manifest] = []
        self._warnings: set[str] = set()
        self._observer: Observer | None = None

    def __enter__(self) -> Sweep:
        with contextlib.ExitStack() as opened, lock_study(self._study):
            reap(self._study.parent)
            self._parent: Run = opened.enter_context(self._open_parent_run())
            self._ledger = Ledger(self._parent.directory)
            self._ledger.enter(self._first_jobs)
            self._runs = JobRuns(self._parent.name)
            self._open_run = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._record_stopped()
            self._write_results()
        finally:
            self._open_run.__exit__(kind, error, trace)
        self._print_results()

    def _open_parent_run(self) -> AbstractContextManager[Run]:
        tracking = self._first_jobs[0].options.tracking
        found = self._find_parent_run()
        if found is None:
            return start_run(
                build_parent_record(self._first_jobs, self._options.command),
                tracking,
                output_dir=self._study.parent,
                config_text=write_parent_config(self._first_jobs),
            )
        return resume_run(found, tracking)

    def _find_parent_run(self) -> Path | None:
        if self._options.repeat:
            return None
        if self._options.parent is not None and (self._study / self._options.parent).is_dir():
            return self._study / self._options.parent
        return find_parent_run(self._study, self._first_jobs)

    @property
    def directory(self) -> Path:
        """Directory of the parent run."""
        return self._parent.directory

    @property
    def num_failed(self) -> int:
        """Jobs of this command that should have finished by now and did not."""
        return sum(identity not in self._results or self._results[identity].has_failed for identity in self._jobs)

    @property
    def num_incomplete(self) -> int:
        """Jobs of this command that have finished, but not with all their results."""
        return sum(bool(result.missing) for result in self._results.values())

    def run(self, jobs: Sequence[Job]) -> list[JobResult]:
        """Run jobs side by side, each with its share of the cores, until each has ended.

        Args:
            jobs: Any; equal ones are run once.

        Returns:
            The result of each, in the order of `jobs`.
        """
        entered = self._enter(jobs)
        different = {job.identity: job for job in entered}.values()
        waiting = [job for job in different if not self._is_done(job)]
        self._announce(len(different), len(waiting))
        if waiting:
            self._execute(waiting, len(waiting))
        else:
            self._write_results()  # who looks at the sweep between two calls finds every job in its table
        return [self._results[job.identity] for job in entered]

    def search(self, jobs: Iterable[Job], *, num_jobs: int, observer: Observer) -> None:
        """Run jobs that are chosen by the results of those before.

        Args:
            jobs: Drawn one at a time, whenever a worker is free.
            num_jobs: How many there will be at most.
            observer: Chooses them.
        """
        self._announce(num_jobs, num_jobs)
        self._observer = observer
        self._execute(self._draw(jobs, observer), num_jobs)

    def _draw(self, jobs: Iterable[Job], observer: Observer) -> Iterator[Job]:
        """Yield the jobs of a search that have to be run; report the others as done."""
        drawn = set()
        for each in jobs:
            (job,) = self._enter([each])
            if self._is_done(job):
                observer.on_result(self._results[job.identity])
            elif job.identity not in drawn:
                drawn.add(job.identity)
                yield job

    def _enter(self, jobs: Sequence[Job]) -> list[Job]:
        """Return the jobs as the ledger numbers them."""
        entered = self._ledger.enter(jobs)
        self._jobs |= {job.identity: job for job in entered}
        self._runs.skip_existing(find_study(job) for job in jobs)
        return entered

    def _is_done(self, job: Job) -> bool:
        """Return whether a job has been done before; if it was interrupted, note the run that it resumes."""
        if job.identity in self._results:
            return True
        found = None if self._history is None else self._history.find(job, find_study(job))
        if found is None:
            return False
        directory, manifest = found
        if manifest.status != "FINISHED":
            self._runs.resume(job, directory)
            return False
        self._recalled.append(manifest)
        self._record(_recall(job, manifest, self._ledger.find_value(job)))
        return True

    def _execute(self, jobs: Iterable[Job], num_jobs: int) -> None:
        size = self._executor.choose_size(num_jobs)
        self._progress = SweepProgress(
            num_jobs, varied=self._varied, num_workers=size.num_workers, console=self._console
        )
        with self._progress:
            assignments = (self._assign(job, size) for job in jobs)
            self._executor.run(assignments, num_workers=size.num_workers, monitor=self)
        self._write_results()

    def _assign(self, job: Job, size: PoolSize) -> Assignment:
        self._started[job.identity] = job
        resumed = self._runs.find_resumed(job)
        launch = Launch(
            command=self._options.command,
            overrides=job.overrides,
            parent=self._parent.name,
            job_number=job.number,
            cores=size.cores,
            resume=None if resumed is None else str(resumed),
        )
        log = self._parent.path("jobs", f"{job.number:03d}.log")
        return Assignment(job=job, function=self._options.function, launch=launch, log=log)

    def on_end(self, assignment: Assignment, attempt: AttemptStatus, num_attempts: int) -> None:
        """Record the result of a job, with what its run directory holds; a run that died is closed.

        A job has finished if its run has, whatever happened to its process afterwards.
        """
        job = assignment.job
        directory = self._runs.find(job)
        if attempt.status == "KILLED":
            reap(find_study(job).parent)
        result = JobResult(job=job, attempt=attempt, num_attempts=num_attempts, run=None, score=None)
        if directory is not None:
            manifest = read_manifest(directory)
            if manifest.status == "FINISHED" and attempt.status != "FINISHED":
                attempt = _read_attempt(manifest)
            result = _build_result(job, attempt, num_attempts, manifest)
        self._record(result)
        self._progress.show(result)
        if directory is not None:
            self._warn(manifest)
        if self._observer is not None:
            self._observer.on_result(result)

    def _warn(self, manifest: Manifest) -> None:
        """Print what a job warns of, once for all the jobs that do: their own output is in files."""
        for warning in manifest.record.tags.get(WARNINGS_TAG, "").splitlines():
            if warning not in self._warnings:
                self._warnings.add(warning)
                self._print(f"warning: {printable(warning)}")

    def on_retry(self, assignment: Assignment) -> Assignment:
        """Return the assignment for one more attempt at a job: it resumes the run of the attempt that died."""
        job = assignment.job
        directory = self._runs.find(job)
        if directory is None:
            return assignment
        if not await_closed(directory, SECONDS_TO_CLOSE):
            self._runs.skip(directory)
            return assignment
        self._runs.resume(job, directory)
        return replace(assignment, launch=replace(assignment.launch, resume=str(directory)))

    def on_tick(self, running: Sequence[Assignment]) -> Mapping[int, str]:
        """Update the progress; return which of the running jobs a search stops, by number, and why."""
        self._progress.tick()
        reasons: dict[int, str] = {}
        if self._observer is None:
            return reasons
        for job in (assignment.job for assignment in running):
            directory = self._runs.find(job)
            reason = None if directory is None else self._observer.find_stop_reason(job, directory)
            if reason is not None:
                reasons[job.number] = reason
        return reasons

    def _record(self, result: JobResult) -> None:
        self._results[result.job.identity] = result
        self._ledger.record(result)

    def _record_stopped(self) -> None:
        """Record the jobs that were running when the sweep was stopped, as their runs say; none after a normal end."""
        for job in [job for identity, job in self._started.items() if identity not in self._results]:
            reap(find_study(job).parent)
            directory = self._runs.find(job)
            if directory is not None:
                manifest = read_manifest(directory)
                self._record(_build_result(job, _read_attempt(manifest), 1, manifest))

    def _write_results(self) -> None:
        """Write the table of all jobs that the sweep has had, and their counts."""
        rows = self._ledger.rows
        self._parent.write_text("sweep.csv", write_csv(rows))
        self._parent.write_text("sweep.md", write_markdown(rows))
        count = Counter(row["status"] for row in rows)
        num_failed = len(rows) - count["FINISHED"] - count["PRUNED"]
        summary = {"jobs/total": len(rows), "jobs/finished": count["FINISHED"], "jobs/failed": num_failed}
        if count["PRUNED"]:
            summary["jobs/pruned"] = count["PRUNED"]
        self._parent.set_summary(summary)

    def _announce(self, num_jobs: int, num_waiting: int) -> None:
        num_workers = self._executor.choose_size(num_waiting).num_workers if num_waiting else 0
        shared = [text for text in self._first_jobs[0].overrides if text.partition("=")[0] not in self._varied]
        self._print(describe_start(num_jobs, num_workers=num_workers, study=self._study.name, shared=shared))
        if num_jobs > num_waiting:
            self._print(describe_recalled(num_jobs - num_waiting, self._recalled))
        if self._runs.num_resumed:
            self._print(f"{self._runs.num_resumed} interrupted before; they are resumed from their checkpoints")

    def _print_results(self) -> None:
        """Print the table of the jobs of this command."""
        rows = [make_row(job, self._results.get(job.identity)) for job in self._jobs.values()]
        before = {str(result.job.number) for result in self._results.values() if not result.num_attempts}
        self._console.print(make_screen_table(rows, varied=self._varied, width=self._console.width, before=before))
        self._print(describe_end(len(self._jobs), self._results.values(), self.directory))

    def _print(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)


def _open_console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=160)  # a file has no edge to wrap at


def _recall(job: Job, manifest: Manifest, value: float | None) -> JobResult:
    """Return the result of a job that had finished before; its value as the ledger has it, else as its run has it."""
    attempt = _read_attempt(manifest)
    return _build_result(job, attempt if value is None else replace(attempt, value=value), 0, manifest)


def _read_attempt(manifest: Manifest) -> AttemptStatus:
    """Return the status of a job's last attempt by its run, which has finished or was interrupted."""
    seconds = manifest.duration_seconds or 0.0
    if manifest.status == "FINISHED":
        return AttemptStatus(status="FINISHED", seconds=seconds, value=read_validation_value(manifest))
    return AttemptStatus(status="KILLED", seconds=seconds, reason=INTERRUPTED)


def _build_result(job: Job, attempt: AttemptStatus, num_attempts: int, manifest: Manifest) -> JobResult:
    return JobResult(
        job=job,
        attempt=attempt,
        num_attempts=num_attempts,
        run=manifest.name,
        score=read_score(manifest),
        missing=manifest.missing,
    )
