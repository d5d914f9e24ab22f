"""What reports claim, held to simulated studies whose truth is known: intervals, verdicts, the best, and the words."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from helpers.simulated_studies import (
    FAILURE_RATES,
    SEEDS,
    Draw,
    describe_noise,
    draw_examples,
    draw_failing,
    draw_stable,
    measure_corner,
    measure_coverage,
    measure_page,
    measure_stopping,
)
from helpers.study_runs import make_grid, make_run
from lengthwise.studies.build import build_study
from lengthwise.studies.effects import (
    Grid,
    compare_with,
    measure_interactions,
    measure_main_effects,
    measure_simple_effects,
)
from lengthwise.studies.intervals import bound_failures, estimate_mean
from lengthwise.studies.judging import PAGE_LEVEL, correct_effects
from lengthwise.studies.report.answer import write_answer
from lengthwise.tracking.runs.run_record import DatasetRecord

VERDICT_WORDS = re.compile(r"\b(better|worse|best|significant|sure|surely|clearly|certain)\b")


def find_most(share: float, count: int) -> float:
    """Return what the count of `count` draws of a share stays below in all but 1 of 10,000 cases (normal)."""
    return count * share + 3.9 * math.sqrt(count * share * (1 - share))


def test_intervals_of_effects_cover_the_truth_at_their_level() -> None:
    """Simulated 2 x 3 x 2 studies of 5 seeds: the intervals of differences and interactions hold the truth."""
    a, b, c = np.indices((2, 3, 2))
    truth = 0.4 + 0.2 * a + np.array([0, 0.05, 0.1])[b] - 0.1 * c + 0.08 * a * c
    expected = [0.2 + 0.04, 0.05, 0.1, 0.05, -0.1 + 0.04, 0, 0, 0.08, 0, 0]
    rng, num_studies = np.random.default_rng(7), 800
    covered = np.zeros(len(expected))
    for _ in range(num_studies):
        grid = Grid(draw_stable(rng, truth, 5))
        effects = [*measure_main_effects(grid), *measure_interactions(grid)]
        pairs = zip(effects, expected, strict=True)
        covered += [effect.estimate.low <= true <= effect.estimate.high for effect, true in pairs]
    assert (num_studies - covered).max() <= find_most(0.05, num_studies)
    assert (num_studies - covered).min() >= num_studies - find_most(0.95, num_studies)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(2, 3, 2), (12,)])
@pytest.mark.parametrize(
    ("draw", "num_seeds"), [(draw_stable, 5), (draw_stable, 10), (draw_failing(0.05), 5), (draw_failing(0.3), 10)]
)
def test_a_page_on_nothing_is_wrong_in_1_of_20_at_most(draw: Draw, shape: tuple[int, ...], num_seeds: int) -> None:
    """Nothing is called different and none of 12 equal conditions is ruled out, be they stable or failing at times."""
    num_studies = 120
    wrong = measure_page(draw, num_seeds, shape=shape, num_studies=num_studies, seed=8)
    assert wrong.either * num_studies <= find_most(0.05, num_studies)
    of_effects, of_best = (0.05, 0.05) if len(shape) == 1 else (0.04, 0.01)
    assert wrong.different * num_studies <= find_most(of_effects, num_studies)
    assert wrong.ruled_out * num_studies <= find_most(of_best, num_studies)


def test_stopping_where_the_answer_is_clear_does_not_make_a_page_wrong_more_often() -> None:
    """Two equal conditions, looked at four times: each look with the whole level is wrong twice as often as it says."""
    num_studies, nothing, looks = 400, np.full(2, 0.5), (5, 10, 20, 40)
    unshared, shared = (
        measure_stopping(draw_stable, nothing, looks=looks, is_shared=is_shared, num_studies=num_studies, seed=12)
        for is_shared in (False, True)
    )
    assert unshared.different * num_studies > find_most(0.05, num_studies)
    assert shared.different * num_studies <= find_most(0.05, num_studies)


def test_it_stops_at_five_seeds_where_one_condition_is_far_ahead() -> None:
    truth = np.array([0.9, 0.2, 0.3])
    found = measure_stopping(draw_stable, truth, looks=(5, 10), is_shared=True, num_studies=40, seed=13)
    assert (found.clear, found.seeds) == (1.0, 5.0)


def test_large_effects_are_found_with_five_seeds() -> None:
    """As in the published cube: one conditioning loses 34 points on average, and fails in some seeds."""
    truth = np.full((3, 2, 2), 0.7)
    truth[:, 1] = 0.9
    truth[1] = [[0.02, 0.6], [0.47, 0.9]]
    spread = np.full((3, 2, 2), 0.02)
    spread[1] = [[0.02, 0.12], [0.25, 0.02]]
    rng, num_studies = np.random.default_rng(9), 60
    found = 0
    for _ in range(num_studies):
        noise = spread[..., None] * rng.normal(size=(3, 2, 2, 5))
        grid = Grid(np.clip(truth[..., None] + noise, 0, 1))
        found += correct_effects(measure_main_effects(grid), measure_simple_effects(grid))[0][0] < PAGE_LEVEL
    assert found >= 0.85 * num_studies


@pytest.mark.parametrize("num_seeds", [3, 5, 10])
@pytest.mark.parametrize("keeps", [True, False])
def test_the_noise_of_shared_examples_is_in_the_intervals(num_seeds: int, keeps: bool) -> None:
    """Means and differences are covered in 95 %; without the noise of the examples the difference is in 66 to 90 %."""
    rng, num_studies = np.random.default_rng(10), 500
    missed, without = np.zeros(2), 0
    for _ in range(num_studies):
        values, right = draw_examples(rng, num_seeds, shared=True)
        noise = describe_noise(right, num_seeds, keeps=keeps)
        effect = compare_with(Grid(values, noise), 0)[1]
        assert effect is not None
        weights = np.zeros(values.shape)
        weights[0] = 1 / num_seeds
        mean = estimate_mean(values[0], noise.measure(weights))
        missed += [not found.low <= true <= found.high for found, true in ((mean, 0.63), (effect.estimate, 0.0))]
        plain = estimate_mean(values[1] - values[0])
        without += not plain.low <= 0 <= plain.high
    assert missed.max() <= find_most(0.05, num_studies)
    assert without > find_most(0.05, num_studies)


def test_data_of_each_seeds_own_need_no_further_term() -> None:
    rng, num_studies, missed = np.random.default_rng(11), 500, 0
    for _ in range(num_studies):
        values, right = draw_examples(rng, 5, shared=False)
        noise = describe_noise(right, 5, keeps=True, shared=False)
        effect = compare_with(Grid(values, noise), 0)[1]
        assert effect is not None
        assert noise.measure(np.full(values.shape, 0.1)).variance == 0
        missed += not effect.estimate.low <= 0 <= effect.estimate.high
    assert missed <= find_most(0.05, num_studies)


@pytest.mark.parametrize("num_seeds", SEEDS)
def test_what_a_page_says_of_failing_seeds_covers_the_truth(num_seeds: int) -> None:
    """A corner that fails in 5 to 50 % of its seeds: Student's interval cannot know of failures that were not seen.

    The mean that they do not exclude is stated beside it, and the two together cover the truth in 95 %.
    """
    num_studies = 1000
    for share in FAILURE_RATES:
        found = measure_coverage(share, num_seeds, num_studies=num_studies, seed=12)
        assert (1 - found.stated) * num_studies <= find_most(0.05, num_studies)
        assert found.left_out < found.counted
    assert measure_coverage(0.05, num_seeds, num_studies=num_studies, seed=12).counted < 0.5


def test_of_a_few_failing_seeds_the_share_is_covered() -> None:
    rng, num_studies = np.random.default_rng(12), 2000
    for share in FAILURE_RATES:
        failed = rng.binomial(5, share, num_studies)
        missed = sum(bound_failures(int(own), 5) < share for own in failed)
        assert missed <= find_most(0.05, num_studies)


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_a_corner_whose_failures_were_not_seen_is_never_called_better_without_saying_so(share: float) -> None:
    """At 97 % beside 95 % it is called better where no seed failed; 2 % of failing seeds would undo it."""
    words = measure_corner(share, 5, num_studies=60, seed=13)
    assert words.better >= 0.2
    assert words.silent == 0


@pytest.mark.parametrize("num_seeds", [3, 5])
def test_a_corner_that_fails_in_half_of_its_seeds_is_ranked_by_its_failures(num_seeds: int) -> None:
    """It is first only where no seed failed, once in 2^n; with its failures left out it was first in 88 to 97 %."""
    num_studies = 120
    counted = measure_corner(0.5, num_seeds, num_studies=num_studies, seed=14)
    left_out = measure_corner(0.5, num_seeds, leave_out_failed=True, num_studies=num_studies, seed=14)
    assert counted.first * num_studies <= find_most(0.5**num_seeds, num_studies)
    assert left_out.first >= 0.7


@pytest.mark.parametrize("num_seeds", [2, 3, 5, 10])
def test_there_are_no_words_of_verdict_below_five_seeds(num_seeds: int) -> None:
    """A large effect, a small one and none: with few seeds no sentence judges, however equal the seeds are."""
    axes = {"model.conditioning": ("repeat", "initial_state"), "model.length": ("fixed", "stop")}
    rng = np.random.default_rng(15)

    def score(conditioning: str, length: str, seed: int) -> float:
        return 0.5 + 0.3 * (conditioning == "repeat") + 0.02 * (length == "stop") + rng.normal(0, 0.002)

    answer = write_answer(build_study(["try"], make_grid(axes, score, seeds=range(num_seeds))))
    words = VERDICT_WORDS.findall(" ".join([*answer.paragraphs, *answer.cautions]))
    assert bool(words) == (num_seeds >= 5), words
    assert ("too few for verdicts" in answer.paragraphs[0]) == (num_seeds < 5)


def test_seeds_that_are_all_equal_are_no_certainty() -> None:
    """466 right answers against 452 of the same 12,000 are no difference, however equal the seeds are."""
    whole = DatasetRecord(name="copy", sha256="ab" * 32, split_sizes={"test": 12_000})
    runs = [
        make_run({"model.length": length}, seed, None, summary={"test/exact_match": right / 12_000}, dataset=whole)
        for length, right in (("fixed", 452), ("stop", 466))
        for seed in range(5)
    ]
    effects = write_answer(build_study(["try"], runs)).effects
    assert effects[0].startswith("No significant difference for stopping by a learnt end")


def test_missing_runs_are_said_and_what_is_left_is_measured_without_bias() -> None:
    """Seeds missing at random: the difference is that of the truth, and the sentences count what it is measured on."""
    rng, missed, num_studies = np.random.default_rng(16), 0, 400
    for _ in range(num_studies):
        values = draw_stable(rng, np.full((2, 2), 0.5) + np.array([[0.0], [0.1]]), 6)
        values[rng.random(values.shape) < 0.15] = np.nan
        effect = measure_main_effects(Grid(values))[0]
        missed += not effect.estimate.low <= 0.1 <= effect.estimate.high
    assert missed <= find_most(0.05, num_studies)
    axes = {"model.feedback": ("none", "teacher"), "model.length": ("fixed", "stop")}
    runs = make_grid(
        axes, lambda f, s, seed: 0.4 + 0.3 * (f == "teacher") + 0.1 * (s == "stop") + 0.001 * seed, seeds=range(5)
    )
    lost = {("teacher", "stop", 3), ("teacher", "stop", 4)}
    kept = [run for run in runs if tuple(run.manifest.record.params[key] for key in (*axes, "seed")) not in lost]
    answer = write_answer(build_study(["try"], kept))
    assert "2 runs are missing (2 not run), so differences are averaged over" in answer.warnings[0]
    assert "But 2 of its 5 seeds are missing (not run)" in " ".join(answer.paragraphs)
