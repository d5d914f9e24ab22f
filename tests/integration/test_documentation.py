"""The documentation: the site is built without a warning or a network, and every command in it can be given."""

from __future__ import annotations

import re
import shlex
import tomllib
import warnings
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from sphinx.cmd.build import build_main

from lengthwise.app.arguments import read_arguments
from lengthwise.app.cli import read_command
from lengthwise.app.commands import COMMANDS
from lengthwise.config.compose import compose_options
from lengthwise.config.documentation import describe_options, find_options

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^ {4,6}((?:.*\\\n)*.*)$", re.MULTILINE)
INLINE = re.compile(r"`((?:python train\.py|lengthwise) [^`]+)`")
ORIGINS = ("base", "weights", "resume")
COMPOSED = ("data", "runs")
"""Commands of `lengthwise` whose options are those of a new run."""


def find_commands() -> dict[str, Path]:
    """Return every command of Lengthwise in the documentation, with the first page that has it."""
    found: dict[str, Path] = {}
    for page in PAGES:
        if page.stem == "your-own-dataset":
            continue  # its commands need its package; a test of packages follows the page to the letter
        text = page.read_text(encoding="utf-8")
        for command in [*BLOCK.findall(text), *INLINE.findall(text)]:
            joined = " ".join(command.replace("\\\n", " ").partition(" > ")[0].split())
            if re.match(r"(python train\.py|lengthwise) ", joined) and "=NAME" not in joined:
                found.setdefault(joined, page.relative_to(ROOT))
    return found


def choose(override: Override, place: int) -> str:
    """Write the first or the last value of a sweep over an option."""
    assert override.input_line is not None
    if not override.is_sweep_override():
        return override.input_line
    value = override.value()
    if isinstance(value, IntervalSweep):
        return f"{override.key_or_group}={(value.start, value.end)[place]}"
    return f"{override.key_or_group}={list(override.sweep_string_iterator())[place]}"


def check_training(words: list[str]) -> None:
    """Compose what a command of `train.py` would run; of a sweep the first and the last job."""
    arguments = read_arguments(words)
    lines = [line for line in arguments.overrides if line.partition("=")[0] not in ORIGINS]
    parsed = OverridesParser.create().parse_overrides(lines)
    swept = any(override.is_sweep_override() for override in parsed)
    assert not swept or arguments.multirun or any(line.startswith(("experiment=", "base=")) for line in words)
    for place in (0, -1) if swept else (0,):
        compose_options([choose(override, place) for override in parsed])


def check_command(words: list[str]) -> None:
    """Read a command of `lengthwise`, and compose its options where they are those of a new run."""
    name = words[0]
    if len(words) == 1:
        assert name in COMMANDS  # a command that is spoken of
        return
    _, request = read_command(words)
    if name == "options" and request.first is not None:
        assert find_options(request.first)
    if name == "models" and request.first is not None:
        compose_options([f"model={request.first}", "dataset=copy"])
    if name in COMPOSED:
        request.compose()


@pytest.mark.parametrize("command", find_commands())
def test_a_command_of_the_documentation_can_be_given(command: str) -> None:
    words = [word for word in shlex.split(command, comments=True) if word != "..."]
    if words[:2] == ["python", "train.py"] or words[1:2] == ["train"]:
        check_training(words[2:])
    else:
        check_command(words[1:])


class Links(HTMLParser):
    """The addresses that a page loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.loaded += filter(None, [known.get("src")])
        elif tag == "link" and known.get("rel") not in ("search", "index", "next", "prev", "canonical", "author"):
            self.loaded += filter(None, [known.get("href")])


@pytest.mark.slow
def test_the_site_is_built_and_needs_no_network(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in a process of its own
        assert (
            build_main(["-b", "html", "-q", "-W", "-d", f"{tmp_path}/read", str(ROOT / "docs"), f"{tmp_path}/site"])
            == 0
        )
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        links = Links()
        links.feed(page.read_text(encoding="utf-8"))
        assert links.loaded
        assert not [address for address in links.loaded if re.match(r"https?:|//", address)], page
    for style in (tmp_path / "site").rglob("*.css"):
        assert not re.search(r"@import|url\(['\"]?(https?:|//)", style.read_text(encoding="utf-8")), style
    options = unescape((tmp_path / "site" / "options.html").read_text(encoding="utf-8"))
    assert all(f">{option.name}<" in options for option in describe_options())


def test_every_study_with_results_has_a_page() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "studies").glob("*.md")}
    assert pages == {path.parent.name for path in (ROOT / "experiments").glob("*/README.md")}


def test_the_tools_that_build_the_site_are_an_extra_and_locked() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    locked = (ROOT / "requirements.lock").read_text().lower()
    for requirement in extras["docs"]:
        name = re.split(r"[<>=]", requirement)[0].lower()
        assert re.search(rf"^{name}==", locked, re.MULTILINE), name
