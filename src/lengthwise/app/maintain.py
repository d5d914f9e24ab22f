"""The commands that look after runs and the installation: ui, sync, reap, check."""

from __future__ import annotations

import sys
import tempfile
import time
from typing import TYPE_CHECKING

from lengthwise.app.exit_status import EXIT_FAILED
from lengthwise.app.request import Request
from lengthwise.config.paths import find_output_dir
from lengthwise.errors import ConfigError, LengthwiseError, count_noun, printable

if TYPE_CHECKING:
    from lengthwise.config.options import MlflowOptions, RunOptions

_MOST_COLUMNS = 6


def serve_ui(request: Request) -> int:
    """Serve MLflow's user interface until Ctrl-C; its address opens the runs of one study, sorted by their score."""
    from lengthwise.config.options import MlflowOptions
    from lengthwise.tracking.mlflow.ui import serve_ui as serve

    options, port = request.compose(), request.flags.port
    tracking = options.tracking
    if not isinstance(tracking, MlflowOptions):
        remedy = "Leave it out, or use `lengthwise runs`"
        raise ConfigError("tracking", "must be mlflow for the UI", received=tracking.name, remedy=remedy)
    if not 1 <= port <= 65535:
        raise ConfigError("--port", "must be from 1 to 65535", received=str(port), remedy="Choose another")
    return serve(tracking.uri, port, page=_find_page(options, tracking, request.first))


def _find_page(options: RunOptions, tracking: MlflowOptions, study: str | None) -> str:
    """Return the page of a study, or of the newest; that of all experiments where there is none, or none can be set."""
    from lengthwise.studies.axes import find_axes
    from lengthwise.tracking.mlflow.store import open_store
    from lengthwise.tracking.mlflow.views import EXPERIMENTS_PAGE, share_view
    from lengthwise.tracking.runs.find import list_runs

    output_dir = find_output_dir(options)
    runs = [run.manifest for run in list_runs(output_dir, study) if run.manifest.record.kind == "run"]
    if not runs and study is not None:
        raise LengthwiseError(f"There are no runs of a study {study!r} in {output_dir}. `lengthwise runs` lists all.")
    own = [run for run in runs if run.record.study == runs[0].record.study]
    if not own:
        return EXPERIMENTS_PAGE
    axes = [axis.option for axis in find_axes([run.record.params for run in own], {})][:_MOST_COLUMNS]
    metric = next((run.record.primary_metric for run in own if run.record.primary_metric is not None), None)
    try:
        return share_view(open_store(tracking.uri), own[0].record.study, [*axes, "seed"], metric)
    except Exception as error:  # the runs can be browsed all the same
        print(f"The view of {own[0].record.study} could not be set: {printable(str(error))}", file=sys.stderr)
        return EXPERIMENTS_PAGE


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


def check_installation(request: Request) -> int:
    """Print versions and devices, and train for an instant in a directory that is removed again."""
    del request
    from lengthwise.app.hydra_app import run_overrides
    from lengthwise.silence import silence_import
    from lengthwise.tracking.runs.provenance import read_versions

    print("\n".join(f"{name:12}{version}" for name, version in read_versions().items()))
    with silence_import():
        from lengthwise.models.devices import list_devices
    print(f"{'devices':12}{', '.join(list_devices())}\n", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        small = ("training=quick", "training.epochs=1", "latent_dim=8", "tracking=directory", "study=check")
        began = time.monotonic()
        run_overrides([*small, f"output_dir={directory}"])
    print(f"\nA run was trained, decoded and scored in {time.monotonic() - began:.0f} s, and is removed. All is well.")
    return 0
