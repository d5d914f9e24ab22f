"""Lengthwise from Python: the page that documents it runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import lengthwise
from lengthwise.errors import ConfigError, LengthwiseError, RunError
from lengthwise.python.run import Run, Runs

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def test_the_import_brings_in_nothing_that_is_slow() -> None:
    code = "import sys, lengthwise; print([name for name in sys.modules if name.startswith('lengthwise.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_page_runs_from_top_to_bottom(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) >= 8
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block.replace("output_dir=outputs", f"output_dir={tmp_path}"), str(PAGE), "exec"), names)
    printed = capsys.readouterr().out
    assert "FINISHED" in printed
    assert "This compares two trained models" in printed
    run, study, comparison = names["run"], names["study"], names["comparison"]
    assert isinstance(run, Run)
    assert run.figure("learning_curves")._repr_png_().startswith(b"\x89PNG")
    assert run.name in run._repr_html_()
    assert {"val/loss", "train/loss"} <= set(run.history().columns)
    assert list(run.history().index) == [1, 2, 3, 4, 5]
    shown = study._repr_html_()  # type: ignore[attr-defined]
    assert "model.name" in shown
    assert "latent_dim" not in shown  # one value in all runs
    assert comparison._repr_html_().startswith("<iframe")  # type: ignore[attr-defined]
    assert names["report"]._repr_html_().startswith("<iframe")  # type: ignore[attr-defined]
    with pytest.raises(RunError, match=r"has no figure 'nothing'. It has: .*learning_curves"):
        run.figure("nothing")
    assert run.manifest.record.command[0] == "lengthwise train"


def test_what_the_command_line_refuses_is_refused(tmp_path: Path) -> None:
    place = f"output_dir={tmp_path}"
    with pytest.raises(ConfigError, match="Did you mean latent_dim"):
        lengthwise.train("latent_dm=3", place)
    with pytest.raises(ConfigError, match="seed is given twice"):
        lengthwise.train("seed=3", "seed=4", place)
    with pytest.raises(LengthwiseError, match="Job 1 "):
        lengthwise.sweep("latent_dim=4,0", place)
    with pytest.raises(LengthwiseError, match="There are no runs"):
        lengthwise.diff("nowhere", "nowhere", place)
    assert isinstance(lengthwise.runs(None, place), Runs)
    assert len(lengthwise.runs(None, place)) == 0
    assert not list(tmp_path.iterdir())
