"""The command `lengthwise`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lengthwise.app.cli import describe_commands, run_command
from lengthwise.app.commands import COMMANDS
from lengthwise.config.compose import compose_options
from lengthwise.config.documentation import describe_options
from lengthwise.tracking.runs.run_record import RunRecord
from lengthwise.tracking.session import start_run


def make_run(output_dir: Path, study: str, loss: float) -> str:
    record = RunRecord(
        study=study,
        label="repeat-digits",
        params={},
        tags={},
        command=("x",),
        dataset=None,
        parent=None,
        seed=4,
    )
    tracking = compose_options(["tracking=directory"]).tracking
    with start_run(record, tracking, output_dir=output_dir, config_text="{}") as run:
        run.set_summary({"val/loss": loss})
        return run.name


def test_the_usage_lists_every_command() -> None:
    usage = describe_commands()
    for name in ("train", *COMMANDS):
        assert f"\n  {name} " in usage
    assert all(len(line) <= 100 for line in usage.splitlines())


def test_no_command_prints_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command([]) == 2
    assert run_command(["--help"]) == 0
    assert capsys.readouterr().out == 2 * f"{describe_commands()}\n"


def test_options_are_documented(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["options"]) == 0
    text = capsys.readouterr().out
    for option in describe_options():
        assert f"  {option.name}  (" in text
    assert run_command(["options", "input_feeding"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("model: ")
    assert "  model.input_feeding  (true or false)" in lines
    assert any("Luong" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["optoins"], "There is no command 'optoins'. Did you mean options?"),
        (["options", "nonsense"], "No option matches 'nonsense'"),
        (["options", "seed=1"], "No option matches 'seed=1'"),
        (["options", "a", "b"], "`lengthwise options` takes one WORD"),
        (["runs", "--port", "1"], "Unrecognized arguments: --port"),
        (["runs", "sead=1"], "sead is not an option. Did you mean seed?"),
        (["ui", "--port", "x"], "Argument --port: invalid int value: 'x'"),
        (["ui", "--port", "0"], "--port must be from 1 to 65535; got 0"),
        (["reap", "study"], "`lengthwise reap` takes none of 'study'"),
        (["ui", "tracking=directory"], "tracking must be mlflow for the UI; got directory"),
        (["sync", "tracking=directory"], "tracking must be mlflow"),
        (
            ["runs", "seed=3"],
            "seed has no effect on `lengthwise runs`. Leave it out; output_dir can be given",
        ),
        (["runs", "+model.cell=gru"], "model.cell has no effect on `lengthwise runs`"),
        (["runs", "tracking=directory"], "tracking has no effect on `lengthwise runs`"),
        (["models", "output_dir=x"], "output_dir has no effect on `lengthwise models`"),
        (["reap", "decoding=beam"], "decoding has no effect on `lengthwise reap`"),
        (["ui", "hydra/launcher=local"], "hydra/launcher has no effect on `lengthwise ui`"),
        (["ui", "hydra.launcher.retries=2"], "hydra.launcher.retries has no effect on `lengthwise ui`"),
        (["runs", "output_dir=a", "output_dir=b"], "output_dir is given twice; got output_dir=a output_dir=b"),
        (["runs", "output_dir=["], "output_dir has a value that cannot be read"),
        (["register", "a", "b", "decoding=beam"], "`lengthwise register` takes RUN and NAME; got 'a b decoding=beam'"),
        (["models", "stateful", "model=repeat"], "model is given twice"),
        (["models", "timesteps=5"], "timesteps has no effect without a dataset"),
        (["models", "training.epochs=5"], "training.epochs has no effect on `lengthwise models`"),
    ],
)
def test_a_mistake_gives_one_message(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(words)
    assert output.err.count("\n") == 1


def test_runs_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = f"output_dir={tmp_path}"
    assert run_command(["runs", where]) == 0
    assert capsys.readouterr().out == f"No runs in {tmp_path}.\n"
    first, second = make_run(tmp_path, "a", 0.5), make_run(tmp_path, "b", float("nan"))
    assert run_command(["runs", where]) == 0
    table = capsys.readouterr().out
    assert first[-6:] in table
    assert second[-6:] in table
    assert "val/loss 0.5" in table
    assert run_command(["runs", "b", where, "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)
    assert (run["name"], run["seed"], run["status"], run["summary"]) == (second, 4, "FINISHED", {"val/loss": None})


ESCAPE = "\x1b]0;title\x07\x9b31m[red]"


def test_escapes_of_a_stored_run_do_not_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a" / make_run(tmp_path, "a", 0.5) / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest |= {"status": "FAILED", "failure": {"reason": ESCAPE, "traceback": None}}
    path.write_text(json.dumps(manifest))
    assert run_command(["runs", f"output_dir={tmp_path}"]) == 0
    printed = capsys.readouterr().out
    assert "\\x1b]0;title\\x07\\x9b31m" in printed
    assert not set(printed) & {"\x1b", "\x07", "\x9b"}
    assert run_command([ESCAPE]) == 2
    assert run_command(["runs", ESCAPE]) == 2
    assert not set(capsys.readouterr().err) & {"\x1b", "\x07", "\x9b"}


HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b31m[red]\u202ex"


@pytest.mark.parametrize(
    "changes",
    [
        {"failure": {"reason": HOSTILE, "traceback": None}, "status": "FAILED"},
        {"summary": {f"val/{HOSTILE}": 1.0}},
        {"dataset": {"name": HOSTILE, "sha256": "x", "split_sizes": {}}},
        {"tags": {HOSTILE: HOSTILE}, "params": {HOSTILE: HOSTILE}, "command": [HOSTILE]},
        {"label": HOSTILE},
        {"study": HOSTILE},
    ],
    ids=lambda changes: str(next(iter(changes))),
)
@pytest.mark.parametrize("command", [["runs"], ["runs", "--json"], ["sync", "latest", "tracking=mlflow"], ["decode"]])
def test_escapes_of_a_stranger_do_not_reach_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, object], command: list[str]
) -> None:
    path = tmp_path / "a" / make_run(tmp_path, "a", 0.5) / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    where = [f"output_dir={tmp_path}"]
    if command[0] == "sync":
        where.append("tracking.uri=http://127.0.0.1:9")  # where nothing listens
    if command[0] == "decode":
        command = ["decode", str(path.parent), "x"]
    run_command([*command, *where])
    output = capsys.readouterr()
    shown = {letter for letter in output.out + output.err if not letter.isprintable()}
    assert shown <= {"\n"}


def test_a_run_whose_process_is_dead_is_not_listed_as_running(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a" / make_run(tmp_path, "a", 0.5) / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["status"], manifest["process"]["pid"] = "RUNNING", 2**22 + 1
    path.write_text(json.dumps(manifest))
    assert run_command(["runs", "--json", f"output_dir={tmp_path}"]) == 0
    (run,) = json.loads(capsys.readouterr().out)
    assert run["status"] == "KILLED"
    assert "ended without closing the run" in run["failure"]


def test_dead_runs_are_closed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = make_run(tmp_path, "a", 0.5)
    path = tmp_path / "a" / name / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["status"], manifest["process"]["pid"] = "RUNNING", 2**22 + 1
    path.write_text(json.dumps(manifest))
    path.with_name("heartbeat").touch()
    assert run_command(["reap", f"output_dir={tmp_path}"]) == 0
    assert capsys.readouterr().out.startswith(f"{name}: KILLED, its process is dead\n1 run closed.")
    assert json.loads(path.read_text())["status"] == "KILLED"


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["options"], ["runs"], ["--help"], ["train", "--help"], ["train", "latent_dim=0"], ["reap"]]
)
def test_nothing_heavy_is_imported(arguments: list[str], tmp_path: Path) -> None:
    code = (
        "import json, sys, time; from lengthwise.app.cli import main; sys.argv = ['lengthwise', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = [n for n in ('tensorflow', 'keras', 'mlflow', 'numpy') if n in sys.modules]\n"
        "print(json.dumps([heavy, time.process_time()]), file=sys.stderr)"
    )
    if arguments[0] in ("runs", "reap"):
        arguments = [*arguments, f"output_dir={tmp_path}"]
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    heavy, seconds = json.loads(done.stderr.splitlines()[-1])
    assert heavy == []
    assert seconds < 1
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_the_command_is_imported_prints_nothing(tmp_path: Path) -> None:
    """A module of the command's, replaced by one that is interrupted as it is imported."""
    script = (
        "import sys; from importlib.abc import MetaPathFinder\n"
        "class Interrupts(MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'lengthwise.app': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupts())\n"
        "from lengthwise.__main__ import main; main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
