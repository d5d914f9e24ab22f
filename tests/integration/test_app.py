"""The Hydra application as its users expect it: help, --cfg, --info, files of one's own, completion."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from helpers import forked, sweep_app
from lengthwise.app.arguments import describe_command, read_arguments
from lengthwise.app.exit_status import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_REFUSED
from lengthwise.app.hydra_app import main
from lengthwise.config.loader import compose_raw
from lengthwise.config.options import RunOptions
from lengthwise.config.overrides import list_groups
from lengthwise.config.paths import conf_dir
from lengthwise.config.reflection import read_fields
from lengthwise.errors import ConfigError, DataError
from lengthwise.pipeline.command import JobFunction, Launch

ROOT = Path(__file__).parents[2]
APP = Path(__file__).parents[1] / "helpers" / "sweep_app.py"


def run_train(directory: Path, *arguments: str, script: Path = ROOT / "train.py") -> subprocess.CompletedProcess[str]:
    return forked.run([str(script), *arguments], cwd=directory)


@pytest.fixture(scope="module")
def manual() -> str:
    template: str = compose_raw([]).hydra.help.template
    return template


def test_the_manual_fits_on_a_page(manual: str) -> None:
    lines = manual.splitlines()
    assert 30 < len(lines) < 70
    assert max(len(line) for line in lines) <= 120


def list_choices(line: str) -> str:
    """Return the part of a line that names choices: its first column, or what follows where that says `others`."""
    return line[30:] if line[14:30].strip() in ("others", "") else line[14:30]


def test_the_manual_lists_every_group_with_every_choice(manual: str) -> None:
    section = manual[manual.index("\nGroups") : manual.index("\nAxes")]
    starts = {group: section.index(f"\n  {group} ") for group in list_groups()}
    ends = sorted([*starts.values(), len(section)])
    for group, start in starts.items():
        part = section[start : ends[ends.index(start) + 1]]
        listed = {word.strip(",") for line in part.splitlines() for word in list_choices(line).split()}
        files = {path.stem for path in (conf_dir() / group).glob("*.yaml")}
        assert listed >= files, f"{group}: conf/hydra/help/lengthwise.yaml does not list {sorted(files - listed)}"
        assert group == "experiment" or listed == files


def test_the_manual_lists_every_axis_with_its_default(manual: str) -> None:
    values = yaml.safe_load((conf_dir() / "config.yaml").read_text())
    axes = [f.name for f in read_fields(RunOptions) if not f.sections and f.name != "config_version"]
    for axis in axes:
        assert f"\n  {axis}={'null' if values[axis] is None else values[axis]} " in manual


def test_flags_and_overrides_may_stand_in_any_order() -> None:
    given = read_arguments(["model=repeat", "-m", "latent_dim=1,2", "--config-dir", "x"])
    assert (given.multirun, given.config_dir, given.overrides) == (True, "x", ["model=repeat", "latent_dim=1,2"])


@pytest.mark.parametrize("flag", ["--nonsense", "-z", "--experimental-rerun=x", "--cfg=nothing", "--package"])
def test_a_flag_that_is_not_taken_is_refused(flag: str) -> None:
    with pytest.raises(ConfigError, match=flag.partition("=")[0]):
        read_arguments([flag])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cfg", "job", "--cfg", "all"], "--cfg is given twice"),
        (["-m", "--multirun"], "--multirun is given twice"),
        (["--config-dir=a", "seed=1", "-cd", "b"], "--config-dir is given twice"),
        (["--info", "plugins", "--info", "config"], "--info is given twice"),
        (["--package", "model"], "--package has no effect without --cfg"),
        (["--resolve", "--help"], "--resolve has no effect without --cfg"),
        (["--run", "-m"], "--multirun cannot be used with --run"),
        (["--cfg", "job", "-m"], "--multirun cannot be used with --cfg"),
        (["--help", "--info"], "--info cannot be used with --help"),
        (["--shell-completion", "--hydra-help"], "--shell-completion cannot be used with --hydra-help"),
    ],
)
def test_a_flag_without_effect_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_arguments(arguments)


SWEEP = "# @package _global_\nhydra: {mode: MULTIRUN}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["seed=1", "seed=2"], "seed is given twice; got seed=1 seed=2. Leave one of them out."),
        (["model=repeat", "seed=1", "model=stateful"], "model is given twice; got model=repeat model=stateful."),
        (["model={cell: gru, dropout: 0}", "model.cell=lstm"], "model.cell is given twice"),
        (["seed=1", "++seed=1"], "seed is given twice"),
        (["-m", "seed=1,2", "seed=3"], "seed is given twice"),
        (["hydra.launcher.retries=2"], "hydra.launcher.retries has no effect on a single run; got 2. Add -m"),
        (["hydra/launcher=local"], "hydra/launcher has no effect on a single run; got local."),
        (["hydra/sweeper=optuna"], "hydra/sweeper has no effect on a single run; got optuna."),
        (["hydra.sweeper.max_batch_size=2"], "hydra.sweeper.max_batch_size has no effect on a single run"),
        (["-m", "hydra.mode=RUN"], "hydra.mode cannot be RUN with --multirun"),
        (["--run", "hydra.mode=MULTIRUN"], "--run has no effect on a sweep"),
        (["--run", "--config-dir", "mine", "experiment=sweep"], "--run has no effect on a sweep"),
        (["--cfg", "job", "--package", "modle"], "--package must be a part of the configuration; got 'modle'."),
        (["seed"], "seed needs a value; got seed. Write OPTION=VALUE"),
        (["=1"], "an option must have a name; got =1."),
        (["seed=1;rm"], "seed has a value that cannot be read; got seed=1;rm."),
        (["model={}"], "model sets nothing; got model={}."),
        (["model=[repeat,stateful]"], "model must be the name of a file in conf/model/; got a list of 2."),
        (["model=repeat.yaml"], "model must be the name of a file in conf/model/; got 'repeat.yaml'."),
        (["--=1"], "--=1 is not a flag."),
        (["--multi", "seed=1,2"], "--multi is not a flag. Did you mean --multirun?"),
        (["--cfg", "job", "--package", ""], "--package needs a value"),
        (["--cfg", "job", "--package", "["], "--package must be a part of the configuration; got '['."),
        (["--shell-completion", "install=nothing"], "--shell-completion needs install=SHELL"),
        (["-m", "seed=range(5,1)"], "seed has no values to sweep over; got range(5,1)."),
        (["-m", "seed=range(1,5,0)"], "seed must have a step other than 0; got range(1,5,0)."),
        (["-m", "model=glob(x*)"], "model has no values to sweep over; got glob(x*)."),
        (["-m", "seed=interval(0,1)"], "seed has an interval, which can only be searched; got interval(0,1)."),
        (["-m", "hydra/sweeper=optuna", "seed=interval(9,1)"], "seed must begin below its end; got interval(9,1)."),
        (["-m", "hydra.sweeper.max_batch_size=0", "seed=1,2"], "hydra.sweeper.max_batch_size must be at least 1"),
        (["-m", "+hydra.sweeper.params.x=1", "seed=1,2"], "hydra.sweeper.params.x cannot be "),
        (["--config-dir", "mine", "experiment=named"], "nowhere/nowhere.yaml cannot be found."),
        (["--config-dir", "nowhere"], "--config-dir must be a directory; got 'nowhere'."),
        (["--config-path", "nowhere"], "--config-path must be a directory; got 'nowhere'."),
        (["--config-name", "nowhere"], "--config-name must be the name of a file in conf/; got 'nowhere'."),
    ],
)
def test_a_command_line_without_effect_is_refused(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "sweep.yaml").write_text(SWEEP)
    (tmp_path / "mine" / "experiment" / "named.yaml").write_text("defaults: [/nowhere/nowhere]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        main(JobFunction(run=fail))
    output = capsys.readouterr()
    assert (ended.value.code, output.out, output.err.count("\n")) == (2, "", 1)
    assert output.err.startswith(message)


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["/home/me/train.py", "seed=1"], ("python", "train.py", "seed=1")),
        (["/home/me/bin/lengthwise train", "-m", "seed=1,2"], ("lengthwise train", "-m", "seed=1,2")),
    ],
)
def test_the_command_is_kept_without_directories_of_this_machine(
    arguments: list[str], command: tuple[str, ...]
) -> None:
    assert describe_command(arguments) == command


def fail(_options: RunOptions, _launch: Launch) -> float:
    raise KeyError("a mistake of the program")


def refuse(_options: RunOptions, _launch: Launch) -> float:
    raise DataError("pairs.txt", 3, "has no tab", remedy="Write source<TAB>target")


def fill_disk(_options: RunOptions | None, _launch: Launch | None) -> float:
    raise OSError(errno.ENOSPC, "No space left on device", "model.keras")


@pytest.mark.parametrize(
    ("run", "override", "status", "begins", "has_traceback"),
    [
        (fail, "seed=1", EXIT_FAILED, "Traceback", True),
        (refuse, "seed=1", EXIT_REFUSED, "pairs.txt, line 3: has no tab.", False),
        (fill_disk, "seed=1", EXIT_FAILED, "model.keras: No space left on device. Make room there", False),
        (fail, "model=nothing", EXIT_REFUSED, "model must be one of", False),
        (fail, "seed=one", EXIT_REFUSED, "seed must be a whole number", False),
    ],
)
def test_only_an_error_of_the_program_gives_a_traceback(
    run: Callable[[RunOptions, Launch], float],
    override: str,
    status: int,
    begins: str,
    has_traceback: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", override, "tracking=directory"])
    with pytest.raises(SystemExit) as ended:
        main(JobFunction(run=run))
    output = capsys.readouterr()
    assert (ended.value.code, output.out) == (status, "")
    assert output.err.startswith(begins)
    assert ("Traceback" in output.err) == has_traceback
    assert has_traceback or output.err.count("\n") == 1


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("mishap", [interrupt, lambda: fill_disk(None, None)])
@pytest.mark.parametrize("is_typed", [True, False])
def test_the_end_of_an_unfinished_run_says_how_to_resume_it(
    mishap: Callable[[], None],
    is_typed: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sweep_app.MISHAPS, 7, mishap)
    own = shutil.copytree(conf_dir(), tmp_path / "own") / "config.yaml"
    own.write_text(own.read_text().replace("\noutput_dir: outputs", f"\noutput_dir: {tmp_path / 'my runs'}"))
    place = f"output_dir={tmp_path / 'runs'}"
    where = [place] if is_typed else ["--config-path", str(own.parent)]
    monkeypatch.setattr(sys, "argv", ["train.py", *where, "seed=7", "tracking=directory"])
    with pytest.raises(SystemExit) as ended:
        main(JobFunction(run=sweep_app.run_job))
    assert ended.value.code == (EXIT_INTERRUPTED if mishap is interrupt else EXIT_FAILED)
    (manifest,) = tmp_path.glob("*runs/scratch/*/manifest.json")
    shown = f"{place} tracking=directory" if is_typed else f"tracking=directory 'output_dir={tmp_path / 'my runs'}'"
    advice = f"To resume the run: python train.py resume={manifest.parent.name} {shown}\n"
    message = capsys.readouterr().err
    full = "model.keras: No space left on device. Make room there; what was finished is kept."
    assert message == f"{'Interrupted.' if mishap is interrupt else full} {advice}"


def test_what_never_began_or_has_finished_is_not_to_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def finish(options: RunOptions, launch: Launch) -> float:
        sweep_app.run_job(options, launch)
        raise KeyboardInterrupt

    for run in (lambda _options, _launch: interrupt(), finish):
        monkeypatch.setattr(sys, "argv", ["train.py", f"output_dir={tmp_path}", "tracking=directory"])
        with pytest.raises(SystemExit):
            main(JobFunction(run=run))
        assert capsys.readouterr().err == "Interrupted.\n"


@pytest.mark.slow
def test_help_is_printed_at_once(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "train.py"), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Lengthwise trains sequence-to-sequence models")
    assert len(done.stdout.splitlines()) < 70
    assert "$" not in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_composed_configuration_is_shown(tmp_path: Path) -> None:
    done = run_train(tmp_path, "--cfg", "job", "model=stateful", "latent_dim=7")
    shown = yaml.safe_load(done.stdout)
    assert (shown["model"]["name"], shown["latent_dim"]) == ("stateful", 7)
    part = run_train(tmp_path, "--cfg", "job", "-p", "model", "--resolve", "model.cell=gru")
    assert yaml.safe_load(part.stdout)["cell"] == "gru"
    hydra = run_train(tmp_path, "--cfg", "hydra")
    assert yaml.safe_load(hydra.stdout)["hydra"]["run"]["dir"] == "."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--info", "defaults-tree"], "model: repeat"),
        (["--info", "plugins"], "LocalLauncher"),
        (["--info", "searchpath"], "conf"),
        (["--info"], "training"),
        (["--hydra-help"], "--shell-completion"),
    ],
)
def test_information_for_hydras_users(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = run_train(tmp_path, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert words in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "offered"), [("model=", "model=stateful"), ("latent", "latent_dim="), ("model.ce", "model.cell=")]
)
def test_the_shell_completes(line: str, offered: str, tmp_path: Path) -> None:
    command = [str(ROOT / "train.py"), "--shell-completion", "query=bash"]
    environment = {**os.environ, "COMP_LINE": f"train.py {line}", "COMP_POINT": str(len(line) + 9)}
    done = forked.run(command, cwd=tmp_path, env=environment)
    assert offered in done.stdout.split()
    install = run_train(tmp_path, "--shell-completion", "install=bash")
    assert "COMP_LINE" in install.stdout or "complete" in install.stdout


@pytest.mark.slow
def test_files_of_ones_own_are_found_from_any_directory(tmp_path: Path) -> None:
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "wide.yaml").write_text("defaults: [repeat, _self_]\nname: wide\ncell: gru\n")
    for found_by in (["--config-dir", "mine"], [f"hydra.searchpath=[file://{tmp_path / 'mine'}]"]):
        done = run_train(tmp_path, *found_by, "--cfg", "job", "-p", "model", "model=wide")
        assert yaml.safe_load(done.stdout)["cell"] == "gru", done.stderr
    (tmp_path / "mine" / "model" / "wrong.yaml").write_text("defaults: [repeat, _self_]\nname: wrong\ncel: gru\n")
    done = run_train(tmp_path, "--config-dir", "mine", "model=wrong")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("model.cel is not an option")
    (tmp_path / "mine" / "model" / "code.yaml").write_text("a: !!python/object/apply:os.system ['touch x']\n")
    done = run_train(tmp_path, "--config-dir", "mine", "model=code")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "code.yaml, line 1 is not plain YAML" in done.stderr
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
def test_an_experiment_is_the_whole_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "seeds.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n  - override /model: stateful\n"
        "study: seeds\n"
        "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      seed: 1,2\n"
    )
    places = ["tracking=directory", f"output_dir={tmp_path / 'out'}"]  # the command's alone to say
    done = run_train(tmp_path, "--config-dir", "mine", "experiment=seeds", *places, script=APP)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 of 2 jobs finished" in done.stdout
    assert len(list((tmp_path / "out" / "seeds").glob("*-job-*"))) == 2
    assert not list(temporary.glob("lengthwise-*"))
