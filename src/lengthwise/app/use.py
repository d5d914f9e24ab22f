"""The commands that use what was trained: decode, evaluate, report, serve, register, export."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from lengthwise.app.request import Request
from lengthwise.app.unknown_symbols import UnknownSymbols
from lengthwise.config.paths import find_output_dir
from lengthwise.errors import ConfigError, DataError, LengthwiseError, printable
from lengthwise.files import dump_json, open_whole

if TYPE_CHECKING:
    from lengthwise.data.datasets.new_files import NewSources
    from lengthwise.serving.predictor import Prediction, Predictor


def decode_sources(request: Request) -> int:
    """Decode texts, the lines or a column of a file, one line of output each, or a file of numbers."""
    flags, texts = request.flags, request.words[1:]
    _check_decode_flags(request)
    with contextlib.ExitStack() as opened:
        lines = opened.enter_context(_open_lines(flags.file))
        new = None if flags.file in (None, "-") else _read_new(request)
        if new is not None and not isinstance(new, list):
            return _decode_numbers(request, new)
        if new is None:
            _refuse_files(request)
        predictor = _load(request)
        opened.enter_context(_redirect(flags.output))
        if flags.best is not None:
            sources = texts if lines is None else new or lines
            _print_best(predictor, sources, flags.best, as_json=flags.json, has_numbers=lines is not None)
        elif lines is not None:
            _decode_lines(predictor, new or lines, as_json=flags.json, probabilities=flags.probabilities)
        else:
            unknown = UnknownSymbols()
            for prediction in predictor.decode(texts, probabilities=flags.probabilities):
                print(_format_prediction(prediction, as_json=flags.json))
                unknown.add(prediction.unknown)
            unknown.print_warning()
    return 0


def _check_decode_flags(request: Request) -> None:
    """Refuse flags of `decode` that contradict each other."""
    flags, texts = request.flags, request.words[1:]
    if bool(texts) == (flags.file is not None):
        raise LengthwiseError("Give texts to decode after the run, or a file with --file FILE.")
    if flags.probabilities and not flags.json:
        raise ConfigError("--probabilities", "has no effect without --json", received=None, remedy="Add --json")
    if flags.best is not None and flags.probabilities:
        rule = "has no effect with --probabilities, which are those of one text"
        raise ConfigError("--best", rule, received=None, remedy="Leave one of them out")
    if flags.best is not None and flags.best < 1:
        raise ConfigError("--best", "must be at least 1", received=str(flags.best), remedy="Choose how many are shown")
    if flags.output is not None and flags.file is None:
        raise ConfigError("--output", "has no effect without --file", received=None, remedy="Add --file FILE")
    _check_apart(request)


def _decode_numbers(request: Request, new: NewSources) -> int:
    """Decode a file of numbers into another, or as lines of JSON."""
    from rich.console import Console

    from lengthwise.pipeline.progress import show_progress
    from lengthwise.serving.output_files import write_steps

    flags = request.flags
    for flag, value in (("--best", flags.best), ("--probabilities", flags.probabilities or None)):
        if value is not None:
            rule = "has no effect on a run on numbers, which has no distribution of symbols"
            raise ConfigError(flag, rule, received=None, remedy="Leave it out")
    predictor = _load(request)
    with show_progress(Console(stderr=True), "decoding", len(new.sources)) as on_progress:
        values = predictor.decode_steps(new.sources, on_progress=on_progress)
    if flags.output is not None:
        write_steps(flags.output, values, new.names, new.target_labels)
    else:
        for name, steps in zip(new.names, values, strict=True):
            print(dump_json({"id": name, "prediction": steps.tolist()}))
    return 0


def encode_sources(request: Request) -> int:
    """Write the latents of the lines of a file, or of its sequences of numbers."""
    from lengthwise.data.text_file import read_lines
    from lengthwise.serving.output_files import check_output, write_latents

    flags = request.flags
    if flags.file is None or flags.output is None:
        raise LengthwiseError("Give a file with --file FILE, and where the latents go with --output FILE.")
    check_output(flags.output)
    _check_apart(request)
    new = _read_new(request)
    if new is not None and not isinstance(new, list):
        write_latents(flags.output, _load(request).encode_steps(new.sources), new.names)
        return 0
    lines = read_lines(flags.file) if new is None else new
    predictor, unknown = _load(request), UnknownSymbols()
    for symbols in predictor.find_unknown(lines):
        unknown.add(symbols)
    write_latents(flags.output, predictor.encode(lines), lines)
    unknown.print_warning()
    return 0


def _read_new(request: Request) -> NewSources | list[str] | None:
    """Read the file of a request, before TensorFlow is imported.

    Returns:
        Sources of numbers; texts where the request says in which column they stand; None where each line is a text.
    """
    from lengthwise.data.datasets.new_files import TrainedData, choose_file, read_sources, read_texts
    from lengthwise.data.vocabulary import Vocabulary
    from lengthwise.serving.artifact_files import find_artifact, read_stored_model
    from lengthwise.serving.loading import find_model, split_overrides
    from lengthwise.serving.output_files import check_output

    files, others = _part_files(request.overrides)
    model = read_stored_model(find_artifact(find_model(request.words[0], split_overrides(others)[0])))
    is_text = isinstance(model.source_codec, Vocabulary)
    if is_text and not files:
        return None
    if request.flags.output is not None and not is_text:
        check_output(request.flags.output)
    data = TrainedData(spec=model.wiring.spec, source_codec=model.source_codec, target_codec=model.target_codec)
    options = choose_file(model.options, data, files, path=request.flags.file)
    if is_text:
        return read_texts(options.dataset, data)
    new = read_sources(options.dataset, data)
    for skipped in new.skipped:
        print(f"{printable(skipped.reason)}: {skipped.count:,}", file=sys.stderr)
    return new


def _check_apart(request: Request) -> None:
    """Refuse to write to the file that is read, which would be lost."""
    source, output = request.flags.file, request.flags.output
    paths = [Path(path) for path in (source, output) if path is not None and Path(path).exists()]
    if len(paths) == 2 and paths[0].samefile(paths[1]):
        raise ConfigError("--output", "is the file that is read", received=output, remedy="Name another file")


def _part_files(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part overrides into those of the dataset's file and others."""
    files = [line for line in overrides if re.match(r"\+*dataset[.=]", line)]
    return files, [line for line in overrides if line not in files]


