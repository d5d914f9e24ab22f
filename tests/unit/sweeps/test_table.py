from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest
from rich.console import Console

from lengthwise.sweeps.jobs import Job, JobResult
from lengthwise.sweeps.table import find_varied, make_row, make_screen_table, write_csv, write_markdown

MakeJob = Callable[..., Job]
MakeResult = Callable[..., JobResult]


@pytest.fixture
def jobs(make_job: MakeJob) -> list[Job]:
    return [make_job(number, f"model={model}", "study=s") for number, model in enumerate(("repeat", "stateful", "x|y"))]


@pytest.fixture
def rows(jobs: list[Job], make_result: MakeResult) -> list[dict[str, str]]:
    results = [make_result(jobs[1], "FAILED", reason='ValueError: a, "b"'), make_result(jobs[0])]
    by_number = {result.job.number: result for result in results}
    return [make_row(job, by_number.get(job.number)) for job in jobs]


def test_every_job_has_a_row_in_order_also_one_that_never_ran(rows: list[dict[str, str]]) -> None:
    assert [(row["job"], row["model"], row["status"]) for row in rows] == [
        ("0", "repeat", "FINISHED"),
        ("1", "stateful", "FAILED"),
        ("2", "x|y", "NOT RUN"),
    ]
    assert rows[0]["score"] == "val/loss=0.25"
    assert rows[1]["reason"] == 'ValueError: a, "b"'


def test_the_csv_reads_back(rows: list[dict[str, str]]) -> None:
    read = list(csv.DictReader(io.StringIO(write_csv(rows))))
    assert [row["model"] for row in read] == ["repeat", "stateful", "x|y"]
    assert read[1]["reason"] == 'ValueError: a, "b"'
    assert read[2]["seconds"] == ""


def test_the_markdown_is_a_table_of_equal_columns(rows: list[dict[str, str]]) -> None:
    lines = write_markdown(rows).splitlines()
    assert len(lines) == 5
    assert "x\\|y" in lines[4]
    assert {line.replace("\\|", "").count("|") for line in lines} == {lines[0].count("|")}


@pytest.mark.parametrize(
    ("overrides", "varied"),
    [
        ([("model=a", "seed=1"), ("model=b", "seed=1")], ["model"]),
        ([("model=a", "seed=1"), ("model=a", "seed=2")], ["seed"]),
        ([("model=a",), ("model=a", "seed=2")], ["seed"]),
        ([("model=a", "seed=1")], ["model", "seed"]),
        ([("model=a",), ("model=a",)], []),
    ],
)
def test_the_options_in_which_jobs_differ(
    overrides: list[tuple[str, ...]], varied: list[str], make_job: MakeJob
) -> None:
    assert find_varied([make_job(number, *each) for number, each in enumerate(overrides)]) == varied


def test_the_screen_shows_what_differs_and_why_a_job_failed(jobs: list[Job], rows: list[dict[str, str]]) -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(make_screen_table(rows, varied=find_varied(jobs), width=120))
    text = console.export_text()
    assert "study" not in text
    assert "000001" in text
    assert 'ValueError: a, "b"' in text


@pytest.mark.parametrize("width", [80, 120, 160])
def test_every_job_has_one_line_of_the_screen(width: int, make_job: MakeJob, make_result: MakeResult) -> None:
    names = ("seed=105", "model=bahdanau2015", "training.learning_rate=0.0001")
    jobs = [make_job(number, *names) for number in range(3)]
    reason = "pairs.txt, line 3: has no tab. Write source<TAB>target."
    results = [make_result(jobs[0]), make_result(jobs[1], "FAILED", reason=reason), None]
    rows = [make_row(job, result) for job, result in zip(jobs, results, strict=True)]
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(make_screen_table(rows, varied=[name.partition("=")[0] for name in names], width=width, before=["0"]))
    lines = [line for line in console.export_text().splitlines() if line.strip()]
    assert len(lines) == 5
    seconds = [] if width == 80 else ["seconds"]  # left out where it is narrow, before anything is folded
    assert lines[0].split() == ["job", "seed", "model", "learning_rate", "status", *seconds, "run", "result"]
    assert "FINISHED before" in lines[2]
    assert lines[3].rstrip().endswith(reason if width == 160 else "…")
    assert all(len(line.rstrip()) <= width for line in lines)
