"""What a report says in words, written from the numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lengthwise.studies.effects import (
    LEVEL,
    Effect,
    compare_cells,
    measure_at_levels,
    measure_interactions,
    measure_main_effects,
)
from lengthwise.studies.report.numbers import Unit, find_unit, write_estimate, write_number, write_seconds
from lengthwise.studies.study import Axis, Cell, Study, show_value

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

VERDICTS = {1: "surely better", -1: "surely worse", 0: "no sure effect"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that a study says of one step, or of two.

    Args:
        step: what is done, in words.
        label: the same, short.
        effect: what came of it.
        verdict: 1 surely better, -1 surely worse, 0 not sure.
    """

    step: str
    label: str
    effect: Effect
    verdict: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a study says.

    Args:
        effects: sentences, one for each axis: its largest sure effect, or that there is none; then interactions.
        beyond: the same for targets longer than those trained on; empty where there are none.
        choice: sentences on the best cell, how sure it is, and at what cost.
        cautions: what a reader must know before believing any of it.
    """

    effects: tuple[str, ...]
    beyond: tuple[str, ...]
    choice: tuple[str, ...]
    cautions: tuple[str, ...]

    @property
    def paragraphs(self) -> tuple[str, ...]:
        """The sentences in the order in which they are read, without the cautions."""
        return tuple(" ".join(part) for part in (self.effects, self.beyond, self.choice) if part)


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


def label_step(axis: Axis, level: int, reference: int) -> str:
    """Name a step shortly, as in `length: stop instead of fixed`; arguments as for `write_step`."""
    return f"{axis.label}: {show_value(axis.levels[level])} instead of {show_value(axis.levels[reference])}"


def write_findings(study: Study, metric: str) -> tuple[list[Finding], list[Finding]]:
    """Measure all main effects and interactions of a metric and say what they are.

    Args:
        study: the study.
        metric: `split/metric`.

    Returns:
        Those of the main effects and those of the interactions.
    """
    if not study.is_grid:
        return [], []
    values = study.tabulate(metric)
    main = [_find(study, effect) for effect in measure_main_effects(values)]
    pairs = [_find(study, effect) for effect in measure_interactions(values)]
    return main, pairs


def write_levels(study: Study, metric: str) -> dict[str, list[Finding]]:
    """Measure the effects of the other axes at each level of the first numeric one, such as each `latent_dim`.

    Args:
        study: the study.
        metric: `split/metric`.

    Returns:
        The level in words, such as `latent_dim=8` -> the findings; empty where there is no such axis, or no other.
    """
    numeric = next((place for place, axis in enumerate(study.axes) if axis.is_numeric), None)
    if numeric is None or len(study.axes) < 2 or not study.is_grid:
        return {}
    axis = study.axes[numeric]
    others = [each for each in study.axes if each is not axis]
    found = measure_at_levels(study.tabulate(metric), numeric)
    return {
        f"{axis.label}={show_value(level)}": [_find(study, effect, others) for effect in effects]
        for level, effects in zip(axis.levels, found, strict=True)
    }


def _write_levels(study: Study) -> list[str]:
    """Say of each step where it is surely better and where surely worse, in the order of the numeric axis' levels."""
    by_level = write_levels(study, study.metric)
    sentences = []
    for steps in zip(*by_level.values(), strict=True):
        where: dict[int, list[str]] = {1: [], -1: [], 0: []}
        for level, finding in zip(by_level, steps, strict=True):
            where[finding.verdict].append(level.partition("=")[2])
        told = [f"{VERDICTS[verdict]} at {', '.join(levels)}" for verdict, levels in where.items() if levels]
        axis = next(iter(by_level)).partition("=")[0]
        sentences.append(f"By {axis}, {steps[0].step}: {'; '.join(told)}.")
    return sentences


def _find(study: Study, effect: Effect, axes: Sequence[Axis] | None = None) -> Finding:
    own = study.axes if axes is None else axes
    steps = [write_step(own[each.axis], each.level, each.reference) for each in effect.contrasts]
    labels = [label_step(own[each.axis], each.level, each.reference) for each in effect.contrasts]
    better = effect.estimate.mean > 0 if study.higher_is_better else effect.estimate.mean < 0
    verdict = (1 if better else -1) if effect.is_sure and effect.estimate.mean else 0
    times = " \N{MULTIPLICATION SIGN} "
    return Finding(step=times.join(steps), label=times.join(labels), effect=effect, verdict=verdict)


