"""The commands that show what can be run: options, data, models."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lengthwise.app.exit_status import EXIT_REFUSED
from lengthwise.app.request import Request
from lengthwise.config.documentation import OptionDescription, describe_options, find_options, suggest
from lengthwise.errors import ConfigError, LengthwiseError
from lengthwise.files import dump_json

if TYPE_CHECKING:
    from lengthwise.catalog.presets import Preset
    from lengthwise.config.options import RunOptions
    from lengthwise.data.dataset import DataSpec

_WIDEST = 120


def _measure_terminal() -> int:
    return shutil.get_terminal_size((_WIDEST, 24)).columns


def show_options(request: Request) -> int:
    """Print what options mean: all, or those that match a word."""
    word = request.first or ""
    if request.flags.json_schema:
        if word:
            raise LengthwiseError("`--json-schema` writes the schema of all options. Leave the word out.")
        from lengthwise.catalog.schema import build_schema

        print(dump_json(build_schema(), indent=1))
        return 0
    found = find_options(word)
    if not found:
        hint = suggest(word, (option.name for option in describe_options()))
        raise LengthwiseError(f"No option matches {word!r}. {hint}`lengthwise options` lists all.")
    for line in format_options(found, width=_measure_terminal()):
        print(line)
    return 0


def format_options(found: Sequence[OptionDescription], *, width: int) -> list[str]:
    """Write the documentation of options.

    Args:
        found: The options, those of a section together.
        width: Of a line, in characters.

    Returns:
        Lines.
    """
    lines: list[str] = []
    section = None
    for option in found:
        if option.section != section:
            if lines:
                lines.append("")
            section = option.section
            lines += textwrap.wrap(f"{section or 'axes'}: {option.section_meaning}", width)
        kind = f"{option.type_text}; {option.range_text}" if option.range_text else option.type_text
        lines += textwrap.wrap(f"{option.name}  ({kind})", width, initial_indent="  ", subsequent_indent="      ")
        lines += textwrap.wrap(option.meaning, width, initial_indent="      ", subsequent_indent="      ")
    return lines


def show_data(request: Request) -> int:
    """Print what the loader sees of the data, without training anything."""
    from dataclasses import asdict

    from lengthwise.catalog.data_overview import format_overview, survey_data
    from lengthwise.data.datasets.registry import load_dataset

    options = request.compose()
    dataset, whole = load_dataset(options.dataset, options.timesteps), None
    if options.timesteps != "auto":
        with contextlib.suppress(LengthwiseError):  # windows have no other length, nor has a file with one huge line
            whole = load_dataset(options.dataset, "auto")
    overview = survey_data(dataset, whole)
    print(dump_json(asdict(overview)) if request.flags.json else "\n".join(format_overview(overview)))
    return 0


def show_models(request: Request) -> int:
    """Print the table of all models, or one with its wiring, equations and parameters."""
    from lengthwise.catalog.table import format_markdown, print_presets, tabulate_presets
    from lengthwise.config.compose import compose_options
    from lengthwise.config.overrides import check_given_once

    flags = request.flags
    overrides = [_complete_model_option(override) for override in request.overrides]
    groups = {override.partition("=")[0].partition(".")[0] for override in overrides}
    if request.first is not None:
        if not re.fullmatch(r"[\w.-]{1,200}", request.first, re.ASCII):
            raise LengthwiseError(f"There is no preset {request.first!r}. `lengthwise models` lists them.")
        overrides = [f"model={request.first}", *overrides]
        check_given_once(overrides)
    if "dataset" not in groups:
        if "timesteps" in groups:
            remedy = "Add a dataset, as in dataset=scan, or drop it"
            raise ConfigError("timesteps", "has no effect without a dataset", received=None, remedy=remedy)
        overrides = ["dataset=digits" if flags.features else "dataset=copy", *overrides]
    options = compose_options(overrides)
    spec = _find_sizes(options, features=flags.features, is_named="dataset" in groups)
    if request.first is not None or "model" in groups:
        if flags.markdown:
            raise LengthwiseError("`--markdown` writes the table of all models. Leave it out, or the model.")
        _print_model(options, spec)
        return 0
    presets, broken = _read_presets()
    rows = tabulate_presets(presets, options.latent_dim, spec)
    if flags.markdown:
        print("\n".join(format_markdown(rows)))
    else:
        print_presets(rows, options.latent_dim, spec)
    for error in broken:
        print(error, file=sys.stderr)
    return EXIT_REFUSED if broken else 0


def _read_presets() -> tuple[list[Preset], list[ConfigError]]:
    """Return the presets that can be read, and what is wrong with the others."""
    from lengthwise.catalog.presets import list_presets, read_preset

    presets, broken = [], []
    for name in list_presets():
        try:
            presets.append(read_preset(name))
        except ConfigError as error:
            broken.append(error)
    return presets, broken


def _print_model(options: RunOptions, spec: DataSpec) -> None:
    from lengthwise.catalog.presets import read_preset
    from lengthwise.catalog.table import describe_model
    from lengthwise.models.wiring import resolve_wiring

    wiring = resolve_wiring(options.model, options.latent_dim, spec)
    width = min(_measure_terminal(), _WIDEST)
    print("\n".join(describe_model(options.model, wiring, read_preset(options.model.name), width=width)))


def _complete_model_option(override: str) -> str:
    """Let `feedback=own` stand for `model.feedback=own`, since this command is about models only."""
    names = {option.name for option in describe_options()}
    key = override.partition("=")[0]
    return f"model.{override}" if key not in names and f"model.{key}" in names else override


def _find_sizes(options: RunOptions, *, features: bool, is_named: bool) -> DataSpec:
    """Return the sizes of the dataset where one is named, else those of a well-known one."""
    from lengthwise.catalog.table import EIGHT_FEATURES, TUTORIAL_SYMBOLS
    from lengthwise.data.datasets.registry import load_dataset

    if not is_named:
        return EIGHT_FEATURES if features else TUTORIAL_SYMBOLS
    if features:
        raise LengthwiseError("`--features` stands for data of eight features. Leave it out, or the dataset.")
    return load_dataset(options.dataset, options.timesteps).spec
