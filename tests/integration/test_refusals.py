"""Whatever is wrong with a command line, the answer is one message that names the option."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lengthwise.config.compose import compose_options
from lengthwise.config.options import RunOptions
from lengthwise.config.reflection import Field, find_variants, read_fields
from lengthwise.errors import ConfigError

ROOT = Path(__file__).parents[2]

Case = tuple[list[str], str]
"""Overrides, and a text that the message must hold: the option's name, or what of it the command shows."""

DEFAULTS = {"dataset": "digits", "decoding": "greedy", "tracking": "mlflow"}


def list_fields() -> list[tuple[str, Field]]:
    """Return the dotted name and the field of every option of the default configuration."""
    found: list[tuple[str, Field]] = []
    for field in read_fields(RunOptions):
        if not field.sections:
            found.append((field.name, field))
            continue
        variants = find_variants(field)
        chosen = variants[DEFAULTS[field.name]] if field.name in DEFAULTS else field.sections[0]
        found += [(f"{field.name}.{inner.name}", inner) for inner in read_fields(chosen)]
    return found


FIELDS = list_fields()
NUMBERS = [(name, field) for name, field in FIELDS if field.kind in (int, float)]
TEXTS = [(name, field) for name, field in FIELDS if field.kind is str]
GROUPS = ("model", "dataset", "training", "decoding", "tracking")


def misspell(random_: random.Random, name: str) -> str:
    index = random_.randrange(len(name))
    return random_.choice((name[:index] + name[index + 1 :], name[:index] + "q" + name[index:], f"{name}_x"))


def unknown_key(r: random.Random) -> Case:
    known = {name for name, _ in FIELDS} | set(GROUPS) | {"experiment", "hydra"}
    while True:
        name = misspell(r, r.choice(FIELDS)[0])
        if name not in known and not name.startswith((".", "_")) and "._" not in name and not name.endswith("."):
            return [f"{name}={r.choice(('1', 'x', 'null', '[1,2]'))}"], name


def added_key(r: random.Random) -> Case:
    (line,), name = unknown_key(r)
    return [f"{r.choice(('+', '++'))}{line}"], name


def added_known(r: random.Random) -> Case:
    return [f"+{(name := r.choice(('latent_dim', 'seed', 'model.cell', 'training.epochs')))}=1"], name


def wrong_type(r: random.Random) -> Case:
    name, field = r.choice(FIELDS)
    wrong = ["[1,2]", "{a: 1}", "{}"]
    if field.path is None:  # a file may have any name
        wrong += ["'a b'", '"\\u0000"']
    if field.kind is not bool:
        wrong += ["true", "false"]
    if field.kind is not str:
        wrong += ["abc", "''"]
    if field.kind in (int, bool, str) or field.kind is None:
        wrong += ["2.5", "1e400", "3.0"]
    if field.kind in (bool, str) or field.kind is None:
        wrong += ["7"]
    if not field.nullable:
        wrong += ["null"]
    return [f"{name}={r.choice(wrong)}"], name


def out_of_range(r: random.Random) -> Case:
    name, _ = r.choice([(n, f) for n, f in NUMBERS if n not in ("config_version",)])
    return [f"{name}={r.choice(('-1', '-0.5', '99999999999999', '1e300', '-99999999999999999999'))}"], name


def not_finite(r: random.Random) -> Case:
    name, _ = r.choice(NUMBERS)
    return [f"{name}={r.choice(('nan', 'inf', '-inf', 'NaN', '.nan'))}"], name


def path_trick(r: random.Random) -> Case:
    trick = r.choice(("../../x", "/etc/passwd", "..", "a/../b", "'a\\tb'", "x/", "~/x", "'\u202e/x'"))
    name = r.choice(("study", "model.name", "training.name", *GROUPS))
    return [f"{name}={trick}"], name


def wrong_choice(r: random.Random) -> Case:
    group = r.choice(GROUPS)
    choice = r.choice(("statefull", "null", "3", "true", "''", "[]", "[1]", "REPEAT", "x.y", "'*'"))
    return [f"{group}={choice}"], group