def _write_axis(axis: Axis, findings: list[Finding], unit: Unit) -> str:
    """Say in a sentence what an axis does: its largest sure effect, else that none is."""
    known = [each for each in findings if math.isfinite(each.effect.estimate.mean)]
    if not known:
        return f"{axis.label}: not known, no runs can be compared."
    largest = max(known, key=lambda each: (each.verdict != 0, abs(each.effect.estimate.mean)))
    told = write_estimate(largest.effect.estimate, unit, difference=True)
    if largest.verdict:
        step = largest.step if "=" in largest.step else largest.step[:1].upper() + largest.step[1:]
        return f"{step} changes {unit.label} by {told}, surely {'better' if largest.verdict > 0 else 'worse'}."
    if not math.isfinite(largest.effect.estimate.low):
        return f"{largest.step} changes {unit.label} by {told}; one seed cannot tell how surely."
    apart = largest.effect.estimate.low > 0 or largest.effect.estimate.high < 0
    because = ", not sure after the correction for the number of comparisons" if apart else ""
    return f"No sure effect of {axis.label}: {told} for {largest.step}{because}."


def _write_axes(study: Study, findings: list[Finding]) -> list[str]:
    unit = find_unit(study.metric_name)
    by_axis = {axis.option: [each for each in findings if study.axes[each.effect.contrasts[0].axis] is axis]
               for axis in study.axes}  # fmt: skip
    size = {option: max((_rank(each) for each in own), default=(False, 0.0)) for option, own in by_axis.items()}
    ordered = sorted((axis for axis in study.axes if by_axis[axis.option]), key=lambda axis: size[axis.option])
    return [_write_axis(axis, by_axis[axis.option], unit) for axis in reversed(ordered)]


def _rank(finding: Finding) -> tuple[bool, float]:
    mean = finding.effect.estimate.mean
    return finding.verdict != 0, abs(mean) if math.isfinite(mean) else -1.0


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
            if key.startswith(start) and key.endswith(end) and study.is_yardstick(value):
                found.setdefault(key[len(start) : -len(end)], []).append(value)
    means = {key: sum(values) / len(values) for key, values in found.items()}
    if not means:
        return "none", float("nan")
    best = (max if study.higher_is_better else min)(means, key=lambda key: means[key])
    return best.replace("_", " "), means[best]


def write_answer(study: Study) -> Answer:
    """Say what a study says."""
    main, pairs = write_findings(study, study.metric)
    beyond: list[str] = []
    for metric in study.other_metrics:
        told = _write_axes(study, list(choose_findings(study, write_findings(study, metric)[0])))
        if told:
            beyond += ["On targets longer than those trained on:", *told]
    if not has_values(study):
        nothing = "No run has finished, so there is nothing to say yet."
        return Answer(effects=(nothing,), beyond=(), choice=(), cautions=_write_cautions(study, []))
    effects = _write_axes(study, list(choose_findings(study, main))) if main else []
    interaction = _write_interaction(study, pairs)
    return Answer(
        effects=(*effects, *_write_levels(study), *([interaction] if interaction else [])),
        beyond=tuple(beyond),
        choice=_write_choice(study),
        cautions=_write_cautions(study, [*main, *pairs]),
    )


def _write_choice(study: Study) -> tuple[str, ...]:
    ranked = study.rank()
    best, unit = ranked[0], find_unit(study.metric_name)
    found = best.estimate(study.metric)
    among = f"Best of {len(study.cells)} cells is {best.name}" if study.axes else "There is one cell"
    score = f"{unit.label} {write_estimate(found, unit)}"
    sentences = [f"{among}: {score} on {study.split} ({_count(found.num_values, 'seed')})."]
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
    """Return the cells that cannot be told apart from the best, with their difference from it, the best first.

    That one cell beats all others is sure at 5 % where each single comparison is (an intersection-union test, Berger
    1982), so these comparisons are not corrected for their number.
    """
    ranked = study.rank()
    values = study.tabulate_cells(study.metric)
    names = [cell.name for cell in study.cells]
    effects = dict(zip(names, compare_cells(values, study.cells.index(ranked[0])), strict=True))
    found = [(cell, effects[cell.name]) for cell in ranked[1:] if len(cell.collect(study.metric))]
    return [(cell, effect) for cell, effect in found if effect is not None and not effect.estimate.p_value < 1 - LEVEL]


