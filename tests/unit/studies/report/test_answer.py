"""The sentences of a report's answer."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.study_runs import CUBE, make_grid, make_run, score_cube
from lengthwise.studies.build import build_study
from lengthwise.studies.report.answer import write_answer
from lengthwise.studies.report.tables import tabulate_conditions
from lengthwise.studies.study import Study
from lengthwise.tracking.runs.run_record import PrimaryMetric

MINUS = "\N{MINUS SIGN}"


def read_answer(study: Study) -> str:
    answer = write_answer(study)
    return " ".join([*answer.paragraphs, *answer.cautions])


def test_the_answer_names_significant_effects_first_and_says_where_there_is_none() -> None:
    answer = write_answer(build_study(["try"], make_grid(CUBE, score_cube, seeds=range(5))))
    effects = " ".join(answer.effects)
    assert effects.startswith(
        "Feeding back in training the true previous output instead of nothing changes exact match by +"
    )
    assert "points: better at the page's 5 % level. Stopping by a learnt end instead of padding" in effects
    assert "No significant difference for giving the latent as the initial state instead of as the input" in effects
    assert "whatever the other axes: " in effects


def test_with_few_seeds_the_intervals_are_given_and_nothing_is_judged() -> None:
    answer = write_answer(build_study(["try"], make_grid(CUBE, score_cube)))
    (first,), choice, effects = answer.warnings, answer.choice, " ".join(answer.effects)
    assert first == (
        "3 seeds are too few for verdicts; the intervals say what is not excluded. At least 5 are needed: add, for "
        "example, seed=3,4."
    )
    assert "points of exact match; an increase of only" in effects
    assert choice is not None
    assert choice.headline.startswith("So far conditioning=")
    assert " has the highest score on test of 8 conditions: exact match " in choice.headline


def test_an_effect_that_depends_on_the_other_axes_is_told_from_where_to_where() -> None:
    """A learnt stop gains 50 points from the initial state and none from repeating: no sentence gives the mean."""
    gains = {"repeat": 0.0, "initial_state": 0.5}
    axes = {"model.conditioning": tuple(gains), "model.length": ("fixed", "stop")}
    noise = np.random.default_rng(0).normal(0, 0.002, size=(2, 5))

    def score(conditioning: str, length: str, seed: int) -> float:
        return 0.4 + gains[conditioning] * (length == "stop") + float(noise[int(length == "stop"), seed])

    effects = " ".join(write_answer(build_study(["try"], make_grid(axes, score, seeds=range(5)))).effects)
    assert "Stopping by a learnt end instead of padding to a fixed length changes exact match by " in effects
    assert "(conditioning=repeat) to +5" in effects
    assert "(conditioning=initial_state), depending on the other axes" in effects
    assert "; better at conditioning=initial_state; no significant difference at conditioning=repeat" in effects
    assert "+25" not in effects


def test_every_pair_of_levels_is_told() -> None:
    axes = {"model.conditioning": ("repeat", "initial_state", "both")}
    noise = np.random.default_rng(1).normal(0, 0.002, size=(3, 5))

    def score(conditioning: str, seed: int) -> float:
        place = axes["model.conditioning"].index(conditioning)
        return [0.5, 0.3, 0.6][place] + float(noise[place, seed])

    effects = " ".join(write_answer(build_study(["try"], make_grid(axes, score, seeds=range(5)))).effects)
    assert "Giving the latent in both ways instead of as the initial state changes exact match by +" in effects
    assert effects.count("changes exact match by") == 3


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
    assert difference in " ".join(write_answer(build_study(["try"], make_grid(CUBE, score_cube))).effects)


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
        for seed in range(5)
    ]
    study = build_study(["try"], runs)
    assert f"by {MINUS}0.298 [{MINUS}0.300, {MINUS}0.296] scaled units: better at the page's 5 % level" in read_answer(
        study
    )
    assert study.rank()[0].name == "length=stop"


def test_the_choice_names_the_best_condition_those_that_may_be_it_and_their_cost() -> None:
    found = write_answer(build_study(["try"], make_grid(CUBE, score_cube, seeds=range(5)))).choice
    assert found is not None
    choice = " ".join([found.headline, *found.reasons])
    assert choice.startswith("Take conditioning=")
    assert "It is chosen by the highest mean score on test itself, which flatters it a little." in choice
    assert "feedback=teacher, length=stop" in choice
    assert "5 of its 5 seeds work: they reach 42.8 %, half way from the baseline to the highest median." in choice
    assert "That up to 45 % of seeds fail is not excluded (95 %, Clopper-Pearson)" in choice
    assert "Without learning (majority) 10.0 % is reached." in choice
    assert "1,000 parameters, trained in 5.0 s" in choice
    assert "These 2 may be the best: conditioning=" in choice
    assert "Each of the others is worse than another condition, with 99 % confidence for all of them." in choice


def test_data_are_no_choice_so_the_best_of_each_is_named() -> None:
    axes = {"dataset.name": ("copy", "reverse"), "model.feedback": ("none", "teacher")}

    def score(dataset: str, feedback: str, seed: int) -> float:
        return 0.5 + 0.2 * ((dataset == "copy") == (feedback == "none")) + 0.01 * seed

    choice = write_answer(build_study(["try"], make_grid(axes, score, seeds=range(5)))).choice
    assert choice is not None
    assert "feedback=none, dataset=copy, 72.0 [" in choice.headline
    assert "feedback=teacher, dataset=reverse, 72.0 [" in choice.headline
    assert "Take" not in choice.headline
    assert choice.commands == ()


def test_conditions_that_tie_for_the_best_are_all_named() -> None:
    scores = {"none": 0.4, "teacher": 1.0, "own": 1.0}
    runs = [
        make_run({"model.feedback": feedback}, seed, score - 0.01 * seed * (feedback == "none"))
        for feedback, score in scores.items()
        for seed in range(3)
    ]
    found = write_answer(build_study(["try"], runs)).choice
    assert found is not None
    choice = found.headline
    assert choice.startswith("2 of 3 conditions share the highest exact match, 100.0 % on test")
    assert "feedback=teacher; feedback=own" in choice


def test_a_best_condition_whose_interval_includes_the_baseline_is_doubted() -> None:
    runs = make_grid({"model.length": ("fixed", "stop")}, lambda length, seed: 0.11 + 0.05 * seed - 0.05)
    runs += make_grid({"model.length": ("oracle",)}, lambda length, seed: 0.04 + 0.02 * seed)
    assert "even it may have learnt nothing" in read_answer(build_study(["try"], runs))
    runs = make_grid(CUBE, score_cube)
    assert "learnt nothing" not in read_answer(build_study(["try"], runs))


def test_of_a_numeric_axis_each_level_has_its_verdict() -> None:
    def cross(latent_dim: int, length: str, seed: int) -> float:
        gain = {4: -0.1, 8: 0.0, 16: 0.1}[latent_dim] * (length == "stop")
        return 0.5 + gain + 0.001 * (seed - 2) * (1 if length == "stop" else -1)

    axes = {"latent_dim": (4, 8, 16), "model.length": ("fixed", "stop")}
    answer = read_answer(build_study(["try"], make_grid(axes, cross, seeds=range(5))))
    assert "Stopping by a learnt end instead of padding to a fixed length changes exact match by" in answer
    assert (
        "better at latent_dim=16; worse at latent_dim=4; no significant difference at latent_dim=8 (at the page's 5 % "
        "level)."
    ) in answer


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
    assert "Of 24 runs in the grid 22 have a score: 1 killed, 1 not run." in read_answer(build_study(["try"], runs))


@pytest.mark.parametrize("leaves_out", [False, True])
def test_failed_runs_are_in_the_first_paragraph(leaves_out: bool) -> None:
    runs = make_grid(CUBE, score_cube, seeds=range(5))
    runs[0] = make_run({key: runs[0].manifest.record.params[key] for key in CUBE}, 0, None, status="FAILED")
    answer = write_answer(build_study(["try"], runs, leave_out_failed=leaves_out))
    name = "1 of conditioning=repeat, feedback=none, length=fixed"
    if leaves_out:
        expected = f"1 of 40 runs failed in training and are left out ({name}): the scores are of the seeds that"
    else:
        expected = f"1 of 40 runs failed in training and count with the worst score, 0.0 % ({name})."
    assert answer.paragraphs[0].startswith(expected)


def test_failures_that_were_not_seen_are_named_beside_a_verdict() -> None:
    """2 points between conditions near 97 % are undone by 2 in 97 failing seeds."""
    noise = np.random.default_rng(3).normal(0, 0.002, size=(2, 5))

    def score(conditioning: str, seed: int) -> float:
        place = int(conditioning == "initial_state")
        return 0.95 + 0.02 * place + float(noise[place, seed])

    study = build_study(["try"], make_grid({"model.conditioning": ("repeat", "initial_state")}, score, seeds=range(5)))
    effects = " ".join(write_answer(study).effects)
    assert "5 seeds do not exclude that up to 45 % of others fail (Clopper-Pearson), and 2 % failing on the" in effects
    assert "up to 45 % of seeds fail is not excluded" in read_answer(study)


def test_conditions_that_work_with_some_seeds_only_need_more_seeds() -> None:
    values = {"none": [0.9, 0.0, 0.9, 0.9, 0.9], "teacher": [0.9, 0.9, 0.0, 0.0, 0.9], "own": [0.0] * 5}
    runs = [make_run({"model.feedback": name}, seed, own[seed]) for name, own in values.items() for seed in range(5)]
    study = build_study(["try"], runs)
    assert "In 2 conditions some seeds work and others do not." in read_answer(study)
    table = tabulate_conditions(study)
    column = next(place for place, name in enumerate(table.columns) if name.startswith("seeds that reach"))
    assert [row[column] for row in table.rows][-1] == "0 of 5 (up to 45 % may)"


def test_the_choice_says_how_it_is_trained_and_used() -> None:
    """Overrides of the run with the best validation score, without places, its data's seed as it was."""
    runs = []
    for seed, validation in ((0, 0.5), (1, 0.7), (2, 0.6)):
        overrides = (
            f"experiment=compare dataset=copy dataset.seed=${{seed}} seed={seed} study=try output_dir=/x tracking.uri=y"
        )
        summary = {"val/exact_match": validation, "test/exact_match": validation}
        params = {"dataset.seed": seed}
        tags = {"lengthwise.overrides": overrides}
        runs.append(make_run(params, seed, None, summary=summary, tags=tags, name=f"run-{seed}"))
    choice = write_answer(build_study(["try"], runs)).choice
    assert choice is not None
    assert choice.commands == (
        "python train.py experiment=compare dataset=copy dataset.seed=1 seed=1 hydra.mode=RUN   # trains it again",
        "lengthwise decode run-1 'an input'   # uses the trained one",
    )


