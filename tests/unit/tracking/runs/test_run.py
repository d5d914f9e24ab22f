from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.runs import StartRun
from lengthwise.config.options import DirectoryOptions
from lengthwise.credentials import hide_credentials
from lengthwise.errors import ConfigError, DataError, Terminated
from lengthwise.tracking.runs.heartbeat import HEARTBEAT_NAME, RESERVE_BYTES
from lengthwise.tracking.runs.journal import read_journal
from lengthwise.tracking.runs.manifest import Manifest, read_manifest, write_manifest
from lengthwise.tracking.runs.run import Run, reopen_run
from lengthwise.tracking.runs.run_record import RunRecord


def test_the_directory_describes_the_run(
    start: StartRun, record: Callable[..., RunRecord], directory_only: DirectoryOptions
) -> None:
    with start(directory_only) as run:
        assert json.loads((run.directory / "manifest.json").read_text())["status"] == "RUNNING"
        assert (run.directory / HEARTBEAT_NAME).exists()
        run.log({"train/loss": 0.5, "val/loss": 0.75}, step=3)
        run.set_summary({"test/exact_match": 0.9})
    manifest = read_manifest(run.directory)
    assert run.directory.parent.name == "digits-study"
    assert run.name == manifest.name == run.directory.name
    assert run.name.endswith(f"-repeat-digits-{manifest.id}")
    assert manifest.status == "FINISHED"
    assert manifest.failure is None
    assert manifest.summary == {"test/exact_match": 0.9}
    assert manifest.record == record()
    assert manifest.process.pid == os.getpid()
    assert manifest.versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert manifest.duration_seconds is not None
    assert 0 <= manifest.duration_seconds < 60
    assert manifest.config_sha256 == hashlib.sha256(b"latent_dim: 64\n").hexdigest()
    assert (run.directory / "config.yaml").read_text() == "latent_dim: 64\n"
    assert not (run.directory / HEARTBEAT_NAME).exists()
    found = [(entry.key, entry.step, entry.value) for entry in read_journal(run.directory / "metrics.jsonl")[0]]
    assert found == [("train/loss", 3, 0.5), ("val/loss", 3, 0.75), ("test/exact_match", 3, 0.9)]