def names_code(r: random.Random) -> Case:
    group = r.choice((*GROUPS, "hydra.launcher", "hydra.sweeper", "hydra.callbacks.x"))
    sign = r.choice(("", "+", "++"))
    if r.random() < 0.5:
        return [f"{sign}{group}._target_=os.system"], group
    return [f"{sign}{group}={{_target_: pathlib.Path.write_text}}"], group


def removed(r: random.Random) -> Case:
    name = r.choice((*GROUPS, "latent_dim", "model.cell", "experiment", "hydra/launcher", "hydra.run", "foo"))
    return [f"~{name}{r.choice(('', '=1'))}"], name


def bad_grammar(r: random.Random) -> Case:
    name = r.choice(("latent_dim", "model", "study"))
    return [f"{name}{r.choice(('', '=[1', '={a', '=a b:(', '=)', '=choice(1', '==', '=a=b=[', '= $', '=sort('))}"], name


def misplaced(r: random.Random) -> Case:
    group = r.choice(GROUPS)
    choice = {"model": "repeat", "dataset": "digits", "training": "quick"}.get(group, "greedy")
    sign = r.choice(("", "+"))
    return [f"{sign}{group}@{r.choice(('foo', 'model.x', '_global_', ''))}={choice}"], group


def hydra_nonsense(r: random.Random) -> Case:
    name, value = r.choice(
        (
            ("hydra.run.dir", "elsewhere"),
            ("hydra.sweep.dir", "elsewhere"),
            ("hydra.output_subdir", ".hydra"),
            ("hydra.job.chdir", "true"),
            ("hydra.job.env_set.PATH", "x"),
            ("hydra/job_logging", "default"),
            ("hydra/output", "default"),
            ("hydra.callbacks.x", "1"),
            ("hydra/launcher", "nowhere"),
            ("hydra/launcher", "../../x"),
            ("hydra.launcher.workers", "2"),
            ("hydra.foo", "1"),
            ("hydra", "x"),
            ("hydra.mode", "SIDEWAYS"),
            ("hydra.searchpath", "3"),
            ("hydra.verbose", "true"),
        )
    )
    return [f"{name}={value}"], name.partition(".")[0].partition("/")[0]


def interpolated(r: random.Random) -> Case:
    name = r.choice(("latent_dim", "study", "output_dir", "training.learning_rate", "tracking.uri"))
    value = r.choice(
        ("${oc.env:HOME}", "${nothing}", f"${{{name}}}", "${hydra:job.num}", "${now:%Y}", "${model}", "${")
    )
    return [f"{name}={value}"], name


def swept(r: random.Random) -> Case:
    name = r.choice(("latent_dim", "model", "seed", "training.learning_rate"))
    return [f"{name}={r.choice(('1,2', 'choice(1,2)', 'range(1,5)', 'interval(0,1)', 'glob(*)', 'a,b'))}"], name


def senseless(r: random.Random) -> Case:
    return r.choice(
        (
            (["model.sampling_rate=0.5"], "model.sampling_rate"),
            (["model.feedback=scheduled"], "model.sampling_rate"),
            (["model.carry=hc", "model.cell=gru"], "model.carry"),
            (["dataset=pairs"], "dataset.path"),
            (["dataset=series", "dataset.path=x"], "timesteps"),
            (["dataset=scan", "model.head=none"], "model.head"),
            (["dataset.validation_fraction=0.6", "dataset.test_fraction=0.6"], "dataset.validation_fraction"),
            (["training.schedule=plateau"], "training.plateau_divisor"),
            (["dataset.num_digits=3"], "dataset.num_digits"),
        )
    )


KINDS: tuple[Callable[[random.Random], Case], ...] = (
    unknown_key,
    added_key,
    added_known,
    wrong_type,
    out_of_range,
    not_finite,
    path_trick,
    wrong_choice,
    names_code,
    removed,
    bad_grammar,
    misplaced,
    hydra_nonsense,
    interpolated,
    swept,
    senseless,
)


def generate(count: int, *, seed: int) -> Iterator[Case]:
    """Yield malformed command lines, the kinds by turns.

    Args:
        count: how many.
        seed: of the draw.
    """
    r = random.Random(seed)
    for index in range(count):
        yield KINDS[index % len(KINDS)](r)


def refuse(overrides: list[str]) -> str:
    with pytest.raises(ConfigError) as caught:
        compose_options(overrides)
    return str(caught.value)


