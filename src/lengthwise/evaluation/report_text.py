"""What a report says in words, written from the numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lengthwise.evaluation.effects import (
    Effect,
    Estimate,
    compare_cells,
    measure_interactions,
    measure_main_effects,
)
from lengthwise.evaluation.metrics import find_metric
from lengthwise.evaluation.study import Axis, Cell, Study, show_value

_STEPS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "model.conditioning": (
        "giving the latent ",
        {"repeat": "as the input of every step", "initial_state": "as the initial state", "both": "in both ways"},
    ),
    "model.feedback": (
        "feeding back in training ",
        {
            "none": "nothing",
            "teacher": "the true previous output",
            "scheduled": "a mix of the true and the own previous output",
            "own": "the own previous output",
        },
    ),
    "model.length": (
        "",
        {"fixed": "padding to a fixed length", "stop": "stopping by a learnt end", "oracle": "being told the length"},
    ),
    "model.carry": ("carrying over ", {"h": "the hidden state alone", "hc": "the hidden and the cell state"}),
    "decoding.length": (
        "decoding ",
        {"model": "to the model's own end", "oracle": "to the true length", "max": "to the most steps"},
    ),
}
"""Option -> how a choice of it begins, and each level, in words."""


class Unit(NamedTuple):
    """How scores and differences of a metric are written.

    Args:
        label: name of the metric.
        scale: what scores are multiplied by: 100 for shares.
        score: unit of a score, such as `%`.
        difference: unit of a difference, such as `points`.
    """

    label: str
    scale: float
    score: str
    difference: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that a study says of one step.

    Args:
        step: what is done.
        effect: what came of it.
        verdict: 1 surely better, -1 surely worse, 0 not sure.
        text: the sentence.
    """

    step: str
    effect: Effect
    verdict: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a study says.

    Args:
        lead: the sentences on the best cell, how sure it is, and at what cost.
        findings: of each axis, for the first screen.
        beyond: the same for targets beyond the trained lengths; empty where there are none.
        interaction: the sentence on interactions.
        cautions: what a reader must know before believing any of it.
    """

    lead: tuple[str, ...]
    findings: tuple[Finding, ...]
    beyond: tuple[Finding, ...]
    interaction: str
    cautions: tuple[str, ...]


def find_unit(metric: str) -> Unit:
    """Return how a metric is written; its name without the split."""
    known = find_metric(metric)
    if known is None:
        return Unit(metric.replace("_", " "), 1.0, "", "")
    if known.unit.startswith("share"):
        return Unit(known.label, 100.0, "%", "points")
    return Unit(known.label, 1.0, known.unit, known.unit)


def write_number(value: float, unit: Unit, *, like: float | None = None, sign: bool = False) -> str:
    """Write a score or a difference, shares with one decimal, others with three digits.

    Args:
        value: unscaled.
        unit: of the metric.
        like: the number whose size decides the decimals; None: the value itself.
        sign: whether a plus is written.
    """
    if not math.isfinite(value):
        return "not known" if math.isnan(value) else str(value)
    scaled, size = value * unit.scale, abs(value if like is None else like)
    decimals = 1 if unit.scale == 100 else 3 if size == 0 else min(6, max(0, 2 - math.floor(math.log10(size))))
    text = f"{scaled:+.{decimals}f}" if sign else f"{scaled:.{decimals}f}"
    return text.replace("-", "\N{MINUS SIGN}")


def write_estimate(estimate: Estimate, unit: Unit, *, difference: bool = False) -> str:
    """Write a mean with its interval and unit, such as `+4.1 [1.0, 7.2] points`.

    Args:
        estimate: unscaled.
        unit: of the metric.
        difference: whether it is one.
    """
    like = max(abs(estimate.mean), abs(estimate.low) if math.isfinite(estimate.low) else 0.0)
    mean = write_number(estimate.mean, unit, like=like, sign=difference)
    name = unit.difference if difference else unit.score
    if not math.isfinite(estimate.low):
        return f"{mean} {name}".strip()
    low, high = (write_number(end, unit, like=like) for end in (estimate.low, estimate.high))
    return f"{mean} [{low}, {high}] {name}".strip()


def write_step(axis: Axis, level: int, reference: int) -> str:
    """Say in words what a step on an axis does.

    Args:
        axis: the axis.
        level: place on it that is stepped to.
        reference: place on it that is stepped from.
    """
    after, before = show_value(axis.levels[level]), show_value(axis.levels[reference])
    begin, words = _STEPS.get(axis.option, ("", {}))
    if axis.confounded or after not in words or before not in words:
        return f"{axis.label}={after} instead of {before}"
    return f"{begin}{words[after]} instead of {words[before]}"


def write_findings(study: Study, metric: str) -> tuple[list[Finding], list[Finding]]:
    """Measure all main effects and interactions of a metric and say what they are.

    Args:
        study: the study.
        metric: `split/metric`.

    Returns:
        Those of the main effects and those of the interactions.
    """
    values = study.tabulate(metric)
    unit = find_unit(study.metric_name)
    main = [_find(study, effect, unit) for effect in measure_main_effects(values)]
    pairs = [_find(study, effect, unit) for effect in measure_interactions(values)]
    return main, pairs


def _find(study: Study, effect: Effect, unit: Unit) -> Finding:
    steps = [write_step(study.axes[each.axis], each.level, each.reference) for each in effect.contrasts]
    mean = effect.estimate.mean
    better = mean > 0 if study.higher_is_better else mean < 0
    verdict = (1 if better else -1) if effect.is_sure and mean else 0
    step = " \N{MULTIPLICATION SIGN} ".join(steps)
    return Finding(step=step, effect=effect, verdict=verdict, text=_write_finding(step, effect, unit, verdict))


def _write_finding(step: str, effect: Effect, unit: Unit, verdict: int) -> str:
    begin = step[:1].upper() + step[1:] if "=" not in step else step
    if not math.isfinite(effect.estimate.mean):
        return f"{begin}: not known, no runs can be compared."
    told = write_estimate(effect.estimate, unit, difference=True)
    if not math.isfinite(effect.estimate.low):
        return f"{begin} changes {unit.label} by {told}; one seed cannot tell how sure that is."
    if verdict:
        return f"{begin} changes {unit.label} by {told}: {'better' if verdict > 0 else 'worse'}, surely."
    apart = effect.estimate.low > 0 or effect.estimate.high < 0
    because = "; its interval leaves 0 out, but not after the correction for the number of comparisons" if apart else ""
    return f"{begin}: no sure effect on {unit.label} ({told}{because})."


def choose_findings(study: Study, findings: list[Finding]) -> tuple[Finding, ...]:
    """Choose what the first screen says: of a numeric axis the step to its largest level alone.

    Args:
        study: the study.
        findings: of its main effects.
    """
    chosen = []
    for finding in findings:
        contrast = finding.effect.contrasts[0]
        axis = study.axes[contrast.axis]
        if not axis.is_numeric or contrast.level == len(axis.levels) - 1:
            chosen.append(finding)
    return tuple(chosen)


def find_baseline(study: Study, metric: str) -> tuple[str, float]:
    """Return the best baseline of a metric, its name and score; NaN where none is known."""
    split, _, name = metric.partition("/")
    start, end = f"{split}/baseline_", f"_{name}"
    found: dict[str, list[float]] = {}
    for run in study.runs:
        for key, value in run.summary.items():
            if key.startswith(start) and key.endswith(end) and math.isfinite(value):
                found.setdefault(key[len(start) : -len(end)], []).append(value)
    means = {key: sum(values) / len(values) for key, values in found.items()}
    if not means:
        return "none", float("nan")
    best = (max if study.higher_is_better else min)(means, key=lambda key: means[key])
    return best.replace("_", " "), means[best]


def write_answer(study: Study) -> Answer:
    """Say what a study says."""
    main, pairs = write_findings(study, study.metric)
    beyond: tuple[Finding, ...] = ()
    for metric in study.other_metrics:
        beyond += choose_findings(study, write_findings(study, metric)[0])
    return Answer(
        lead=_write_lead(study),
        findings=choose_findings(study, main),
        beyond=beyond,
        interaction=_write_interaction(study, pairs),
        cautions=_write_cautions(study, [*main, *pairs]),
    )


def _write_lead(study: Study) -> tuple[str, ...]:
    ranked = study.rank()
    best, unit = ranked[0], find_unit(study.metric_name)
    found = best.estimate(study.metric)
    if not found.count:
        return ("No run has finished, so there is nothing to say yet.",)
    among = f"Best of {len(study.cells)} cells is {best.name}" if study.axes else "There is one cell"
    score = f"{unit.label} {write_estimate(found, unit)}"
    sentences = [f"{among}: {score} on {study.split} ({_count(found.count, 'seed')})."]
    name, baseline = find_baseline(study, study.metric)
    if math.isfinite(baseline):
        told = f"{write_number(baseline, unit)} {unit.score}".strip()
        beats = found.mean > baseline if study.higher_is_better else found.mean < baseline
        sentences.append(
            f"Without learning ({name}) {told} is reached."
            if beats
            else f"No cell beats what is reached without learning: {told} ({name}). Train longer before choosing."
        )
    if len(study.cells) > 1:
        sentences.append(_write_rivals(study, best, unit))
    return tuple(sentences)


def list_rivals(study: Study) -> list[tuple[Cell, Effect]]:
    """Return the cells that are not surely worse than the best, with their difference from it, the best first."""
    ranked = study.rank()
    values = study.tabulate(study.metric).reshape(len(study.cells), -1)
    names = [cell.name for cell in study.cells]
    effects = dict(zip(names, compare_cells(values, study.cells.index(ranked[0])), strict=True))
    found = [(cell, effects[cell.name]) for cell in ranked[1:] if len(cell.collect(study.metric))]
    return [(cell, effect) for cell, effect in found if effect is not None and not effect.is_sure]


def _write_rivals(study: Study, best: Cell, unit: Unit) -> str:
    rivals = list_rivals(study)
    cost = f"It has {write_cost(best)}."
    if not rivals:
        return f"It is surely better than every other cell. {cost}"
    if all(not math.isfinite(effect.estimate.low) for _, effect in rivals):
        return f"With one seed, no cell can be said to be surely better than another. {cost}"
    cheapest, effect = min(rivals, key=lambda rival: rival[0].average("time/fit_seconds"))
    count = f"{len(rivals)} other cells are" if len(rivals) > 1 else "One other cell is"
    saves = cheapest.average("time/fit_seconds") < best.average("time/fit_seconds")
    chosen = "cheapest of all" if saves else "cheapest of the others"
    named = f" The {chosen}, {cheapest.name}," if len(rivals) > 1 else f" This one, {cheapest.name},"
    told = write_estimate(effect.estimate, unit, difference=True)
    return f"{count} not surely worse. {cost}{named} has {write_cost(cheapest)} ({told})."


def write_cost(cell: Cell) -> str:
    """Say what a cell costs, such as `4,456 parameters and trains in 12 s`."""
    parameters, seconds = cell.average("model/parameters"), cell.average("time/fit_seconds")
    told = "an unknown number of parameters" if math.isnan(parameters) else f"{parameters:,.0f} parameters"
    return told if math.isnan(seconds) else f"{told} and trains in {write_seconds(seconds)}"


def write_seconds(seconds: float) -> str:
    """Write a duration: seconds up to two minutes, then minutes.

    >>> write_seconds(4.26), write_seconds(61.0), write_seconds(600.0)
    ('4.3 s', '61 s', '10 min')
    """
    if seconds >= 120:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def _write_interaction(study: Study, pairs: list[Finding]) -> str:
    if not pairs:
        return ""
    unit = find_unit(study.metric_name)
    sure = sorted((each for each in pairs if each.effect.is_sure), key=lambda each: -abs(each.effect.estimate.mean))
    if not sure:
        return f"No two-way interaction of {len(pairs)} is sure: no axis is seen to change the effect of another."
    first, second = (study.axes[each.axis] for each in sure[0].effect.contrasts)
    told = write_estimate(sure[0].effect.estimate, unit, difference=True)
    return (
        f"{len(sure)} of {len(pairs)} two-way interactions are sure, so the effects above are averages over cells that "
        f"differ. The largest is {first.label} with {second.label} ({sure[0].step}): {told} beyond the two alone."
    )


def _write_cautions(study: Study, findings: list[Finding]) -> tuple[str, ...]:
    cautions = []
    for axis in study.axes:
        if axis.confounded:
            names = ", ".join(option.partition(".")[2] or option for option in axis.confounded)
            cautions.append(
                f"{axis.label} changes {names} together: this study cannot tell which of them makes the difference."
            )
    num_seeds = max((len(cell.finished) for cell in study.cells), default=0)
    if num_seeds == 1:
        cautions.append("One seed: no interval can be given, and nothing here is sure.")
    elif num_seeds == 2:
        cautions.append("Two seeds: intervals are very wide (12.7 standard errors), so little can be sure.")
    unfinished = study.list_unfinished()
    if unfinished:
        counts: dict[str, int] = {}
        for _, _, status, _ in unfinished:
            counts[status.lower()] = counts.get(status.lower(), 0) + 1
        told = ", ".join(f"{count} {status}" for status, count in counts.items())
        total = len(study.cells) * len(study.seeds)
        cautions.append(f"Of {total} runs in the grid {total - len(unfinished)} can be used: {told}.")
    for option, values in study.unstarted.items():
        cautions.append(f"Planned but never started: {option}={', '.join(values)}.")
    if any(finding.effect.method == "linear model" for finding in findings):
        cautions.append("Some effects come from a linear model, since no cell has both levels; see the small print.")
    return tuple(cautions)


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def has_values(study: Study) -> bool:
    """Tell whether any run finished with a score."""
    return bool(np.isfinite(study.tabulate(study.metric)).any())