def _write_rivals(study: Study, best: Cell, unit: Unit) -> str:
    rivals = list_rivals(study)
    cost = f"It has {write_cost(best)}."
    if not rivals:
        return f"It is surely better than every other cell. {cost}"
    if not math.isfinite(rivals[0][1].estimate.low):
        return f"With one seed, no cell can be said to be surely better than another. {cost}"
    cheapest, effect = min(rivals, key=lambda rival: _cheapest_first(rival[0]))
    saves = _cheapest_first(cheapest) < _cheapest_first(best)
    told = write_estimate(effect.estimate, unit, difference=True)
    if len(rivals) == 1:
        return f"{cost} One other cannot be told apart from it: {cheapest.name} ({told}), {write_cost(cheapest)}."
    chosen = "the cheapest is" if saves else "all cost more; the cheapest is"
    return (
        f"{cost} {len(rivals)} others cannot be told apart from it; {chosen} {cheapest.name} ({told}), "
        f"{write_cost(cheapest)}."
    )


def _cheapest_first(cell: Cell) -> float:
    seconds = cell.average("time/fit_seconds")
    return math.inf if math.isnan(seconds) else seconds


def write_cost(cell: Cell) -> str:
    """Say what a cell costs, such as `4,456 parameters trained in 12 s`."""
    parameters, seconds = cell.average("model/parameters"), cell.average("time/fit_seconds")
    told = "an unknown size" if math.isnan(parameters) else f"{parameters:,.0f} parameters"
    return told if math.isnan(seconds) else f"{told}, trained in {write_seconds(seconds)}"


def _write_interaction(study: Study, pairs: list[Finding]) -> str:
    if not pairs:
        return ""
    unit = find_unit(study.metric_name)
    sure = sorted((each for each in pairs if each.effect.is_sure), key=lambda each: -abs(each.effect.estimate.mean))
    if not sure:
        many = f"None of the {len(pairs)} two-way interactions is sure"
        none = many if len(pairs) > 1 else "The two-way interaction is not sure"
        known = [each for each in pairs if each.effect.estimate.p_value < 1 - LEVEL]
        clearest = min(known, key=lambda each: each.effect.estimate.p_value, default=None)
        if clearest is None:
            return f"{none}: no axis is seen to change the effect of another."
        told = write_estimate(clearest.effect.estimate, unit, difference=True)
        return f"{none}; the clearest is {clearest.label} ({told})."
    first, second = (study.axes[each.axis] for each in sure[0].effect.contrasts)
    told = write_estimate(sure[0].effect.estimate, unit, difference=True)
    return (
        f"{len(sure)} of {len(pairs)} two-way interactions are sure, so these effects are averages over cells that "
        f"differ; the largest is of {first.label} with {second.label} ({sure[0].label}): {told} beyond the two alone."
    )


def _write_cautions(study: Study, findings: list[Finding]) -> tuple[str, ...]:
    cautions = []
    for axis in study.axes:
        if axis.confounded:
            names = ", ".join(option.partition(".")[2] or option for option in axis.confounded)
            cautions.append(
                f"{axis.label} changes {names} together: this study cannot tell which of them makes the difference."
            )
    if not study.is_grid:
        names = ", ".join(axis.label for axis in study.axes)
        cautions.append(f"The runs are no grid over {names}, so effects cannot be measured; cells are compared alone.")
    num_seeds = max((len(cell.finished) for cell in study.cells), default=0)
    if num_seeds == 1:
        cautions.append("One seed: no interval can be given, and nothing here is sure.")
    elif num_seeds == 2:
        cautions.append("Two seeds: intervals are very wide (12.7 standard errors each way), so little can be sure.")
    unfinished = study.list_unfinished()
    if unfinished:
        counts: dict[str, int] = {}
        for _, _, status, _ in unfinished:
            counts[status.lower()] = counts.get(status.lower(), 0) + 1
        told = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
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
    return bool(np.isfinite(study.tabulate_cells(study.metric)).any())
