"""The condition to choose: the best on validation, how sure that is, its cost, and the commands that use it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from lengthwise.config.values import format_value
from lengthwise.studies.axes import DATA_SEED
from lengthwise.studies.baselines import find_baseline
from lengthwise.studies.condition import Condition, StudyRun
from lengthwise.studies.judging import MIN_SEEDS, find_possible_best, find_set_confidence
from lengthwise.studies.reliability import count_reaching, find_threshold, spreads_widely
from lengthwise.studies.report.numbers import (
    format_count,
    format_estimate,
    format_number,
    format_score,
    format_seconds,
)
from lengthwise.studies.study import Study
from lengthwise.studies.units import Unit, find_unit

OVERRIDES_TAG = "lengthwise.overrides"
_PLACES = ("study", "output_dir", "resume", "tracking")
_MOST_NAMED = 4
_NO_CHOICE = "Data are given and no choice, so no condition is named as the one to take; the effects say what differs."


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The condition to take.

    Args:
        headline: Which, and its score.
        reasons: How sure that is, a sentence or two each.
        commands: How it is trained and used, line by line; empty where that is not known.
    """

    headline: str
    reasons: tuple[str, ...]
    commands: tuple[str, ...]


def write_choice(study: Study) -> Choice:
    """Name the condition to take, how sure that is, the score without learning, and the cheapest that may be it.

    Of a study over several data, which are given and not chosen, it is the best condition of each.
    """
    unit, by_data = find_unit(study.metric_name), list_best_by_data(study)
    if by_data:
        return Choice(headline=_write_by_data(study, by_data, unit), reasons=(_NO_CHOICE,), commands=())
    tied = _list_tied(study)
    best = tied[0] if len(tied) > 1 else study.rank()[0]
    reliability, baseline = _write_reliability(study, best, unit), _write_baseline(study, best, unit)
    groups = [reliability, baseline]
    if len(tied) > 1:
        headline = _write_tie(study, tied, unit)
    else:
        headline = _write_best(study, best, unit)
        several = _write_set(study, best) if len(study.conditions) > 1 else [f"It has {write_cost(best)}."]
        groups = [several, _write_seeds(study, best, unit), *groups]
    reasons = tuple(" ".join(group) for group in groups if group)
    return Choice(headline=headline, reasons=reasons, commands=list_use(study, best))


def list_best_by_data(study: Study) -> list[Condition]:
    """Return the condition with the best score of each data; none of a study that does not vary data beside choices."""
    data = [index for index, axis in enumerate(study.axes) if axis.is_of_data]
    if not 0 < len(data) < len(study.axes):
        return []
    best: dict[tuple[int, ...], Condition] = {}
    for condition in study.rank():
        if len(condition.collect(study.metric)):
            best.setdefault(tuple(condition.levels[index] for index in data), condition)
    return [condition for _, condition in sorted(best.items())]


def _write_by_data(study: Study, by_data: Sequence[Condition], unit: Unit) -> str:
    scores = [f"{each.name}, {format_estimate(each.estimate(study.metric), unit)}" for each in by_data]
    return f"Best on each data, by the mean {unit.label} ({study.split}): {'; '.join(scores)}."


def list_possible_best(study: Study) -> list[Condition]:
    """Return the conditions with a score that cannot be ruled out as the best, the best first."""
    possible = find_possible_best(
        study.arrange_conditions(study.metric),
        higher_is_better=study.higher_is_better,
        confidence=_find_confidence(study),
    )
    names = {each.name for each, keeps in zip(study.conditions, possible, strict=True) if keeps}
    return [each for each in study.rank() if each.name in names and len(each.collect(study.metric))]


def _find_confidence(study: Study) -> float:
    return find_set_confidence(len(study.axes), is_grid=study.is_grid, num_looks=study.num_looks)


def write_cost(condition: Condition) -> str:
    """Write the cost of a condition, such as `4,456 parameters, trained in 12 s`."""
    parameters, seconds = condition.average("model/parameters"), condition.average("time/fit_seconds")
    size = "an unknown size" if math.isnan(parameters) else f"{parameters:,.0f} parameters"
    return size if math.isnan(seconds) else f"{size}, trained in {format_seconds(seconds)}"


def _write_best(study: Study, best: Condition, unit: Unit) -> str:
    estimate = best.estimate(study.metric)
    score = f"{unit.label} {format_estimate(estimate, unit)} on {study.split}"
    if study.num_seeds > 1:
        median = format_number(best.find_median(study.metric), unit)
        score += f" ({format_count(estimate.num_values, 'seed')}, median {median})"
    if not study.axes:
        return f"There is one condition: {score}."
    by = "on validation" if study.selection_metric != study.metric else f"on {study.split}"
    if study.num_seeds < MIN_SEEDS:
        end = "highest" if study.higher_is_better else "lowest"
        many = format_count(len(study.conditions), "condition")
        return f"So far {best.name} has the {end} score {by} of {many}: {score}."
    return f"Take {best.name}: {score}."


def _write_seeds(study: Study, best: Condition, unit: Unit) -> list[str]:
    """Say what the mean of the best condition hides: seeds far apart, seeds and conditions that are missing."""
    sentences = []
    unknown = [each.name for each in study.conditions if not len(each.collect(study.metric))]
    if unknown:
        names = "; ".join(unknown[:_MOST_NAMED])
        rest = f"; and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
        sentences.append(f"Not run or without a score, so that it may be better: {names}{rest}.")
    if spreads_widely(study, best):
        values = ", ".join(format_number(value, unit) for value in sorted(best.collect(study.metric), reverse=True))
        sentences.append(f"Its seeds are far apart: {values} {unit.score}".strip() + ".")
    missing = [each for each in study.list_missing() if each.condition is best]
    if missing:
        reasons = ", ".join(sorted({each.status.lower() for each in missing}))
        sentences.append(
            f"But {len(missing)} of its {len(study.seeds)} seeds are missing ({reasons}): its mean is of other seeds "
            "than those of complete conditions, and may change when they are run."
        )
    return sentences


