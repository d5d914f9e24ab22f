"""A study's grid: its axes, the options that follow them, its conditions, and what is missing."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.study_runs import make_grid, make_run
from lengthwise.errors import LengthwiseError
from lengthwise.studies.build import build_study
from lengthwise.studies.condition import StudyRun
from lengthwise.studies.study import MISSING
from lengthwise.tracking.runs.manifest import Failure
from lengthwise.tracking.runs.run_record import PrimaryMetric

AXES = {"model.feedback": ("none", "teacher"), "model.length": ("fixed", "stop")}


def score(feedback: str, length: str, seed: int) -> float:
    return 0.3 + 0.2 * (feedback == "teacher") + 0.1 * (length == "stop") + 0.01 * seed


def test_axes_are_the_options_that_vary_but_the_seed() -> None:
    study = build_study(["try"], make_grid(AXES, score))
    assert [(axis.option, axis.label, axis.levels) for axis in study.axes] == [
        ("model.feedback", "feedback", ("none", "teacher")),
        ("model.length", "length", ("fixed", "stop")),
    ]
    assert study.seeds == (0, 1, 2)
    values = study.tabulate("test/exact_match")
    assert values.shape == (2, 2, 3)
    assert values[1, 0, 2] == pytest.approx(score("teacher", "fixed", 2))
    assert study.rank()[0].name == "feedback=teacher, length=stop"


def test_a_preset_stands_for_what_it_changes() -> None:
    presets = {"repeat": ("repeat", "none", "fixed"), "stateful": ("initial_state", "teacher", "stop")}
    runs = []
    for name, (conditioning, feedback, length) in presets.items():
        own = {"model.name": name, "model.conditioning": conditioning, "model.feedback": feedback}
        for latent_dim in (8, 16):
            runs.append(make_run({**own, "model.length": length, "latent_dim": latent_dim}, 0, 0.5))
    latent, model = build_study(["try"], runs).axes
    assert (latent.option, latent.is_numeric) == ("latent_dim", True)
    assert (model.option, model.label) == ("model.name", "model")
    assert model.confounded == ("model.conditioning", "model.feedback", "model.length")
    assert model.together["model.length"] == ("fixed", "stop")


def test_an_option_that_refines_a_level_is_not_confounded_with_it() -> None:
    runs = [make_run({}, 0, 0.5), make_run({"model.feedback": "scheduled", "model.sampling_rate": 0.5}, 0, 0.6)]
    (axis,) = build_study(["try"], runs).axes
    assert axis.option == "model.feedback"
    assert "model.sampling_rate" in axis.together
    assert axis.confounded == ()


def test_numbers_are_in_order_and_other_levels_as_they_came() -> None:
    runs = make_grid({"latent_dim": (32, 4, 8), "model.length": ("stop", "fixed")}, lambda *_: 0.5)
    study = build_study(["try"], runs)
    assert [axis.levels for axis in study.axes] == [(4, 8, 32), ("stop", "fixed")]
    study = build_study(["try"], runs, planned={"model.length": ["fixed", "oracle", "stop"]})
    assert study.axes[1].levels == ("fixed", "oracle", "stop")


def test_whatever_did_not_finish_is_listed() -> None:
    runs = make_grid(AXES, score)
    lost = runs.pop()
    runs[0] = make_run({"model.feedback": "none", "model.length": "fixed"}, 0, None, status="FAILED")
    runs[1] = make_run({"model.feedback": "none", "model.length": "fixed"}, 1, float("nan"))
    found = build_study(["try"], runs).list_unfinished()
    assert [(each.condition.name, each.seed, each.status) for each in found] == [
        ("feedback=none, length=fixed", 0, "FAILED"),
        ("feedback=none, length=fixed", 1, "FINISHED"),
        ("feedback=teacher, length=stop", lost.manifest.record.seed, MISSING),
    ]
    assert [each.counts_as for each in found][:2] == [0.0, 0.0]
    assert build_study(["try"], runs).tabulate("test/exact_match")[0, 0, :2].tolist() == [0.0, 0.0]
    left_out = build_study(["try"], runs, leave_out_failed=True)
    assert np.isnan(left_out.tabulate("test/exact_match")[0, 0, :2]).all()


FAILURES = [
    ("FAILED", "DivergedError: the loss is no longer finite", True),
    ("FAILED", "ValueError: <no> good", True),
    ("FAILED", "OSError: [Errno 28] No space left on device", False),
    ("FAILED", "FileNotFoundError: gone", False),
    ("FAILED", "MemoryError: ", False),
    ("FAILED", "ResourceExhaustedError: OOM", False),
    ("FAILED", "DataError: line 3", False),
    ("FAILED", "exit: 3", False),
    ("KILLED", "stopped by SIGTERM", False),
    ("KILLED", "its process died", False),
]


@pytest.mark.parametrize(("status", "reason", "counts"), FAILURES)
def test_only_a_failure_of_the_runs_own_counts_with_the_worst_score(status: str, reason: str, counts: bool) -> None:
    failed = make_run({}, 1, None, status=status, failure=Failure(reason=reason, traceback=None))
    study = build_study(["try"], [make_run({}, 0, 0.5), failed])
    (condition,) = study.conditions
    assert condition.collect("test/exact_match").tolist() == ([0.5, 0.0] if counts else [0.5])
    assert len(study.list_missing()) == (0 if counts else 1)
    assert len(study.list_failed()) == (1 if counts else 0)


def test_of_an_error_the_worst_is_the_baseline() -> None:
    error = PrimaryMetric(name="test/mean_absolute_error", greater_is_better=False)
    summary = {"test/mean_absolute_error": 0.05, "test/baseline_mean_mean_absolute_error": 0.2}
    runs = [make_run({}, 0, None, summary=summary, primary_metric=error)]
    runs.append(make_run({}, 1, None, status="FAILED", primary_metric=error))
    (condition,) = build_study(["try"], runs).conditions
    assert condition.average("test/mean_absolute_error") == pytest.approx((0.05 + 0.2) / 2)
    assert condition.average("time/fit_seconds") != condition.average("time/fit_seconds"), "only scores have a worst"


def test_other_data_are_a_repetition_and_no_axis() -> None:
    follows = [make_run({"dataset.seed": seed}, seed, 0.5) for seed in range(3)]
    study = build_study(["try"], follows)
    assert (study.axes, study.seeds) == ((), (0, 1, 2))
    crossed = [make_run({"dataset.seed": data}, seed, 0.5 + 0.1 * data) for seed in range(2) for data in range(2)]
    study = build_study(["try"], crossed)
    assert study.axes == ()
    assert study.seeds == ("0 with data 0", "0 with data 1", "1 with data 0", "1 with data 1")
    by_dataset = [
        make_run({"dataset.name": name, "dataset.seed": data}, seed, 0.5)
        for name, data in (("copy", 0), ("digits", 1))
        for seed in range(2)
    ]
    study = build_study(["try"], by_dataset)
    assert ([axis.option for axis in study.axes], study.seeds) == (["dataset.name"], (0, 1))


def test_the_best_is_chosen_on_validation() -> None:
    def make(length: str, seed: int, validation: float, test: float) -> StudyRun:
        summary = {"val/exact_match": validation, "test/exact_match": test}
        return make_run({"model.length": length}, seed, None, summary=summary)

    runs = [make("fixed", seed, 0.9, 0.8) for seed in range(2)] + [make("stop", seed, 0.85, 0.82) for seed in range(2)]
    assert build_study(["try"], runs).rank()[0].name == "length=fixed"
    runs += [make_run({"model.length": "oracle"}, seed, 0.81) for seed in range(2)]
    assert build_study(["try"], runs).rank()[0].name == "length=stop", "one has no validation score"


def test_what_a_sweep_planned_is_missed() -> None:
    runs = make_grid(AXES, score, seeds=(0, 1))
    planned = {"model.length": ["fixed", "stop", "oracle"], "seed": ["0", "1", "2"], "latent_dim": ["8", "16"]}
    study = build_study(["try"], runs, planned=planned)
    assert study.axes[1].levels == ("fixed", "stop", "oracle")
    assert study.seeds == (0, 1, 2)
    assert len(study.list_unfinished()) == 2 * 3 * 3 - len(runs)
    assert study.unstarted == {"latent_dim": ("16",)}


def test_of_two_runs_of_a_condition_and_seed_the_one_that_finished_counts() -> None:
    early = make_run({}, 0, 0.4, name="early")
    late = make_run({}, 0, 0.6, name="late", started="2026-01-02T00:00:00.000+00:00")
    broken = make_run({}, 0, None, status="FAILED", name="broken", started="2026-01-03T00:00:00.000+00:00")
    (condition,) = build_study(["try"], [late, broken, early]).conditions
    assert condition.runs[0].manifest.name == "late"


def test_an_interval_ends_where_the_score_does() -> None:
    runs = [make_run({}, seed, value) for seed, value in enumerate((1.0, 0.99, 0.9))]
    (condition,) = build_study(["try"], runs).conditions
    assert condition.estimate("test/exact_match").high == 1
    assert condition.estimate("time/fit_seconds").mean == 5


def test_a_search_is_no_grid() -> None:
    params = [{"latent_dim": place, "training.learning_rate": 0.001 * place} for place in range(1, 31)]
    runs = [make_run({**own, "training.batch_size": (place * 7) % 31}, 0, 0.5) for place, own in enumerate(params)]
    assert build_study(["try"], runs).is_grid  # one axis, which the others follow
    draws = np.random.default_rng(0).integers(1, 1000, size=(30, 2))
    runs = [make_run({"latent_dim": int(a), "training.batch_size": int(b)}, 0, 0.5) for a, b in [*draws, draws[0] + 1]]
    runs += [make_run({"latent_dim": int(draws[0][0]), "training.batch_size": int(draws[1][1])}, 0, 0.5)]
    runs += [make_run({"latent_dim": int(draws[2][0]), "training.batch_size": int(draws[0][1])}, 0, 0.5)]
    study = build_study(["try"], runs)
    assert not study.is_grid
    assert len(study.conditions) == len(runs)


def test_runs_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(LengthwiseError, match="no runs in study try"):
        build_study(["try"], [])
    other = make_run({}, 1, 0.5, primary_metric=PrimaryMetric(name="test/mean_absolute_error", greater_is_better=False))
    with pytest.raises(LengthwiseError, match="different scores"):
        build_study(["try"], [make_run({}, 0, 0.5), other])
    with pytest.raises(LengthwiseError, match="None of the runs"):
        build_study(["try"], [make_run({}, 0, 0.5, primary_metric=None)])
