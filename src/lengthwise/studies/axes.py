"""Axes of a study: the options in which its runs differ, and the options that change with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

Value = str | int | float | bool | None
Levels = tuple[Value, ...]
Params = Mapping[str, Value]
"""Every option of a run: dotted name -> value."""

DATA_SEED = "dataset.seed"
"""Seed of the data or of their split: another one is a repetition, not another condition."""

SIDE = "side"
"""An option that a comparison of two groups of runs adds to theirs: the group."""

_NO_AXES = (
    *("config_version", "seed", DATA_SEED, "study", "output_dir", "resume", "base"),
    *("training.num_threads", "decoding.batch_size"),
)
_PRESETS = ("model.name", "dataset.name", "training.name", "decoding.name")
_REFINING = ("model.sampling_", "training.plateau_", "training.monitor_")


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """An option in which the runs of a study differ.

    Args:
        option: Its dotted name.
        levels: Its values; others are compared with the first.
        together: Options that change with it, each with its value at every level.
    """

    option: str
    levels: Levels
    together: Mapping[str, Levels]

    @property
    def label(self) -> str:
        """A short name: `model` for `model.name`, else its last part."""
        section, _, name = self.option.rpartition(".")
        return section if name == "name" else name

    @property
    def confounded(self) -> tuple[str, ...]:
        """The options whose effect cannot be separated from its own; not those that only refine a level."""
        return tuple(option for option in self.together if not option.startswith(_REFINING))

    @property
    def is_of_data(self) -> bool:
        """Whether it varies the data, which are given and not chosen."""
        return self.option.startswith("dataset.")

    @property
    def is_numeric(self) -> bool:
        """Whether its levels are numbers, in increasing order."""
        return all(isinstance(level, int | float) and not isinstance(level, bool) for level in self.levels)


def find_axes(
    params: Sequence[Params], planned: Mapping[str, Sequence[str]], *, tuned: Collection[str] = ()
) -> tuple[Axis, ...]:
    """Find the options that vary independently; those that only follow others are listed with them.

    Args:
        params: The options of each run, oldest run first.
        planned: Option -> every value that sweeps were to give it, as text.
        tuned: Options that were tuned for each condition, so that they belong to it.
    """
    options = list(dict.fromkeys(option for own in params for option in own))
    columns = {
        option: tuple(own.get(option) for own in params)
        for option in options
        if _may_vary(option) and option not in tuned
    }
    varied = [option for option, column in columns.items() if len(set(column)) > 1]
    # A preset stands for the options it sets; of others the finer first, which the coarser may follow.
    varied.sort(key=lambda option: (option != SIDE, option not in _PRESETS, -len(set(columns[option]))))
    chosen: list[str] = []
    together: dict[str, list[str]] = {}
    for option in varied:
        leading = next((axis for axis in chosen if _follows(columns[option], [columns[axis]])), None)
        if leading is not None:
            together[leading].append(option)
        elif not chosen or not _follows(columns[option], [columns[axis] for axis in chosen]):
            chosen.append(option)
            together[option] = []
    chosen.sort(key=options.index)
    return tuple(_build_axis(option, columns, together[option], planned.get(option, ())) for option in chosen)


def find_unstarted(
    params: Sequence[Params], axes: Sequence[Axis], planned: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """Find planned values that no run has yet, of options that are no axes since the runs do not differ in them.

    Args:
        params: The options of each run.
        axes: Axes of these runs.
        planned: Option -> every value that sweeps were to give it, as text.

    Returns:
        Option -> its missing values, as text; options that miss none are left out.
    """
    known = {option for axis in axes for option in (axis.option, *axis.together)}
    found = {
        option: tuple(text for text in values if all(text != str(own.get(option)) for own in params))
        for option, values in planned.items()
        if option not in known and _may_vary(option)
    }
    return {option: values for option, values in found.items() if values}


def _may_vary(option: str) -> bool:
    return option not in _NO_AXES and not option.startswith("tracking.")


def _follows(column: Levels, leading: Sequence[Levels]) -> bool:
    """Tell whether an option has one value for each combination of values of the leading ones."""
    keys = list(zip(*leading, strict=True))
    return len(set(zip(keys, column, strict=True))) == len(set(keys))


def _build_axis(option: str, columns: Mapping[str, Levels], together: Sequence[str], planned: Sequence[str]) -> Axis:
    seen = {str(level): level for level in columns[option]}
    example = next(iter(seen.values()))
    order = dict.fromkeys([*planned, *seen])  # as the sweep has them, whichever were run first
    levels: list[Value] = [seen[text] if text in seen else _read_like(example, text) for text in order]
    if all(isinstance(level, int | float) for level in levels):
        levels.sort(key=lambda level: float(level or 0))
    values = {name: dict(zip(columns[option], columns[name], strict=True)) for name in together}
    return Axis(
        option=option,
        levels=tuple(levels),
        together={name: tuple(found.get(level) for level in levels) for name, found in values.items()},
    )


def _read_like(example: Value, text: str) -> Value:
    if isinstance(example, bool):
        return text == "True"
    try:
        return type(example)(text) if isinstance(example, int | float) else text
    except ValueError:
        return text
