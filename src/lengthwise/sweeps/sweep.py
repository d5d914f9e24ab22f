"""A sweep: a parent run, its jobs in worker processes, and the account of every one of them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console

from lengthwise.config.options import LocalLauncherOptions
from lengthwise.config.parse import Scalar, flatten_options
from lengthwise.config.places import project_root
from lengthwise.errors import RunError
from lengthwise.launch import JOB_TAG, RUN_EXPERIMENT, Launch
from lengthwise.sweeps.plan import Ending, Job, Outcome
from lengthwise.sweeps.pool import choose_size, run_assignments
from lengthwise.sweeps.progress import SweepProgress
from lengthwise.sweeps.table import find_varied, make_rows, make_screen_table, write_csv, write_markdown
from lengthwise.sweeps.work import Assignment
from lengthwise.tracking.heartbeat import reap
from lengthwise.tracking.manifest import Manifest, read_manifest
from lengthwise.tracking.record import RunRecord
from lengthwise.tracking.run import Run, start_run


class Sweep:
    """The jobs of one command; a context in which the parent run is open.

    Args:
        jobs: the first jobs, at least one; their first says where the parent run is kept.
        options: of the launcher.
        command: the command as typed.
        function: what a job does, as `module:function`.
        console: where progress and the final table go.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        options: LocalLauncherOptions,
        *,
        command: tuple[str, ...],
        function: str = RUN_EXPERIMENT,
        console: Console | None = None,
    ) -> None:
        self._options, self._command, self._function = options, command, function
        self._console = console or _open_console()
        self._first_jobs = tuple(jobs)
        self._jobs: list[Job] = []
        self._outcomes: list[Outcome] = []
        self._varied = find_varied(jobs)
        self._runs: dict[Path, Manifest | None] = {}
        self._ending = contextlib.ExitStack()
        self._parent: Run | None = None

    def __enter__(self) -> Sweep:
        record = _describe_parent(self._first_jobs, self._command)
        tracking = self._first_jobs[0].options.tracking
        self._parent = self._ending.enter_context(start_run(record, tracking))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._write_account()
        finally:
            self._ending.__exit__(kind, error, trace)
        self._print_account()

    @property
    def num_failed(self) -> int:
        """Jobs so far that did not finish."""
        return len(self._jobs) - sum(not outcome.failed for outcome in self._outcomes)

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Run jobs side by side, each with its share of the cores, until each has ended.

        Args:
            jobs: numbered on from those before.

        Returns:
            What came of each, in the order of `jobs`.
        """
        self._jobs.extend(jobs)
        size = choose_size(self._options, len(jobs))
        by_number = {job.number: job for job in jobs}
        outcomes: dict[int, Outcome] = {}
        self._announce(len(jobs), size.workers)
        with SweepProgress(jobs, varied=self._varied, workers=size.workers, console=self._console) as progress:

            def notice(assignment: Assignment, ending: Ending, attempts: int) -> None:
                outcome = self._account(by_number[assignment.number], ending, attempts)
                outcomes[assignment.number] = outcome
                self._outcomes.append(outcome)
                progress.show(outcome)

            run_assignments(
                [self._assign(job, cores=size.cores) for job in jobs],
                self._options,
                workers=size.workers,
                notice=notice,
                tick=progress.tick,
            )
        self._write_account()
        return [outcomes[job.number] for job in jobs]

    def _announce(self, num_jobs: int, workers: int) -> None:
        same = [text for text in self._jobs[0].overrides if text.partition("=")[0] not in self._varied]
        words = f"{num_jobs} jobs, {workers} at a time, study {self._open_parent().directory.parent.name}"
        self._console.print("  ".join([words, *same]), soft_wrap=True, highlight=False, markup=False)

    def _open_parent(self) -> Run:
        if self._parent is None:
            raise RuntimeError("a sweep runs jobs only inside its context")
        return self._parent

    def _assign(self, job: Job, *, cores: int) -> Assignment:
        parent = self._open_parent()
        launch = Launch(
            command=self._command, overrides=job.overrides, parent=parent.name, job_number=job.number, cores=cores
        )
        log = parent.path("jobs", f"{job.number:03d}.log")
        return Assignment(number=job.number, function=self._function, options=job.options, launch=launch, log=log)

    def _account(self, job: Job, ending: Ending, attempts: int) -> Outcome:
        """Return what came of a job, with what its run directory says; a run that died is closed."""
        output_dir = find_output_dir(job)
        if ending.status == "KILLED":
            reap(output_dir)
        manifest = self._find_run(job, output_dir / job.options.study)
        run = None if manifest is None else manifest.name
        score = None
        if manifest is not None and manifest.primary_metric is not None:
            name = manifest.primary_metric.name
            score = (name, manifest.summary[name]) if name in manifest.summary else None
        return Outcome(job=job, ending=ending, attempts=attempts, run=run, score=score)

    def _find_run(self, job: Job, study: Path) -> Manifest | None:
        """Return the manifest of the job's latest attempt."""
        parent = self._open_parent().name
        found = []
        for directory in study.iterdir() if study.is_dir() else ():
            if self._runs.get(directory, _UNREAD) is _UNREAD:
                with contextlib.suppress(RunError):  # being made just now by another process
                    manifest = read_manifest(directory)
                    self._runs[directory] = manifest if manifest.parent == parent else None
            known = self._runs.get(directory)
            if known is not None and known.tags.get(JOB_TAG) == str(job.number):
                found.append(directory)
        return read_manifest(max(found)) if found else None

    def _write_account(self) -> None:
        parent = self._open_parent()
        rows = make_rows(self._jobs, self._outcomes)
        parent.write_text("sweep.csv", write_csv(rows))
        parent.write_text("sweep.md", write_markdown(rows))
        failed = self.num_failed
        counts = {"jobs/total": len(self._jobs), "jobs/finished": len(self._jobs) - failed, "jobs/failed": failed}
        parent.set_summary(counts)

    def _print_account(self) -> None:
        parent = self._open_parent()
        self._console.print(make_screen_table(make_rows(self._jobs, self._outcomes), varied=self._varied))
        failed, total = self.num_failed, len(self._jobs)
        counts = f"{total - failed} of {total} jobs finished" + (f", {failed} did not" if failed else "")
        logs = f"; their output: {parent.directory / 'jobs'}" if failed else ""
        self._console.print(f"{counts}. Sweep: {parent.directory}{logs}", soft_wrap=True, highlight=False, markup=False)


