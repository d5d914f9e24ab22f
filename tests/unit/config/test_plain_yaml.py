"""Files that stand for more than they hold are refused at once; all that a configuration needs passes."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
import yaml

from lengthwise.config.parse import parse_stored
from lengthwise.config.paths import conf_dir
from lengthwise.config.plain_yaml import MOST_VALUES, check_references, check_yaml, check_yaml_file, read_yaml
from lengthwise.errors import ConfigError


def nest_aliases(first: str, line: str, *, levels: int) -> str:
    """Return a text of lines in which each refers ten times to the one before."""
    lines = [first] + [line.format(name=f"n{k}", other=f"n{k - 1}") for k in range(1, levels)]
    return "\n".join(lines)


LISTS = nest_aliases("n0: &n0 [x, x]", "{name}: &{name} [" + ", ".join(["*{other}"] * 10) + "]", levels=9)
MAPPINGS = nest_aliases(
    "n0: &n0 {a: 1}", "{name}: &{name} {{" + ", ".join(f"k{k}: *{{other}}" for k in range(10)) + "}}", levels=9
)
HOSTILE = {
    "aliases in lists": LISTS,
    "aliases in mappings": MAPPINGS,
    "aliases merged": nest_aliases(
        "n0: &n0 {a: [1]}", "{name}: &{name} [{{<<: *{other}}}, *{other}, *{other}]", levels=30
    ),
    "aliases in block style": nest_aliases("n0: &n0\n  - x", "{name}: &{name}\n" + "  - *{other}\n" * 10, levels=9),
    "aliases behind much text": "# " + "x" * 5_000 + "\n" + LISTS,
    "an alias of itself": "a: &a [x, *a]",
    "an alias of nothing": "a: *b",
    "deep lists": "a: " + "[" * 30_000,
    "deep mappings": "{a: " * 15_000,
    "deep blocks": "\n".join(" " * depth + "a:" for depth in range(300)),
    "many values": "a: [" + "1, " * 20_000 + "1]",
    "a long text": "a: '" + "x" * 100_000 + "'",
    "a long comment": "#" + "x" * 100_000 + "\na: 1",
    "references in references": "\n".join(
        ["a0: x", *(f"a{k}: ${{a{k - 1}}}${{a{k - 1}}}${{a{k - 1}}}" for k in range(1, 40))]
    ),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_stands_for_too_much_is_refused_at_once(text: str) -> None:
    started = time.process_time()
    with pytest.raises(ConfigError, match=r"^x\.yaml must not"):
        check_yaml(text, name="x.yaml")
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_presets_and_stored_configurations_are_read_within_the_same_bounds(text: str, tmp_path: Path) -> None:
    started = time.process_time()
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"x\.yaml must not"):
        read_yaml(tmp_path / "x.yaml")
    with pytest.raises(ConfigError, match=r"^the stored configuration must not"):
        parse_stored(text)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "text", ["a: 1\na: 2", "a: {b: 1, b: 2}", "[1]", "a: [", "\tx", "a: !!python/name:os.system x", "", "a: \x80"]
)
def test_a_file_that_is_no_mapping_of_plain_values_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match=r"x\.yaml must be"):
        read_yaml(tmp_path / "x.yaml")


def test_a_file_is_not_even_read_where_it_is_too_long(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    with path.open("wb") as file:
        file.truncate(10 * 2**40)  # ten terabytes that take no room
    with pytest.raises(ConfigError, match=r"x\.yaml must not be longer than 65,536 characters"):
        check_yaml_file(path)
    check_yaml_file(tmp_path / "missing.yaml")  # its absence is for the reader to report


def test_every_shipped_file_is_far_from_the_bounds() -> None:
    for path in conf_dir().rglob("*.yaml"):
        check_yaml(path.read_text() * 3, name=path.name)


@pytest.mark.parametrize(
    "text",
    [
        "base: &base {a: 1, b: [2, 3]}\nother: {<<: *base, c: *base}",
        "a: ${latent_dim}\nb: ${a}-${seed}",
        "",
        "- 1",
        "a: [",  # not YAML: the reader says so
        "a: !!python/object/apply:os.system ['x']",  # refused by the reader too
        "a: &a 1\nb: &a 2\nc: *a",
    ],
)
def test_ordinary_yaml_passes(text: str) -> None:
    check_yaml(text, name="x.yaml")


def count_values(value: object) -> int:
    if isinstance(value, dict):
        return 1 + sum(1 + count_values(inner) for inner in value.values())
    return 1 + sum(map(count_values, value)) if isinstance(value, list) else 1


@pytest.mark.parametrize(("levels", "passes"), [(7, True), (8, False)])
def test_an_alias_counts_as_all_that_it_stands_for(levels: int, passes: bool) -> None:
    text = nest_aliases("n0: &n0 [x, x]", "{name}: &{name} [*{other}, *{other}, *{other}]", levels=levels)
    assert (count_values(yaml.safe_load(text)) <= MOST_VALUES) == passes
    with contextlib.nullcontext() if passes else pytest.raises(ConfigError, match="aliases counted each time"):
        check_yaml(text, name="x.yaml")


def test_references_are_counted_over_all_values() -> None:
    check_references({"a": "${b}" * 10, "c": ["${d}"] * 10, "e": "\\${f}" * 100}, name="x")
    with pytest.raises(ConfigError, match="more than 20 references"):
        check_references({"a": "${b}" * 10, "${c}": ["${d}"] * 10}, name="x")