def _refuse_files(request: Request) -> None:
    """Refuse columns where there is no file that has them."""
    for line in _part_files(request.overrides)[0]:
        rule = "has no effect without a file, in which it is a column"
        raise ConfigError(line.partition("=")[0], rule, received=None, remedy="Add --file FILE, or leave it out")


@contextlib.contextmanager
def _redirect(path: str | None) -> Iterator[None]:
    """Send the standard output to a file, if one is named."""
    if path is None:
        yield
        return
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(open_whole(Path(path)))
        except OSError as error:
            rule = f"cannot be written ({error.strerror})"
            raise ConfigError("--output", rule, received=path, remedy="Name another file") from error
        stack.enter_context(contextlib.redirect_stdout(file))
        yield


def _load(request: Request) -> Predictor:
    from lengthwise.serving.loading import load_run

    return load_run(request.words[0], _part_files(request.overrides)[1])


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


def _decode_lines(predictor: Predictor, lines: Iterable[str], *, as_json: bool, probabilities: bool) -> None:
    from rich.console import Console

    from lengthwise.pipeline.progress import show_progress
    from lengthwise.serving.stream import decode_lines, strip_ends

    # A bar and lines on one terminal would cut each other up.
    console = Console(stderr=True, force_terminal=False if sys.stdout.isatty() else None)
    unknown = UnknownSymbols()
    with show_progress(console, "decoding", None) as on_progress:
        for prediction in decode_lines(
            predictor, strip_ends(lines), probabilities=probabilities, on_progress=on_progress
        ):
            # In one piece, so that Ctrl-C leaves whole lines; `print` writes the end of a line apart.
            sys.stdout.write(f"{_format_prediction(prediction, as_json=as_json)}\n")
            unknown.add(prediction.unknown)
    unknown.print_warning()


def _format_prediction(prediction: Prediction, *, as_json: bool) -> str:
    from lengthwise.serving.stream import describe_prediction

    if as_json or not isinstance(prediction.value, str):
        return dump_json(describe_prediction(prediction))
    return _make_safe(prediction.value)


def _make_safe(text: str) -> str:
    """Return a text as it is for a file, and with control characters as escapes for a terminal, which acts on them."""
    return printable(text) if sys.stdout.isatty() else text


def _print_best(predictor: Predictor, lines: Iterable[str], num_best: int, *, as_json: bool, has_numbers: bool) -> None:
    """Print the best texts for each source: a line each, behind the number of the source where they are many."""
    from lengthwise.serving.stream import search_lines, strip_ends

    unknown = UnknownSymbols()
    for number, (hypotheses, symbols) in enumerate(search_lines(predictor, strip_ends(lines), num_best), start=1):
        unknown.add(symbols)
        place = f"{number}\t" if has_numbers else ""
        if as_json:
            listed = [
                {"prediction": each.value, "log_probability": each.log_probability, "score": each.score}
                for each in hypotheses
            ]
            print(dump_json({"hypotheses": listed, "unknown_symbols": len(symbols)}))
        else:
            written = [f"{place}{each.score:.4f}\t{_make_safe(each.value)}" for each in hypotheses]
            if written or not has_numbers:
                print("\n".join(written))
    unknown.print_warning()


