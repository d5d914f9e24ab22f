from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from helpers.runs import StartRun
from lengthwise.config.options import DirectoryOptions
from lengthwise.errors import RunError
from lengthwise.tracking.runs.find import find_run, list_runs


@pytest.fixture
def runs(start: StartRun, directory_only: DirectoryOptions, tmp_path: Path) -> Path:
    """Four runs with given names: one is a sweep, the last is the newest."""
    with start(directory_only) as run:
        run.set_summary({"test/exact_match": 0.5})
    template = json.loads((run.directory / "manifest.json").read_text())
    outputs = tmp_path / "four"
    for day, study, label, number, kind in [
        (1, "one", "repeat-digits", "aaa111", "run"),
        (2, "one", "stateful-g2p", "aab222", "run"),
        (3, "two", "repeat-digits", "bbb333", "run"),
        (4, "two", "sweep", "ccc444", "sweep"),
    ]:
        name = f"2026110{day}-120000-{label}-{number}"
        directory = outputs / study / name
        directory.mkdir(parents=True)
        changes = {"name": name, "id": number, "study": study, "label": label, "kind": kind}
        changes["started"] = f"2026-11-0{day}T12:00:00.000+00:00"
        (directory / "manifest.json").write_text(json.dumps(template | changes))
    return outputs


def test_newest_first(runs: Path) -> None:
    (runs / "one" / "stray").mkdir()
    (runs / "one" / "damaged").mkdir()
    (runs / "one" / "damaged" / "manifest.json").write_text('{"name"')
    assert [run.manifest.id for run in list_runs(runs)] == ["ccc444", "bbb333", "aab222", "aaa111"]
    assert [run.manifest.id for run in list_runs(runs, "one")] == ["aab222", "aaa111"]
    assert list_runs(runs, "none") == []
    found = list_runs(runs, "one")[0]
    assert found.manifest.summary == {"test/exact_match": 0.5}
    assert (found.manifest.status, found.manifest.record.seed) == ("FINISHED", 5)
    assert found.directory == runs / "one" / found.manifest.name


@pytest.mark.parametrize(
    ("reference", "number"),
    [
        ("20261101-120000-repeat-digits-aaa111", "aaa111"),
        ("one/20261101-120000-repeat-digits-aaa111", "aaa111"),
        ("repeat-digits-bbb333", "bbb333"),
        ("20261102", "aab222"),
        ("aaa", "aaa111"),
        ("b", "bbb333"),
        ("ccc444", "ccc444"),
        ("latest", "bbb333"),
    ],
)
def test_a_run_is_found(runs: Path, reference: str, number: str) -> None:
    assert find_run(runs, reference).manifest.id == number


def test_a_run_is_found_by_its_directory(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = next((runs / "two").glob("*bbb333"))
    assert find_run(runs / "elsewhere", str(directory)).directory == directory
    monkeypatch.chdir(directory.parent)
    assert find_run(runs / "elsewhere", directory.name).directory == directory


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("aa", r"'aa' could be 20261102-120000-stateful-g2p-aab222, 20261101-\S+-aaa111\. Give more"),
        ("2026", r"could be .*ccc444, .*bbb333, .*aab222, .*aaa111\."),
        ("zzz", r"There is no run 'zzz' in .*The newest are 20261104-120000-sweep-ccc444"),
        ("", r"There is no run ''"),
        ("../one", r"There is no run"),
    ],
)
def test_a_refusal_names_what_it_could_be(runs: Path, reference: str, message: str) -> None:
    with pytest.raises(RunError, match=message):
        find_run(runs, reference)


def test_no_runs_at_all(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="There are no runs in"):
        find_run(tmp_path, "latest")


def test_a_thousand_runs_are_listed_in_a_second(runs: Path, tmp_path: Path) -> None:
    text = next((runs / "one").glob("*aaa111/manifest.json")).read_text()
    for number in range(1000):
        directory = tmp_path / "many" / "study" / f"run-{number:06x}"
        directory.mkdir(parents=True)
        (directory / "manifest.json").write_text(text)
    began = time.process_time()  # that of other processes does not count
    assert len(list_runs(tmp_path / "many")) == 1000
    assert time.process_time() - began < 1.0


def change_manifest(directory: Path, **changes: object) -> None:
    path = directory / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_best_of_a_study_by_its_primary_metric(runs: Path) -> None:
    first, second = (find_run(runs, number).directory for number in ("aaa111", "aab222"))
    assert find_run(runs, "best:one").manifest.id == "aab222", "the newest among ties"
    change_manifest(first, summary={"test/exact_match": 0.7})
    assert find_run(runs, "best:one").manifest.id == "aaa111"
    error = {"name": "test/error_rate", "greater_is_better": False}
    change_manifest(first, summary={"test/error_rate": 0.7}, primary_metric=error)
    change_manifest(second, summary={"test/error_rate": 0.2}, primary_metric=error)
    assert find_run(runs, "best:one").manifest.id == "aab222"
    change_manifest(second, summary={"test/error_rate": "nan"})
    assert find_run(runs, "best:one").manifest.id == "aaa111"
    change_manifest(second, summary={"test/error_rate": 0.9, "val/error_rate": 0.1})
    assert find_run(runs, "best:one").manifest.id == "aab222", "chosen by the validation split"
    change_manifest(second, summary={})
    change_manifest(first, status="FAILED")
    for reference in ("best:one", "best:none", "best:", "best:*"):
        with pytest.raises(RunError):
            find_run(runs, reference)
    assert find_run(runs, "best:two").manifest.id == "bbb333", "the sweep is no candidate"


def test_latest_is_a_run_of_a_status_that_will_do(runs: Path) -> None:
    newest = find_run(runs, "bbb333").directory
    change_manifest(newest, status="RUNNING")
    assert find_run(runs, "latest").manifest.id == "bbb333"
    assert find_run(runs, "latest", latest_among=("FINISHED",)).manifest.id == "aab222"
    assert find_run(runs, "bbb333", latest_among=("FINISHED",)).manifest.id == "bbb333", "a run that is named is meant"
    for path in runs.glob("one/*"):
        change_manifest(path, status="KILLED")
    assert find_run(runs, "latest", latest_among=("KILLED", "FAILED")).manifest.id == "aab222"
    with pytest.raises(RunError, match=r"No run in .* is FINISHED; the newest, \S+-bbb333, is RUNNING\. Name a run"):
        find_run(runs, "latest", latest_among=("FINISHED",))


def test_only_sweeps(runs: Path, tmp_path: Path) -> None:
    sweep = find_run(runs, "ccc444").directory
    (tmp_path / "sweeps" / "two").mkdir(parents=True)
    sweep.rename(tmp_path / "sweeps" / "two" / sweep.name)
    with pytest.raises(RunError, match=r"There is no run in .* that is not a sweep"):
        find_run(tmp_path / "sweeps", "latest")
