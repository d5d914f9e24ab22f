"""A prediction is refuted by the rules that its overlay gives, and by nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from helpers.study_runs import CUBE, make_grid, make_run
from lengthwise.config.about import RefutedIf, StudyAbout
from lengthwise.evaluation.tables import Table
from lengthwise.studies.build import build_study
from lengthwise.studies.condition import StudyRun
from lengthwise.studies.report.fate import write_fate
from lengthwise.studies.study import Study

NOISE = np.array([-0.002, -0.001, 0.0, 0.001, 0.002])
"""Of five seeds: the half width of their mean's interval is 2.776 x .00158 / sqrt(5) = .00196."""


def score(conditioning: str, feedback: str, length: str, seed: int) -> float:
    """3, 5, 7 or 9 % without feedback, 95 to 99 % with it; a learnt stop gains 2 points, the initial state 4 or 2."""
    base = 0.95 if feedback == "teacher" else 0.03
    gain = 0.02 if feedback == "teacher" else 0.04
    return float(base + gain * (conditioning == "initial_state") + 0.02 * (length == "stop") + NOISE[seed])


def make_study(seeds: Sequence[int] = range(5)) -> Study:
    return build_study(["try"], make_grid(CUBE, score, seeds=seeds))


def check(study: Study, *rules: RefutedIf) -> tuple[str, tuple[str, ...]]:
    about = StudyAbout(
        question="?", command="-", runs="-", minutes=1, recipe="-", expected="-", prediction="P", refuted_if=rules
    )
    fate = write_fate(study, about)
    assert fate is not None
    assert fate.prediction == "Predicted before the runs: P."
    return fate.verdict, fate.rules


NO_FEEDBACK = {"model.feedback": "none"}


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        (RefutedIf(text="x", where=NO_FEEDBACK, above=0.085), "Refuted"),  # .09 is
        (RefutedIf(text="x", where=NO_FEEDBACK, above=0.095), "Not refuted"),
        (RefutedIf(text="x", where=NO_FEEDBACK, below=0.035), "Refuted"),
        (RefutedIf(text="x", where={"model.feedback": "teacher"}, below=0.94), "Not refuted"),
        (RefutedIf(text="x", where={**NO_FEEDBACK, "model.length": "stop"}, below=0.045), "Not refuted"),
        (RefutedIf(text="x", where=NO_FEEDBACK, above=0.06, cases=2), "Refuted"),  # .07 and .09 are
        (RefutedIf(text="x", where=NO_FEEDBACK, above=0.06, cases=3), "Not refuted"),
        (RefutedIf(text="x", where={"dataset.name": "copy"}, above=0.98), "Refuted"),  # an option that is no axis
        (RefutedIf(text="x", change={"model.conditioning": ("repeat", "initial_state")}, above=0.035), "Refuted"),
        (RefutedIf(text="x", change={"model.conditioning": ("repeat", "initial_state")}, above=0.045), "Not refuted"),
        (RefutedIf(text="x", change={"model.conditioning": ("initial_state", "repeat")}, below=-0.035), "Refuted"),
        (
            RefutedIf(
                text="x",
                where={"model.feedback": "teacher"},
                change={"model.conditioning": ("repeat", "initial_state")},
                above=0.03,
            ),
            "Not refuted",
        ),
        # The initial state gains 4 points without feedback, 2 with it: feedback changes its gain by -2.
        (
            RefutedIf(
                text="x",
                change={"model.conditioning": ("repeat", "initial_state"), "model.feedback": ("none", "teacher")},
                below=-0.015,
                cases=2,
            ),
            "Refuted",
        ),
        (RefutedIf(text="x"), "Not decided"),
        (RefutedIf(text="x", where={"model.feedback": "own"}, above=0.5), "Not decided"),
        (RefutedIf(text="x", change={"model.carry": ("h", "hc")}, above=0.5), "Not decided"),
    ],
)
def test_a_rule_is_about_the_conditions_and_changes_that_it_names(rule: RefutedIf, verdict: str) -> None:
    assert check(make_study(), rule)[0] == verdict


