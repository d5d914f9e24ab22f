"""Seeds that stop where the answer is clear: when a sweep is looked at, what it runs, what a report makes of that."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from helpers.runs import make_manifest
from helpers.study_runs import make_run
from hydra_plugins.lengthwise_tuned import sweeper
from lengthwise.errors import ConfigError, LengthwiseError
from lengthwise.studies import collect
from lengthwise.studies.build import build_study
from lengthwise.studies.collect import Looks, collect_studies
from lengthwise.sweeps.looks import plan_looks
from lengthwise.sweeps.tuning import Budget
from lengthwise.tracking.runs.find import StoredRun

OPTIONS = {
    "tune": "latent_dim=4,8",
    "tuning_seed": 1000,
    "num_tuning_seeds": 1,
    "doubling": False,
    "budget_minutes": None,
}


def test_looks_are_few() -> None:
    assert [plan_looks(count) for count in (1, 5, 6, 10, 20, 21)] == [
        (1,), (5,), (5, 6), (5, 10), (5, 10, 20), (5, 10, 20, 21)
    ]  # fmt: skip


class FakeLauncher:
    """Notes the jobs that it is given."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ran: list[Any] = []

    def open_sweep(self, jobs: Sequence[Any]) -> FakeLauncher:
        return self

    def run(self, jobs: Sequence[Any]) -> list[Any]:
        self.ran += jobs
        return [SimpleNamespace(num_attempts=1) for _ in jobs]


@pytest.mark.parametrize(
    ("stops", "clear_at", "num_seeds", "looked"),
    [(True, 5, 5, [5]), (True, 10, 10, [5, 10]), (True, None, 12, [5, 10]), (False, 5, 12, [])],
)
@pytest.mark.parametrize("minutes", [None, 1000.0])
def test_a_sweep_stops_at_the_first_look_at_which_the_answer_is_clear(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stops: bool,
    clear_at: int | None,
    num_seeds: int,
    looked: list[int],
    minutes: float | None,
) -> None:
    launcher, seen = FakeLauncher(tmp_path), []

    def is_clear(directory: Path) -> bool:
        assert directory == tmp_path
        seen.append(len(launcher.ran) // 2)
        return seen[-1] == clear_at

    monkeypatch.setattr(sweeper, "_is_clear", is_clear)
    tuned = sweeper.TunedSweeper()
    tuned._options = SimpleNamespace(stop_when_clear=stops)  # type: ignore[assignment]
    tuned._launcher, tuned._budget = launcher, Budget(minutes)  # type: ignore[assignment]
    rounds = [[f"a{seed}", f"b{seed}"] for seed in range(12)]
    assert tuned._report(rounds, "{}") == num_seeds  # type: ignore[arg-type]
    assert launcher.ran == [job for jobs in rounds[:num_seeds] for job in jobs]
    assert seen == looked
    kept = tmp_path / "looks.json"
    assert kept.exists() == stops
    if stops:
        assert json.loads(kept.read_text()) == {
            "looks": [5, 10, 12],
            "stopped": None if clear_at is None else num_seeds,
        }


def test_too_few_seeds_to_stop_before_are_refused() -> None:
    from lengthwise.config.options import TunedSweeperOptions
    from lengthwise.config.parse import parse_plugin

    options = parse_plugin(TunedSweeperOptions, {**OPTIONS, "stop_when_clear": True})
    assert len(sweeper._read_grid(["model=a,b", "seed=0,1,2,3,4,5"], options).seeds) == 6
    with pytest.raises(ConfigError, match=r"stop_when_clear needs more than 5 seeds, .* got 5"):
        sweeper._read_grid(["model=a,b", "seed=0,1,2,3,4"], options)


def store(directory: Path, monkeypatch: pytest.MonkeyPatch, *, num_seeds: int, looks: str | None) -> None:
    """Make the runs of a sweep over ten seeds of which some were run, in directories without any other file."""
    sweep = make_manifest(name="sweep", kind="sweep", params={"seed": ", ".join(map(str, range(10)))})
    runs = [
        make_run({"model.conditioning": each}, seed, score + seed / 1000 * (1 + score))
        for each, score in (("repeat", 0.2), ("initial_state", 0.9))
        for seed in range(num_seeds)
    ]
    found = [StoredRun(directory / manifest.name, manifest) for manifest in [sweep, *(run.manifest for run in runs)]]
    for each in found:
        each.directory.mkdir(parents=True)
    if looks is not None:
        (directory / "sweep" / "looks.json").write_text(looks)
    monkeypatch.setattr(collect, "list_runs", lambda output_dir, name: found if name == "try" else [])


def test_a_report_misses_no_seeds_that_were_not_needed_and_shares_its_level(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path, monkeypatch, num_seeds=5, looks='{"looks": [5, 10], "stopped": 5}')
    collection = collect_studies(tmp_path, ["try"])
    assert collection.looks == Looks((5, 10), 5)
    assert collection.study.num_looks == 2
    assert collection.study.seeds == (0, 1, 2, 3, 4)
    monkeypatch.setattr(collect, "collect_sweep", lambda directory: collection)
    assert sweeper._is_clear(tmp_path), "one of the two is 70 points ahead with five seeds"
    one = [run for run in collection.study.runs if run.manifest.record.params["model.conditioning"] == "repeat"]
    alone = collection._replace(study=build_study(["try"], one))
    monkeypatch.setattr(collect, "collect_sweep", lambda directory: alone)
    assert not sweeper._is_clear(tmp_path), "one condition by itself leaves nothing to find out"


def test_runs_that_cannot_be_compared_do_not_end_a_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(directory: Path) -> None:
        raise LengthwiseError("None of the runs names the score")

    monkeypatch.setattr(collect, "collect_sweep", refuse)
    assert not sweeper._is_clear(tmp_path)


@pytest.mark.parametrize(("looks", "num_looks"), [('{"looks": [5, 10], "stopped": null}', 2), (None, 1)])
def test_a_report_misses_the_seeds_of_a_sweep_that_did_not_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: str | None, num_looks: int
) -> None:
    store(tmp_path, monkeypatch, num_seeds=5, looks=looks)
    study = collect_studies(tmp_path, ["try"]).study
    assert study.num_looks == num_looks
    assert len(study.list_missing()) == 10
