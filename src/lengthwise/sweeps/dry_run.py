"""A sweep that is only shown: its jobs, which of them are done, and how long the others will take."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from lengthwise.errors import count_noun
from lengthwise.sweeps.executors.contract import Executor
from lengthwise.sweeps.finished_jobs import History, read_score
from lengthwise.sweeps.jobs import Job
from lengthwise.sweeps.parent_run import find_study
from lengthwise.sweeps.table import Row, find_varied, make_row, make_screen_table
from lengthwise.tracking.runs.find import StoredRun
from lengthwise.tracking.runs.manifest import Manifest

_ALIKE = ("model.name", "dataset.name")
"""Options by which finished runs are chosen whose duration a job can be expected to have."""


def print_dry_run(jobs: Sequence[Job], executor: Executor, *, repeat: bool, console: Console) -> None:
    """Print the jobs of a sweep without running any; nothing is written.

    Args:
        jobs: At least one.
        executor: Says how many run side by side.
        repeat: Whether finished jobs are run again.
        console: Where to.
    """
    history = History()
    found = {job.identity: None if repeat else history.find(job, find_study(job)) for job in jobs}
    waiting = {job.identity: job for job in jobs if not _is_done(found[job.identity])}
    rows = [_make_row(job, found[job.identity]) for job in jobs]
    console.print(make_screen_table(rows, varied=find_varied(jobs), width=console.width))
    num_workers = executor.choose_size(len(waiting)).num_workers if waiting else 0
    finished = history.list_finished(find_study(jobs[0]))
    parts = [count_noun(len(found), "job"), f"{len(found) - len(waiting)} done", f"{len(waiting)} to run"]
    time = f" {num_workers} at a time. {_estimate(list(waiting.values()), finished, num_workers)}" if waiting else ""
    console.print(f"{', '.join(parts)}.{time} Nothing was started.", soft_wrap=True, highlight=False, markup=False)


def _is_done(run: StoredRun | None) -> bool:
    return run is not None and run.manifest.status == "FINISHED"


def _make_row(job: Job, run: StoredRun | None) -> Row:
    row = make_row(job, None) | {"status": "TO RUN"}
    if run is None:
        return row
    manifest = run.manifest
    row |= {"run": manifest.name, "status": "DONE" if _is_done(run) else "TO RESUME"}
    score = read_score(manifest)
    if _is_done(run) and score is not None:
        row |= {"score": f"{score.metric}={score.value:.6g}", "seconds": f"{manifest.duration_seconds or 0:.1f}"}
    return row


def _estimate(waiting: Sequence[Job], finished: Sequence[Manifest], num_workers: int) -> str:
    """Say how long the jobs will take, by the finished runs of the study: those most alike, else all."""
    if not finished:
        return "How long they take is not known: no run of the study has finished."
    times = [_expect(job, finished) for job in waiting]
    minutes = max(sum(times) / num_workers, *times) / 60 if len(times) > 1 else times[0] / 60
    shown = (
        f"{minutes * 60:.0f} s" if minutes < 2 else f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
    )
    return f"Expected: about {shown}, by {count_noun(len(finished), 'finished run')} of the study."


def _expect(job: Job, finished: Sequence[Manifest]) -> float:
    """Return the mean duration of the finished runs that are most like a job, seconds."""
    own = {"model.name": job.options.model.name, "dataset.name": job.options.dataset.name}
    alike = [run for run in finished if all(run.record.params.get(name) == own[name] for name in _ALIKE)]
    seconds = [run.duration_seconds or 0.0 for run in alike or finished]
    return sum(seconds) / len(seconds)
