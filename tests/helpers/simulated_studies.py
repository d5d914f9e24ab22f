"""Simulated studies whose truth is known, and how often what a report says of them is wrong.

`PYTHONPATH=tests python -m helpers.simulated_studies` prints the tables of docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from helpers.study_runs import make_run
from lengthwise.studies.build import build_study
from lengthwise.studies.effects import Grid, compare_with, measure_main_effects, measure_simple_effects
from lengthwise.studies.examples import ExampleNoise, Scored
from lengthwise.studies.intervals import Estimate, bound_failures, estimate_mean
from lengthwise.studies.judging import PAGE_LEVEL, correct_effects, find_possible_best, find_set_confidence
from lengthwise.studies.report.findings import find_fragile, list_findings
from lengthwise.studies.study import Study

Values = NDArray[np.float64]
Draw = Callable[[np.random.Generator, Values, int], Values]

SEEDS = (3, 5, 10)
FAILURE_RATES = (0.05, 0.1, 0.2, 0.3, 0.5)
_WORKS, _FAILS, _NUM_EXAMPLES = 0.9, 0.02, 200


class Coverage(NamedTuple):
    """Share of studies in which an interval holds the true mean of a condition that fails in some of its seeds.

    Args:
        left_out: Student's interval of the seeds that did not fail.
        counted: Student's interval of all seeds.
        stated: The same, widened down to the mean that unseen failures do not exclude, as a report states it.
    """

    left_out: float
    counted: float
    stated: float


class PageErrors(NamedTuple):
    """Share of pages that are wrong where nothing differs.

    Args:
        different: Any effect is called better or worse.
        ruled_out: Any condition is ruled out as the best.
        either: Any of the two.
    """

    different: float
    ruled_out: float
    either: float


class Stopping(NamedTuple):
    """What studies end with whose seeds stop where one condition is left as the best.

    Args:
        different: Share of pages that call any effect different, or rule any condition out.
        clear: Share of pages with one condition left as the best.
        seeds: Mean number of seeds that were run.
    """

    different: float
    clear: float
    seeds: float


def draw_stable(rng: np.random.Generator, truth: Values, num_seeds: int) -> Values:
    """Draw scores: each seed shifts all its conditions, and the noise of conditions differs fivefold."""
    spread = np.linspace(0.01, 0.05, truth.size).reshape(truth.shape)
    shared, own = rng.normal(0, 0.05, num_seeds), rng.normal(size=(*truth.shape, num_seeds))
    return np.asarray(truth[..., None] + shared + spread[..., None] * own)


def draw_failing(share: float) -> Draw:
    """Return what draws conditions that fail in a share of their seeds and are near .9 in the others, all alike."""

    def draw(rng: np.random.Generator, truth: Values, num_seeds: int) -> Values:
        works = rng.random((*truth.shape, num_seeds)) >= share
        return np.where(works, rng.normal(_WORKS, 0.02, works.shape), rng.uniform(0, 0.1, works.shape))

    return draw


def measure_coverage(share: float, num_seeds: int, *, num_studies: int, seed: int) -> Coverage:
    """Measure how often intervals of one condition hold its true mean, where it fails in a share of its seeds."""
    rng = np.random.default_rng(seed)
    works = rng.random((num_studies, num_seeds)) >= share
    values = np.where(works, rng.normal(_WORKS, 0.01, works.shape), _FAILS)
    truth = (1 - share) * _WORKS + share * _FAILS
    held = np.zeros(3)
    for row, own in zip(values, works, strict=True):
        counted, finished = estimate_mean(row), estimate_mean(row[own])
        most = bound_failures(int((~own).sum()), num_seeds)
        end = 0.0 if not own.any() else finished.mean if math.isnan(finished.low) else finished.low
        lowest = (1 - most) * max(0.0, end)
        stated = _holds(counted, truth) or lowest <= truth <= counted.mean
        if not own.any():  # the page says how many seeds may work, and no mean
            stated = 1 - share <= bound_failures(0, num_seeds)
        held += [_holds(finished, truth), _holds(counted, truth), stated]
    return Coverage(*(held / num_studies).tolist())


def _holds(estimate: Estimate, truth: float) -> bool:
    return estimate.low <= truth <= estimate.high


def measure_page(draw: Draw, num_seeds: int, *, shape: tuple[int, ...], num_studies: int, seed: int) -> PageErrors:
    """Measure how often a page calls something different, or rules a condition out, where nothing differs."""
    rng, wrong = np.random.default_rng(seed), np.zeros(3)
    for _ in range(num_studies):
        different, possible = _judge_page(draw(rng, np.full(shape, 0.5), num_seeds))
        ruled_out = not possible.all()
        wrong += [different, ruled_out, different or ruled_out]
    return PageErrors(*(wrong / num_studies).tolist())


def _judge_page(values: Values, *, num_looks: int = 1) -> tuple[bool, NDArray[np.bool_]]:
    """Return whether a page calls any effect different, and which conditions may be the best."""
    grid, num_axes = Grid(values), values.ndim - 1
    main, simple = correct_effects(measure_main_effects(grid), measure_simple_effects(grid), num_looks=num_looks)
    different = any(p < PAGE_LEVEL for p in [*main, *(p for own in simple for p in own)])
    confidence = find_set_confidence(num_axes, is_grid=True, num_looks=num_looks)
    table = Grid(values.reshape(-1, values.shape[-1]))
    return different, find_possible_best(table, higher_is_better=True, confidence=confidence)


def measure_stopping(
    draw: Draw, truth: Values, *, looks: Sequence[int], is_shared: bool, num_studies: int, seed: int
) -> Stopping:
    """Measure what studies end with whose seeds stop where one condition is left as the best.

    Args:
        draw: Draws the scores.
        truth: The true mean of each condition.
        looks: Seeds at each look, the last with all of them.
        is_shared: Whether the looks share the level of the page; else each has all of it.
        num_studies: Simulated studies.
        seed: Of the random numbers.
    """
    rng, different, clear, seeds = np.random.default_rng(seed), 0, 0, 0
    for _ in range(num_studies):
        values = draw(rng, truth, looks[-1])
        for look in looks:
            found, possible = _judge_page(values[..., :look], num_looks=len(looks) if is_shared else 1)
            if possible.sum() == 1:
                break
        different += found or not possible.all()
        clear += int(possible.sum() == 1)
        seeds += look
    return Stopping(different / num_studies, clear / num_studies, seeds / num_studies)


def draw_examples(rng: np.random.Generator, num_seeds: int, *, shared: bool) -> tuple[Values, list[NDArray[np.bool_]]]:
    """Draw which of 200 examples two equally good conditions get right, `(2, seeds, examples)`, in 63 % on average.

    Examples differ in difficulty, and each condition finds others difficult; the seeds differ little.

    Returns:
        The scores `(2, seeds)`, and what each run gets right.
    """
    size = (2, 1 if shared else num_seeds, _NUM_EXAMPLES)
    chance = np.clip(0.63 + rng.choice([-0.33, 0.33], size=size), 0, 1)
    right = rng.random((2, num_seeds, _NUM_EXAMPLES)) < chance
    return right.mean(axis=2), [right[place] for place in np.ndindex(2, num_seeds)]


def describe_noise(right: list[NDArray[np.bool_]], num_seeds: int, *, keeps: bool, shared: bool = True) -> ExampleNoise:
    """Return the noise of examples of runs by what each gets right, as a study finds it in their directories."""
    scored = [
        Scored(
            place,
            place % num_seeds,
            "data" if shared else place % num_seeds,
            _NUM_EXAMPLES,
            float(own.mean()),
            own.astype(np.float32) if keeps else None,
        )
        for place, own in enumerate(right)
    ]
    return ExampleNoise(scored, is_share=True)


def measure_examples(num_seeds: int, *, keeps: bool, num_studies: int, seed: int) -> NDArray[np.float64]:
    """Measure the coverage of intervals where all seeds share their test examples.

    Returns:
        Of the mean and of the difference without the noise of the examples, then of both with it.
    """
    rng, held = np.random.default_rng(seed), np.zeros(4)
    for _ in range(num_studies):
        values, right = draw_examples(rng, num_seeds, shared=True)
        noise = describe_noise(right, num_seeds, keeps=keeps)
        effect = compare_with(Grid(values, noise), 0)[1]
        weights = np.zeros(values.shape)
        weights[0] = 1 / num_seeds
        mean = estimate_mean(values[0], noise.measure(weights))
        if effect is not None:
            held += [
                _holds(estimate_mean(values[0]), 0.63),
                _holds(estimate_mean(values[1] - values[0]), 0.0),
                _holds(mean, 0.63),
                _holds(effect.estimate, 0.0),
            ]
    return held / num_studies


class CornerWords(NamedTuple):
    """What reports say of a corner that fails in a share of its seeds, and is at 97 % beside one at 95 % in the others.

    Args:
        first: Share of studies in which it is ranked first.
        better: It is called better.
        silent: It is called better and no failing share is named that would undo that and is not excluded.
    """

    first: float
    better: float
    silent: float


def make_corner(rng: np.random.Generator, num_seeds: int, share: float, *, leave_out_failed: bool = False) -> Study:
    """Return a study of a corner that fails in a share of its seeds and has 97 % in the others, and of one at 95 %."""
    runs = []
    for seed in range(num_seeds):
        fails = rng.random() < share
        score = None if fails else 0.97 + rng.normal(0, 0.003)
        status = {"status": "FAILED", "summary": {}} if fails else {}
        runs.append(make_run({"model.conditioning": "initial_state"}, seed, score, **status))
        runs.append(make_run({"model.conditioning": "repeat"}, seed, 0.95 + rng.normal(0, 0.003)))
    return build_study(["try"], runs, leave_out_failed=leave_out_failed)


def measure_corner(
    share: float, num_seeds: int, *, leave_out_failed: bool = False, num_studies: int, seed: int
) -> CornerWords:
    """Measure how often reports prefer a corner that fails in a share of its seeds."""
    rng, counts = np.random.default_rng(seed), np.zeros(3)
    for _ in range(num_studies):
        study = make_corner(rng, num_seeds, share, leave_out_failed=leave_out_failed)
        findings = list_findings(study, study.metric)
        better = any(each.verdict == (1 if "initial_state instead" in each.label else -1) for each in findings)
        first = study.rank()[0].name == "conditioning=initial_state"
        counts += [first, better, better and find_fragile(findings) is None]
    return CornerWords(*(counts / num_studies).tolist())


def print_tables(num_studies: int) -> None:
    """Print the tables of docs/statistics.md."""
    print("| failure rate | seeds | failed seeds left out | all seeds counted | as stated |\n|---|---|---|---|---|")
    for share in FAILURE_RATES:
        for num_seeds in SEEDS:
            found = measure_coverage(share, num_seeds, num_studies=5 * num_studies, seed=1)
            print(f"| {share:.2f} | {num_seeds} | {' | '.join(f'{each:.2f}' for each in found)} |")
    print("\n| seeds | mean, seeds only | difference, seeds only | mean | difference |\n|---|---|---|---|---|")
    for num_seeds in SEEDS:
        rates = measure_examples(num_seeds, keeps=True, num_studies=num_studies, seed=2)
        print(f"| {num_seeds} | {' | '.join(f'{each:.2f}' for each in rates)} |")
    print("\n| failure rate | seeds | ranked first | called better | without saying what would undo it |")
    print("|---|---|---|---|---|")
    for share in FAILURE_RATES:
        for num_seeds in SEEDS:
            words = measure_corner(share, num_seeds, num_studies=num_studies // 3, seed=4)
            print(f"| {share:.2f} | {num_seeds} | {' | '.join(f'{each:.2f}' for each in words)} |")
    print("\n| conditions | seeds | calls different | rules out | either |\n|---|---|---|---|---|")
    draws = {"stable": draw_stable, **{f"fail in {share:.0%}": draw_failing(share) for share in FAILURE_RATES}}
    for name, draw in draws.items():
        for shape in ((2, 3, 2), (12,)):
            for num_seeds in SEEDS[1:]:
                wrong = measure_page(draw, num_seeds, shape=shape, num_studies=num_studies, seed=3)
                size = " x ".join(map(str, shape))
                print(f"| {size}, {name} | {num_seeds} | {' | '.join(f'{each:.3f}' for each in wrong)} |")
    print_stopping(num_studies)


def print_stopping(num_studies: int) -> None:
    """Print the table of studies whose seeds stop where the answer is clear."""
    print("\n| conditions | looks at seeds | level | different | one left | seeds run |\n|---|---|---|---|---|---|")
    ahead = np.full(12, 0.5) + 0.2 * (np.arange(12) == 0)
    for name, truth, looks in (
        ("2, equal", np.full(2, 0.5), (5, 10)),
        ("2, equal", np.full(2, 0.5), (5, 10, 20, 40)),
        ("3 x 2 x 2, equal", np.full((3, 2, 2), 0.5), (5, 10)),
        ("12, one ahead by 20 points", ahead, (5, 10)),
    ):
        for is_shared in (False, True):
            found = measure_stopping(
                draw_stable, truth, looks=looks, is_shared=is_shared, num_studies=num_studies, seed=5
            )
            level = "shared" if is_shared else "whole at each"
            numbers = f"{found.different:.3f} | {found.clear:.3f} | {found.seeds:.1f}"
            print(f"| {name} | {', '.join(map(str, looks))} | {level} | {numbers} |")


if __name__ == "__main__":
    print_tables(1000)
