"""Findings of a study: each measured effect with its description in words and its verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lengthwise.config.values import format_value
from lengthwise.studies.axes import Axis
from lengthwise.studies.effects import Effect, measure_at_levels, measure_interactions, measure_main_effects
from lengthwise.studies.study import Study

Verdict = Literal[1, -1, 0]

VERDICTS: Mapping[Verdict, str] = {1: "better", -1: "worse", 0: "no significant difference"}
MARKS: Mapping[Verdict, str] = {
    1: "\N{BLACK UP-POINTING TRIANGLE}",
    -1: "\N{BLACK DOWN-POINTING TRIANGLE}",
    0: "\N{WHITE CIRCLE}",
}
LEVEL_NOTE = "at the 5 % level (corrected)"
LEGEND = (
    f"{MARKS[1]} better, {MARKS[-1]} worse {LEVEL_NOTE}; {MARKS[0]} no significant difference: the interval says what "
    "is not excluded; 95 % intervals."
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
        verdict: 1 better, -1 worse, both at the 5 % level (corrected); 0 no significant difference.
    """

    change: str
    label: str
    effect: Effect
    verdict: Verdict

    @property
    def is_known(self) -> bool:
        """Whether there are runs to measure it by."""
        return math.isfinite(self.effect.estimate.mean)

    @property
    def has_interval(self) -> bool:
        """Whether there are seeds enough for an interval, at least two."""
        return math.isfinite(self.effect.estimate.low)


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


def list_findings(study: Study, metric: str) -> tuple[list[Finding], list[Finding]]:
    """Measure all main effects and interactions of a metric.

    Args:
        study: The study.
        metric: `split/metric`.

    Returns:
        The findings of the main effects and those of the interactions; none of a study that is no grid.
    """
    if not study.is_grid:
        return [], []
    values = study.tabulate(metric)
    main = [_describe(study, effect, study.axes) for effect in measure_main_effects(values)]
    pairs = [_describe(study, effect, study.axes) for effect in measure_interactions(values)]
    return main, pairs


def list_findings_by_level(study: Study, metric: str) -> dict[str, list[Finding]]:
    """Measure the effects of the other axes at each level of the first numeric one, such as each `latent_dim`.

    Args:
        study: The study.
        metric: `split/metric`.

    Returns:
        The level in words, such as `latent_dim=8` -> the findings; empty where there is no such axis, or no other.
    """
    numeric = next((index for index, axis in enumerate(study.axes) if axis.is_numeric), None)
    if numeric is None or len(study.axes) < 2 or not study.is_grid:
        return {}
    axis = study.axes[numeric]
    others = [each for each in study.axes if each is not axis]
    found = measure_at_levels(study.tabulate(metric), numeric)
    return {
        f"{axis.label}={format_value(level)}": [_describe(study, effect, others) for effect in effects]
        for level, effects in zip(axis.levels, found, strict=True)
    }


def choose_findings(study: Study, findings: Sequence[Finding]) -> list[Finding]:
    """Choose the findings for the first screen: of a numeric axis only the change to its largest level.

    Args:
        study: The study.
        findings: Its main effects.
    """
    chosen = []
    for finding in findings:
        contrast = finding.effect.contrasts[0]
        axis = study.axes[contrast.axis]
        if not axis.is_numeric or contrast.level == len(axis.levels) - 1:
            chosen.append(finding)
    return chosen


def _describe(study: Study, effect: Effect, axes: Sequence[Axis]) -> Finding:
    changes = [describe_change(axes[each.axis], each.level, each.reference) for each in effect.contrasts]
    labels = [label_change(axes[each.axis], each.level, each.reference) for each in effect.contrasts]
    times = " \N{MULTIPLICATION SIGN} "
    return Finding(change=times.join(changes), label=times.join(labels), effect=effect, verdict=_judge(study, effect))


def _judge(study: Study, effect: Effect) -> Verdict:
    mean = effect.estimate.mean
    if not effect.is_significant or not mean:
        return 0
    return 1 if (mean > 0) == study.higher_is_better else -1
