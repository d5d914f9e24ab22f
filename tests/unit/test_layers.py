"""The layers of the house: who may import whom, and which libraries are seen where."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "lengthwise"

ROOT_MODULES = {
    "__init__",
    "__main__",
    "credentials",
    "errors",
    "files",
    "lean_import",
    "signals",
    "silence",
    "plotting",
}
"""Modules at the package's root; any room may import them but the first two, the doors from Python and the shell."""

LAYERS = {
    "config": set(),
    "data": {"config"},
    "models": {"config", "data"},
    "training": {"config", "data", "models"},
    "decoding": {"config", "data", "models"},
    "catalog": {"config", "data", "models"},
    "evaluation": {"config", "data", "models", "decoding"},
    "tracking": {"config"},
    "serving": {"config", "data", "models", "decoding", "tracking"},
    "pipeline": {"config", "data", "models", "training", "decoding", "catalog", "evaluation", "tracking", "serving"},
    "studies": {"config", "data", "decoding", "evaluation", "tracking"},
    "sweeps": {"config", "data", "tracking", "pipeline"},
    "app": {"config", "data", "models", "catalog", "tracking", "serving", "pipeline", "studies", "sweeps"},
    "python": {"config", "tracking", "serving", "studies", "app"},
}
"""Rooms that each room may import, itself and the root's modules aside. Lower rooms come first: there is no circle."""

INNER_ROOMS = {
    "data": {"data/datasets"},
    "models/recurrence": {"models"},
    "evaluation": {"evaluation/figures"},
    "tracking/runs": {"tracking/mlflow", "tracking"},
    "tracking/mlflow": {"tracking"},
    "serving": {"serving/http"},
    "studies": {"studies/report", "studies/figures", "studies/diff", "studies/side_by_side"},
    "studies/figures": {"studies/report", "studies/diff", "studies/side_by_side"},
    "studies/report": {"studies/diff", "studies/side_by_side"},
}
"""Folders, and the folders of their own room that their modules may not import."""

LIBRARIES = {
    "hydra": {
        "app/hydra_app.py",
        "app/arguments.py",
        "app/task.py",
        "config/hydra_errors.py",
        "config/loader.py",
        "config/overrides.py",
        "config/composer.py",
        "sweeps/",
    },
    "omegaconf": {"config/parse.py", "config/overrides.py", "config/loader.py"},
    "psutil": {"tracking/runs/process.py"},
    "mlflow": {"tracking/mlflow/", "serving/mlflow_model.py"},
    "jinja2": {"studies/report/page.py"},
    "matplotlib": {"plotting.py", "evaluation/figures/", "studies/figures/", "studies/report/", "catalog/figure.py"},
    "fastapi": {"serving/http/"},
    "starlette": {"serving/http/"},
    "uvicorn": {"serving/http/"},
    "h11": {"serving/http/connection.py"},
    "tensorflow": {"models/", "training/", "decoding/", "serving/", "pipeline/stages.py"},
    "keras": {"models/", "training/", "decoding/", "serving/", "pipeline/stages.py"},
}
"""Places that may import a library: a module, or a folder with a slash at its end."""

MODULES = sorted(SOURCE.rglob("*.py"))
PATHS = {str(path.relative_to(SOURCE)) for path in MODULES}


@cache
def list_imports(path: Path) -> frozenset[str]:
    """Return the dotted names that a module imports, anywhere in it but for type checking."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def find_module(name: str) -> str | None:
    """Return the path of a module of this package, from a dotted name in it or of it; None for another package's."""
    parts = name.split(".")
    if parts[0] != "lengthwise":
        return None
    for end in range(len(parts), 0, -1):
        for place in ("/".join(parts[1:end]) + ".py", "/".join([*parts[1:end], "__init__.py"])):
            if place in PATHS:
                return place
    return None


def room_of(place: str) -> str:
    return place.split("/")[0] if "/" in place else place.removesuffix(".py")


def test_every_room_has_its_layer() -> None:
    rooms = {room_of(place) for place in PATHS}
    assert rooms == set(LAYERS) | ROOT_MODULES, "a new room or root module needs a line in this file"
    assert find_module("lengthwise.config.options.RunOptions") == "config/options.py"
    assert "lengthwise.config.options" in list_imports(SOURCE / "pipeline" / "experiment.py")


def test_layers_form_no_circle() -> None:
    order = list(LAYERS)
    for room, allowed in LAYERS.items():
        assert all(order.index(other) < order.index(room) for other in allowed), room


@pytest.mark.parametrize("place", sorted(PATHS))
def test_imports_point_downwards(place: str) -> None:
    room = room_of(place)
    imported = {room_of(found) for name in list_imports(SOURCE / place) if (found := find_module(name))}
    imported -= {"__init__"}  # `from lengthwise import __version__`
    if room in ("__init__", "__main__"):
        assert imported <= set(LAYERS) | ROOT_MODULES
    elif room in ROOT_MODULES:
        assert imported <= ROOT_MODULES
    else:
        assert imported <= LAYERS[room] | {room} | ROOT_MODULES, f"{room} may import {sorted(LAYERS[room])}"


@pytest.mark.parametrize("folder", INNER_ROOMS)
def test_rooms_within_a_room_keep_their_order(folder: str) -> None:
    modules = [place for place in PATHS if str(Path(place).parent) == folder]
    assert modules
    for place in modules:
        found = {module for name in list_imports(SOURCE / place) if (module := find_module(name))}
        rooms = {str(Path(module).parent) for module in found if not module.endswith("__init__.py")}
        assert not rooms & INNER_ROOMS[folder], place


def test_executors_know_only_the_jobs_of_a_sweep() -> None:
    for path in (SOURCE / "sweeps" / "executors").glob("*.py"):
        found = {module for name in list_imports(path) if (module := find_module(name))}
        of_the_sweep = {module for module in found if str(Path(module).parent) == "sweeps"}
        assert of_the_sweep <= {"sweeps/jobs.py", "sweeps/__init__.py"}, path


@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries_stay_in_their_rooms(library: str) -> None:
    for place in LIBRARIES[library]:
        assert (SOURCE / place).exists(), f"{place} is listed and not there"
    users = {
        str(path.relative_to(SOURCE))
        for path in MODULES
        if any(name.split(".")[0] == library for name in list_imports(path))
    }
    strangers = {user for user in users if not any(user.startswith(place) for place in LIBRARIES[library])}
    assert not strangers


def test_no_folder_is_crowded_and_no_file_is_long() -> None:
    for folder in {path.parent for path in MODULES}:
        assert len(list(folder.glob("*.py"))) - 1 <= 15, f"{folder} holds more than 15 modules"
    for path in MODULES:
        lines = path.read_text(encoding="utf-8").count("\n")
        assert lines <= 400 or path.name == "options.py", f"{path} has {lines} lines"


def test_no_function_is_long() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                assert lines <= 50, f"{path.name}, line {node.lineno}: {node.name} has {lines} lines"


def test_the_light_modules_load_without_tensorflow_or_mlflow() -> None:
    code = (
        "import sys, lengthwise.app.hydra_app, lengthwise.app.cli, lengthwise.pipeline.experiment, "
        "lengthwise.tracking.runs, lengthwise.sweeps.sweep, lengthwise.models.wiring, lengthwise.evaluation.metrics;"
        "print(sorted({'tensorflow', 'keras', 'mlflow', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
