"""The command `lengthwise`; each part imports what it needs only when it is used."""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from lengthwise.app import use
from lengthwise.config.documentation import suggest
from lengthwise.errors import ConfigError, LengthwiseError

if TYPE_CHECKING:
    from lengthwise.config.documentation import OptionDescription
    from lengthwise.config.options import RunOptions
    from lengthwise.data.dataset import DataSpec
    from lengthwise.tracking.runs.find import RunSummary

REFUSED, INTERRUPTED = 2, 130

_PLACE_OR_DECODING = r"^(decoding|output_dir|tracking)[.=]"
_WHERE = "may be followed by OPTION=VALUE as for train, such as output_dir=DIR"


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """One command of `lengthwise`.

    Args:
        run: does it; returns the exit status.
        meaning: what it does, a sentence.
        takes_options: whether `OPTION=VALUE` may follow.
        word: what its first word without `=` is, such as `STUDY`; None where it takes none.
        rest: what further words are, such as `TEXT`; None where it takes one at most. Then only words that name the
            decoding, or where runs are, count as options: texts may hold a `=`.
        flags: further arguments, as `argparse` takes them.
    """

    run: Callable[[argparse.Namespace], int]
    meaning: str
    takes_options: bool = True
    word: str | None = None
    rest: str | None = None
    flags: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def main() -> None:
    """Run the command line of this process; ends it with a status other than 0 where something went wrong."""
    if sys.argv[1:2] == ["train"]:
        from lengthwise.app import hydra_app

        sys.argv[:] = [f"{sys.argv[0]} train", *sys.argv[2:]]
        hydra_app.main()
        return
    status = run_command(sys.argv[1:])
    if status:
        sys.exit(status)


