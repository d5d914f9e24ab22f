"""The commands that use what was trained: decode, evaluate, report, serve, register, export."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from lengthwise.errors import ConfigError, DataError, LengthwiseError

if TYPE_CHECKING:
    from lengthwise.serving.predictor import Prediction, Predictor


def decode_sources(given: argparse.Namespace) -> int:
    """Decode texts, or the lines of a file, one line of output each."""
    if bool(given.rest) == (given.file is not None):
        raise LengthwiseError("Give texts to decode after the run, or a file with --file FILE.")
    if given.probabilities and not given.json:
        raise ConfigError("--probabilities", "has no effect without --json", received=None, remedy="Add --json")
    if given.best is not None and (given.file is not None or given.probabilities):
        remedy = "Give the texts themselves, without --probabilities"
        raise ConfigError("--best", "goes with texts on the command line alone", received=None, remedy=remedy)
    with _open_lines(given.file) as lines:
        predictor = _load(given)
        if given.best is not None:
            return _print_best(predictor, given.rest, given.best, as_json=given.json)
        if lines is not None:
            return _decode_file(predictor, lines, given)
        for prediction in predictor.decode(given.rest, probabilities=given.probabilities):
            print(_write_line(prediction, as_json=given.json))
    return 0


def _load(given: argparse.Namespace) -> Predictor:
    from lengthwise.serving.loading import load_run

    return load_run(_name_run(given), given.overrides)


def _name_run(given: argparse.Namespace) -> str:
    if given.word is None:
        raise LengthwiseError("Name a run: its id, a directory, `latest`, `best:STUDY`. `lengthwise runs` lists them.")
    return str(given.word)


@contextlib.contextmanager
def _open_lines(name: str | None) -> Iterator[TextIO | None]:
    """Open a file before anything slow begins; `-` is standard input."""
    if name is None or name == "-":
        if name == "-":
            sys.stdin.reconfigure(encoding="utf-8", errors="replace", newline="\n")  # type: ignore[union-attr]
        yield None if name is None else sys.stdin
        return
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(Path(name).open(encoding="utf-8", errors="replace", newline="\n"))
        except OSError as error:
            raise DataError(name, None, f"it cannot be read ({error.strerror})", remedy="Name a text file") from error
        yield file


def _decode_file(predictor: Predictor, lines: TextIO, given: argparse.Namespace) -> int:
    from rich.console import Console

    from lengthwise.pipeline.progress import show_progress
    from lengthwise.serving.stream import decode_lines, read_lines

    # A bar and lines on one terminal would cut each other up.
    console = Console(stderr=True, force_terminal=False if sys.stdout.isatty() else None)
    with show_progress(console, "decoding", None) as report:
        for prediction in decode_lines(predictor, read_lines(lines), probabilities=given.probabilities, report=report):
            # In one piece, so that Ctrl-C leaves whole lines; `print` writes the end of a line apart.
            sys.stdout.write(f"{_write_line(prediction, as_json=given.json)}\n")
    return 0


def _write_line(prediction: Prediction, *, as_json: bool) -> str:
    from lengthwise.serving.stream import describe_prediction

    if as_json or not isinstance(prediction.value, str):
        return json.dumps(describe_prediction(prediction), ensure_ascii=False)
    return prediction.value


def _print_best(predictor: Predictor, texts: list[str], num_best: int, *, as_json: bool) -> int:
    for hypotheses in predictor.search(texts, num_best):
        if as_json:
            listed = [
                {"prediction": each.value, "log_probability": each.log_probability, "score": each.score}
                for each in hypotheses
            ]
            print(json.dumps({"hypotheses": listed}, ensure_ascii=False))
        else:
            print("\n".join(f"{each.score:.4f}\t{each.value}" for each in hypotheses))
    return 0


def evaluate_run(given: argparse.Namespace) -> int:
    """Score a run's weights under another decoding, into the same run."""
    from rich.console import Console

    from lengthwise.config.compose import compose_options
    from lengthwise.pipeline.reevaluation import reevaluate_run
    from lengthwise.serving.loading import check_model, find_output_dir, part_overrides
    from lengthwise.tracking.runs.find import find_run

    places, changes = part_overrides(given.overrides)
    if not changes:
        rule = "must be another than the run's own, by which it is scored already"
        remedy = "Add decoding=NAME or decoding.OPTION=VALUE, such as decoding.length=oracle"
        raise ConfigError("decoding", rule, received=None, remedy=remedy)
    options = compose_options(places)
    run = find_run(find_output_dir(options), _name_run(given))
    is_tracked_elsewhere = any(word.startswith("tracking") for word in places)
    reevaluate_run(
        check_model(run),
        changes,
        console=Console(highlight=False),
        tracking=options.tracking if is_tracked_elsewhere else None,
    )
    return 0


