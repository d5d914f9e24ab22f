from __future__ import annotations

import subprocess
import sys

import pytest

from lengthwise import lean_import


@pytest.fixture
def refused(monkeypatch):
    """Name of a small module of the standard library, refused to Keras."""
    monkeypatch.setattr(lean_import, "UNUSED", ("colorsys",))
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    lean_import.skip_unused()
    lean_import.skip_unused()
    return "colorsys"


def test_keras_goes_without_what_it_does_not_need(refused):
    assert len([finder for finder in sys.meta_path if isinstance(finder, lean_import._Refusal)]) == 1
    with pytest.raises(ImportError, match=f"{refused} is not needed"):
        exec(f"import {refused}", {"__name__": "keras.src.wrappers"})


@pytest.mark.parametrize("importer", ["__main__", "user", "kerasy.src"])
def test_others_may_import_it(refused, importer):
    exec(f"import {refused}", {"__name__": importer})
    assert refused in sys.modules


@pytest.mark.slow
def test_what_a_run_imports_does_not_bring_them_in():
    code = (
        "import sys, lengthwise.pipeline.preload;"
        "print(sorted({'tensorflow', 'matplotlib.pyplot', 'pandas', 'sklearn'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "['tensorflow']"
