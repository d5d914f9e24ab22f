"""The commands that look after runs: ui, sync, reap."""

from __future__ import annotations

import sys

from lengthwise.app.exit_status import EXIT_FAILED
from lengthwise.app.request import Request
from lengthwise.config.paths import find_output_dir
from lengthwise.errors import ConfigError, count_noun, printable


def serve_ui(request: Request) -> int:
    """Serve MLflow's user interface until Ctrl-C."""
    from lengthwise.config.options import MlflowOptions
    from lengthwise.tracking.mlflow.ui import serve_ui as serve

    tracking, port = request.compose().tracking, request.flags.port
    if not isinstance(tracking, MlflowOptions):
        remedy = "Leave it out, or use `lengthwise runs`"
        raise ConfigError("tracking", "must be mlflow for the UI", received=tracking.name, remedy=remedy)
    if not 1 <= port <= 65535:
        raise ConfigError("--port", "must be from 1 to 65535", received=str(port), remedy="Choose another")
    return serve(tracking.uri, port)


def sync_runs(request: Request) -> int:
    """Bring MLflow up to date with one run, or all."""
    from lengthwise.tracking.mlflow.mirror import sync

    options = request.compose()
    synced = sync(find_output_dir(options), options.tracking, run=request.first)
    problems = [each for each in synced if each.problem is not None]
    for each in problems:
        print(printable(f"{each.name}: {each.problem}"), file=sys.stderr)
    print(f"{len(synced) - len(problems)} of {count_noun(len(synced), 'run')} up to date in MLflow.")
    return EXIT_FAILED if problems else 0


def reap_runs(request: Request) -> int:
    """Close the runs whose process died."""
    from lengthwise.tracking.runs.find import list_runs
    from lengthwise.tracking.runs.heartbeat import reap, reap_listed

    output_dir = find_output_dir(request.compose())
    closed = (*reap(output_dir), *reap_listed(list_runs(output_dir)))
    for directory in closed:
        print(f"{printable(directory.name)}: KILLED, its process is dead")
    advice = " `lengthwise sync` brings MLflow up to date." if closed else ""
    print(f"{count_noun(len(closed), 'run')} closed.{advice}")
    return 0
