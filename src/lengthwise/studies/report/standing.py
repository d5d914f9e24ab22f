"""The standing of a study: whether its conditions can be compared, and what to change where they cannot."""

from __future__ import annotations

import math
from typing import Literal

from lengthwise.config.values import format_value
from lengthwise.studies.baselines import beats_baseline, find_baseline
from lengthwise.studies.condition import StudyRun
from lengthwise.studies.judging import MIN_SEEDS
from lengthwise.studies.report.numbers import format_count, format_number, format_score
from lengthwise.studies.study import Study
from lengthwise.studies.units import Unit, find_unit

Standing = Literal["unfinished", "nothing learnt", "all tie", "one seed", "compared"]

_EQUAL = 1e-9
_LOSS = "val/loss"


def find_standing(study: Study) -> Standing:
    """Find out whether the conditions of a study can be compared.

    Returns:
        `unfinished` where no run has a score; `nothing learnt` where no condition beats its baseline; `all tie` where
        several conditions have the same score; `one seed` where no condition has two; else `compared`.
    """
    scored = [condition for condition in study.conditions if len(condition.collect(study.metric))]
    if not scored:  # where no run at all has a score, those that failed do not count as the worst either
        return "unfinished"
    if not any(beats_baseline(study, condition) for condition in scored):
        return "nothing learnt"
    scores = [condition.average(study.metric) for condition in scored]
    if len(scores) > 1 and max(scores) - min(scores) <= _EQUAL * max(1.0, abs(max(scores))):
        return "all tie"
    return "one seed" if study.num_seeds == 1 else "compared"


def write_standing(study: Study, standing: Standing) -> list[str]:
    """Say why the conditions cannot be compared and what to change; nothing where they can."""
    if standing == "unfinished":
        return ["No run has finished, so there is nothing to say yet."]
    if standing == "nothing learnt":
        return [_write_floor(study), *_write_advice(study)]
    if standing == "all tie":
        return _write_tie(study)
    if standing == "one seed":
        return _write_one_seed(study)
    return []


def _write_floor(study: Study) -> str:
    unit = find_unit(study.metric_name)
    baseline = find_baseline(study, study.metric)
    reached = f"{unit.label} on {study.split} is {_write_range(study, unit)}"
    if baseline is None:
        return f"Nothing was learnt: {reached}."
    without = f"{format_score(baseline.score, unit)} is reached without learning ({baseline.name})"
    if len(study.conditions) == 1:
        return f"Nothing was learnt: {reached}, and {without}."
    return f"Nothing was learnt: no condition beats its baseline. {reached[:1].upper()}{reached[1:]}, and {without}."


def _write_tie(study: Study) -> list[str]:
    unit = find_unit(study.metric_name)
    scored = [condition for condition in study.conditions if len(condition.collect(study.metric))]
    score = scored[0].average(study.metric)
    tie = f"All {len(scored)} conditions tie: {unit.label} on {study.split} is {format_score(score, unit)} in each."
    if score == (1.0 if study.higher_is_better else 0.0):
        return [tie, "The task is too easy to separate them: use longer targets, fewer examples or fewer epochs."]
    return [tie, "None of the options that were varied makes a difference here.", *_write_advice(study)]


def _write_one_seed(study: Study) -> list[str]:
    return [
        "One seed shows which conditions can work and how far apart they were once; it cannot show whether another "
        "seed would give the same order.",
        f"Run more seeds before you choose, for example seed={propose_seeds(study, MIN_SEEDS - 1)}.",
    ]


def propose_seeds(study: Study, count: int) -> str:
    """List the smallest seeds that the study has not used, this many, as an override writes them."""
    used = {seed for seed in study.seeds if isinstance(seed, int)}
    return ",".join([str(seed) for seed in range(len(used) + count) if seed not in used][:count])


def _write_range(study: Study, unit: Unit) -> str:
    scores = [condition.average(study.metric) for condition in study.conditions]
    known = [score for score in scores if not math.isnan(score)]
    low, high = (format_number(score, unit, like=max(known)) for score in (min(known), max(known)))
    return f"{high} {unit.score}".strip() if low == high else f"{low} to {high} {unit.score}".strip()


def _write_advice(study: Study) -> list[str]:
    """Say what to change first, epochs or rate, from where the validation loss was lowest."""
    finished = [run for condition in study.conditions for run in condition.finished]
    known = [run for run in finished if _LOSS in run.curves]
    falling = sum(_is_falling(run) for run in known)
    epochs, rate = (_name_option(study, f"training.{option}") for option in ("epochs", "learning_rate"))
    if not known:
        return [f"Raise {epochs} and change {rate}."]
    if 2 * falling > len(known):
        share = f"In {falling} of {format_count(len(known), 'run')} the validation loss was still falling at the end"
        return [f"{share}: raise {epochs} first, then change {rate}."]
    share = f"In {len(known) - falling} of {format_count(len(known), 'run')} the validation loss had stopped falling"
    return [f"{share} before the end: change {rate} first, by a factor of 3 up and down, then raise {epochs}."]


def _is_falling(run: StudyRun) -> bool:
    """Tell whether the validation loss was lowest in the last epoch."""
    values = run.curves[_LOSS].values
    return min(range(len(values)), key=lambda index: _last_if_nan(values[index])) == len(values) - 1


def _last_if_nan(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _name_option(study: Study, option: str) -> str:
    """Name an option with its value, where all runs have the same."""
    values = {run.manifest.record.params.get(option) for run in study.runs}
    value = values.pop() if len(values) == 1 else None
    return option if value is None else f"{option} ({format_value(value)} now)"
