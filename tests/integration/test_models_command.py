"""`lengthwise models`: the table of all, and one in full."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lengthwise.app.cli import run_command
from lengthwise.catalog.presets import list_presets, read_preset
from lengthwise.config.paths import conf_dir

Captured = pytest.CaptureFixture[str]


def run(capsys: Captured, *arguments: str) -> tuple[int, str, str]:
    status = run_command(["models", *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_the_table_has_every_preset_with_its_source(capsys: Captured) -> None:
    status, out, _ = run(capsys, "latent_dim=256")
    assert status == 0
    for name in list_presets():
        about = read_preset(name).about
        assert out.count(f"{name} ") >= 2
        assert about.title in out
    (row,) = [line for line in out.splitlines() if line.startswith("  stateful ")]
    assert row.split() == [
        "stateful",
        "initial",
        "state",
        "teacher",
        "stop",
        "LSTM",
        "1+1",
        "h,",
        "c",
        "-",
        "-",
        "718,173",
    ]
    assert "latent_dim=256, 71 source and 93 target symbols" in out


def test_the_table_can_be_markdown(capsys: Captured) -> None:
    status, out, _ = run(capsys, "--markdown", "--features", "latent_dim=16")
    assert status == 0
    header, rule, *rows = out.splitlines()
    assert header.startswith("| preset | conditioning |")
    assert {line.count("|") for line in (header, rule, *rows)} == {header.count("|")}
    assert [row.split("`")[1] for row in rows] == list_presets()
    # LSTM of 16 units on 8 features, LSTM of 8 units on the latent.
    assert f"| {4 * 16 * (8 + 16 + 1) + 4 * 8 * (16 + 8 + 1):,} |" in rows[0]


def test_a_broken_preset_is_named_and_the_others_are_listed(
    capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(conf_dir() / "model", tmp_path / "model")
    (tmp_path / "model" / "mine.yaml").write_text("name: mine\nlength: stop\n", encoding="utf-8")
    monkeypatch.setattr("lengthwise.catalog.presets.conf_dir", lambda: tmp_path)
    status, out, err = run(capsys)
    assert status == 2
    assert out.count("bahdanau2015 ") == 2
    assert "mine" not in out
    assert err.startswith("model/mine.yaml: about must be a mapping; got null. Write title, source, taken, ")
    assert err.count("\n") == 1


def test_one_model_is_shown_in_full(capsys: Captured) -> None:
    status, out, _ = run(capsys, "cho2014", "latent_dim=100")
    assert status == 0
    assert out.startswith("cho2014: Cho et al. 2014")
    for part in ("Checked:", "│      encoder       │", "Decoder, step t", "u_t = [z; y_(t-1)]", "Parameters\n"):
        assert part in out
    gru = 3 * 100 * (71 + 100 + 2)
    assert f"  encoder           {gru:>14,}" in out


def test_options_may_leave_out_the_word_model(capsys: Captured) -> None:
    short = run(capsys, "stateful", "conditioning=both", "latent_dim=32")
    long = run(capsys, "model=stateful", "model.conditioning=both", "latent_dim=32")
    assert short == long
    assert short[0] == 0
    assert "Changed:     conditioning=both" in short[1]


def test_sizes_may_be_those_of_a_dataset(capsys: Captured) -> None:
    status, out, _ = run(capsys, "repeat", "dataset=scan", "latent_dim=10")
    assert status == 0
    assert "latent_dim=10, 17 source and 10 target symbols" in out
    assert "Always 48 steps" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bahdanau2014"], "got 'bahdanau2014'. Did you mean bahdanau2015?"),
        (["~output_dir"], "There is no preset '~output_dir'"),
        (["a'b"], "There is no preset"),
        (["stateful", "feedbak=none"], "feedbak is not an option"),
        (["stateful", "carry=hc", "cell=gru"], "model.carry"),
        (["lake2018", "--features"], "Set model.embedding_dim=null"),
        (["stateful", "--markdown"], "`--markdown` writes the table of all models"),
        (["stateful", "--features", "dataset=copy"], "`--features` stands for data of eight features"),
        (["stateful", "parameter_budget=100"], "must be met within 2 %"),
    ],
)
def test_what_cannot_be_shown_is_refused(capsys: Captured, arguments: list[str], message: str) -> None:
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert message in err


def test_no_tensorflow_is_imported() -> None:
    code = (
        "import sys; from lengthwise.app.cli import run_command;"
        "run_command(['models']); run_command(['models', 'repeat']);"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'mlflow', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60).returncode == 0
