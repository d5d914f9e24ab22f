"""The project's own files agree with each other: versions, Python releases, the checks of each tool."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def read_yaml(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def test_the_citation_is_of_this_version() -> None:
    citation = read_yaml("CITATION.cff")
    assert str(citation["version"]) == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-artifact"] == PROJECT["urls"]["Homepage"]


def test_ci_runs_the_whole_suite_on_every_python_that_is_promised() -> None:
    (job,) = read_yaml(".github/workflows/ci.yml")["jobs"].values()
    promised = {text.rpartition(" ")[2] for text in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", text)}
    assert set(job["strategy"]["matrix"]["python"]) == promised
    assert job["steps"][-1]["run"].startswith("make test ")


def test_only_the_release_may_ask_for_an_identity() -> None:
    workflow = read_yaml(".github/workflows/release.yml")
    assert workflow["permissions"] == {"contents": "read"}
    assert "permissions" not in workflow["jobs"]["build"]
    assert workflow["jobs"]["publish"]["permissions"] == {"id-token": "write"}


def test_hooks_before_a_commit_are_checks_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("$(BIN)", ".venv/bin")
    commands = [line.strip().removesuffix(" .") for line in makefile.splitlines()]
    (local,) = read_yaml(".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    assert {hook["entry"] for hook in local["hooks"]} <= set(commands)


def test_the_changelog_says_what_is_unreleased_first() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    kinds = re.findall(r"^### (.*)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
