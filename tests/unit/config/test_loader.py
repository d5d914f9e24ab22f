"""Files of strangers execute, import and write nothing, wherever Hydra would look for them."""

from __future__ import annotations

import contextlib
import itertools
import logging
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hydra.types import RunMode

from lengthwise.app.hydra_app import main
from lengthwise.config.compose import compose_options
from lengthwise.config.loader import CheckedLoader, make_search_path
from lengthwise.config.options import RunOptions
from lengthwise.config.paths import conf_dir
from lengthwise.errors import ConfigError
from lengthwise.pipeline.command import JobFunction, Launch

GLOBAL = "# @package _global_\n"
CODE = "{_target_: logging.FileHandler, filename: CANARY}"
COPY = "{_target_: shutil.copyfile, src: /etc/hosts, dst: CANARY}"
PICKLE = "{_target_: pandas.read_pickle, filepath_or_buffer: PICKLE}"
LOGGING = "{version: 1, handlers: {x: {class: logging.FileHandler, filename: CANARY}}, root: {handlers: [x]}}"
FACTORY = "{version: 1, handlers: {x: {(): shutil.copyfile, src: /etc/hosts, dst: CANARY}}, root: {handlers: [x]}}"
DEFAULTS = "defaults: [/model: repeat, /dataset: digits, /training: quick, /decoding: greedy, /tracking: directory]\n"

Files = Mapping[str, str]

EXPERIMENTS = {
    "a callback": f"hydra: {{callbacks: {{x: {CODE}}}}}",
    "a callback that copies a file": f"hydra: {{callbacks: {{x: {COPY}}}}}",
    "a callback that reads a pickle": f"hydra: {{callbacks: {{x: {PICKLE}}}}}",
    "a callback by reference": f"evil: {CODE}\nhydra: {{callbacks: {{x: '${{evil}}'}}}}",
    "all callbacks by reference": f"evil: {{x: {CODE}}}\nhydra: {{callbacks: '${{evil}}'}}",
    "all of Hydra by reference": f"evil: {{callbacks: {{x: {CODE}}}}}\nhydra: ${{evil}}",
    "logging of the job": f"hydra: {{job_logging: {LOGGING}}}",
    "logging of Hydra": f"hydra: {{hydra_logging: {LOGGING}}}",
    "logging by a factory": f"hydra: {{job_logging: {FACTORY}}}",
    "the launcher's class": f"hydra: {{launcher: {CODE}}}",
    "the sweeper's class": f"hydra: {{mode: MULTIRUN, sweeper: {COPY}}}",
    "an option of the launcher": f"hydra: {{launcher: {{num_workers: {CODE}}}}}",
    "a list of the launcher": f"hydra: {{launcher: {{num_workers: [{CODE}]}}}}",
    "the launcher by reference": f"evil: {CODE}\nhydra: {{launcher: {{num_workers: '${{evil}}'}}}}",
    "the launcher by a resolver": "hydra: {launcher: {num_workers: '${oc.decode:\"{_target_: os.getcwd}\"}'}}",
    "what is swept": f"hydra: {{mode: MULTIRUN, sweeper: {{params: {{seed: {CODE}}}}}}}",
    "a swept logger": f"hydra: {{mode: MULTIRUN, sweeper: {{params: {{+hydra.job_logging: '{LOGGING}'}}}}}}",
    "a swept callback": "hydra: {mode: MULTIRUN, sweeper: {params: {+hydra.callbacks.x._target_: os.getcwd}}}",
    "the environment": "hydra: {job: {env_set: {LD_PRELOAD: CANARY}}}",
    "a copy of the environment": "hydra: {job: {env_copy: [HOME]}}",
    "a directory": "hydra: {run: {dir: CANARY}}",
    "a sweep's directory": "hydra: {mode: MULTIRUN, sweep: {dir: CANARY}, sweeper: {params: {seed: '1,2'}}}",
    "a copy of the configuration": "hydra: {output_subdir: CANARY}",
    "a change of directory": "hydra: {job: {chdir: true}}",
    "code in an option": f"model: {{dropout: {CODE}}}",
    "code beside the options": f"evil: {CODE}",
    "code in a list": f"evil: [[{CODE}]]",
    "partial code": "model: {dropout: {_partial_: true}}",
}

