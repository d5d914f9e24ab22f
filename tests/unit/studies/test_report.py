"""What a report says, and the page and text it becomes."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from lengthwise.studies.published import Published, compare_published
from lengthwise.studies.report.numbers import find_unit, write_estimate, write_number
from lengthwise.studies.report.page import Report, write_html, write_markdown
from lengthwise.studies.report.sections import build_sections
from lengthwise.studies.report.tables import tabulate_answer, tabulate_cells, tabulate_unfinished, write_results
from lengthwise.studies.report.text import write_answer
from lengthwise.studies.study import Study, StudyRun, build_study
from unit.studies.study_runs import make_grid, make_run

AXES = {
    "model.conditioning": ("repeat", "initial_state"),
    "model.feedback": ("none", "teacher"),
    "model.length": ("fixed", "stop"),
}
SHAKES = np.random.default_rng(0).normal(0, 0.01, size=(2, 2, 2, 3))


def score(conditioning: str, feedback: str, length: str, seed: int) -> float:
    places = [
        levels.index(level) for levels, level in zip(AXES.values(), (conditioning, feedback, length), strict=True)
    ]
    return 0.4 + 0.25 * (feedback == "teacher") + 0.1 * (length == "stop") + SHAKES[(*places, seed)]


def report(runs: Sequence[StudyRun], directory: Path) -> Report:
    study = build_study(["try"], runs)
    return Report(
        title=study.title,
        question="Which <axis>?",
        answer=write_answer(study),
        summary=tabulate_answer(study),
        facts={"Data": "copy & more"},
        sections=build_sections(study, directory),
        commands=("python train.py -m seed=0,1",),
        made="Written by hand.",
    )


def read_answer(study: Study) -> str:
    answer = write_answer(study)
    return " ".join([*answer.paragraphs, *answer.cautions])


def test_the_answer_names_what_matters_first_and_what_has_no_sure_effect() -> None:
    effects = write_answer(build_study(["try"], make_grid(AXES, score))).effects
    assert effects[0].startswith(
        "Feeding back in training the true previous output instead of nothing changes exact match"
    )
    assert effects[0].endswith("points, surely better.")
    assert effects[1].startswith(
        "Stopping by a learnt end instead of padding to a fixed length changes exact match by +"
    )
    assert effects[2].startswith("No sure effect of conditioning: ")
    assert "None of the 3 two-way interactions is sure" in effects[3]


def test_numbers_in_the_answer_are_those_of_the_runs() -> None:
    runs = make_grid(AXES, score)
    by_seed = [
        np.mean(
            [r.summary["test/exact_match"] for r in runs if r.seed == s and r.params["model.feedback"] == "teacher"]
        )
        - np.mean([r.summary["test/exact_match"] for r in runs if r.seed == s and r.params["model.feedback"] == "none"])
        for s in range(3)
    ]
    half = 0.95 * np.sqrt(2 / 0.0975) * np.std(by_seed, ddof=1) / np.sqrt(3)
    mean = np.mean(by_seed)
    told = f"+{100 * mean:.1f} [{100 * (mean - half):.1f}, {100 * (mean + half):.1f}] points"
    assert told in write_answer(build_study(["try"], runs)).effects[0]


def test_an_error_that_falls_is_better() -> None:
    def error(length: str, seed: int) -> float:
        return (0.2 if length == "stop" else 0.5) + 0.001 * seed * (length == "stop")

    changes = {"metric": "test/mean_absolute_error", "higher_is_better": False}
    runs = [
        make_run(
            {"model.length": length}, seed, None, summary={"test/mean_absolute_error": error(length, seed)}, **changes
        )
        for length in ("fixed", "stop")
        for seed in range(3)
    ]
    study = build_study(["try"], runs)
    assert (
        "by \N{MINUS SIGN}0.299 [\N{MINUS SIGN}0.301, \N{MINUS SIGN}0.297] scaled units, surely better"
        in read_answer(study)
    )
    assert study.rank()[0].name == "length=stop"


def test_the_choice_names_the_best_cell_its_rivals_and_their_cost() -> None:
    choice = " ".join(write_answer(build_study(["try"], make_grid(AXES, score))).choice)
    assert choice.startswith("Best of 8 cells is conditioning=")
    assert "feedback=teacher, length=stop" in choice
    assert "Without learning (majority) 10.0 % is reached." in choice
    assert "1,000 parameters, trained in 5.0 s" in choice
    assert "One other cannot be told apart from it: conditioning=" in choice


def test_of_a_numeric_axis_each_level_is_told() -> None:
    def cross(latent_dim: int, length: str, seed: int) -> float:
        gain = {4: -0.1, 8: 0.0, 16: 0.1}[latent_dim] * (length == "stop")
        return 0.5 + gain + 0.001 * (seed - 1) * (1 if length == "stop" else -1)

    study = build_study(["try"], make_grid({"latent_dim": (4, 8, 16), "model.length": ("fixed", "stop")}, cross))
    told = "By latent_dim, stopping by a learnt end instead of padding to a fixed length: "
    assert f"{told}surely better at 16; surely worse at 4; no sure effect at 8." in read_answer(study)


def test_a_study_that_beats_no_baseline_says_so() -> None:
    runs = make_grid({"model.length": ("fixed", "stop")}, lambda length, seed: 0.05 + 0.01 * seed)
    assert "No cell beats what is reached without learning: 10.0 % (majority)" in read_answer(
        build_study(["try"], runs)
    )


def test_one_seed_is_told_to_be_one() -> None:
    study = build_study(["try"], make_grid(AXES, score, seeds=(0,)))
    told = read_answer(study)
    assert "one seed cannot tell how surely" in told
    assert "One seed: no interval can be given" in told
    assert "With one seed, no cell can be said to be surely better" in told
    assert "surely better." not in told


def test_confounded_options_are_named() -> None:
    runs = [
        make_run({"model.name": name, "model.length": length}, seed, 0.5 + 0.1 * seed)
        for name, length in (("repeat", "fixed"), ("stateful", "stop"))
        for seed in range(3)
    ]
    assert "model changes length together" in read_answer(build_study(["try"], runs))


def test_missing_and_failed_runs_are_told_and_listed() -> None:
    runs = make_grid(AXES, score)[1:]
    last = runs[-1]
    runs[-1] = make_run({key: last.params[key] for key in AXES}, last.seed, None, status="KILLED")
    study = build_study(["try"], runs)
    assert "Of 24 runs in the grid 22 can be used: 1 killed, 1 not run." in read_answer(study)
    assert sorted(row[2] for row in tabulate_unfinished(study).rows) == ["killed", "not run"]
    seeds = [row[tabulate_cells(study).columns.index("seeds")] for row in tabulate_cells(study).rows]
    assert sorted(seeds)[:2] == ["2 of 3 (1 killed)", "2 of 3 (1 not run)"]


def test_a_study_without_a_finished_run_still_has_a_report(tmp_path: Path) -> None:
    runs = [make_run({}, seed, None, status="FAILED") for seed in range(2)]
    page = write_html(report(runs, tmp_path))
    assert "No run has finished" in page
    assert "ValueError: &lt;no&gt; good" in page


class _Reader(HTMLParser):
    """Takes note of tags left open and of addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        self.scripts += tag == "script"
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone_and_is_well_formed(tmp_path: Path) -> None:
    page = write_html(report(make_grid(AXES, score), tmp_path))
    reader = _Reader()
    reader.feed(page)
    assert reader.open == []
    assert reader.scripts == 0
    assert len(reader.links) == 4  # effects, cells, lengths, courses
    assert all(link.startswith("data:image/png;base64,iVBOR") for link in reader.links)
    assert "http" not in page.partition("<body>")[0]
    assert "Which &lt;axis&gt;?" in page
    assert "<b>" not in page  # a decoded text
    assert "\N{BLACK UP-POINTING TRIANGLE} +" in page


