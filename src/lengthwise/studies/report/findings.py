"""Findings of a study: each measured effect with its description in words and its verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.values import format_value
from lengthwise.studies.axes import Axis
from lengthwise.studies.effects import Effect, measure_interactions, measure_main_effects, measure_simple_effects
from lengthwise.studies.intervals import bound_failures
from lengthwise.studies.judging import MIN_SEEDS, PAGE_LEVEL, correct_effects
from lengthwise.studies.study import Study

Verdict = Literal[1, -1, 0]

VERDICTS: Mapping[Verdict, str] = {1: "better", -1: "worse", 0: "no significant difference"}
MARKS: Mapping[Verdict, str] = {
    1: "\N{BLACK UP-POINTING TRIANGLE}",
    -1: "\N{BLACK DOWN-POINTING TRIANGLE}",
    0: "\N{WHITE CIRCLE}",
}
LEVEL_NOTE = "at the page's 5 % level"
LEGEND = (
    f"{MARKS[1]} better, {MARKS[-1]} worse {LEVEL_NOTE}, all comparisons of the page taken together; {MARKS[0]} no "
    "significant difference: the interval says what is not excluded. 95 % intervals of means over seeds like those run."
)
LEGEND_FEW_SEEDS = (
    f"Fewer than {MIN_SEEDS} seeds: no verdicts. Each 95 % interval says which differences are not excluded."
)

_CHANGES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "model.conditioning": (
        "giving the latent ",
        {"repeat": "as the input of every step", "initial_state": "as the initial state", "both": "in both ways"},
    ),
    "model.feedback": (
        "feeding back in training ",
        {
            "none": "nothing",
            "teacher": "the true previous output",
            "scheduled": "a mix of the true and the predicted previous output",
            "own": "the predicted previous output",
        },
    ),
    "model.length": (
        "",
        {"fixed": "padding to a fixed length", "stop": "stopping by a learnt end", "oracle": "giving the true length"},
    ),
    "model.carry": ("carrying over ", {"h": "only the hidden state", "hc": "the hidden and the cell state"}),
    "decoding.length": (
        "decoding ",
        {"model": "to the model's own end", "oracle": "to the true length", "max": "to the most steps"},
    ),
}
"""Option -> the beginning of the phrase that names a choice of it, and the rest for each level."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One effect of a study.

    Args:
        change: What is changed, in words.
        label: The same, shorter.
        effect: Its measured effect.
        corrected_p: The p-value, corrected for all comparisons of the page; NaN where it is not judged.
        verdict: 1 better, -1 worse, both at the 5 % level of the page; 0 no significant difference, or not judged.
        context: The levels of the other axes at which it is a simple effect, in words; empty of an average.
        simple: Of a main effect, the simple effects that it is the average of.
        undone_by: Share of the better level's seeds whose failure would undo the difference; NaN without a verdict.
    """

    change: str
    label: str
    effect: Effect
    corrected_p: float
    verdict: Verdict
    context: str = ""
    simple: tuple[Finding, ...] = field(default=())
    undone_by: float = math.nan

    @property
    def is_known(self) -> bool:
        """Whether there are runs to measure it by."""
        return math.isfinite(self.effect.estimate.mean)

    @property
    def has_interval(self) -> bool:
        """Whether there are seeds enough for an interval, at least two."""
        return math.isfinite(self.effect.estimate.low)

    @property
    def is_judged(self) -> bool:
        """Whether there are seeds enough for a verdict."""
        return math.isfinite(self.corrected_p)

    @property
    def depends_on_others(self) -> bool:
        """Whether its simple effects differ by more than half of it, so that it describes none of them."""
        means = [each.effect.estimate.mean for each in self.simple if each.is_known]
        return len(means) > 1 and max(means) - min(means) > abs(self.effect.estimate.mean) / 2

    @property
    def describing(self) -> tuple[Finding, ...]:
        """What describes this change: its simple effects where they differ, else itself."""
        return self.simple if self.depends_on_others else (self,)


def list_describing(findings: Sequence[Finding]) -> list[Finding]:
    """List the findings that describe a study: simple effects where a main effect depends on the other axes."""
    return [each for finding in findings for each in finding.describing]


def describe_change(axis: Axis, level: int, reference: int) -> str:
    """Describe a change on an axis in words.

    Args:
        axis: The axis.
        level: Index of the level that is changed to.
        reference: Index of the level that is changed from.
    """
    after, before = format_value(axis.levels[level]), format_value(axis.levels[reference])
    begin, words = _CHANGES.get(axis.option, ("", {}))
    if axis.confounded or after not in words or before not in words:
        return f"{axis.label}={after} instead of {before}"
    return f"{begin}{words[after]} instead of {words[before]}"


def label_change(axis: Axis, level: int, reference: int) -> str:
    """Name a change briefly, as in `length: stop instead of fixed`; arguments as for `describe_change`."""
    return f"{axis.label}: {format_value(axis.levels[level])} instead of {format_value(axis.levels[reference])}"


def list_findings(study: Study, metric: str) -> list[Finding]:
    """Measure all differences between levels, with the simple effects that each is the average of.

    Only those of the study's own metric are judged: one page has one family of comparisons.

    Args:
        study: The study.
        metric: `split/metric`.

    Returns:
        One for each pair of levels of each axis; none of a study that is no grid.
    """
    if not study.is_grid:
        return []
    grid = study.arrange(metric)
    main, simple = measure_main_effects(grid), measure_simple_effects(grid)
    unknown = [math.nan] * len(main), [[math.nan] * len(own) for own in simple]
    is_judged = metric == study.metric
    p_main, p_simple = correct_effects(main, simple, num_looks=study.num_looks) if is_judged else unknown
    found = []
    for effect, p_value, own, own_p in zip(main, p_main, simple, p_simple, strict=True):
        parts = tuple(_describe(study, each, p, scores=grid.values) for each, p in zip(own, own_p, strict=True))
        found.append(_describe(study, effect, p_value, scores=grid.values, simple=parts))
    return found


def list_interactions(study: Study, metric: str) -> list[Finding]:
    """Measure all two-way interactions of a metric, which are not judged; none of a study that is no grid."""
    if not study.is_grid:
        return []
    grid = study.arrange(metric)
    return [_describe(study, effect, math.nan, scores=grid.values) for effect in measure_interactions(grid)]


def choose_findings(study: Study, findings: Sequence[Finding]) -> list[Finding]:
    """Choose the findings for the first screen: of a numeric axis only the change from its first to its last level.

    Args:
        study: The study.
        findings: Its main effects.
    """
    chosen = []
    for finding in findings:
        contrast = finding.effect.contrasts[0]
        axis = study.axes[contrast.axis]
        if not axis.is_numeric or (contrast.reference, contrast.level) == (0, len(axis.levels) - 1):
            chosen.append(finding)
    return chosen


def find_fragile(findings: Sequence[Finding]) -> Finding | None:
    """Find the difference called better or worse that fewest failing seeds would undo, where that few are not excluded.

    Args:
        findings: Main effects; where one depends on the other axes, its simple effects are looked at instead.

    Returns:
        The finding; None where every difference stands with as many failing seeds as its seeds do not exclude.
    """
    fragile = [each for each in list_describing(findings) if each.undone_by < bound_failures(0, each.effect.seeds_used)]
    return min(fragile, key=lambda each: each.undone_by, default=None)


def _describe(
    study: Study,
    effect: Effect,
    corrected_p: float,
    *,
    scores: NDArray[np.float64],
    simple: tuple[Finding, ...] = (),
) -> Finding:
    changes = [describe_change(study.axes[each.axis], each.level, each.reference) for each in effect.contrasts]
    labels = [label_change(study.axes[each.axis], each.level, each.reference) for each in effect.contrasts]
    times = " \N{MULTIPLICATION SIGN} "
    verdict = _judge(study, effect, corrected_p)
    return Finding(
        change=times.join(changes),
        label=times.join(labels),
        effect=effect,
        corrected_p=corrected_p,
        verdict=verdict,
        context=_name_context(study, effect),
        simple=simple,
        undone_by=_find_undoing(study, effect, scores) if verdict else math.nan,
    )


def _name_context(study: Study, effect: Effect) -> str:
    if effect.context is None:
        return ""
    named = [
        f"{axis.label}={format_value(axis.levels[level])}"
        for index, (axis, level) in enumerate(zip(study.axes, effect.context, strict=True))
        if index != effect.contrasts[0].axis
    ]
    return ", ".join(named)


def _judge(study: Study, effect: Effect, corrected_p: float) -> Verdict:
    mean = effect.estimate.mean
    if not corrected_p < PAGE_LEVEL or not mean:
        return 0
    return 1 if (mean > 0) == study.higher_is_better else -1


def _find_undoing(study: Study, effect: Effect, scores: NDArray[np.float64]) -> float:
    """Return the share of the better level's seeds that would have to count with the worst score to undo a difference.

    NaN where failed runs are left out, since then it is of seeds that do not fail.
    """
    (contrast,) = effect.contrasts
    is_gain = (effect.estimate.mean > 0) == study.higher_is_better
    own = np.take(scores, contrast.level if is_gain else contrast.reference, axis=contrast.axis)
    if effect.context is not None:
        own = own[tuple(level for axis, level in enumerate(effect.context) if axis != contrast.axis)]
    worst = study.conditions[0].worst.get(study.metric, math.nan)
    fall = abs(float(np.nanmean(own)) - worst)
    return min(1.0, abs(effect.estimate.mean) / fall) if fall else math.nan