GROUPS: Mapping[str, tuple[Files, list[str]]] = {
    "a model": ({"model/x.yaml": f"defaults: [repeat]\nextra: {CODE}\n"}, ["model=x"]),
    "a model that is global": (
        {"model/x.yaml": f"{GLOBAL}hydra: {{callbacks: {{x: {CODE}}}}}\n"},
        ["model=x"],
    ),
    "a model in Hydra's place": ({"model/x.yaml": f"# @package hydra.callbacks.x\n{CODE}\n"}, ["model=x"]),
    "a file put in Hydra's place": (
        {"experiment/x.yaml": f"{GLOBAL}defaults: [/parts/evil@hydra.callbacks.x]\n", "parts/evil.yaml": f"{CODE}\n"},
        ["experiment=x"],
    ),
    "Hydra's own configuration": ({"hydra/config.yaml": f"callbacks: {{x: {CODE}}}\n"}, ["seed=1"]),
    "a launcher": ({"hydra/launcher/x.yaml": f"{COPY}\n"}, ["-m", "hydra/launcher=x", "seed=1,2"]),
    "a plugin of Hydra that is none of ours": (
        {"hydra/launcher/x.yaml": "_target_: hydra._internal.core_plugins.bash_completion.BashCompletion\n"},
        ["-m", "hydra/launcher=x", "seed=1,2"],
    ),
    "a sweeper": ({"hydra/sweeper/x.yaml": f"{CODE}\n"}, ["-m", "hydra/sweeper=x", "seed=1,2"]),
    "callbacks as a group": (
        {
            "hydra/callbacks/x.yaml": f"x: {CODE}\n",
            "experiment/x.yaml": f"{GLOBAL}defaults: [override /hydra/callbacks: x]\n",
        },
        ["experiment=x"],
    ),
    "an executable tag": ({"model/x.yaml": "a: !!python/object/apply:os.mkdir [CANARY]\n"}, ["model=x"]),
}

PRIMARY: Mapping[str, tuple[Files, list[str]]] = {
    "a callback": ({"config.yaml": f"{DEFAULTS}hydra: {{callbacks: {{x: {CODE}}}}}\n"}, []),
    "another name": ({"mine.yaml": f"{DEFAULTS}hydra: {{job_logging: {LOGGING}}}\n"}, ["--config-name", "mine"]),
    "a package to import": ({"config.yaml": f"{DEFAULTS}hydra: {{searchpath: ['pkg://evil_package']}}\n"}, []),
    "another place to look": (
        {
            "config.yaml": f"{DEFAULTS}hydra: {{searchpath: ['file://HERE/more']}}\n",
            "more/hydra/env/default.yaml": f"{GLOBAL}hydra: {{callbacks: {{x: {CODE}}}}}\n",
        },
        [],
    ),
    "the search path by a resolver": (
        {"config.yaml": f"{DEFAULTS}hydra: {{searchpath: ['pkg://${{oc.env:EVIL,evil_package}}']}}\n"},
        [],
    ),
    "a launcher": ({"config.yaml": f"{DEFAULTS}hydra: {{mode: MULTIRUN, launcher: {COPY}}}\n"}, ["seed=1,2"]),
}