def test_one_rule_refutes_and_every_rule_is_told() -> None:
    verdict, (first, second) = check(
        make_study(),
        RefutedIf(text="any no-feedback corner above 8.95 %", where=NO_FEEDBACK, above=0.0895),
        RefutedIf(text="a feedback corner below 94 %", where={"model.feedback": "teacher"}, below=0.94),
    )
    assert verdict == "Refuted"
    assert first == (
        "Met: any no-feedback corner above 8.95 %. 1 of 4 conditions are, by the mean: conditioning=initial_state, "
        "feedback=none, length=stop, 9.0 [8.8, 9.2] %. Of the intervals none lies wholly beyond 8.9 %. "
        "The average of the 4 is 6.0 [5.8, 6.2] %."
    )
    assert second == (
        "Not met: a feedback corner below 94 %. The nearest of 4 is conditioning=repeat, feedback=teacher, "
        "length=fixed, 95.0 [94.8, 95.2] %; its interval excludes 94.0 %."
    )


def test_where_it_says_surely_all_intervals_of_a_rule_hold_together() -> None:
    """The mean .09 has the half width .00196 alone, and 4.604 x .00158 / sqrt(5) = .00326 as one of ~ 5 conditions."""
    narrow, wide = 0.09 - 0.0025, 0.09 - 0.0040
    study, text = make_study(), "x"
    assert check(study, RefutedIf(text=text, where=NO_FEEDBACK, above=narrow))[0] == "Refuted"
    assert check(study, RefutedIf(text=text, where=NO_FEEDBACK, above=narrow, surely=True))[0] == "Not refuted"
    assert check(study, RefutedIf(text=text, where=NO_FEEDBACK, above=wide, surely=True))[0] == "Refuted"


def test_few_seeds_and_missing_runs_decide_nothing() -> None:
    rule = RefutedIf(text="x", where=NO_FEEDBACK, above=0.05)
    assert check(make_study(range(4)), rule) == (
        "Not decided",
        ("Not decided by 4 seeds of at least 5, so far it is met: x.",),
    )
    missing = [
        run
        for run in make_grid(CUBE, score, seeds=range(5))
        if run.manifest.record.params["model.length"] == "fixed"
        or run.manifest.record.params["model.feedback"] != "none"
    ]
    left = RefutedIf(text="x", where=NO_FEEDBACK, above=0.2)
    assert check(build_study(["try"], missing), left) == (
        "Not decided",
        ("Not decided, since runs of 2 conditions are missing: x.",),
    )
    assert check(build_study(["try"], missing), rule)[0] == "Refuted", "what is there is enough"


def test_a_rule_can_be_about_targets_beyond_the_trained_lengths() -> None:
    """Trained on up to 3; of length 4 half are right, of 5 and 6 none of 10 and 30 % of 30: .225."""
    rows = (("1-3", False, 10, 0.9), ("4", True, 10, 0.5), ("5", True, 10, 0.0), ("6", True, 30, 0.3))
    table = Table(columns=("target_length", "beyond_trained", "examples", "exact_match"), rows=rows)

    def run(conditioning: str, seed: int) -> StudyRun:
        return make_run({"model.conditioning": conditioning}, seed, 0.5 + seed / 1000, by_length={"longer": table})

    study = build_study(["try"], [run(each, seed) for each in ("repeat", "both") for seed in range(5)])
    for above, verdict in ((0.22, "Refuted"), (0.23, "Not refuted")):
        rule = RefutedIf(text="x", metric="longer/exact_match", beyond=2, above=above)
        assert check(study, rule)[0] == verdict
    nearer = RefutedIf(text="x", metric="longer/exact_match", beyond=1, above=0.27)  # 14 of 50 are right: .28
    assert check(study, nearer)[0] == "Refuted"
    equal = RefutedIf(
        text="x", metric="longer/exact_match", beyond=1, change={"model.conditioning": ("repeat", "both")}, above=0.001
    )
    assert check(study, equal)[0] == "Not refuted"


def test_nothing_is_said_where_nothing_was_predicted() -> None:
    about = StudyAbout(question="?", command="-", runs="-", minutes=1, recipe="-", expected="-")
    assert write_fate(make_study(), about) is None
