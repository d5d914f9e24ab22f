from __future__ import annotations

import json
import math
import os
import threading
from pathlib import Path

import pytest

from lengthwise.errors import RunError
from lengthwise.tracking.runs.journal import Entry, Journal, read_journal


def strict(line: str) -> dict[str, object]:
    def refuse(constant: str) -> object:
        raise AssertionError(f"not JSON: {constant}")

    return json.loads(line, parse_constant=refuse)


def test_lines_are_what_the_plan_promises(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "metrics.jsonl")
    journal.append([Entry("train/loss", 3, 0.25, 1000.5), Entry("val/loss", 3, 0.5, 1000.5)])
    journal.close()
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [strict(line) for line in lines] == [
        {"key": "train/loss", "step": 3, "value": 0.25, "time": 1000.5},
        {"key": "val/loss", "step": 3, "value": 0.5, "time": 1000.5},
    ]


def test_numbers_that_json_lacks_come_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.append([Entry("a/b", i, value, 1.0) for i, value in enumerate([math.nan, math.inf, -math.inf, 1e-300])])
    journal.close()
    assert [strict(line)["value"] for line in (tmp_path / "j").read_text().splitlines()] == [
        "nan",
        "inf",
        "-inf",
        1e-300,
    ]
    values = [entry.value for entry in read_journal(tmp_path / "j")[0]]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf, 1e-300]


def test_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    journal.append([Entry("a/b", step, float(step), 1.0) for step in range(5)])
    first, position = read_journal(path, limit=2)
    second, end = read_journal(path, start=position, limit=100)
    assert [entry.step for entry in first + second] == [0, 1, 2, 3, 4]
    assert end == path.stat().st_size
    assert read_journal(path, start=end) == ([], end)
    journal.close()


def test_a_line_cut_by_a_kill_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "j"
    whole = '{"key": "a/b", "step": 0, "value": 1.0, "time": 1.0}\n'
    path.write_text(whole + '{"key": "a/b", "st')
    entries, position = read_journal(path)
    assert [entry.step for entry in entries] == [0]
    assert position == len(whole)
    journal = Journal(path)
    journal.append([Entry("a/b", 2, 3.0, 4.0)])
    journal.close()
    assert [entry.step for entry in read_journal(path)[0]] == [0, 2]
    assert [entry.step for entry in read_journal(path, start=position)[0]] == [2]


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")

    def write(name: int) -> None:
        for step in range(100):
            journal.append([Entry(f"thread/{name}", step, float(i), 1.0) for i in range(3)])

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    entries, _ = read_journal(tmp_path / "j")
    assert len(entries) == 1200
    for name in range(4):
        steps = [entry.step for entry in entries if entry.key == f"thread/{name}"]
        assert steps == [step for step in range(100) for _ in range(3)]


def test_a_write_that_fails_names_the_file(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "metrics.jsonl")
    with Path("/dev/full").open("wb") as full:
        os.dup2(full.fileno(), journal._descriptor)
    with pytest.raises(OSError, match=r"No space left.*/metrics\.jsonl'"):
        journal.append([Entry("a/b", 0, 1.0, 1.0)])
    os.dup2(os.open(tmp_path / "metrics.jsonl", os.O_WRONLY), journal._descriptor)
    journal.close()


@pytest.mark.parametrize("target", ["/dev/full", "/dev/null", "other"])
def test_a_journal_is_no_link_and_no_device(tmp_path: Path, target: str) -> None:
    (tmp_path / "other").write_text("kept")
    path = tmp_path / "metrics.jsonl"
    path.symlink_to(target)
    for use in (Journal, read_journal):
        with pytest.raises(RunError, match=r"metrics\.jsonl is not a regular file"):
            use(path)
    assert (tmp_path / "other").read_text() == "kept"
    with pytest.raises(RunError, match="is not a regular file"):
        Journal(Path("/dev/full"))


def test_a_missing_journal_is_empty(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "none") == ([], 0)