def test_the_text_names_the_figures_that_were_written(tmp_path: Path) -> None:
    runs = make_grid({"latent_dim": (4, 8, 16), "model.length": ("fixed", "stop")}, lambda d, _, s: 0.02 * d + 0.01 * s)
    text = write_markdown(report(runs, tmp_path))
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"effects_test.png", "by_latent_dim.png", "cells.png", "by_length.png", "courses.png"}
    assert all(f"(figures/{name})" in text for name in files)
    assert "latent_dim: 16 instead of 4" in text


def test_reconstructions_of_the_best_and_the_worst_cell_are_shown(tmp_path: Path) -> None:
    figures = tmp_path / "figures"
    figures.mkdir()
    runs = []
    for length, value in (("fixed", 0.2), ("stop", 0.6)):
        drawn = tmp_path / f"{length}.png"
        drawn.write_bytes(length.encode())
        runs.append(make_run({"model.length": length}, 0, value, reconstructions=drawn))
    report(runs, figures)
    assert (figures / "reconstructions_best.png").read_bytes() == b"stop"
    assert (figures / "reconstructions_worst.png").read_bytes() == b"fixed"


def test_results_hold_every_run_with_every_number() -> None:
    runs = [*make_grid(AXES, score), make_run(dict.fromkeys(AXES, "x"), 7, None, status="FAILED")]
    rows = list(csv.DictReader(io.StringIO(write_results(build_study(["try"], runs)))))
    assert len(rows) == 25
    assert [row["status"] for row in rows].count("FAILED") == 1
    first = next(row for row in rows if row["seed"] == "1" and row["model.feedback"] == "teacher")
    assert float(first["test/exact_match"]) == pytest.approx(
        score(first["model.conditioning"], "teacher", first["model.length"], 1), rel=1e-6
    )


def test_a_published_result_stands_beside_its_cell_with_its_distance() -> None:
    runs = make_grid({"model.length": ("fixed", "stop")}, lambda length, seed: [0.5, 0.6, 0.7][seed])
    same = Published(options={"model.length": "stop"}, metric="test/exact_match", value=0.5, error=0.03, source="A")
    other = Published(
        options={"model.length": "stop"}, metric="test/exact_match", value=0.5, error=None, source="B", note="not ours"
    )
    nowhere = Published(options={"model.length": "oracle"}, metric="test/exact_match", value=1, error=None, source="C")
    first, second = compare_published(build_study(["try"], runs), (same, other, nowhere))
    assert first.cell.name == "length=stop"
    assert first.standard_errors == pytest.approx((0.6 - 0.5) / np.hypot(0.1 / np.sqrt(3), 0.03))
    assert second.standard_errors is None


@pytest.mark.parametrize(
    ("value", "metric", "text"),
    [(0.1234, "exact_match", "12.3"), (-0.0005, "mean_absolute_error", "\N{MINUS SIGN}0.000500"), (12.34, "x", "12.3")],
)
def test_numbers_have_as_many_digits_as_they_need(value: float, metric: str, text: str) -> None:
    assert write_number(value, find_unit(metric)) == text


def test_an_estimate_without_interval_is_written_without() -> None:
    study = build_study(["try"], [make_run({}, 0, 0.25)])
    assert write_estimate(study.cells[0].estimate(study.metric), find_unit("exact_match")) == "25.0 %"
