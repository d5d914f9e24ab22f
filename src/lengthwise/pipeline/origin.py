"""Runs that another run starts from: `base=RUN` for its configuration or a sweep's command, `weights=RUN`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lengthwise.config.compose import compose_options
from lengthwise.config.options import RunOptions
from lengthwise.config.overrides import list_groups, names_place
from lengthwise.config.parse import Base, build_base, parse_stored
from lengthwise.config.paths import find_output_dir
from lengthwise.data.dataset import Dataset
from lengthwise.errors import ConfigError, RunError
from lengthwise.models.wiring import Wiring
from lengthwise.serving.artifact_files import StoredModel, find_artifact, read_stored_model
from lengthwise.serving.initial_weights import check_initial_weights
from lengthwise.serving.loading import check_model
from lengthwise.tracking.runs.find import StoredRun, find_run
from lengthwise.tracking.runs.layout import CONFIG_NAME
from lengthwise.tracking.runs.run_files import RunFiles

_NAMED_RUNS = ("base", "weights")
_PLACES = re.compile(r"\+*(output_dir|tracking)([.=]|$)")


class Origin(NamedTuple):
    """What a command that names another run starts from.

    Args:
        overrides: Of the command, with the full names of the runs that it names.
        base: The stored configuration; None where there is none, or where the sweep's command holds it.
        sweep: The words of the sweep's command, without program; empty where the origin is no sweep.
    """

    overrides: list[str]
    base: Base | None
    sweep: list[str]


def find_origin(overrides: Sequence[str]) -> Origin:
    """Find the runs that a command names, by `base=RUN` and `weights=RUN`.

    Args:
        overrides: Of the command, already checked.

    Raises:
        RunError: There is no such run.
        ConfigError: The base cannot be used beside another option, or is not one run.
    """
    named = {line: _find(line, overrides) for line in overrides if _names_run(line)}
    written = [_write_name(line, named[line]) if line in named else line for line in overrides]
    found = next((run for line, run in named.items() if line.startswith("base=")), None)
    if found is None:
        return Origin(written, None, [])
    keys = [line.lstrip("+").partition("=")[0] for line in overrides]
    for other in ("resume", "experiment"):
        if other in keys:
            remedy = f"Leave {other} out, or base"
            raise ConfigError("base", f"cannot be used with {other}", received=found.manifest.name, remedy=remedy)
    if found.manifest.record.kind == "sweep":
        return Origin(written, None, _list_words(found))
    chosen = [key for key in keys if key in list_groups()]
    stored = parse_stored(RunFiles(found.directory).read_text(CONFIG_NAME))
    return Origin(written, build_base(stored, chosen), [])


def _names_run(line: str) -> bool:
    """Tell whether an override names a run to start from; `null` names none."""
    name, _, value = line.partition("=")
    return name in _NAMED_RUNS and value not in ("", "null")


def _find(line: str, overrides: Sequence[str]) -> StoredRun:
    name, _, value = line.partition("=")
    if "," in value or "(" in value:
        remedy = "Give the command once for each"
        raise ConfigError(name, "must name one run", received=repr(value), remedy=remedy)
    options = compose_options([other for other in overrides if _PLACES.match(other)])
    return find_run(find_output_dir(options), value.strip("'\""))


def _write_name(line: str, run: StoredRun) -> str:
    """Return the override with the run's full name: `latest` is another run tomorrow."""
    return f"{line.partition('=')[0]}={run.manifest.record.study}/{run.manifest.name}"


def _list_words(sweep: StoredRun) -> list[str]:
    """Return the command of a sweep without its program, and without what says where runs are kept and found."""
    command = sweep.manifest.record.command
    words = list(command[2:] if command[:1] == ("python",) else command[1:])
    flags = [word for word in words if word.startswith("-")]
    if any(flag not in ("-m", "--multirun") for flag in flags):
        rule = "names a sweep whose command has flags of its own"
        remedy = "Give its command again, with your options behind it"
        raise ConfigError("base", rule, received=" ".join(flags), remedy=remedy)
    return [word for word in words if not names_place(word) and not re.match(r"\+*hydra\.searchpath", word)]


def merge_overrides(sweep: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """Put a command's overrides on top of those of a sweep.

    >>> merge_overrides(["model=repeat,stateful", "seed=0,1"], ["base=s/x", "seed=2"])
    ['model=repeat,stateful', 'base=s/x', 'seed=2']

    Args:
        sweep: Of the sweep's command.
        overrides: Of the command.
    """
    own = {line.lstrip("+").partition("=")[0] for line in overrides}
    return [*(line for line in sweep if line.lstrip("+").partition("=")[0] not in own), *overrides]


class InitialWeights(NamedTuple):
    """The trained weights that a run starts from.

    Args:
        name: Of their run, `STUDY/RUN`.
        directory: Of their files.
        stored: Their model.
        sha256: Of the weights, hexadecimal.
    """

    name: str
    directory: Path
    stored: StoredModel
    sha256: str


class Start(NamedTuple):
    """What a model is built from.

    Args:
        wiring: Its wiring.
        weights: Its initial weights; None: drawn by the seed.
    """

    wiring: Wiring
    weights: InitialWeights | None


def find_initial_weights(options: RunOptions, dataset: Dataset, wiring: Wiring) -> InitialWeights | None:
    """Find the weights that a run starts from; they are checked before TensorFlow is imported.

    Args:
        options: Of the run.
        dataset: Its data.
        wiring: Its wiring.

    Returns:
        None where the options name no run.

    Raises:
        RunError: There is no such run, or it holds no whole model.
        ConfigError: Its weights do not fit.
    """
    if options.weights is None:
        return None
    run = find_run(find_output_dir(options), options.weights, latest_among=("FINISHED",))
    directory = find_artifact(check_model(run))
    stored = read_stored_model(directory)
    sha256 = check_initial_weights(stored, options, dataset, wiring)
    return InitialWeights(f"{run.manifest.record.study}/{run.manifest.name}", directory, stored, sha256)


def check_unchanged(weights: InitialWeights, sha256: str | None) -> None:
    """Refuse to resume a run whose initial weights are no longer what they were.

    Args:
        weights: As they are.
        sha256: As the run has recorded it.

    Raises:
        RunError: They have changed.
    """
    if sha256 != weights.sha256:
        raise RunError(f"The weights of {weights.name} have changed since the run started from them. Start a new run.")
