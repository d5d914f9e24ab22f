"""The page docs/your-own-dataset.md, followed to the letter; the user's own conf/; packages that are not right."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.commands import train, use
from lengthwise.config import composer, documentation, plugins, reflection
from lengthwise.evaluation import metrics

DOCUMENT = Path(__file__).parents[2] / "docs" / "your-own-dataset.md"
FILE = re.compile(r"^`([\w./]+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SMALL = ["training.epochs=1", "latent_dim=4", "tracking=directory"]


def forget() -> None:
    """Forget what has been read about installed packages."""
    for cached in (
        plugins.find_plugins,
        plugins.find_dataset_options,
        reflection.read_fields,
        documentation.describe_options,
        composer._open_composer,
        metrics.list_metrics,
    ):
        cached.cache_clear()
    importlib.invalidate_caches()


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in, whose `installed` is where packages are found."""
    (tmp_path / "installed").mkdir()
    monkeypatch.syspath_prepend(tmp_path / "installed")
    monkeypatch.chdir(tmp_path)
    forget()
    yield tmp_path
    for name in ("palindromes", "wrong"):
        sys.modules.pop(name, None)
    forget()


def install(directory: Path) -> None:
    """Build a wheel of a project and install it, without a network."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", "installed", str(directory)], check=True, capture_output=True)
    forget()


def declare(directory: Path, group: str, entry: str, code: str) -> None:
    """Put a module with an entry point where packages are found, as an installer would."""
    (directory / "installed" / "wrong.py").write_text(code, encoding="utf-8")
    info = directory / "installed" / "wrong-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wrong\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry}\n", encoding="utf-8")
    forget()


@pytest.mark.slow
def test_the_page_in_ten_minutes(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = FILE.findall(DOCUMENT.read_text(encoding="utf-8"))
    assert [name for name, _ in files] == [
        "pyproject.toml",
        "palindromes/__init__.py",
        "palindromes/conf/dataset/palindromes.yaml",
    ]
    for name, content in files:
        path = directory / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    install(directory / "project")
    assert use("options", "palindromes") == 0
    assert "dataset.num_letters  (a whole number; from 2 to 26 letters)" in capsys.readouterr().out
    assert use("data", "dataset=palindromes", "dataset.num_letters=6") == 0
    assert "6 different characters to 6 different characters" in capsys.readouterr().out
    assert train("dataset=palindromes", "dataset.num_letters=1") == 2
    assert "dataset.num_letters must be a whole number from 2 to 26 letters; got 1." in capsys.readouterr().err
    assert train("--help") == 0
    shown = capsys.readouterr().out
    assert "dataset=palindromes    Words continued to palindromes. (palindromes 0.1.0)" in shown
    assert "metric first_symbol    first symbol right (palindromes 0.1.0)" in shown
    assert train("model=stateful", "dataset=palindromes", f"output_dir={directory}/out", *SMALL) == 0
    assert "first symbol right" in capsys.readouterr().out
    (run,) = (directory / "out" / "scratch").iterdir()
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert 0 <= manifest["summary"]["test/first_symbol"] <= 1
    assert manifest["params"]["dataset.num_letters"] == 5
    assert use("report", "scratch", f"output_dir={directory / 'out'}") == 0
    assert "test/first_symbol" in (directory / "out" / "scratch" / "report" / "results.csv").read_text("utf-8")


WRONG = """
from dataclasses import dataclass
from typing import Literal
@dataclass(frozen=True, kw_only=True)
class Options:
    '''Mine.'''
    name: Literal["wrong"]
"""


@pytest.mark.parametrize(
    ("group", "entry", "code", "message"),
    [
        ("datasets", "wrong = wrong:Options", "1 / 0", r"cannot be imported \(ZeroDivisionError"),
        ("datasets", "wrong = wrong:missing", WRONG, r"cannot be imported \(AttributeError"),
        ("datasets", "wrong = wrong:dataclass", WRONG, "names no dataclass"),
        ("datasets", "other = wrong:Options", WRONG, r"its option `name` is not Literal\[\"other\"\]"),
        ("datasets", "copy = wrong:Options", WRONG.replace("wrong", "copy"), "has a dataset of this name"),
        ("datasets", "wrong = wrong:Options", WRONG, "has no KIND"),
        ("datasets", "wrong = wrong:Options", f"{WRONG}    KIND = 'tokens'\n", "it has no .*wrong.yaml"),
        ("datasets", "wrong = wrong:Options", f"{WRONG}    KIND = 'tokens'\n    x: int = 1\n", "has a default"),
        ("metrics", "wrong = wrong:Options", WRONG, "names no Metric"),
    ],
)
def test_a_package_that_is_not_right_is_named(
    group: str, entry: str, code: str, message: str, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(directory, f"lengthwise.{group}", entry, code)
    if group == "datasets":
        assert use("data", "dataset=copy") == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
    else:
        with pytest.raises(plugins.LengthwiseError) as caught:
            metrics.find_metric("exact_match")
        error = str(caught.value)
    assert re.search(message, error), error
    assert "of the package wrong 1.0 cannot be used: " in error


def test_the_users_own_conf_is_found_by_itself(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert use("data", "dataset=mine") == 2
    own = directory / "conf" / "dataset"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("defaults: [copy]\nnum_symbols: 3\nnum_train: 30\n", encoding="utf-8")
    assert use("data", "dataset=mine", "--json") == 0
    assert json.loads(capsys.readouterr().out)["splits"]["train"]["num_examples"] == 30
    assert train("--cfg", "job", "dataset=mine") == 0
    assert "num_symbols: 3" in capsys.readouterr().out
    (own / "bad.yaml").write_text("defaults: [copy]\n_target_: os.system\n", encoding="utf-8")
    assert use("data", "dataset=bad") == 2
    assert "no option names code to run" in capsys.readouterr().err
    (own / "copy.yaml").write_text("name: copy\n", encoding="utf-8")
    assert use("data", "dataset=copy") == 2
    assert "conf/dataset/copy.yaml has the name of a file of Lengthwise" in capsys.readouterr().err
    (directory / "conf" / "config.yaml").write_text("another: project\n", encoding="utf-8")
    assert use("data", "dataset=copy") == 0
    assert use("data", "dataset=mine") == 2
