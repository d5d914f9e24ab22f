from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lengthwise.tracking.runs.provenance import read_git, read_versions


def git(directory: Path, *arguments: str) -> str:
    settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *settings, *arguments], cwd=directory, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-b", "work")
    (tmp_path / "file").write_text("one\n")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "first")
    return tmp_path


def test_a_clean_checkout(checkout: Path) -> None:
    state, diff = read_git(checkout)
    assert state is not None
    assert (state.commit, state.branch, state.dirty) == (git(checkout, "rev-parse", "HEAD"), "work", False)
    assert diff == ""


def test_a_changed_one(checkout: Path) -> None:
    (checkout / "file").write_text("two\n")
    state, diff = read_git(checkout)
    assert state is not None
    assert state.dirty
    assert "-one\n+two\n" in diff


def test_a_new_file_is_a_change(checkout: Path) -> None:
    (checkout / "new").write_text("")
    state, _ = read_git(checkout)
    assert state is not None
    assert state.dirty


def test_before_the_first_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-b", "work")
    (tmp_path / "file").write_text("one\n")
    state, diff = read_git(tmp_path)
    assert state is not None
    assert (state.commit, state.branch, state.dirty, diff) == (None, "work", True, "")


def test_no_checkout_and_no_git(tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_git(Path("/")) == (None, "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_git(checkout) == (None, "")


def test_versions_name_every_package_that_results_hang_on() -> None:
    versions = read_versions()
    assert set(versions) == {"python", "lengthwise", "tensorflow", "keras", "numpy", "hydra-core", "mlflow"}
    assert versions["tensorflow"].startswith("2.")