def evaluate_run(request: Request) -> int:
    """Score a run's weights under another decoding or on a new file, or write what it lacks, into the same run."""
    from rich.console import Console

    from lengthwise.config.compose import compose_options
    from lengthwise.pipeline.reevaluation import reevaluate_run, write_missing
    from lengthwise.serving.loading import check_model, split_overrides
    from lengthwise.tracking.runs.find import find_run
    from lengthwise.tracking.session import names_tracking

    files, others = _part_files(request.overrides)
    places, changes = split_overrides(others)
    options = compose_options(places)
    run = find_run(find_output_dir(options), request.words[0], latest_among=("FINISHED",))
    console, is_named = Console(highlight=False), names_tracking(places)
    if request.flags.split is not None and not files:
        rule = "has no effect without dataset.path=FILE, whose split it names"
        raise ConfigError("--split", rule, received=request.flags.split, remedy="Add the file, or leave it out")
    if files:
        from lengthwise.pipeline.new_data import evaluate_file

        evaluate_file(
            check_model(run),
            [*files, *changes],
            name=request.flags.split,
            console=console,
            tracking=options.tracking,
            is_named=is_named,
        )
    elif changes:
        directory = check_model(run)
        reevaluate_run(directory, changes, console=console, tracking=options.tracking, is_named=is_named)
    else:
        write_missing(run.directory, console=console, tracking=options.tracking, is_named=is_named)
    return 0


def write_report(request: Request) -> int:
    """Write the report on studies, and print its first sentences."""
    from lengthwise.studies.report.writer import report_studies
    from lengthwise.studies.side_by_side.writer import report_side_by_side

    flags, output_dir = request.flags, find_output_dir(request.compose())
    destination = None if flags.output is None else Path(flags.output)
    if flags.side_by_side and flags.leave_out_failed:
        raise ConfigError("--side-by-side", "cannot be used with --leave-out-failed", received=None, remedy="Drop one")
    if flags.side_by_side:
        written = report_side_by_side(output_dir, request.words, destination=destination)
    else:
        written = report_studies(
            output_dir, request.words, destination=destination, leave_out_failed=flags.leave_out_failed
        )
    width = min(shutil.get_terminal_size((120, 24)).columns, 120)
    print("\n\n".join(textwrap.fill(paragraph, width) for paragraph in written.answer))
    print("\n".join(["", *written.commands, *([""] if written.commands else []), f"report  {written.html}"]))
    return 0


def serve_run(request: Request) -> int:
    """Answer requests over HTTP on this machine until Ctrl-C."""
    port = request.flags.port
    if not 0 <= port <= 65535:
        raise ConfigError("--port", "must be from 0 to 65535", received=str(port), remedy="Choose another")
    predictor = _load(request)
    from lengthwise.serving.http.server import ADDRESS, PredictionServer

    try:
        server = PredictionServer(predictor, request.words[0], port)
    except OSError as error:
        rule = f"must be free ({error.strerror})"
        raise ConfigError("--port", rule, received=str(port), remedy="Choose another, or 0 for any") from error
    with server:
        predictor.warm_up()
        print(f"http://{ADDRESS}:{server.server_port}/  answers GET / and POST /decode; Ctrl-C stops it.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
    return 0


def register_run(request: Request) -> int:
    """Register a run's model in MLflow under a name."""
    from lengthwise.config.compose import compose_options
    from lengthwise.config.options import MlflowOptions
    from lengthwise.serving.loading import check_model, split_overrides
    from lengthwise.tracking.mlflow.registry import register_model
    from lengthwise.tracking.runs.find import find_run

    run, name = request.words
    options = compose_options(split_overrides(request.overrides)[0])
    directory = check_model(find_run(find_output_dir(options), run, latest_among=("FINISHED",)))
    if not isinstance(options.tracking, MlflowOptions):
        raise ConfigError("tracking", "must be mlflow to register", received="'directory'", remedy="Leave it out")
    alias = request.flags.alias
    version = register_model(directory, options.tracking, name=name, alias=alias)
    print(f"models:/{name}/{version}" + (f"  models:/{name}@{alias}" if alias else ""))
    return 0


def export_run(request: Request) -> int:
    """Write a run's model as a SavedModel."""
    destination = request.words[1]
    predictor = _load(request)
    from lengthwise.serving.export import export_model

    export_model(predictor, Path(destination))
    print(destination)
    return 0
