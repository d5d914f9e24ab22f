"""The condition to choose: the best, those that do not differ significantly from it, and their cost."""

from __future__ import annotations

import math

from lengthwise.studies.baselines import find_baseline
from lengthwise.studies.effects import LEVEL, Effect, compare_conditions
from lengthwise.studies.report.numbers import format_count, format_estimate, format_score, format_seconds
from lengthwise.studies.study import Condition, Study
from lengthwise.studies.units import Unit, find_unit

_MOST_NAMED = 4


def write_choice(study: Study) -> list[str]:
    """Name the best condition, the score without learning, and the cheapest of those that may be as good."""
    ranked, unit = study.rank(), find_unit(study.metric_name)
    tied = _list_tied(study)
    if len(tied) > 1:
        return [_write_tie(study, tied, unit), *_write_baseline(study, unit)]
    best = ranked[0]
    estimate = best.estimate(study.metric)
    sentences = [f"{_introduce(study, best)}: {unit.label} {format_estimate(estimate, unit)} on {study.split}"]
    sentences[0] += f" ({format_count(estimate.num_values, 'seed')})." if study.num_seeds > 1 else "."
    sentences += _write_baseline(study, unit)
    return [*sentences, *(_write_rivals(study, best, unit) if len(study.conditions) > 1 else [])]


def _introduce(study: Study, best: Condition) -> str:
    if not study.axes:
        return "There is one condition"
    if study.num_seeds == 1:
        return f"In this seed the best of {len(study.conditions)} conditions is {best.name}"
    return f"The best of {len(study.conditions)} conditions is {best.name}"


def list_rivals(study: Study) -> list[tuple[Condition, Effect]]:
    """Return the conditions that do not differ significantly from the best, with their difference, the best first.

    That one condition beats all others is significant at 5 % where each single comparison is (an intersection-union
    test, Berger 1982), so these comparisons are not corrected for their number.
    """
    ranked = study.rank()
    values = study.tabulate_conditions(study.metric)
    names = [condition.name for condition in study.conditions]
    effects = dict(zip(names, compare_conditions(values, study.conditions.index(ranked[0])), strict=True))
    scored = [(each, effects[each.name]) for each in ranked[1:] if len(each.collect(study.metric))]
    return [(each, effect) for each, effect in scored if effect is not None and not effect.estimate.p_value < 1 - LEVEL]


def write_cost(condition: Condition) -> str:
    """Write the cost of a condition, such as `4,456 parameters, trained in 12 s`."""
    parameters, seconds = condition.average("model/parameters"), condition.average("time/fit_seconds")
    size = "an unknown size" if math.isnan(parameters) else f"{parameters:,.0f} parameters"
    return size if math.isnan(seconds) else f"{size}, trained in {format_seconds(seconds)}"


def _list_tied(study: Study) -> list[Condition]:
    """Return the best condition and those whose score equals its own, the cheapest first."""
    ranked = study.rank()
    best = ranked[0].average(study.metric)
    tied = [each for each in ranked if math.isclose(each.average(study.metric), best, abs_tol=1e-12)]
    return sorted(tied, key=_find_cost)


def _write_tie(study: Study, tied: list[Condition], unit: Unit) -> str:
    score = format_score(tied[0].average(study.metric), unit)
    names = "; ".join(condition.name for condition in tied[:_MOST_NAMED])
    rest = f"; and {len(tied) - _MOST_NAMED} more" if len(tied) > _MOST_NAMED else ""
    return (
        f"{len(tied)} of {len(study.conditions)} conditions tie for the best {unit.label}, {score} on {study.split}, "
        f"the cheapest first: {names}{rest}. The cheapest has {write_cost(tied[0])}."
    )


def _write_baseline(study: Study, unit: Unit) -> list[str]:
    baseline = find_baseline(study, study.metric)
    if baseline is None:
        return []
    sentence = f"Without learning ({baseline.name}) {format_score(baseline.score, unit)} is reached."
    estimate = study.rank()[0].estimate(study.metric)
    if estimate.low <= baseline.score <= estimate.high:
        return [sentence, "The interval of the best includes this baseline, so even the best may have learnt nothing."]
    return [sentence]


def _write_rivals(study: Study, best: Condition, unit: Unit) -> list[str]:
    rivals = list_rivals(study)
    cost = f"It has {write_cost(best)}."
    if study.num_seeds == 1:
        return [cost]
    if not rivals:
        return [f"It is better than every other condition at the 5 % level. {cost}"]
    known = [(condition, effect) for condition, effect in rivals if math.isfinite(effect.estimate.low)]
    if not known:
        return [f"With one seed in common, no condition can be compared with it. {cost}"]
    cheapest, effect = min(rivals, key=lambda rival: _find_cost(rival[0]))
    difference = format_estimate(effect.estimate, unit, difference=True)
    described = f"{cheapest.name} ({difference}), {write_cost(cheapest)}"
    if len(rivals) == 1:
        return [f"{cost} One other does not differ significantly from it: {described}."]
    is_cheaper = _find_cost(cheapest) < _find_cost(best)
    chosen = "the cheapest is" if is_cheaper else "all cost more; the cheapest is"
    return [f"{cost} {len(rivals)} others do not differ significantly from it; {chosen} {described}."]


def _find_cost(condition: Condition) -> float:
    seconds = condition.average("time/fit_seconds")
    return math.inf if math.isnan(seconds) else seconds