@pytest.mark.parametrize("room", [RESERVE_BYTES // 2, 0])
def test_the_end_of_a_log_is_kept_in_the_reserve_of_a_full_disk(
    start: StartRun, directory_only: DirectoryOptions, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    with start(directory_only) as run:
        write_text = type(run).write_text

        def write_into_reserve(self: Run, name: str, text: str) -> None:
            free = RESERVE_BYTES - (run.directory / HEARTBEAT_NAME).stat().st_size
            if len(text.encode()) > min(free, room):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            write_text(self, name, text)

        monkeypatch.setattr(type(run), "write_text", write_into_reserve)
        run.write_log("x" * RESERVE_BYTES + "the end")
        monkeypatch.undo()
    log = run.directory / "log.txt"
    assert (log.exists() and log.read_text().endswith("xthe end")) == bool(room)
    assert read_manifest(run.directory).status == "FINISHED"


def test_parts_that_could_not_be_written_are_named_when_the_run_is_closed(
    start: StartRun, directory_only: DirectoryOptions
) -> None:
    with start(directory_only) as run:
        run.set_missing(["latents", "attention"])
    assert (read_manifest(run.directory).status, read_manifest(run.directory).missing) == (
        "FINISHED",
        ("latents", "attention"),
    )
    reopen_run(run.directory).close(None)
    assert read_manifest(run.directory).missing == ()


def test_scores_are_kept_on_a_full_disk_by_the_reserve(
    start: StartRun, directory_only: DirectoryOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_where_the_reserve_is_free(directory: Path, manifest: Manifest) -> None:
        if (directory / HEARTBEAT_NAME).stat().st_size == RESERVE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(directory))
        write_manifest(directory, manifest)

    with start(directory_only) as run, monkeypatch.context() as full_disk:
        full_disk.setattr("lengthwise.tracking.runs.run.write_manifest", write_where_the_reserve_is_free)
        run.set_summary({"test/exact_match": 0.9})
        assert read_manifest(run.directory).summary == {"test/exact_match": 0.9}
        assert (run.directory / HEARTBEAT_NAME).stat().st_size == RESERVE_BYTES / 2, "what closes the run"
    (entry,) = read_journal(run.directory / "metrics.jsonl")[0]
    assert (entry.key, entry.value) == ("test/exact_match", 0.9)


def test_runs_of_one_second_have_names_of_their_own(
    start: StartRun, directory_only: DirectoryOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    draws = iter(["569798", "aaaaaa", "12e456", "aaaaaa", "aaaaaa", "bbbbbb"])  # an id is no number
    monkeypatch.setattr(
        "lengthwise.tracking.runs.run.secrets.token_hex", lambda size: next(draws) if size == 3 else "aside"
    )
    monkeypatch.setattr("lengthwise.tracking.runs.run.time.strftime", lambda *_: "20261121-120000")
    names = []
    for _ in range(2):
        with start(directory_only) as run:
            names.append(run.name)
    assert names == ["20261121-120000-repeat-digits-aaaaaa", "20261121-120000-repeat-digits-bbbbbb"]


ERRORS = [
    (ValueError("a\nb"), "FAILED", "ValueError: a\nb"),
    (
        DataError("pairs.tsv", 3, "no tab", remedy="Write one"),
        "FAILED",
        "DataError: pairs.tsv, line 3: no tab. Write one.",
    ),
    (MemoryError(), "FAILED", "MemoryError: "),
    (KeyboardInterrupt(), "KILLED", "stopped by SIGINT"),
    (Terminated(), "KILLED", "stopped by SIGTERM"),
    (SystemExit(143), "KILLED", "stopped by SIGTERM"),
    (SystemExit(130), "KILLED", "stopped by SIGINT"),
    (SystemExit(1), "FAILED", "exit: 1"),
    (SystemExit("no"), "FAILED", "exit: no"),
    (SystemExit(0), "FINISHED", None),
    (SystemExit(), "FINISHED", None),
]


@pytest.mark.parametrize(("error", "status", "reason"), ERRORS, ids=lambda value: repr(value)[:30])
def test_every_error_has_its_status(
    start: StartRun, directory_only: DirectoryOptions, error: BaseException, status: str, reason: str | None
) -> None:
    with pytest.raises(type(error)), start(directory_only) as run:
        raise error
    manifest = read_manifest(run.directory)
    assert manifest.status == status
    assert (manifest.failure.reason if manifest.failure else None) == reason
    assert (run.directory / "traceback.txt").exists() == (status == "FAILED")
    if isinstance(error, ValueError):
        assert "raise error\nValueError: a\nb" in (run.directory / "traceback.txt").read_text()


def test_sigterm_ends_the_run_as_killed(start: StartRun, directory_only: DirectoryOptions) -> None:
    def be_terminated() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    with pytest.raises(Terminated) as caught, start(directory_only) as run:
        be_terminated()
    assert caught.value.code == 143
    assert read_manifest(run.directory).status == "KILLED"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_handler_of_the_caller_stays(start: StartRun, directory_only: DirectoryOptions) -> None:
    calls = []
    before = signal.signal(signal.SIGTERM, lambda *_: calls.append(1))
    try:
        with start(directory_only) as run:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert calls == [1]
    assert read_manifest(run.directory).status == "FINISHED"


@pytest.mark.parametrize("name", ["loss", "val loss", "", "val/", "/loss", "val/lo ss", "val/é", "a//b"])
def test_metrics_are_named_by_split(start: StartRun, directory_only: DirectoryOptions, name: str) -> None:
    with start(directory_only) as run, pytest.raises(ValueError, match="split/metric"):
        run.log({"val/loss": 1.0, name: 1.0}, step=0)
    assert read_journal(run.directory / "metrics.jsonl")[0] == []


def test_a_negative_step_is_refused(start: StartRun, directory_only: DirectoryOptions) -> None:
    with start(directory_only) as run, pytest.raises(ValueError, match="at least 0; got -1"):
        run.log({"val/loss": 1.0}, step=-1)


def test_a_summary_is_logged_once(start: StartRun, directory_only: DirectoryOptions) -> None:
    with start(directory_only) as run:
        run.log({"val/loss": 0.25}, step=7)
        run.set_summary({"val/loss": 0.25, "test/error": math.nan})
        run.set_summary({"test/error": math.nan, "test/exact_match": 1.0})
    entries = [(entry.key, entry.step) for entry in read_journal(run.directory / "metrics.jsonl")[0]]
    assert entries == [("val/loss", 7), ("test/error", 7), ("test/exact_match", 7)]
    summary = read_manifest(run.directory).summary
    assert summary["val/loss"] == 0.25
    assert math.isnan(summary["test/error"])


@pytest.mark.parametrize("parts", [("..", "x"), ("/elsewhere/x",), ("a", "../../x"), (), (".",), ("a/../..",)])
def test_files_stay_in_the_directory(start: StartRun, directory_only: DirectoryOptions, parts: tuple[str, ...]) -> None:
    with start(directory_only) as run, pytest.raises(ValueError, match="lies in its directory"):
        run.path(*parts)


def test_files_are_written_whole(start: StartRun, directory_only: DirectoryOptions) -> None:
    with start(directory_only) as run:
        run.write_text("samples/test.md", "é\n")
        run.write_json("samples/test.json", {"columns": ["a"], "data": [[math.nan], [math.inf], [1.5], ["é"]]})
        figure = run.path("figures", "curves.png")
    assert figure.parent.is_dir()
    assert (run.directory / "samples/test.md").read_text(encoding="utf-8") == "é\n"
    table = json.loads((run.directory / "samples/test.json").read_text(encoding="utf-8"))
    assert table == {"columns": ["a"], "data": [[None], [None], [1.5], ["é"]]}
    assert sorted(path.name for path in (run.directory / "samples").iterdir()) == ["test.json", "test.md"]


def test_an_output_dir_that_cannot_be_made_is_reported(
    start: StartRun, directory_only: DirectoryOptions, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ConfigError, match=r"output_dir must be a directory that can be written \(Not a directory\)"),
        start(directory_only, output_dir=tmp_path / "file"),
    ):
        pass


@pytest.mark.parametrize(
    "changes",
    [
        *({"study": name} for name in ("../x", "a/b", "/x", ".", "..", ".x", "x" * 101, "a\0", "a\n")),
        {"label": ""},
        {"parent": "../x"},
    ],
)
def test_a_record_that_names_no_directory_is_refused(
    record: Callable[..., RunRecord], changes: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        record(**changes)


def test_a_relative_output_dir_is_refused(start: StartRun, directory_only: DirectoryOptions) -> None:
    with (
        pytest.raises(ValueError, match="must be absolute; got outputs"),
        start(directory_only, output_dir=Path("outputs")),
    ):
        pass


def test_passwords_are_not_stored(start: StartRun, directory_only: DirectoryOptions) -> None:
    uri = "postgresql://me:s3cret@host:5432/runs"
    changes = {"params": {"tracking.uri": uri}, "command": ("train.py", f"tracking.uri={uri}")}
    with start(directory_only, config_text=f"uri: {uri}\n", **changes) as run:
        pass
    stored = "".join(path.read_text() for path in run.directory.iterdir() if path.suffix in {".json", ".yaml"})
    assert "s3cret" not in stored
    assert "postgresql://me:***@host:5432/runs" in stored
    assert hide_credentials("http://host:5000/a@b") == "http://host:5000/a@b"


def test_a_second_start_closes_the_dead(start: StartRun, directory_only: DirectoryOptions) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with start(directory_only) as run:
        manifest = json.loads((run.directory / "manifest.json").read_text())
    manifest["status"] = "RUNNING"
    manifest["process"]["pid"] = dead.pid
    (run.directory / "manifest.json").write_text(json.dumps(manifest))
    (run.directory / HEARTBEAT_NAME).touch()
    with start(directory_only):
        assert read_manifest(run.directory).status == "KILLED"
