"""A generator of command lines that must all be refused, drawn from every way in which one can be wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from lengthwise.config.fields import Field, find_variants, read_fields
from lengthwise.config.options import RunOptions

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
    place = random_.randrange(len(name))
    return random_.choice((name[:place] + name[place + 1 :], name[:place] + "q" + name[place:], f"{name}_x"))


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
    wrong = ["[1,2]", "{a: 1}", "{}", "'a b'", "\"\\u0000\""]
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
    value = r.choice(("${oc.env:HOME}", "${nothing}", f"${{{name}}}", "${hydra:job.num}", "${now:%Y}", "${model}", "${"))
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
    for place in range(count):
        yield KINDS[place % len(KINDS)](r)
