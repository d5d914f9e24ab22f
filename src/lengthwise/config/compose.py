"""Composition of options by Hydra, outside its application: for commands, and for a stored run's decoding."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from lengthwise.config.composer import compose_run
from lengthwise.config.hydra_errors import explain_error
from lengthwise.config.options import RunOptions
from lengthwise.config.overrides import check_overrides
from lengthwise.config.parse import Scalar, parse_config, replace_dataset, replace_decoding
from lengthwise.config.values import format_value
from lengthwise.errors import ConfigError


def compose_options(overrides: Sequence[str]) -> RunOptions:
    """Compose options outside the Hydra application, for commands that need to know where runs are.

    Args:
        overrides: As on the command line, such as `output_dir=DIR`.

    Raises:
        ConfigError: An override is refused.
    """
    try:
        check_overrides(overrides)
        return parse_config(compose_run(overrides), overrides=overrides)
    except Exception as error:
        raise explain_error(error, overrides) from error


def change_decoding(options: RunOptions, overrides: Sequence[str]) -> RunOptions:
    """Return the options of a run with another decoding; all else stays as the run has stored it.

    Args:
        options: Of the run.
        overrides: As on the command line, such as `decoding=beam` or `decoding.length=oracle`. A strategy that is
            chosen brings the values of its file in conf/decoding/; without one the run's own are changed.

    Raises:
        ConfigError: An override is refused, or is not one of the decoding.
    """
    for override in overrides:
        if re.match(r"\+*decoding[.=]", override) is None:
            rule = "cannot be changed here: the run's weights, data and other options stay as they are"
            remedy = "Change only the decoding: decoding=NAME or decoding.OPTION=VALUE"
            raise ConfigError(override.partition("=")[0], rule, received=None, remedy=remedy)
    stored = asdict(options.decoding)
    if not any(override.startswith("decoding=") for override in overrides):
        name = stored.pop("name")
        own = [f"decoding.{key}={format_value(value)}" for key, value in stored.items()]
        overrides = [f"decoding={name}", *own, *overrides]
    try:
        check_overrides(overrides)
        return replace_decoding(options, compose_run(overrides))
    except Exception as error:
        raise explain_error(error, overrides) from error


FILE_OPTIONS = (
    *("path", "source_column", "target_column", "tags_column", "tags_separator", "target_path", "lengths_path"),
    *("id_column", "time_column", "columns", "target_columns", "known_columns", "label_column", "stride"),
)
"""Options of datasets that say where examples stand in a file; all others belong to a run and its training."""


def change_files(
    options: RunOptions, overrides: Sequence[str], *, form: str, fixed: Mapping[str, Scalar]
) -> RunOptions:
    """Return the options of a run with another file of data, of the same form as the run's own.

    Args:
        options: Of the run.
        overrides: As on the command line, such as `dataset.path=FILE` or `dataset.source_column=2`.
        form: The dataset whose files have the form of the run's data: its own, or for generated data another.
        fixed: Values that are not to be composed, such as the units where the run's data decide them.

    Raises:
        ConfigError: An override is refused, or is not one of where the examples stand.
    """
    given = []
    for override in overrides:
        option = override.partition("=")[0]
        name = option.removeprefix("dataset.")
        if name not in FILE_OPTIONS:
            rule = "cannot be changed here: the model was trained with the run's own"
            known = ", ".join(f"dataset.{each}" for each in FILE_OPTIONS[:3])
            raise ConfigError(option, rule, received=None, remedy=f"Name the new file and its columns: {known}, ...")
        given.append(name)
    try:
        check_overrides(overrides)
        raw = compose_run([f"dataset={form}", *overrides])
        own = asdict(options.dataset) if options.dataset.name == form else None
        return replace_dataset(options, raw, own=own, given=given, fixed=fixed)
    except Exception as error:
        raise explain_error(error, overrides) from error