def test_intervals_of_shares_stay_within_100_points() -> None:
    runs = make_grid({"model.length": ("fixed", "stop")}, lambda length, seed: (length == "stop") * 0.45 * seed + 0.05)
    assert "100.0] points" in read_answer(build_study(["try"], runs))


def test_a_condition_whose_seeds_work_or_fail_is_described_by_neither_mean() -> None:
    scores = {"repeat": (0.95, 0.948, 0.952, 0.951, 0.949), "initial_state": (0.97, 0.97, 0.02, 0.97, 0.04)}
    runs = make_grid({"model.conditioning": tuple(scores)}, lambda each, seed: scores[each][seed], seeds=range(5))
    assert (
        "conditioning=initial_state: 3 of 5 seeds work, with 97.0 % on average, and the others have 3.0 %. Its mean "
        "describes neither."
    ) in read_answer(build_study(["try"], runs))


def test_a_condition_that_was_not_run_may_be_better() -> None:
    absent = {"model.conditioning": "initial_state", "model.feedback": "teacher", "model.length": "stop"}
    runs = [
        run
        for run in make_grid(CUBE, score_cube, seeds=range(5))
        if any(run.manifest.record.params[option] != value for option, value in absent.items())
    ]
    text = read_answer(build_study(["try"], runs))
    assert "Of the 7 with a score each but it is worse than another, with 99 % confidence for all of them." in text
    assert "Not run or without a score, so that it may be better: conditioning=initial_state, feedback=teacher" in text
