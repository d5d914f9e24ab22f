"""Training a finished run for more epochs, as a new run that ends with the same bits as one that was longer at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lengthwise.config.options import RunOptions
from lengthwise.config.parse import parse_stored
from lengthwise.config.paths import find_output_dir
from lengthwise.errors import ConfigError, RunError
from lengthwise.files import refuse_links
from lengthwise.tracking.runs.find import StoredRun, find_run
from lengthwise.tracking.runs.journal import read_journal
from lengthwise.tracking.runs.layout import CHECKPOINTS_DIRECTORY, CONFIG_NAME, JOURNAL_NAME
from lengthwise.tracking.runs.run import Run
from lengthwise.tracking.runs.run_files import RunFiles
from lengthwise.training.checkpoint import Checkpoint, load_newest, save_checkpoint

OPTION = "training.epochs"
_EXACT_SCHEDULES = ("constant", "plateau")
"""Schedules whose learning rate of an epoch does not depend on the number of all epochs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LongerFit:
    """A finished fit that is to be resumed.

    Args:
        origin: The run that has made it.
        checkpoint: Its end.
        options: Of the new run: those of the origin, with more epochs.
    """

    origin: StoredRun
    checkpoint: Checkpoint
    options: RunOptions


def asks_longer(options: RunOptions, overrides: Sequence[str]) -> bool:
    """Tell whether a command resumes a finished run with more epochs."""
    return options.resume is not None and any(line.startswith(f"{OPTION}=") for line in overrides)


def find_longer_fit(options: RunOptions) -> LongerFit:
    """Find the run that `resume=RUN training.epochs=N` trains longer.

    Args:
        options: Of the command.

    Raises:
        RunError: There is no such run, it has not finished, or its last checkpoint is gone.
        ConfigError: More epochs would not give what a longer run gives, or would change nothing.
    """
    found = find_run(find_output_dir(options), options.resume or "", latest_among=("FINISHED",))
    name, manifest = found.manifest.name, found.manifest
    if manifest.record.kind == "sweep":
        raise RunError(
            f"{name} is a sweep. Name one of its runs, or give base={name} {OPTION}={options.training.epochs}."
        )
    if manifest.status != "FINISHED":
        raise RunError(f"{name} has not finished ({manifest.status}). Resume it without {OPTION} first.")
    refuse_links(found.directory)
    stored = parse_stored(RunFiles(found.directory).read_text(CONFIG_NAME))
    checkpoint, _ = load_newest(found.directory / CHECKPOINTS_DIRECTORY)
    if checkpoint is None:
        raise RunError(f"The last checkpoint of {name} is gone. Train from the start: base={name} {OPTION}=N.")
    _check_exact(name, stored, checkpoint, options.training.epochs)
    longer = replace(
        stored,
        training=replace(stored.training, epochs=options.training.epochs),
        base=f"{manifest.record.study}/{name}",
        output_dir=options.output_dir,
        tracking=options.tracking,
    )
    return LongerFit(origin=found, checkpoint=checkpoint, options=longer)


def _check_exact(name: str, stored: RunOptions, checkpoint: Checkpoint, epochs: int) -> None:
    training, state = stored.training, checkpoint.state
    again = f"Train from the start: base={name} {OPTION}={epochs}"
    if training.schedule not in _EXACT_SCHEDULES:
        rule = (
            f"cannot be raised after the fit: with training.schedule={training.schedule} it decides every learning rate"
        )
        raise ConfigError(OPTION, rule, received=str(epochs), remedy=again)
    if epochs <= training.epochs:
        rule = f"must be more than the {training.epochs} that {name} was allowed"
        raise ConfigError(OPTION, rule, received=str(epochs), remedy="Choose more, or use the run as it is")
    if training.monitor_every is not None and state.epoch % training.monitor_every:
        rule = f"cannot be raised after the fit: epoch {state.epoch} was decoded only because it was the last"
        raise ConfigError(OPTION, rule, received=str(epochs), remedy=again)
    patience = training.early_stopping_patience
    if patience is not None and state.epoch - state.best_epoch >= patience:
        rule = f"has no effect: {name} was stopped early, after epoch {state.epoch}"
        remedy = f"{again} training.early_stopping_patience=null"
        raise ConfigError(OPTION, rule, received=str(epochs), remedy=remedy)


def copy_fit(fit: LongerFit, run: Run) -> None:
    """Give a new run the finished fit, to be resumed: its checkpoint, and the metrics of its epochs."""
    state = replace(fit.checkpoint.state, is_over=False)
    save_checkpoint(run.path(CHECKPOINTS_DIRECTORY), Checkpoint(state=state, arrays=fit.checkpoint.arrays))
    entries, _ = read_journal(fit.origin.directory / JOURNAL_NAME)
    by_epoch: dict[int, dict[str, float]] = {}
    for entry in entries:
        if entry.key not in fit.origin.manifest.summary and 0 < entry.step <= state.epoch:
            by_epoch.setdefault(entry.step, {})[entry.key] = entry.value
    for epoch, values in sorted(by_epoch.items()):
        run.log(values, step=epoch)