def check_message(message: str, name: str) -> None:
    assert name in message
    assert "\n" not in message
    assert message.endswith(".")
    assert len(message) < 900


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_kind_of_mistake_gives_one_message_that_names_the_option(kind: Callable[[random.Random], Case]) -> None:
    overrides, name = kind(random.Random(11))
    check_message(refuse(overrides), name)


@pytest.mark.slow
def test_a_thousand_malformed_overrides_give_one_message_each() -> None:
    for overrides, name in generate(1_000, seed=5):
        check_message(refuse(overrides), name)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["model.dropot=0.1"],
            "model.dropot is not an option. Did you mean model.dropout? `lengthwise options model` lists all.",
        ),
        (
            ["model=statefull"],
            "model must be one of repeat, stateful; got 'statefull'. Did you mean stateful? "
            "A file of your own is found with --config-dir DIR, as DIR/model/NAME.yaml.",
        ),
        (
            ["latent_dim=-3"],
            "latent_dim must be a whole number from 1 to 65536 units; got -3. "
            "`lengthwise options latent_dim` says what it means.",
        ),
        (
            ["dataset.num_digits=3"],
            "dataset.num_digits is an option of dataset=addition only. Add dataset=addition, or drop it.",
        ),
        (
            ["model=repeat,stateful"],
            "model has several values, which makes a sweep; got repeat,stateful. "
            "Add -m to run once for each, or quote it twice: \"model='...'\".",
        ),
    ],
)
def test_message(overrides: list[str], message: str) -> None:
    known = message.replace(
        "repeat, stateful;", f"{', '.join(sorted(p.stem for p in (ROOT / 'conf/model').iterdir()))};"
    )
    assert refuse(overrides) == known


COMMAND = """
import json, runpy, sys, time
sys.argv = [{script!r}, *json.loads({arguments!r})]
try:
    runpy.run_path({script!r}, run_name="__main__")
    status = 0
except SystemExit as end:
    status = end.code
heavy = [name for name in ("tensorflow", "keras", "mlflow", "numpy") if name in sys.modules]
print(json.dumps([status, heavy, time.process_time()]), file=open({report!r}, "w"))
"""


def run_command(
    arguments: list[str], directory: Path
) -> tuple[int, list[str], float, subprocess.CompletedProcess[str]]:
    """Run `train.py` in a directory; returns status, heavy modules imported, seconds of computing, and the output."""
    report = directory / "report.json"
    code = COMMAND.format(script=str(ROOT / "train.py"), arguments=json.dumps(arguments), report=str(report))
    (work := directory / "work").mkdir()
    (temporary := directory / "temporary").mkdir()
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=60)
    return *json.loads(report.read_text()), done


def list_traces(directory: Path) -> set[Path]:
    return {*ROOT.glob("outputs/*/*"), *ROOT.glob("*.db"), *directory.glob("work/*"), *directory.glob("temporary/*")}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["latent_dim=-5"], "latent_dim"),
        (["modle=repeat"], "modle"),
        (["+model._target_=os.system"], "model._target_"),
        (["study=../../x"], "study"),
        (["-m", "model=repeat,stateful", "latent_dim=8,0"], "latent_dim"),
        (["-m", "model=repeat,nothing"], "model"),
        (["hydra.run.dir=elsewhere"], "hydra.run.dir"),
        (["hydra.searchpath=[nowhere]"], "hydra.searchpath"),
        (["-m", "seed=1,2", "hydra.launcher.retries=-1"], "hydra.launcher.retries"),
        (["--config-name", "model/repeat"], "config_version"),
        (["--nonsense"], "--nonsense"),
        (["--experimental-rerun", "x.pickle"], "--experimental-rerun"),
        (["latent_dim=8", "-m", "seed=1,x"], "seed"),
    ],
)
def test_a_refused_command_ends_at_once_and_leaves_nothing(arguments: list[str], name: str, tmp_path: Path) -> None:
    before = list_traces(tmp_path)
    status, heavy, seconds, done = run_command(arguments, tmp_path)
    assert status == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert name in done.stderr
    assert heavy == []
    assert seconds < 1
    assert list_traces(tmp_path) == before
