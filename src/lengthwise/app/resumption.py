"""How to resume what was interrupted: the command that a user is shown."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from lengthwise.app.task import Task
from lengthwise.config.options import RunOptions


def describe_resumption(task: Task) -> str:
    """Say how to resume the work of this process.

    Args:
        task: What was begun.

    Returns:
        One sentence; empty if no run was begun, or if it has finished.
    """
    if task.sweeps:
        return "The same command again resumes interrupted jobs and runs what is missing."
    name = None if task.options is None else _find_unfinished_run(task.options)
    if task.options is None or name is None:
        return ""
    program = task.command[:2] if task.command[0] == "python" else task.command[:1]
    words = [*program, f"resume={name}", *_list_places(task.command, task.options)]
    return f"To resume the run: {' '.join(words)}"


def _find_unfinished_run(options: RunOptions) -> str | None:
    """Return the name of the newest run of this process; None if there is none, or if it has finished."""
    from lengthwise.config.paths import find_output_dir
    from lengthwise.tracking.runs.find import list_runs
    from lengthwise.tracking.runs.process import current_process

    process = current_process()
    for run in list_runs(find_output_dir(options)):
        found = run.manifest.process
        if (found.host, found.pid, found.pid_namespace) == (process.host, process.pid, process.pid_namespace):
            return run.manifest.name if run.manifest.status != "FINISHED" else None
    return None


def _list_places(command: Sequence[str], options: RunOptions) -> list[str]:
    """Return the options of the command that say where the run is; also `output_dir`, where a study's file sets it."""
    from lengthwise.config.compose import compose_options
    from lengthwise.tracking.session import names_tracking

    places = [word for word in command if word.startswith("output_dir=") or names_tracking([word])]
    is_typed = any(word.startswith("output_dir=") for word in places)
    if not is_typed and options.output_dir != compose_options([]).output_dir:
        places.append(f"output_dir={options.output_dir}")
    return [shlex.quote(word) for word in places]