def run_command(arguments: Sequence[str]) -> int:
    """Run one command other than `train`.

    Args:
        arguments: the command line without the program.

    Returns:
        The exit status: 0, or 2 after a message on standard error.
    """
    try:
        if not arguments or arguments[0] in ("-h", "--help"):
            print(USAGE)
            return 0 if arguments else REFUSED
        command, given = read_command(arguments)
        return command.run(given)
    except LengthwiseError as error:
        print(error, file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


class _Parser(argparse.ArgumentParser):
    """Refuses in one message, as everything else here does."""

    def error(self, message: str) -> NoReturn:
        raise LengthwiseError(f"{message[:1].upper()}{message[1:]}. `{self.prog} --help` shows how it is used.")


def read_command(arguments: Sequence[str]) -> tuple[Command, argparse.Namespace]:
    """Read a command line.

    Args:
        arguments: the command line without the program.

    Returns:
        The command, and what it was given.

    Raises:
        LengthwiseError: there is no such command, or it does not take what it was given.
    """
    name, *rest = arguments
    if name not in COMMANDS:
        hint = suggest(name, ("train", *COMMANDS))
        raise LengthwiseError(f"There is no command {name!r}. {hint}`lengthwise --help` lists them.")
    command = COMMANDS[name]
    parser = _Parser(prog=f"lengthwise {name}", description=command.meaning)
    for flag, settings in command.flags.items():
        parser.add_argument(flag, **settings)
    metavar = " ".join(filter(None, (command.word, command.rest))) or "OPTION=VALUE"
    parser.add_argument("words", nargs="*", metavar=metavar, help=_WHERE)
    given = parser.parse_intermixed_args(rest)
    is_option = re.compile("=" if command.rest is None else _PLACE_OR_DECODING)
    given.overrides = [word for word in given.words if is_option.search(word) and command.takes_options]
    words = [word for word in given.words if word not in given.overrides]
    given.rest = words[1:]
    if command.rest is None and len(words) > (command.word is not None):
        taken = f"one {command.word}" if command.word is not None else "none"
        raise LengthwiseError(f"`lengthwise {name}` takes {taken} of {' '.join(words)!r}. Leave the rest out.")
    given.word = words[0] if words else None
    return command, given


def _show_options(given: argparse.Namespace) -> int:
    from lengthwise.config.documentation import describe_options, find_options

    word = given.word
    found = find_options(word or "")
    if not found:
        hint = suggest(word or "", (option.name for option in describe_options()))
        raise LengthwiseError(f"No option speaks of {word!r}. {hint}`lengthwise options` lists all.")
    for line in format_options(found, width=shutil.get_terminal_size((120, 24)).columns):
        print(line)
    return 0


def format_options(found: Sequence[OptionDescription], *, width: int) -> list[str]:
    """Write the documentation of options.

    Args:
        found: the options, those of a section together.
        width: of a line, in characters.

    Returns:
        Lines.
    """
    lines: list[str] = []
    section = None
    for option in found:
        if option.section != section:
            section = option.section
            lines += [""] * bool(lines) + textwrap.wrap(f"{section or 'axes'}: {option.section_meaning}", width)
        kind = f"{option.type_text}; {option.range_text}" if option.range_text else option.type_text
        lines += textwrap.wrap(f"{option.name}  ({kind})", width, initial_indent="  ", subsequent_indent="      ")
        lines += textwrap.wrap(option.meaning, width, initial_indent="      ", subsequent_indent="      ")
    return lines


def _show_models(given: argparse.Namespace) -> int:
    from lengthwise.catalog.presets import list_presets, read_preset
    from lengthwise.catalog.table import describe_model, format_markdown, print_presets, tabulate_presets
    from lengthwise.config.compose import compose_options
    from lengthwise.models.wiring import resolve_wiring

    overrides = [_complete_model_option(override) for override in given.overrides]
    groups = {override.partition("=")[0].partition(".")[0] for override in overrides}
    kind = "dataset=digits" if given.features else "dataset=copy"
    options = compose_options([kind, *([f"model={given.word}"] if given.word else []), *overrides])
    spec = _find_sizes(given, options, is_named="dataset" in groups)
    if given.word is None and "model" not in groups:
        rows = tabulate_presets(list_presets(), options.latent_dim, spec)
        if given.markdown:
            print("\n".join(format_markdown(rows)))
        else:
            print_presets(rows, options.latent_dim, spec)
        return 0
    if given.markdown:
        raise LengthwiseError("`--markdown` writes the table of all models. Leave it out, or the model.")
    wiring = resolve_wiring(options.model, options.latent_dim, spec)
    width = min(shutil.get_terminal_size((120, 24)).columns, 120)
    print("\n".join(describe_model(options.model, wiring, read_preset(options.model.name), width=width)))
    return 0


def _complete_model_option(override: str) -> str:
    """Let `feedback=own` stand for `model.feedback=own`, since only models are spoken of here."""
    from lengthwise.config.documentation import describe_options

    names = {option.name for option in describe_options()}
    key = override.partition("=")[0]
    return f"model.{override}" if key not in names and f"model.{key}" in names else override


def _find_sizes(given: argparse.Namespace, options: RunOptions, *, is_named: bool) -> DataSpec:
    """Return the data's own sizes where a dataset is named, else those of a well-known one."""
    from lengthwise.catalog.table import EIGHT_FEATURES, TUTORIAL_SYMBOLS
    from lengthwise.data.datasets.registry import load_dataset

    if not is_named:
        return EIGHT_FEATURES if given.features else TUTORIAL_SYMBOLS
    if given.features:
        raise LengthwiseError("`--features` stands for data of eight features. Leave it out, or the dataset.")
    return load_dataset(options.dataset, options.timesteps).spec


def _show_runs(given: argparse.Namespace) -> int:
    from lengthwise.tracking.runs.find import list_runs

    study = given.word
    output_dir = _find_output_dir(_compose(given))
    runs = list_runs(output_dir, study)
    if given.json:
        print(json.dumps([_as_json(asdict(run)) for run in runs], indent=1))
    elif not runs:
        print(f"No runs in {output_dir / study if study else output_dir}.")
    else:
        _print_runs(runs)
    return 0


def _print_runs(runs: Sequence[RunSummary]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    for column in ("started", "id", "study", "run", "data", "seed", "status", "seconds", "figures"):
        table.add_column(column, overflow="fold", justify="right" if column in ("seed", "seconds") else "left")
    for run in runs:
        seconds = "" if run.duration_seconds is None else f"{run.duration_seconds:.0f}"
        figures = "\n".join(f"{key} {value:.4g}" for key, value in list(run.summary.items())[:3])
        started = run.started[:16].replace("T", " ")
        seed = "" if run.seed is None else str(run.seed)
        told = run.failure if run.failure and run.status != "FINISHED" else figures
        cells = (started, run.id, run.study, run.label, run.dataset or "", seed, run.status, seconds, told)
        table.add_row(*(cell.replace("[", "\\[") for cell in cells))
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    console.print(table)


def _as_json(value: Any) -> Any:
    """Return a value that JSON can hold: paths as texts, NaN and infinities as null."""
    if isinstance(value, dict):
        return {key: _as_json(inner) for key, inner in value.items()}
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _serve_ui(given: argparse.Namespace) -> int:
    from lengthwise.config.options import MlflowOptions
    from lengthwise.tracking.mlflow.ui import serve_ui

    tracking = _compose(given).tracking
    if not isinstance(tracking, MlflowOptions):
        remedy = "Leave it out, or use `lengthwise runs`"
        raise ConfigError("tracking", "must be mlflow for the UI", received=tracking.name, remedy=remedy)
    if not 1 <= given.port <= 65535:
        raise ConfigError("--port", "must be from 1 to 65535", received=str(given.port), remedy="Choose another")
    return serve_ui(tracking.uri, given.port)


def _sync_runs(given: argparse.Namespace) -> int:
    from lengthwise.tracking.mlflow.mirror import sync

    options = _compose(given)
    synced = sync(_find_output_dir(options), options.tracking, run=given.word)
    problems = [each for each in synced if each.problem is not None]
    for each in problems:
        print(f"{each.name}: {each.problem}", file=sys.stderr)
    print(f"{len(synced) - len(problems)} of {len(synced)} runs are up to date in MLflow.")
    return 1 if problems else 0


def _reap_runs(given: argparse.Namespace) -> int:
    from lengthwise.tracking.runs.heartbeat import reap

    closed = reap(_find_output_dir(_compose(given)))
    for directory in closed:
        print(f"{directory.name}: KILLED, its process is dead")
    print(f"{len(closed)} runs closed." + (" `lengthwise sync` tells MLflow." if closed else ""))
    return 0


def _compose(given: argparse.Namespace) -> RunOptions:
    from lengthwise.config.compose import compose_options

    return compose_options(given.overrides)


def _find_output_dir(options: RunOptions) -> Path:
    from lengthwise.config.paths import project_root

    return project_root() / options.output_dir


COMMANDS = {
    "options": Command(run=_show_options, meaning="Show what options mean.", takes_options=False, word="WORD"),
    "models": Command(
        run=_show_models,
        meaning="Show all models in a table, or one with its wiring, equations and parameters.",
        word="PRESET",
        flags={
            "--features": {"action": "store_true", "help": "count for eight real-valued features, not for symbols"},
            "--markdown": {"action": "store_true", "help": "the table as Markdown"},
        },
    ),
    "runs": Command(
        run=_show_runs,
        meaning="List runs, newest first.",
        word="STUDY",
        flags={"--json": {"action": "store_true", "help": "one JSON list, for a program to read"}},
    ),
    "decode": Command(
        run=use.decode_sources,
        meaning="Decode texts, or the lines of a file, with a trained model.",
        word="RUN",
        rest="TEXT",
        flags={
            "--file": {"metavar": "FILE", "help": "decode its lines, one line of output each; - is standard input"},
            "--json": {"action": "store_true", "help": "one JSON object a line, with scores"},
            "--probabilities": {"action": "store_true", "help": "with --json: each step's distribution too"},
            "--best": {"type": int, "metavar": "N", "help": "with decoding=beam: the N best texts, with scores"},
        },
    ),
    "evaluate": Command(
        run=use.evaluate_run,
        meaning="Score a run's weights under another decoding, into the same run.",
        word="RUN",
    ),
    "report": Command(
        run=use.write_report,
        meaning="Write what a study, or several together, have found out: a page, a text, a table, figures.",
        word="STUDY",
        rest="STUDY",
        flags={"--output": {"metavar": "DIR", "help": "where it goes; else `report` in the study's directory"}},
    ),
    "serve": Command(
        run=use.serve_run,
        meaning="Serve a trained model over HTTP, on this machine alone.",
        word="RUN",
        flags={"--port": {"type": int, "default": 8000, "help": "where it listens; 0 takes a free one; 8000"}},
    ),
    "register": Command(
        run=use.register_run,
        meaning="Register a run's model in MLflow under a name.",
        word="RUN",
        rest="NAME",
        flags={"--alias": {"metavar": "ALIAS", "help": "also move this alias to it, such as champion"}},
    ),
    "export": Command(
        run=use.export_run,
        meaning="Write a run's model as a SavedModel: strings in, strings out, with TensorFlow alone.",
        word="RUN",
        rest="DIRECTORY",
    ),
    "ui": Command(
        run=_serve_ui,
        meaning="Browse the runs in the MLflow UI.",
        flags={"--port": {"type": int, "default": 5000, "help": "where it listens, on this machine alone; 5000"}},
    ),
    "sync": Command(run=_sync_runs, meaning="Bring MLflow up to date with a run, or all.", word="RUN"),
    "reap": Command(run=_reap_runs, meaning="Close the runs whose process died."),
}

USAGE = """\
Controlled experiments on how sequence-to-sequence models make length.

Usage: lengthwise COMMAND ...

  train ...               train a model, or a sweep of them: `lengthwise train --help`
  options [WORD]          what every option means, or those that speak of WORD
  models [PRESET]         all models in a table, or one with its wiring, equations and parameters
  runs [STUDY] [--json]   list the runs, or those of a study
  decode RUN TEXT ...     decode texts, or with --file FILE the lines of a file
  evaluate RUN            score a run's weights under another decoding=NAME, into the same run
  report STUDY ...        write what studies have found out: effects, intervals, figures on one page
  serve RUN               serve a trained model over HTTP, on this machine alone
  register RUN NAME       register a run's model in MLflow under a name
  export RUN DIRECTORY    write a run's model as a SavedModel
  ui [--port PORT]        browse the runs in the MLflow UI
  sync [RUN]              bring MLflow up to date with a run, or all
  reap                    close the runs whose process died

All but options also take OPTION=VALUE as train does, such as output_dir=DIR or tracking.uri=URI, and models also
latent_dim=256, dataset=scan or feedback=own."""