_UNREAD = object()


def _open_console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=160)  # a file has no edge to wrap at


def find_output_dir(job: Job) -> Path:
    """Return the directory that a job's run directory is made below, absolute.

    Args:
        job: the job.
    """
    return project_root() / job.options.output_dir


def _describe_parent(jobs: Sequence[Job], command: tuple[str, ...]) -> RunRecord:
    return RunRecord(
        output_dir=find_output_dir(jobs[0]),
        study=jobs[0].options.study,
        label="sweep",
        config_text=json.dumps({"jobs": [list(job.overrides) for job in jobs]}, indent=1),  # JSON is YAML
        params=_merge_params(jobs),
        tags={"lengthwise.num_jobs": str(len(jobs))},
        command=command,
        dataset=None,
        parent=None,
        seed=None,
        kind="sweep",
    )


def _merge_params(jobs: Sequence[Job]) -> dict[str, Scalar]:
    """Return each option with its value where all jobs agree, else with the values it takes, as `32, 64`."""
    taken: dict[str, dict[Scalar, None]] = {}
    for job in jobs:
        for key, value in flatten_options(job.options).items():
            taken.setdefault(key, {})[value] = None
    return {
        key: next(iter(values)) if len(values) == 1 else ", ".join(str(value) for value in values)
        for key, values in taken.items()
    }
