"""What a sweep says about itself: how much there is to do, and what was done."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from lengthwise.config.paths import project_root
from lengthwise.errors import count_noun
from lengthwise.sweeps.jobs import JobResult
from lengthwise.tracking.runs.manifest import Manifest
from lengthwise.tracking.runs.provenance import read_git

INTERRUPTED = "interrupted; the same command resumes it"
"""Reason of a job that was running when its sweep was stopped."""


def describe_start(num_jobs: int, *, num_workers: int, study: str, shared: Sequence[str]) -> str:
    """Say what a sweep is about to run.

    Args:
        num_jobs: Those that had finished before included.
        num_workers: Jobs side by side; 0 if there is nothing to run.
        study: Name of the study.
        shared: Overrides that all jobs have.
    """
    workers = f"{num_workers} at a time, " if num_workers else ""
    return "  ".join([f"{count_noun(num_jobs, 'job')}, {workers}study {study}", *shared])


def describe_recalled(num_recalled: int, manifests: Collection[Manifest]) -> str:
    """Say that jobs had finished before, and if another commit made their runs: equal versions do not show that.

    Args:
        num_recalled: Jobs that had finished before.
        manifests: Of their runs.
    """
    text = f"{num_recalled} finished before; hydra.launcher.finished=repeat runs them again"
    git, _ = read_git(project_root())
    commits = {manifest.git.commit for manifest in manifests if manifest.git is not None} - {None}
    if git is None or not commits or commits == {git.commit}:
        return text
    return f"{text} (made by other commits than {(git.commit or 'none')[:7]}, the present one)"


def describe_end(num_jobs: int, results: Collection[JobResult], directory: Path) -> str:
    """Say how many jobs have finished, and where everything is.

    Args:
        num_jobs: Of this command.
        results: Of those that ended.
        directory: Of the sweep's parent run.
    """
    num_before = sum(not result.num_attempts for result in results)
    num_pruned = sum(result.attempt.status == "PRUNED" for result in results)
    num_finished = sum(result.attempt.status == "FINISHED" for result in results)
    num_failed = num_jobs - num_finished - num_pruned
    num_incomplete = sum(bool(result.missing) for result in results)
    counts = [f"{num_finished} of {count_noun(num_jobs, 'job')} finished"]
    if num_before:
        counts.append(f"{num_before} of them before")
    if num_pruned:
        counts.append(f"{num_pruned} pruned")
    if num_failed:
        counts.append(f"{num_failed} did not")
    if num_incomplete:
        counts.append(f"{num_incomplete} without all results (`lengthwise evaluate RUN` writes them)")
    logs = f"; their output: {directory / 'jobs'}" if num_failed else ""
    return f"{', '.join(counts)}. Sweep: {directory}{logs}"