ELSEWHERE: Mapping[str, tuple[Files, list[str]]] = {
    "a tracking server": ({"experiment/x.yaml": f"{GLOBAL}tracking: {{uri: http://evil}}\n"}, ["experiment=x"]),
    "another directory": ({"experiment/x.yaml": f"{GLOBAL}output_dir: CANARY\n"}, ["experiment=x"]),
    "another run": ({"experiment/x.yaml": f"{GLOBAL}resume: CANARY\n"}, ["experiment=x"]),
    "by reference": (
        {"experiment/x.yaml": f"{GLOBAL}evil: {{name: mlflow, uri: http://evil}}\ntracking: ${{evil}}\n"},
        ["experiment=x"],
    ),
    "from a dataset": (
        {"dataset/x.yaml": f"{GLOBAL}defaults: [copy@dataset]\ntracking: {{uri: http://evil}}\n"},
        ["dataset=x"],
    ),
    "a choice of tracking": (
        {
            "experiment/x.yaml": f"{GLOBAL}defaults: [override /tracking: x]\n",
            "tracking/x.yaml": "name: mlflow\nuri: http://evil\n",
        },
        ["experiment=x"],
    ),
    "a file put in the place of tracking": (
        {
            "experiment/x.yaml": f"{GLOBAL}defaults: [/parts/evil@tracking]\n",
            "parts/evil.yaml": "uri: http://evil\n",
        },
        ["experiment=x"],
    ),
    "a cluster": (
        {"experiment/x.yaml": f"{GLOBAL}hydra: {{launcher: {{address: 'ray://evil:10001'}}}}\n"},
        ["-m", "hydra/launcher=ray", "experiment=x", "seed=1,2"],
    ),
    "a folder of jobs": (
        {"experiment/x.yaml": f"{GLOBAL}hydra: {{launcher: {{folder: CANARY}}}}\n"},
        ["-m", "hydra/launcher=slurm", "experiment=x", "seed=1,2"],
    ),
    "a swept server": (
        {"experiment/x.yaml": f"{GLOBAL}hydra: {{sweeper: {{params: {{+tracking.uri: 'http://a,http://b'}}}}}}\n"},
        ["-m", "experiment=x"],
    ),
    "swept directories": (
        {"experiment/x.yaml": f"{GLOBAL}evil: {{output_dir: 'a,b'}}\nhydra: {{sweeper: {{params: '${{evil}}'}}}}\n"},
        ["-m", "experiment=x"],
    ),
    "tuned directories": (
        {"experiment/x.yaml": f"{GLOBAL}hydra: {{sweeper: {{tune: 'output_dir=CANARY,CANARY2'}}}}\n"},
        ["-m", "hydra/sweeper=tuned", "experiment=x", "seed=1,2"],
    ),
}


NOT_READ: Mapping[str, tuple[Files, list[str]]] = {
    "another logging of the job": ({"hydra/job_logging/none.yaml": LOGGING}, []),
    "another logging of Hydra": ({"hydra/hydra_logging/none.yaml": FACTORY}, []),
    "other defaults of Hydra": ({"hydra/env/default.yaml": f"{GLOBAL}hydra: {{callbacks: {{x: {CODE}}}}}"}, []),
    "another launcher of the name": ({"hydra/launcher/local.yaml": COPY}, []),
    "another model of the name": ({"model/repeat.yaml": f"extra: {CODE}"}, []),
    "a choice that the command line has made": (
        {
            "experiment/x.yaml": f"{GLOBAL}defaults: [override /hydra/job_logging: x]\n",
            "hydra/job_logging/x.yaml": LOGGING,
        },
        ["experiment=x"],
    ),
}


def chain(names: str, line: str) -> dict[str, str]:
    """Return files of models, one a letter, each with a line that names the next; the last is plain."""
    files = {f"model/{name}.yaml": line.format(name=name, other=other) for name, other in itertools.pairwise(names)}
    return files | {f"model/{names[-1]}.yaml": f"key_{names[-1]}: 1\n"}


