"""Build the documentation site: `make docs`. What can be read from the code is written from it, at each build."""

from __future__ import annotations

import base64
import io
import re
from itertools import groupby
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from lengthwise import __version__
from lengthwise.catalog.figure import plot_wiring
from lengthwise.catalog.presets import list_presets, read_preset
from lengthwise.catalog.table import EIGHT_FEATURES, TUTORIAL_SYMBOLS, format_markdown, tabulate_presets
from lengthwise.config.about import StudyAbout, take_about
from lengthwise.config.compose import compose_options
from lengthwise.config.documentation import describe_options
from lengthwise.config.paths import conf_dir
from lengthwise.config.plain_yaml import read_yaml
from lengthwise.models.wiring import resolve_wiring

project = "Lengthwise"
author = "Lengthwise contributors"
version = release = __version__
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
highlight_language = "none"  # of indented blocks, which are commands
html_theme = "furo"  # brings its styles and scripts along: no page asks another site for anything
html_title = "Lengthwise"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_static_path = ["style"]
html_css_files = ["site.css"]

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"


class OptionsReference(SphinxDirective):
    """`{options-reference}`: every option of `config/options.py` with its type, range and meaning, by section."""

    def run(self) -> list[nodes.Node]:
        """Write a heading for each section and a definition for each option."""
        lines: list[str] = []
        for section, options in groupby(describe_options(), key=lambda option: option.section):
            described = list(options)
            lines += [f"## {section or 'Axes'}", "", described[0].section_meaning, ""]
            for option in described:
                allowed = "; ".join(filter(None, (option.type_text, option.range_text)))
                lines += [f"**`{option.name}`** \\", f"*{_escape(allowed)}* \\", _escape(option.meaning), ""]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


class PresetReference(SphinxDirective):
    """`{preset-reference}`: the presets of conf/model/ in a table, then what each has of its source."""

    def run(self) -> list[nodes.Node]:
        """Write the table and a section for each preset."""
        presets = [read_preset(name) for name in list_presets()]
        table = format_markdown(tabulate_presets(presets, 256, TUTORIAL_SYMBOLS))
        lines = ["## All", "", *(f"{row.rsplit('|', 2)[0]}|" for row in table), ""]  # titles stand below
        for preset in presets:
            about = preset.about
            checked = about.checked or about.not_checked or ""
            lines += [f"## {preset.name}", "", f"{_escape(about.title)}. {_escape(about.source)}", ""]
            lines += [f"- Taken: {_escape(about.taken)}", f"- Not taken: {_escape(about.not_taken)}"]
            lines += [f"- Widths: {_escape(about.widths)}", f"- Checked: {_escape(checked)}", ""]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


class StudyReference(SphinxDirective):
    """`{study-reference}`: the studies that ship with Lengthwise, each a command."""

    def run(self) -> list[nodes.Node]:
        """Write a section for each file of conf/experiment/."""
        lines: list[str] = []
        for path in sorted((conf_dir() / "experiment").glob("*.yaml")):
            about = take_about(StudyAbout, read_yaml(path), path=path)
            lines += [f"### {path.stem}", "", _escape(about.question), "", f"    {about.command}", ""]
            lines += [f"{_escape(about.runs)} About {about.minutes:g} minutes on two cores.", ""]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


class StudyPage(SphinxDirective):
    """`{study} NAME`: the README of experiments/NAME/, whose links and figures are beside it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the page with links as seen from docs/studies/."""
        readme = EXPERIMENTS / self.arguments[0] / "README.md"
        self.env.note_dependency(str(readme))
        text = re.sub(
            r"\]\((?!https?:|#)([^)]+)\)",
            lambda link: f"](../../experiments/{self.arguments[0]}/{link.group(1)})",
            readme.read_text(encoding="utf-8"),
        )
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class WiringFigure(SphinxDirective):
    """```{wiring} model=stateful model.feedback=own```: the wiring of a point of the cube, drawn from its options."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec = {"features": directives.flag}  # noqa: RUF012  (so docutils has it)

    def run(self) -> list[nodes.Node]:
        """Draw the figure into the page."""
        overrides = self.arguments[0].split()
        options = compose_options(["dataset=copy", *overrides])
        spec = EIGHT_FEATURES if "features" in self.options else TUTORIAL_SYMBOLS
        figure = plot_wiring(resolve_wiring(options.model, options.latent_dim, spec))
        drawn = io.BytesIO()
        figure.savefig(drawn, format="svg")
        uri = f"data:image/svg+xml;base64,{base64.b64encode(drawn.getvalue()).decode()}"
        return [nodes.image(uri=uri, alt=f"The wiring of {self.arguments[0]}", classes=["wiring"])]


def _escape(text: str) -> str:
    """Let no mark of Markdown take effect; what stands in backquotes stays code."""
    code = text.split("`")
    for place in range(0, len(code), 2):
        for mark in "\\*_<[|":
            code[place] = code[place].replace(mark, f"\\{mark}")
    return "`".join(code)


def setup(app: Any) -> None:
    """Give Sphinx the directives of this file."""
    app.add_directive("options-reference", OptionsReference)
    app.add_directive("preset-reference", PresetReference)
    app.add_directive("study-reference", StudyReference)
    app.add_directive("study", StudyPage)
    app.add_directive("wiring", WiringFigure)