def write_report(given: argparse.Namespace) -> int:
    """Write the report on studies, and print what it says."""
    if given.word is None:
        raise LengthwiseError("Name a study, or several. `lengthwise runs` lists their runs.")
    from lengthwise.config.compose import compose_options
    from lengthwise.config.paths import project_root
    from lengthwise.studies.collect import report_studies

    output_dir = project_root() / compose_options(given.overrides).output_dir
    destination = None if given.output is None else Path(given.output)
    written = report_studies(output_dir, [given.word, *given.rest], destination=destination)
    width = min(shutil.get_terminal_size((120, 24)).columns, 120)
    print("\n\n".join(textwrap.fill(paragraph, width) for paragraph in written.answer))
    print(f"\nreport  {written.html}")
    return 0


def serve_run(given: argparse.Namespace) -> int:
    """Answer requests over HTTP on this machine until Ctrl-C."""
    if not 0 <= given.port <= 65535:
        raise ConfigError("--port", "must be from 0 to 65535", received=str(given.port), remedy="Choose another")
    predictor = _load(given)
    from lengthwise.serving.server import ADDRESS, PredictionServer

    try:
        server = PredictionServer(predictor, _name_run(given), given.port)
    except OSError as error:
        rule = f"must be free ({error.strerror})"
        raise ConfigError("--port", rule, received=str(given.port), remedy="Choose another, or 0 for any") from error
    with server:
        print(f"http://{ADDRESS}:{server.server_port}/  answers GET / and POST /decode; Ctrl-C stops it.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
    return 0


def register_run(given: argparse.Namespace) -> int:
    """Register a run's model in MLflow under a name."""
    from lengthwise.config.compose import compose_options
    from lengthwise.config.options import MlflowOptions
    from lengthwise.serving.loading import check_model, find_output_dir, part_overrides
    from lengthwise.tracking.mlflow.registry import register_model
    from lengthwise.tracking.runs.find import find_run

    if len(given.rest) != 1:
        raise LengthwiseError("`lengthwise register` takes a run and the name to register it under: RUN NAME.")
    options = compose_options(part_overrides(given.overrides)[0])
    directory = check_model(find_run(find_output_dir(options), _name_run(given)))
    if not isinstance(options.tracking, MlflowOptions):
        raise ConfigError("tracking", "must be mlflow to register", received="'directory'", remedy="Leave it out")
    name = given.rest[0]
    version = register_model(directory, options.tracking, name=name, alias=given.alias)
    print(f"models:/{name}/{version}" + (f"  models:/{name}@{given.alias}" if given.alias else ""))
    return 0


def export_run(given: argparse.Namespace) -> int:
    """Write a run's model as a SavedModel."""
    if len(given.rest) != 1:
        raise LengthwiseError("`lengthwise export` takes a run and the directory to be made: RUN DIRECTORY.")
    predictor = _load(given)
    from lengthwise.serving.export import export_model

    export_model(predictor, Path(given.rest[0]))
    print(given.rest[0])
    return 0
