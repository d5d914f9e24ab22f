"""Says whether the numbers of a study refute what was predicted before its runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.about import RefutedIf, StudyAbout
from lengthwise.config.values import format_value
from lengthwise.studies.axes import Value
from lengthwise.studies.condition import Condition
from lengthwise.studies.effects import Contrast, Grid, measure_change
from lengthwise.studies.intervals import LEVEL, Estimate, estimate_mean, find_quantile
from lengthwise.studies.judging import MIN_SEEDS
from lengthwise.studies.lengths import score_beyond
from lengthwise.studies.report.numbers import format_count, format_estimate, format_number
from lengthwise.studies.study import Study
from lengthwise.studies.units import Unit, find_unit

Verdict = Literal["Refuted", "Not refuted", "Not decided"]

_MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Fate:
    """Whether a prediction is refuted, and by what.

    Args:
        verdict: In a word or two.
        prediction: What was predicted, a sentence.
        rules: For each rule that refutes it, a sentence or two on whether it does.
    """

    verdict: Verdict
    prediction: str
    rules: tuple[str, ...]


class _Case(NamedTuple):
    """A mean that a rule is about.

    Args:
        name: Its condition, or where a change is made.
        estimate: The mean with its interval.
        excess: How far the mean is beyond the bound, in the unit of the metric; below 0 where it is not.
        is_sure: Whether its 95 % interval lies beyond the bound.
    """

    name: str
    estimate: Estimate
    excess: float
    is_sure: bool


def write_fate(study: Study, about: StudyAbout) -> Fate | None:
    """Check a prediction against the rules that refute it.

    A prediction is refuted by any rule that is met. It is not decided where none is, and a rule could not be checked,
    lacks runs or has fewer than five seeds.

    Args:
        study: The study.
        about: What its overlay says about itself.

    Returns:
        None where nothing was predicted.
    """
    if about.prediction is None:
        return None
    checked = [_check(study, rule) for rule in about.refuted_if]
    verdict: Verdict = "Not refuted"
    if any(is_met for is_met, _ in checked):
        verdict = "Refuted"
    elif not checked or any(is_met is None for is_met, _ in checked):
        verdict = "Not decided"
    return Fate(
        verdict=verdict,
        prediction=f"Predicted before the runs: {about.prediction}.",
        rules=tuple(sentence for _, sentence in checked),
    )


def _check(study: Study, rule: RefutedIf) -> tuple[bool | None, str]:
    """Return whether a rule is met, None where that is not decided, and a sentence or two that say so."""
    if not rule.is_checkable:
        return None, f"Not checked by numbers: {rule.text}."
    unit = find_unit((rule.metric or study.metric).rpartition("/")[2])
    cases, num_missing = _list_cases(study, rule)
    if not cases:
        return None, f"Not decided, since no runs are of it: {rule.text}."
    beyond = [case for case in cases if _counts(rule, case, len(cases))]
    is_met = len(beyond) >= rule.cases
    num_seeds = min(case.estimate.num_values for case in beyond or cases)
    if num_seeds < MIN_SEEDS:
        so_far = "so far it is met" if is_met else "so far it is not met"
        return None, f"Not decided by {num_seeds} seeds of at least {MIN_SEEDS}, {so_far}: {rule.text}."
    if is_met:
        return True, f"Met: {rule.text}. {_write_met(rule, cases, beyond, unit)}{_write_average(study, rule, unit)}"
    if num_missing:
        return None, f"Not decided, since runs of {format_count(num_missing, 'condition')} are missing: {rule.text}."
    return False, f"Not met: {rule.text}. {_write_not_met(rule, cases, unit)}"


def _counts(rule: RefutedIf, case: _Case, num_cases: int) -> bool:
    """Return whether a case is beyond the bound as a rule wants it: its mean, or its interval among all cases."""
    if not rule.surely:
        return case.excess > 0
    level = 1 - (1 - LEVEL) / num_cases
    margin = find_quantile(case.estimate.freedom, level) * case.estimate.error
    return case.excess > margin  # not so where there is no interval, whose error is NaN


def _list_cases(study: Study, rule: RefutedIf) -> tuple[list[_Case], int]:
    """Return the cases of a rule that have runs, those furthest beyond the bound first, and how many have none."""
    found = _list_differences(study, rule) if rule.change else _list_scores(study, rule)
    cases = [_compare(rule, name, estimate) for name, estimate in found if math.isfinite(estimate.mean)]
    return sorted(cases, key=lambda case: -case.excess), len(found) - len(cases)


def _compare(rule: RefutedIf, name: str, estimate: Estimate) -> _Case:
    above = math.inf if rule.above is None else rule.above
    below = -math.inf if rule.below is None else rule.below
    is_sure = estimate.low > above or estimate.high < below
    return _Case(name, estimate, max(estimate.mean - above, below - estimate.mean), is_sure)


def _list_scores(study: Study, rule: RefutedIf) -> list[tuple[str, Estimate]]:
    """Return the score of each condition that a rule is about."""
    chosen = [each for each in study.conditions if _matches(study, each, rule)]
    if rule.beyond is None:
        return [(each.name, each.estimate(rule.metric or study.metric)) for each in chosen]
    rows = [_score_beyond(study, each, rule) for each in chosen]
    return [(each.name, estimate_mean(row[np.isfinite(row)])) for each, row in zip(chosen, rows, strict=True)]


def _list_differences(study: Study, rule: RefutedIf) -> list[tuple[str, Estimate]]:
    """Return the difference that a change makes, at each combination of the other axes that a rule is about."""
    contrasts = _find_contrasts(study, rule)
    if not study.is_grid or contrasts is None:
        return []
    changed = {contrast.axis: contrast.reference for contrast in contrasts}
    found = []
    grid = _arrange(study, rule)
    for condition in study.conditions:
        levels = condition.levels
        if all(levels[axis] == before for axis, before in changed.items()) and _matches(study, condition, rule):
            parts = [
                f"{axis.label}={format_value(axis.levels[levels[index]])}"
                for index, axis in enumerate(study.axes)
                if index not in changed
            ]
            found.append((", ".join(parts), measure_change(grid, contrasts, levels).estimate))
    return found


def _arrange(study: Study, rule: RefutedIf) -> Grid:
    if rule.beyond is None:
        return study.arrange(rule.metric or study.metric)
    rows = np.stack([_score_beyond(study, condition, rule) for condition in study.conditions])
    return Grid(rows.reshape(*(len(axis.levels) for axis in study.axes), len(study.seeds)))


def _score_beyond(study: Study, condition: Condition, rule: RefutedIf) -> NDArray[np.float64]:
    """Return the scores of a condition on longer targets by seed, `(seeds,)`; NaN where there are none."""
    metric = rule.metric or study.metric
    runs = [condition.runs.get(seed) for seed in study.seeds]
    return np.array(
        [
            math.nan if run is None or not run.is_finished else score_beyond(run, metric, rule.beyond or 1)
            for run in runs
        ]
    )


def _find_contrasts(study: Study, rule: RefutedIf) -> list[Contrast] | None:
    """Return a contrast for each option that a rule changes; None where the study does not vary one so."""
    found = []
    for option, (before, after) in rule.change.items():
        for index, axis in enumerate(study.axes):
            levels = axis.levels if axis.option == option else axis.together.get(option, ())
            if before in levels and after in levels:
                found.append(Contrast(index, levels.index(after), levels.index(before)))
                break
        else:
            return None
    return found


def _matches(study: Study, condition: Condition, rule: RefutedIf) -> bool:
    return all(_read_option(study, condition, option) == value for option, value in rule.where.items())


def _read_option(study: Study, condition: Condition, option: str) -> Value:
    """Return the value of an option in a condition: of an axis, of what changes with one, else as all runs have it."""
    for axis, level in zip(study.axes, condition.levels, strict=True):
        if option == axis.option:
            return axis.levels[level]
        if option in axis.together:
            return axis.together[option][level]
    return study.runs[0].manifest.record.params.get(option)


def _write_met(rule: RefutedIf, cases: Sequence[_Case], beyond: Sequence[_Case], unit: Unit) -> str:
    named = "; ".join(_write_case(rule, case, unit) for case in beyond[:_MOST_NAMED])
    rest = f"; and {len(beyond) - _MOST_NAMED} more" if len(beyond) > _MOST_NAMED else ""
    count = f"{len(beyond)} of {len(cases)} " + ("differences are" if rule.change else "conditions are")
    if rule.surely:
        return f"{count}, their intervals taken together: {named}{rest}."
    sure = sum(case.is_sure for case in beyond)
    how = "none lies" if not sure else "it lies" if sure == len(beyond) == 1 else f"{sure} lie"
    return f"{count}, by the mean: {named}{rest}. Of the intervals {how} wholly beyond {_write_bound(rule, unit)}."


def _write_average(study: Study, rule: RefutedIf, unit: Unit) -> str:
    """Give the average of all conditions that a rule is about, which is surer than each; nothing of differences."""
    chosen = np.flatnonzero([_matches(study, each, rule) for each in study.conditions])
    if rule.change or rule.beyond is not None or len(chosen) < 2:
        return ""
    grid = study.arrange_conditions(rule.metric or study.metric)
    rows = grid.values[chosen]
    seeds = np.flatnonzero(np.isfinite(rows).all(axis=0))
    if len(seeds) < MIN_SEEDS:
        return ""
    weights = np.zeros(grid.values.shape)
    weights[np.ix_(chosen, seeds)] = 1 / (len(chosen) * len(seeds))
    average = estimate_mean(rows[:, seeds].mean(axis=0), grid.noise.measure(weights))
    return f" The average of the {len(chosen)} is {format_estimate(average, unit)}."


def _write_not_met(rule: RefutedIf, cases: Sequence[_Case], unit: Unit) -> str:
    nearest = cases[0]
    text = (
        f"The nearest of {len(cases)} is {_write_case(rule, nearest, unit)}"
        if len(cases) > 1
        else (f"It is {_write_case(rule, nearest, unit)}")
    )
    if rule.surely:
        return f"{text}."
    reached = []
    if rule.below is not None and nearest.estimate.low < rule.below:
        reached.append(rule.below)
    if rule.above is not None and nearest.estimate.high > rule.above:
        reached.append(rule.above)
    if reached:
        return f"{text}; its interval reaches beyond {_join_bounds(reached, rule, unit)}."
    return f"{text}; its interval excludes {_write_bound(rule, unit)}."


def _write_case(rule: RefutedIf, case: _Case, unit: Unit) -> str:
    text = format_estimate(case.estimate, unit, difference=bool(rule.change))
    return f"{case.name}, {text}" if case.name else text


def _write_bound(rule: RefutedIf, unit: Unit) -> str:
    return _join_bounds([value for value in (rule.below, rule.above) if value is not None], rule, unit)


def _join_bounds(bounds: Sequence[float], rule: RefutedIf, unit: Unit) -> str:
    name = unit.difference if rule.change else unit.score
    return f"{' and '.join(format_number(value, unit) for value in bounds)} {name}".strip()
