"""The sentences of a report's answer."""

from __future__ import annotations

import numpy as np

from helpers.study_runs import CUBE, make_grid, make_run, score_cube
from lengthwise.studies.report.answer import write_answer
from lengthwise.studies.study import Study, build_study
from lengthwise.tracking.runs.run_record import PrimaryMetric

MINUS = "\N{MINUS SIGN}"


def read_answer(study: Study) -> str:
    answer = write_answer(study)
    return " ".join([*answer.paragraphs, *answer.cautions])


def test_the_answer_names_significant_effects_first_and_says_where_there_is_none() -> None:
    answer = write_answer(build_study(["try"], make_grid(CUBE, score_cube)))
    effects, _ = answer.paragraphs
    assert effects.startswith(
        "Feeding back in training the true previous output instead of nothing changes exact match by +"
    )
    assert "points: better at the 5 % level (corrected). Stopping by a learnt end instead of padding" in effects
    assert "No significant difference for conditioning: " in effects
    assert "; the interval says what is not excluded." in effects
    assert "None of the 3 two-way interactions is significant" in effects


def test_numbers_in_the_answer_are_those_of_the_runs() -> None:
    runs = [run.manifest for run in make_grid(CUBE, score_cube)]
    by_seed = [
        np.mean(
            [
                r.summary["test/exact_match"]
                for r in runs
                if r.record.seed == s and r.record.params["model.feedback"] == "teacher"
            ]
        )
        - np.mean(
            [
                r.summary["test/exact_match"]
                for r in runs
                if r.record.seed == s and r.record.params["model.feedback"] == "none"
            ]
        )
        for s in range(3)
    ]
    half = 0.95 * np.sqrt(2 / 0.0975) * np.std(by_seed, ddof=1) / np.sqrt(3)
    mean = np.mean(by_seed)
    difference = f"+{100 * mean:.1f} [{100 * (mean - half):.1f}, {100 * (mean + half):.1f}] points"
    assert difference in write_answer(build_study(["try"], make_grid(CUBE, score_cube))).paragraphs[0]


def test_an_error_that_falls_is_better() -> None:
    def measure_error(length: str, seed: int) -> float:
        return (0.2 if length == "stop" else 0.5) + 0.001 * seed * (length == "stop")

    runs = [
        make_run(
            {"model.length": length},
            seed,
            None,
            summary={"test/mean_absolute_error": measure_error(length, seed)},
            primary_metric=PrimaryMetric(name="test/mean_absolute_error", greater_is_better=False),
        )
        for length in ("fixed", "stop")
        for seed in range(3)
    ]
    study = build_study(["try"], runs)
    assert f"by {MINUS}0.299 [{MINUS}0.301, {MINUS}0.297] scaled units: better at the 5 % level" in read_answer(study)
    assert study.rank()[0].name == "length=stop"


def test_the_choice_names_the_best_condition_its_rivals_and_their_cost() -> None:
    choice = write_answer(build_study(["try"], make_grid(CUBE, score_cube))).paragraphs[-1]
    assert choice.startswith("The best of 8 conditions is conditioning=")
    assert "feedback=teacher, length=stop" in choice
    assert "Without learning (majority) 10.0 % is reached." in choice
    assert "1,000 parameters, trained in 5.0 s" in choice
    assert "One other does not differ significantly from it: conditioning=" in choice


def test_conditions_that_tie_for_the_best_are_all_named() -> None:
    scores = {"none": 0.4, "teacher": 1.0, "own": 1.0}
    runs = [
        make_run({"model.feedback": feedback}, seed, score - 0.01 * seed * (feedback == "none"))
        for feedback, score in scores.items()
        for seed in range(3)
    ]
    choice = write_answer(build_study(["try"], runs)).paragraphs[-1]
    assert choice.startswith("2 of 3 conditions tie for the best exact match, 100.0 % on test")
    assert "feedback=teacher; feedback=own" in choice


def test_a_best_condition_whose_interval_includes_the_baseline_is_doubted() -> None:
    runs = make_grid({"model.length": ("fixed", "stop")}, lambda length, seed: 0.11 + 0.05 * seed - 0.05)
    runs += make_grid({"model.length": ("oracle",)}, lambda length, seed: 0.04 + 0.02 * seed)
    assert "so even the best may have learnt nothing" in read_answer(build_study(["try"], runs))
    runs = make_grid(CUBE, score_cube)
    assert "learnt nothing" not in read_answer(build_study(["try"], runs))


def test_of_a_numeric_axis_each_level_has_its_verdict() -> None:
    def cross(latent_dim: int, length: str, seed: int) -> float:
        gain = {4: -0.1, 8: 0.0, 16: 0.1}[latent_dim] * (length == "stop")
        return 0.5 + gain + 0.001 * (seed - 1) * (1 if length == "stop" else -1)

    study = build_study(["try"], make_grid({"latent_dim": (4, 8, 16), "model.length": ("fixed", "stop")}, cross))
    begin = "By latent_dim, stopping by a learnt end instead of padding to a fixed length: "
    level = "at the 5 % level (corrected)"
    sentence = f"{begin}better {level} at 16; worse {level} at 4; no significant difference at 8."
    assert sentence in read_answer(study)


def test_confounded_options_are_named() -> None:
    runs = [
        make_run({"model.name": name, "model.length": length}, seed, 0.5 + 0.1 * seed)
        for name, length in (("repeat", "fixed"), ("stateful", "stop"))
        for seed in range(3)
    ]
    assert "model changes length together" in read_answer(build_study(["try"], runs))


def test_missing_and_failed_runs_are_counted() -> None:
    runs = make_grid(CUBE, score_cube)[1:]
    last = runs[-1].manifest.record
    runs[-1] = make_run({key: last.params[key] for key in CUBE}, last.seed, None, status="KILLED")
    assert "Of 24 runs in the grid 22 can be used: 1 killed, 1 not run." in read_answer(build_study(["try"], runs))
