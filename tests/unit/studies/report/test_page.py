"""The page and the Markdown of a report, with the figures they show."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from helpers.study_runs import CUBE, build_report, make_grid, make_run, score_cube
from lengthwise.studies.report.markdown import render_markdown
from lengthwise.studies.report.page import render_page


class _Reader(HTMLParser):
    """Notes the text, tags that are not closed, and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.scripts = 0
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        self.scripts += tag == "script"
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style" and data.strip():
            self.text.append(data.strip())


def read_page(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    return reader


def test_the_page_is_one_well_formed_file(tmp_path: Path) -> None:
    page = render_page(build_report(make_grid(CUBE, score_cube, seeds=range(5)), tmp_path))
    reader = read_page(page)
    assert reader.open == []
    assert reader.scripts == 0
    assert len(reader.links) == 4  # effects, conditions, lengths, learning curves
    assert all(link.startswith("data:image/png;base64,iVBOR") for link in reader.links)
    assert "http" not in page.partition("<body>")[0]
    assert "Which &lt;axis&gt;?" in page
    assert "<b>" not in page  # a decoded text
    assert '<td class="better">\N{BLACK UP-POINTING TRIANGLE} +' in page
    assert "max-width: 74rem" in page.partition("</style>")[0]
    assert page.index('<p class="lead">Take ') < page.index("<figure>") < page.index("What makes the difference")


def test_every_text_of_a_report_is_on_its_page(tmp_path: Path) -> None:
    report = build_report(make_grid(CUBE, score_cube), tmp_path)
    text = read_page(render_page(report)).text
    tables = [report.summary, *(table for section in report.sections for table in section.tables.values())]
    expected = [str(entry) for table in tables for row in (table.columns, *table.rows) for entry in row if entry != ""]
    answer = report.answer
    assert answer.choice is not None
    expected += [answer.choice.headline, *answer.choice.reasons, *answer.warnings, *answer.effects, *answer.cautions]
    expected += [*(section.title for section in report.sections)]
    shown = {"True": "yes", "False": "no"}
    assert {shown.get(each, each) for each in expected} <= set(text)


def test_the_markdown_names_the_figures_that_were_written(tmp_path: Path) -> None:
    runs = make_grid({"latent_dim": (4, 8, 16), "model.length": ("fixed", "stop")}, lambda d, _, s: 0.02 * d + 0.01 * s)
    text = render_markdown(build_report(runs, tmp_path))
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"effects_test.png", "by_latent_dim.png", "conditions.png", "by_length.png", "learning_curves.png"}
    assert all(f"(figures/{name})" in text for name in files)
    assert "latent_dim: 16 instead of 4" in text


def test_a_study_without_a_finished_run_still_has_a_report(tmp_path: Path) -> None:
    runs = [make_run({}, seed, None, status="FAILED") for seed in range(2)]
    page = render_page(build_report(runs, tmp_path))
    assert "No run has finished" in page
    assert "ValueError: &lt;no&gt; good" in page


def test_where_nothing_was_learnt_the_learning_curves_come_first(tmp_path: Path) -> None:
    report = build_report(make_grid(CUBE, lambda *levels: 0.05 + 0.01 * levels[-1]), tmp_path)
    text = render_markdown(report)
    assert [picture.name for picture in report.lead] == ["learning_curves"]
    assert text.index("learning_curves.png") < text.index("## The study")
    assert text.count("learning_curves.png") == 1
    assert [section.title for section in report.sections][-1].startswith("Effects")
    assert "best condition" not in text
    page = render_page(report)
    assert page.index("<figure>") < page.index("<h2>")


def test_one_seed_has_no_table_of_verdicts(tmp_path: Path) -> None:
    report = build_report(make_grid(CUBE, score_cube, seeds=(0,)), tmp_path)
    assert "significant" not in render_markdown(report)
    assert report.summary.rows == ()


def test_reconstructions_of_the_best_and_the_worst_condition_are_shown(tmp_path: Path) -> None:
    figures = tmp_path / "figures"
    figures.mkdir()
    runs = []
    for length, value in (("fixed", 0.2), ("stop", 0.6)):
        drawn = tmp_path / f"{length}.png"
        drawn.write_bytes(length.encode())
        runs.append(make_run({"model.length": length}, 0, value, reconstructions=drawn))
    build_report(runs, figures)
    assert (figures / "reconstructions_best.png").read_bytes() == b"stop"
    assert (figures / "reconstructions_worst.png").read_bytes() == b"fixed"