def _write_reliability(study: Study, best: Condition, unit: Unit) -> list[str]:
    """Say how many seeds of the best condition work at all, and how many may not; nothing of one seed."""
    threshold = find_threshold(study)
    if math.isnan(threshold) or study.num_seeds < 2:
        return []
    found = count_reaching(study, best, threshold)
    end = "highest" if study.higher_is_better else "lowest"
    rest = ""
    if found.num_reaching and math.isfinite(found.worst_mean):
        rest = f"; the mean over all seeds would be {format_score(found.worst_mean, unit)} then"
    return [
        f"{found.num_reaching} of its {found.num_seeds} seeds work: they reach {format_score(threshold, unit)}, half "
        f"way from the baseline to the {end} median. That up to {100 * found.most_failing:.0f} % of seeds fail is not "
        f"excluded (95 %, Clopper-Pearson){rest}."
    ]


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
    end = "highest" if study.higher_is_better else "lowest"
    return (
        f"{len(tied)} of {len(study.conditions)} conditions share the {end} {unit.label}, {score} on {study.split}, "
        f"the cheapest first: {names}{rest}. The cheapest has {write_cost(tied[0])}."
    )


def _write_baseline(study: Study, best: Condition, unit: Unit) -> list[str]:
    baseline = find_baseline(study, study.metric)
    if baseline is None:
        return []
    sentence = f"Without learning ({baseline.name}) {format_score(baseline.score, unit)} is reached."
    estimate = best.estimate(study.metric)
    if estimate.low <= baseline.score <= estimate.high:
        return [sentence, "The interval of this condition includes the baseline: even it may have learnt nothing."]
    return [sentence]


def _write_set(study: Study, best: Condition) -> list[str]:
    """Say which conditions cannot be ruled out as the best, with the cheapest of them, and how this one was chosen."""
    cost = f"It has {write_cost(best)}."
    scored = [each for each in study.conditions if len(each.collect(study.metric))]
    if study.num_seeds < MIN_SEEDS:
        return [f"With so few seeds no other condition is ruled out ({MIN_SEEDS} are needed).", cost]
    chosen = f"Of {format_count(len(study.conditions), 'condition')} it has the best mean score on validation."
    if study.selection_metric == study.metric:
        end = "highest" if study.higher_is_better else "lowest"
        chosen = f"It is chosen by the {end} mean score on {study.split} itself, which flatters it a little."
    possible = list_possible_best(study)
    confidence = f"{100 * _find_confidence(study):g} % confidence"
    if len(possible) == 1:
        name = "it" if possible == [best] else possible[0].name
        all_of = "Each condition" if len(scored) == len(study.conditions) else f"Of the {len(scored)} with a score each"
        return [f"{all_of} but {name} is worse than another, with {confidence} for all of them.", chosen, cost]
    if len(possible) == len(scored):
        return [f"None of the {len(scored)} conditions can be ruled out as the best with {confidence}.", chosen, cost]
    names = "; ".join(condition.name for condition in possible[:_MOST_NAMED])
    rest = f"; and {len(possible) - _MOST_NAMED} more" if len(possible) > _MOST_NAMED else ""
    cheapest = min(possible, key=_find_cost)
    if cheapest is not best:
        cost += f" The cheapest that may be the best is {cheapest.name}: {write_cost(cheapest)}."
    ruled_out = f"Each of the others is worse than another condition, with {confidence} for all of them."
    return [f"These {len(possible)} may be the best: {names}{rest}. {ruled_out}", chosen, cost]


def _find_cost(condition: Condition) -> float:
    seconds = condition.average("time/fit_seconds")
    return math.inf if math.isnan(seconds) else seconds


def list_use(study: Study, condition: Condition) -> tuple[str, ...]:
    """List the commands that train a condition with the seed that was best on validation, and that use that run.

    Args:
        study: The study.
        condition: One of its conditions.

    Returns:
        Lines for a shell; empty where no run of it has a score, or its overrides were not recorded.
    """
    run = _find_best_run(study, condition)
    overrides = [] if run is None else run.manifest.record.tags.get(OVERRIDES_TAG, "").split()
    if run is None or not overrides:
        return ()
    params = run.manifest.record.params
    kept = [text for text in overrides if text.partition("=")[0].partition(".")[0] not in _PLACES]
    seed = f"{DATA_SEED}="  # it may refer to the run's
    kept = [f"{seed}{format_value(params[DATA_SEED])}" if text.startswith(seed) else text for text in kept]
    if any(text.startswith("experiment=") for text in kept):
        kept.append("hydra.mode=RUN")  # the overlay would start its sweep
    train = shlex.join(["python", "train.py", *kept])
    example = "'an input'" if study.metric_name == "exact_match" else "--file FILE"
    use = f"lengthwise decode {run.manifest.name} {example}"
    return (f"{train}   # trains it again", f"{use}   # uses the trained one")


def _find_best_run(study: Study, condition: Condition) -> StudyRun | None:
    """Return the run of a condition with the best score on validation, where one has a score and a model."""
    sign = 1 if study.higher_is_better else -1
    scored = [run for run in condition.finished if math.isfinite(run.score(study.selection_metric))]
    return max(scored, key=lambda run: sign * run.score(study.selection_metric), default=None)