TOO_MUCH: Mapping[str, tuple[Files, str]] = {
    "aliases": (
        {"model/x.yaml": "n0: &n0 [x]\n" + "".join(f"n{k}: &n{k} [{f'*n{k - 1}, ' * 8}]\n" for k in range(1, 9))},
        "x.yaml",
    ),
    "a file of itself": ({"model/x.yaml": "defaults: [x, _self_]\n"}, "200 files"),
    "files of files": (chain("xabcdefghi", "defaults: [{other}@one, {other}@two, {other}@three]\n"), "200 files"),
    "references": (
        {"model/x.yaml": "a0: x\n" + "".join(f"a{k}: {f'${{a{k - 1}}}' * 3}\n" for k in range(1, 30))},
        "20 references",
    ),
    "references over files": (
        chain("xabcd", "defaults: [{other}]\nkey_{name}: " + "${{key_{other}}}" * 15 + "\n"),
        "20 references",
    ),
    "length": ({"model/x.yaml": f"a: '{'x' * 1_000_000}'\n"}, "65,536 characters"),
    "depth": ({"model/x.yaml": f"a: {'[' * 5_000}\n"}, "20 levels"),
}


class Hostile:
    """A directory of files, and what they would leave behind.

    Args:
        home: an empty directory.
    """

    def __init__(self, home: Path) -> None:
        self.files = home / "files"
        self.traces = home / "traces"
        for directory in (self.files, self.traces):
            directory.mkdir()

    def write(self, files: Files) -> None:
        for name, text in files.items():
            path = self.files / name
            path.parent.mkdir(parents=True, exist_ok=True)
            text = text.replace("CANARY", str(self.traces / "canary")).replace("HERE", str(self.files))
            path.write_text(text)

    def run_job(self, _options: RunOptions, _launch: Launch) -> float:
        (self.traces / "job").touch()
        return 0.0


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hostile:
    made = Hostile(tmp_path)
    package = tmp_path / "packages" / "evil_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"open({str(made.traces / 'imported')!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.chdir(made.traces)
    return made


def refuse(hostile: Hostile, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run `train.py`, which must refuse in one message before anything happens; returns the message."""
    sys.argv[:] = ["train.py", *arguments]
    started = time.process_time()
    with pytest.raises(SystemExit) as ended:
        main(JobFunction(run=hostile.run_job))
    output = capsys.readouterr()
    assert (ended.value.code, output.out) == (2, ""), output.err
    assert output.err.count("\n") == 1, output.err
    assert list(hostile.traces.iterdir()) == []
    assert time.process_time() - started < 2
    return output.err


@pytest.fixture(autouse=True)
def _keep_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the arguments and the logging of this process: Hydra's flags change both."""
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(logging.root, "handlers", list(logging.root.handlers))
    monkeypatch.setattr(logging.root, "level", logging.root.level)


@pytest.mark.parametrize("kind", EXPERIMENTS)
def test_an_experiment_names_no_code(kind: str, hostile: Hostile, capsys: pytest.CaptureFixture[str]) -> None:
    hostile.write({"experiment/x.yaml": f"{GLOBAL}{EXPERIMENTS[kind]}\n"})
    launcher = ["hydra/launcher=basic"] if kind.startswith("a swept") else []
    refuse(hostile, ["--config-dir", str(hostile.files), "experiment=x", *launcher], capsys)
    # A command that runs no sweep does not read what would be swept.
    with contextlib.nullcontext() if kind.startswith("a swept") else pytest.raises(ConfigError):
        compose_options([f"hydra.searchpath=[file://{hostile.files}]", "experiment=x"])
    assert list(hostile.traces.iterdir()) == []


def test_a_choice_that_the_primary_file_overrides_has_no_effect_in_an_experiment(
    hostile: Hostile, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile.write({"experiment/x.yaml": f"{GLOBAL}defaults:\n  - override /hydra/launcher: ray\n"})
    refuse(hostile, ["--config-dir", str(hostile.files), "experiment=x"], capsys)
    with pytest.raises(ConfigError, match=r"override /hydra/launcher has no effect in experiment/x\.yaml"):
        compose_options([f"hydra.searchpath=[file://{hostile.files}]", "experiment=x"])


@pytest.mark.parametrize(("files", "arguments"), GROUPS.values(), ids=GROUPS)
def test_no_group_names_code(
    files: Files, arguments: list[str], hostile: Hostile, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile.write(files)
    refuse(hostile, ["--config-dir", str(hostile.files), *arguments], capsys)


@pytest.mark.parametrize(("files", "arguments"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_only_the_command_says_where_runs_and_jobs_go(
    files: Files, arguments: list[str], hostile: Hostile, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile.write(files)
    message = refuse(hostile, ["--config-dir", str(hostile.files), *arguments], capsys)
    assert re.search(r"where (runs and jobs|runs) go is for (the command|you) to say", message)


@pytest.mark.parametrize("name", ["config", "other"])
def test_a_file_that_the_command_chooses_says_where_runs_go(
    name: str, hostile: Hostile, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile.write({"tracking/x.yaml": "name: mlflow\nuri: http://mine.example\n"})
    hostile.write({f"{name}.yaml": (conf_dir() / "config.yaml").read_text()} if name == "other" else {})
    hostile.write({"experiment/x.yaml": f"{GLOBAL}defaults: [override /tracking: directory]\nseed: 3\n"})
    arguments = ["--config-dir", str(hostile.files)]
    if name == "other":
        for group in ("model", "dataset", "training", "decoding", "hydra"):
            (hostile.files / group).symlink_to(conf_dir() / group)
        arguments = ["--config-path", str(hostile.files), "--config-name", name]
    sys.argv[:] = ["train.py", *arguments, "tracking=x", "--cfg", "job"]
    main(JobFunction(run=hostile.run_job))
    assert "http://mine.example" in capsys.readouterr().out


@pytest.mark.parametrize(("files", "arguments"), NOT_READ.values(), ids=NOT_READ)
def test_a_file_behind_a_shipped_one_is_not_read(files: Files, arguments: list[str], hostile: Hostile) -> None:
    hostile.write(files)
    sys.argv[:] = ["train.py", "--config-dir", str(hostile.files), "tracking=directory", *arguments]
    main(JobFunction(run=hostile.run_job))
    assert [path.name for path in hostile.traces.iterdir()] == ["job"]


@pytest.mark.parametrize(("files", "arguments"), PRIMARY.values(), ids=PRIMARY)
def test_the_primary_configuration_names_no_code(
    files: Files, arguments: list[str], hostile: Hostile, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile.write(files)
    refuse(hostile, ["--config-path", str(hostile.files), *arguments], capsys)


@pytest.mark.parametrize("show", [["--cfg", "job"], ["--cfg", "all", "--resolve"], ["--info", "config"], ["--help"]])
def test_what_is_only_shown_is_checked_too(
    show: list[str], hostile: Hostile, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile.write({"experiment/x.yaml": f"{GLOBAL}hydra: {{callbacks: {{x: {CODE}}}}}\n"})
    refuse(hostile, ["--config-dir", str(hostile.files), "experiment=x", *show], capsys)


def test_the_message_names_the_file_and_the_option(hostile: Hostile, capsys: pytest.CaptureFixture[str]) -> None:
    hostile.write({"experiment/x.yaml": f"{GLOBAL}hydra: {{callbacks: {{x: {CODE}}}}}\n"})
    message = refuse(hostile, ["--config-dir", str(hostile.files), "experiment=x"], capsys)
    assert message == (
        "hydra.callbacks cannot be set in a file: of Hydra only help, launcher, mode, searchpath, sweeper can; "
        f"got {hostile.files}/experiment/x.yaml. Take it out of the file.\n"
    )


@pytest.mark.parametrize(("files", "name"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_stands_for_too_much_is_refused_at_once(
    files: Files, name: str, hostile: Hostile, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile.write(files)
    assert name in refuse(hostile, ["--config-dir", str(hostile.files), "model=x"], capsys)


def test_shipped_choices_pass() -> None:
    loader = CheckedLoader(make_search_path(conf_dir()))
    for launcher in ("basic", "local", "ray", "slurm"):
        for sweeper in ("basic", "optuna"):
            overrides = [f"hydra/launcher={launcher}", f"hydra/sweeper={sweeper}"]
            composed = loader.load_configuration("config", overrides, run_mode=RunMode.MULTIRUN)
            assert launcher in composed.hydra.launcher._target_.lower()
