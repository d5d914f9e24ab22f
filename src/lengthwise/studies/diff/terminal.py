"""The comparison of runs on a terminal: one screen."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from lengthwise.errors import printable
from lengthwise.evaluation.tables import Entry, Table
from lengthwise.studies.diff.contents import SCORES_ON, TRANSITIONS
from lengthwise.studies.report.contents import Report

_MOST_ROWS = 12


def print_comparison(report: Report, console: Console) -> None:
    """Print a comparison.

    Args:
        report: Its contents, with few examples.
        console: Where to.
    """
    console.print(Text(printable(report.title), style="bold"))
    for caution in report.answer.cautions:
        console.print(Text(printable(caution), style="yellow"))
    for index, paragraph in enumerate(report.answer.paragraphs):
        console.print(Text(printable(paragraph), style="bold" if index == 0 else ""))
    options = [section for section in report.sections if section.title.startswith("Options")]
    others = [section for section in report.sections if section not in options]
    for section in options:
        for table in section.tables.values():
            _print_table("", table, console)
    _print_table("", report.summary, console)
    for section in others:  # but for what only the page and Markdown show
        for caption, table in section.tables.items():
            if caption != TRANSITIONS and not section.title.startswith(SCORES_ON):
                _print_table(caption if section.title.startswith("Examples") else section.title, table, console)


def _print_table(title: str, table: Table, console: Console) -> None:
    if not table.rows:
        return
    console.print()
    if title:
        console.print(Text(printable(title), style="bold"))
    shown = RichTable(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in table.columns:
        shown.add_column(column, overflow="ellipsis", no_wrap=True)
    for row in table.rows[:_MOST_ROWS]:
        shown.add_row(*(Text(printable(_format(entry))) for entry in row))
    console.print(shown)
    if len(table.rows) > _MOST_ROWS:
        console.print(Text(f"and {len(table.rows) - _MOST_ROWS} more rows: --md or --html FILE", style="dim"))


def _format(entry: Entry) -> str:
    return f"{entry:.4g}" if isinstance(entry, float) else str(entry)
