"""The layers of the house: who may import whom, and which libraries are seen where."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "lengthwise"

LAYERS = {
    "config": set(),
    "data": {"config"},
    "models": {"config", "data"},
    "training": {"config", "data", "models"},
    "decoding": {"config", "data", "models", "training"},
    "evaluation": {"config", "data", "models", "decoding"},
    "tracking": {"config"},
    "serving": {"config", "data", "models", "decoding", "tracking"},
    "sweeps": {"config", "data", "tracking"},
}
"""Packages that each package may import, itself aside; the modules at the top of the package compose them."""

COMPOSING = {"sweeps": {"launch"}, "config": set()}
"""Top-level modules that a package may import, beside `errors` and `files`, which all may."""

LIBRARIES = {
    "hydra": {"train.py", "composition.py", "cli.py", "sweeps/"},
    "omegaconf": {"config/parse.py", "sweeps/launcher.py", "train.py", "composition.py"},
    "mlflow": {"tracking/", "serving/mlflow_model.py"},
    "matplotlib": {
        "evaluation/style.py",
        "evaluation/figures.py",
        "evaluation/sequence_figures.py",
        "evaluation/wiring_figure.py",
        "evaluation/study_figures.py",
        "evaluation/report_sections.py",
    },
    "tensorflow": {"models/", "training/", "decoding/", "serving/", "execution.py"},
    "keras": {"models/", "training/", "decoding/", "serving/", "execution.py"},
}

MODULES = sorted(SOURCE.rglob("*.py"))


def list_imports(path: Path) -> set[str]:
    """Return the dotted names that a module imports, anywhere in it but for type checking."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: set[str] = set()
    typing_only = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_there_is_something_to_scan() -> None:
    assert {path.relative_to(SOURCE).parts[0] for path in MODULES} >= set(LAYERS)
    assert "lengthwise.config.options" in list_imports(SOURCE / "experiment.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_downwards(path: Path) -> None:
    package = path.relative_to(SOURCE).parts[0]
    if package not in LAYERS:
        return
    allowed = LAYERS[package] | {package, "errors", "files"} | COMPOSING.get(package, set())
    imported = {name.split(".")[1] for name in list_imports(path) if name.startswith("lengthwise.")}
    assert imported <= allowed, f"{package} may import {sorted(allowed)}"


@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries_stay_in_their_rooms(library: str) -> None:
    users = {
        str(path.relative_to(SOURCE))
        for path in MODULES
        if any(name.split(".")[0] == library for name in list_imports(path))
    }
    strangers = {user for user in users if not any(user.startswith(room) for room in LIBRARIES[library])}
    assert not strangers


def test_the_light_modules_load_without_tensorflow_or_mlflow() -> None:
    code = (
        "import sys, lengthwise.app.hydra_app, lengthwise.app.cli, lengthwise.pipeline.run, lengthwise.tracking.runs.run, "
        "lengthwise.sweeps.sweep, lengthwise.models.wiring, lengthwise.evaluation.metrics;"
        "print(sorted({'tensorflow', 'keras', 'mlflow', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
