"""The one table of the commands of `lengthwise`: what each is called, takes and does; help is made from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lengthwise.app import maintain, show, use
from lengthwise.app.request import Request
from lengthwise.app.runs import compare, listing, show_run


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """A word that a command takes.

    Args:
        name: As usage lines show it, such as `RUN`.
        demand: What to give, an imperative sentence without its full stop; it is asked for where the word is missing.
    """

    name: str
    demand: str


RUN = Word(name="RUN", demand="Name a run: its id, a directory, `latest`, `best:STUDY`; `lengthwise runs` lists them")
PLACES = ("output_dir", "tracking")
"""The options that say where runs are."""

SIDE = Word(name="RUN|STUDY", demand="Name two runs, or two studies; STUDY:model=repeat names some runs of a study")

STUDY = Word(name="STUDY", demand="Name a study; `lengthwise runs` lists the runs of all")


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """One command of `lengthwise`.

    Args:
        run: Does it; returns the exit status.
        meaning: What it does, a sentence.
        words: The words that it takes, in order.
        num_required: How many of the words must be given.
        repeats: Whether the last word may be given several times.
        options: The options, or sections of them, that have an effect on it.
        flags: Further arguments, as `argparse` takes them.
    """

    run: Callable[[Request], int]
    meaning: str
    words: tuple[Word, ...] = ()
    num_required: int = 0
    repeats: bool = False
    options: tuple[str, ...] = ()
    flags: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def usage(self) -> str:
        """Its words as a usage line shows them, such as `RUN [TEXT ...]`."""
        shown = [word.name for word in self.words]
        if self.repeats:
            shown[-1] += " ..."
        return " ".join(word if index < self.num_required else f"[{word}]" for index, word in enumerate(shown))


COMMANDS: Mapping[str, Command] = {
    "options": Command(
        run=show.show_options,
        meaning="Show what every option means, or those that match WORD.",
        words=(Word(name="WORD", demand="Give part of an option's name or of its meaning"),),
        flags={"--json-schema": {"action": "store_true", "help": "all options as a JSON Schema, for an editor"}},
    ),
    "data": Command(
        run=show.show_data,
        meaning="Show what the loader sees of a dataset: counts, lengths, symbols, examples, what was skipped.",
        options=("dataset", "timesteps"),
        flags={"--json": {"action": "store_true", "help": "one JSON object, for a program to read"}},
    ),
    "models": Command(
        run=show.show_models,
        meaning="Show all models in a table, or one with its wiring, equations and parameters.",
        words=(Word(name="PRESET", demand="Name a preset; without one all are listed"),),
        options=("model", "dataset", "latent_dim", "timesteps"),
        flags={
            "--features": {"action": "store_true", "help": "count for eight real-valued features, not for symbols"},
            "--markdown": {"action": "store_true", "help": "the table as Markdown"},
        },
    ),
    "runs": Command(
        run=listing.list_runs,
        meaning="List the runs, newest first; of a study with the options that vary and the test score.",
        words=(STUDY,),
        options=("output_dir",),
        flags={"--json": {"action": "store_true", "help": "one JSON list, for a program to read"}},
    ),
    "show": Command(
        run=show_run.show_run,
        meaning="Show a run on one screen: what it is, what it scored, how to use it.",
        words=(RUN,),
        options=("output_dir",),
        num_required=1,
    ),
    "diff": Command(
        run=compare.compare_runs,
        meaning="Compare runs over the same examples, or two studies over seeds: what differs, what is better.",
        words=(SIDE, SIDE),
        options=("output_dir",),
        num_required=2,
        repeats=True,
        flags={
            "--md": {"action": "store_true", "help": "the whole comparison as Markdown"},
            "--json": {"action": "store_true", "help": "every number as one JSON object"},
            "--html": {"metavar": "FILE", "help": "write the whole comparison as one HTML page"},
        },
    ),
    "decode": Command(
        run=use.decode_sources,
        meaning="Decode texts, or with --file FILE the lines of a file or its numbers, with a trained model.",
        words=(RUN, Word(name="TEXT", demand="Give texts to decode")),
        options=(*PLACES, "decoding", "dataset"),
        num_required=1,
        repeats=True,
        flags={
            "--file": {"metavar": "FILE", "help": "decode its lines, - is standard input; or its numbers"},
            "--output": {"metavar": "FILE", "help": "with --file: where the output goes; numbers as .csv or .npz"},
            "--json": {"action": "store_true", "help": "one JSON object a line, with scores"},
            "--probabilities": {"action": "store_true", "help": "with --json: each step's distribution too"},
            "--best": {"type": int, "metavar": "N", "help": "with decoding=beam: the N best texts, with scores"},
        },
    ),
    "encode": Command(
        run=use.encode_sources,
        meaning="Write the latents of the lines of a file, or of its sequences of numbers.",
        words=(RUN,),
        options=(*PLACES, "dataset"),
        num_required=1,
        flags={
            "--file": {
                "metavar": "FILE",
                "help": "the sources: a text a line, or numbers in the form of the run's data",
            },
            "--output": {"metavar": "FILE", "help": "a .csv or .npz file to write"},
        },
    ),
    "evaluate": Command(
        run=use.evaluate_run,
        meaning="Score a run with another decoding=NAME, or on dataset.path=FILE, into it; else write what it lacks.",
        words=(RUN,),
        options=(*PLACES, "decoding", "dataset"),
        num_required=1,
        flags={"--split": {"metavar": "NAME", "help": "with dataset.path=FILE: its name in the run; else the file's"}},
    ),
    "report": Command(
        run=use.write_report,
        meaning="Write what studies have found out: effects, intervals and figures on one page.",
        words=(STUDY,),
        options=("output_dir",),
        num_required=1,
        repeats=True,
        flags={
            "--output": {"metavar": "DIR", "help": "where it goes; else `report` in the study's directory"},
            "--leave-out-failed": {
                "action": "store_true",
                "help": "leave out runs that failed in training; else they count with the worst score",
            },
            "--side-by-side": {
                "action": "store_true",
                "help": "each study by itself, on one page; else their runs are taken together",
            },
        },
    ),
    "serve": Command(
        run=use.serve_run,
        meaning="Serve a trained model over HTTP, on this machine only.",
        words=(RUN,),
        options=(*PLACES, "decoding"),
        num_required=1,
        flags={"--port": {"type": int, "default": 8000, "help": "where it listens; 0 takes a free one; 8000"}},
    ),
    "register": Command(
        run=use.register_run,
        meaning="Register a run's model in MLflow under a name.",
        words=(RUN, Word(name="NAME", demand="Give the name to register the model under")),
        options=PLACES,
        num_required=2,
        flags={"--alias": {"metavar": "ALIAS", "help": "also move this alias to it, such as champion"}},
    ),
    "export": Command(
        run=use.export_run,
        meaning="Write a run's model as a SavedModel, which TensorFlow runs without this package.",
        words=(RUN, Word(name="DIRECTORY", demand="Give the directory to be made")),
        options=(*PLACES, "decoding"),
        num_required=2,
    ),
    "ui": Command(
        run=maintain.serve_ui,
        meaning="Browse the runs in the MLflow UI, those of a study (the newest without one) by their score.",
        words=(STUDY,),
        options=PLACES,
        flags={"--port": {"type": int, "default": 5000, "help": "where it listens, on this machine only; 5000"}},
    ),
    "sync": Command(
        run=maintain.sync_runs, meaning="Bring MLflow up to date with a run, or all.", words=(RUN,), options=PLACES
    ),
    "check": Command(
        run=maintain.check_installation,
        meaning="Check the installation: versions, devices, and a run of seconds, which is removed again.",
    ),
    "reap": Command(run=maintain.reap_runs, meaning="Close the runs whose process died.", options=("output_dir",)),
}
